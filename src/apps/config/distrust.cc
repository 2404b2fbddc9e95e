#include "apps/config/distrust.h"

#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "apps/exit.h"
#include "base/trust.h"

namespace understudy::apps {

namespace {

[[nodiscard]] bool has(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

/// The remedy if a certificate of `whose` is not accepted; `of_other_authority` is used if its
/// authority is not known.
[[nodiscard]] std::string remedy(std::string_view why, std::string_view whose,
                                 std::string_view of_other_authority) {
    if (has(why, "expired"))
        return fmt::format("a new certificate of {}: this one has expired", whose);
    if (has(why, "not valid before")) return "date, on both machines: one clock may be wrong";
    if (has(why, "it is for ")) return "--registry with a host that the certificate names";
    return std::string(of_other_authority);
}

}  // namespace

Error explain_distrust(const Error& reason, const std::string& where) {
    const std::string_view detail = reason.detail;
    const auto told = [&](std::string sentence, std::string_view next) {
        return advise({.code = Errc::denied, .detail = std::move(sentence)}, next);
    };
    if (detail.starts_with(distrusts_peer)) {
        const auto why = detail.substr(distrusts_peer.size());
        return told(
            fmt::format("this client does not accept the certificate of the registry at {}{}",
                        where, why),
            remedy(why, "the registry", "--tls-ca with the authority that signed it"));
    }
    if (detail.starts_with(distrusted_by_peer)) {
        const auto why = detail.substr(distrusted_by_peer.size());
        return told(
            fmt::format("the registry at {} does not accept the certificate of this client{}",
                        where, why),
            remedy(why, "this client",
                   "--tls-cert and --tls-key of an authority that the registry knows"));
    }
    if (detail == peer_wants_tls) {
        return told(fmt::format("the registry at {} speaks TLS, this client does not", where),
                    "--tls-cert, --tls-key and --tls-ca");
    }
    if (detail == peer_is_plain) {
        return told(fmt::format("the registry at {} does not speak TLS, this client does", where),
                    "without --tls-cert, --tls-key and --tls-ca, or another --registry");
    }
    return told(fmt::format("no registry at {} can be used: {}", where, detail),
                "--tls-cert, --tls-key and --tls-ca with files that fit");
}

}  // namespace understudy::apps
