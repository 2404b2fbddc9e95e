#pragma once

#include <string_view>

#include "understudy/result.h"

namespace understudy::link {

// Which members a certificate names. Its common name is SERVICE/MEMBER, or SERVICE/* for all
// members of a service. Neither part of a name contains a '/' or is "*".
// Source: docs/protocols/immortals.md, "TLS".

/// Whether the certificate names this member of this service.
[[nodiscard]] bool names_member(std::string_view common_name, std::string_view service,
                                std::string_view member);
/// Whether the certificate names a member of this service, or all of them.
[[nodiscard]] bool names_service(std::string_view common_name, std::string_view service);

}  // namespace understudy::link
