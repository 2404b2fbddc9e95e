#pragma once

#include <string_view>

#include "understudy/result.h"

namespace understudy::link {

// Whom a certificate names: its common name is SERVICE/MEMBER, or SERVICE/* for all members of one
// service. Neither part of a name contains a '/' or is "*". Source: docs/protocols/immortals.md,
// "TLS".

/// Whether it names this member of this service.
[[nodiscard]] bool names_member(std::string_view common_name, std::string_view service,
                                std::string_view member);
/// Whether it names any member of this service, or all.
[[nodiscard]] bool names_service(std::string_view common_name, std::string_view service);

}  // namespace understudy::link
