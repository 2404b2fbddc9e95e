#include "link/identity.h"

namespace understudy::link {

namespace {

/// The part after "SERVICE/". Empty if the certificate is of another service.
std::string_view member_part(std::string_view common_name, std::string_view service) {
    if (service.empty() || !common_name.starts_with(service)) return {};
    common_name.remove_prefix(service.size());
    if (!common_name.starts_with('/')) return {};
    return common_name.substr(1);
}

}  // namespace

bool names_member(std::string_view common_name, std::string_view service,
                  std::string_view member) {
    const std::string_view named = member_part(common_name, service);
    if (named.empty() || member.empty()) return false;
    return named == "*" || named == member;
}

bool names_service(std::string_view common_name, std::string_view service) {
    return !member_part(common_name, service).empty();
}

}  // namespace understudy::link
