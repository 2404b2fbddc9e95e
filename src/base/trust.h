#pragma once

#include <string_view>

namespace understudy {

// The first words of a `denied` error when two ends do not agree on TLS. "It" and "its" mean the
// peer, which the caller's message names. After "certificate" the message says whose it is and why.

inline constexpr std::string_view distrusts_peer = "this end does not accept its certificate";
inline constexpr std::string_view distrusted_by_peer =
    "it does not accept the certificate of this end";
inline constexpr std::string_view peer_is_plain = "it does not speak TLS, this end does";
inline constexpr std::string_view peer_wants_tls = "it speaks TLS, this end does not";

}  // namespace understudy
