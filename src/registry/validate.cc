#include "registry/validate.h"

#include <fmt/format.h>

#include "understudy/limits.h"

namespace understudy::registry {

Result<void> check_family(std::string_view family) { return check_service_name(family); }

Result<void> check(const wire::pb::Register& wanted) {
    const wire::pb::ServiceConfig& config = wanted.config();
    US_CHECK(check_service_name(config.family()));
    US_CHECK(check_member_name(wanted.member()));
    if (config.redundancy() < 1 || config.redundancy() > 3) {
        return Error{.code = Errc::bad_config,
                     .detail = fmt::format("redundancy {} is not known here", config.redundancy())};
    }
    const Duration lease = std::chrono::milliseconds(config.lease_ms());
    if (config.lease_ms() > 3'600'000 || lease < lease_min || lease > lease_max) {
        return Error{.code = Errc::bad_config,
                     .detail = fmt::format("lease of {} ms: expected 100 ms to 60000 ms",
                                           config.lease_ms())};
    }
    if (config.on_registry_loss() > 2) {
        return Error{.code = Errc::bad_config,
                     .detail = "on_registry_loss: by_registry, keep or step_down"};
    }
    if (config.last_resort() > 1) {
        return Error{.code = Errc::bad_config, .detail = "last_resort: never or allow"};
    }
    if (config.checkpointer() > 1) {
        return Error{.code = Errc::bad_config, .detail = "checkpointer: dedicated or shared"};
    }
    if (wanted.has_node() && (wanted.node().host().empty() || wanted.node().host().size() > 255 ||
                              wanted.node().port() == 0 || wanted.node().port() > 65'535)) {
        return Error{.code = Errc::bad_config, .detail = "node: host and port wanted"};
    }
    if (wanted.endpoint().host().empty() || wanted.endpoint().host().size() > 255 ||
        wanted.endpoint().port() == 0 || wanted.endpoint().port() > 65'535) {
        return Error{.code = Errc::bad_config, .detail = "endpoint: host and port wanted"};
    }
    if (wanted.known_epoch() >= epoch_max || wanted.known_order() >= epoch_max) {
        return Error{.code = Errc::bad_config, .detail = "reported epoch or order out of range"};
    }
    return {};
}

}  // namespace understudy::registry
