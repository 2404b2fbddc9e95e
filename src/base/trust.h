#pragma once

#include <string_view>

namespace understudy {

// How an error of the code `denied` begins when two ends do not agree on TLS. "It" and "its" are the
// peer's, whom whoever tells the error names; what follows a certificate is whose and why.

inline constexpr std::string_view distrusts_peer = "this end does not accept its certificate";
inline constexpr std::string_view distrusted_by_peer =
    "it does not accept the certificate of this end";
inline constexpr std::string_view peer_is_plain = "it does not speak TLS, this end does";
inline constexpr std::string_view peer_wants_tls = "it speaks TLS, this end does not";

}  // namespace understudy
