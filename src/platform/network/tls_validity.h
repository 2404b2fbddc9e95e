#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <openssl/types.h>

namespace understudy::platform {

/// The times between which a certificate is valid, in seconds of the wall clock.
struct Validity {
    std::int64_t begins_s = 0;
    std::int64_t ends_s = 0;
};

enum class Standing : std::uint8_t {
    not_yet,
    good,
    ends_soon,  ///< It ends within warned_before_s().
    expired,
};

/// How long before its end a certificate causes a warning: 30 days, or a third of its life if that
/// is shorter. (A certificate that lives a day is renewed every day.)
[[nodiscard]] std::int64_t warned_before_s(const Validity& validity);
[[nodiscard]] Standing standing(const Validity& validity, std::int64_t now_s);

/// Whole days until its end.
[[nodiscard]] std::int64_t days_left(const Validity& validity, std::int64_t now_s);
/// The wall clock.
[[nodiscard]] std::int64_t wall_now_s();

/// Decides when the state of a certificate is logged: when it is first seen, when it changes, and
/// once a day while it is not good. Time is an argument.
class ExpiryWatch {
public:
    [[nodiscard]] bool worth_telling(Standing now, std::int64_t now_s);

private:
    std::optional<Standing> told_;
    std::int64_t told_at_s_ = 0;
};

/// "2026-11-29 12:00:00 UTC".
[[nodiscard]] std::string date_text(std::int64_t wall_s);

[[nodiscard]] Validity validity_of(const X509* certificate);
/// The owner of a certificate, for people: its common name, or else its whole subject, without
/// control characters and shortened.
[[nodiscard]] std::string subject_text(const X509* certificate);
[[nodiscard]] std::string issuer_text(const X509* certificate);
/// The hosts that it names: "DNS:localhost, IP:127.0.0.1"; "no host" if there are none.
[[nodiscard]] std::string hosts_text(const X509* certificate);

}  // namespace understudy::platform
