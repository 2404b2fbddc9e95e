#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <openssl/types.h>

namespace understudy::platform {

/// From when until when a certificate is valid, in seconds of the wall clock.
struct Validity {
    std::int64_t begins_s = 0;
    std::int64_t ends_s = 0;
};

enum class Standing : std::uint8_t {
    not_yet,
    good,
    ends_soon,  ///< Within warned_before() of its end.
    expired,
};

/// How long before its end an own certificate is worth a warning: 30 days, or a third of its life
/// if that is less. A certificate that lives a day is renewed every day.
[[nodiscard]] std::int64_t warned_before_s(const Validity& validity);
[[nodiscard]] Standing standing(const Validity& validity, std::int64_t now_s);

/// Whole days until its end.
[[nodiscard]] std::int64_t days_left(const Validity& validity, std::int64_t now_s);
/// What the wall clock says.
[[nodiscard]] std::int64_t wall_now_s();

/// When the state of one certificate is worth a line: when it is first seen, when it changes, and
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
/// Who a certificate is of, for people: its common name, else its whole subject, without control
/// characters and not longer than a name should be.
[[nodiscard]] std::string subject_text(const X509* certificate);
[[nodiscard]] std::string issuer_text(const X509* certificate);
/// The hosts it names: "DNS:localhost, IP:127.0.0.1"; "no host" if there are none.
[[nodiscard]] std::string hosts_text(const X509* certificate);

}  // namespace understudy::platform
