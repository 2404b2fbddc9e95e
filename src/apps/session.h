#pragma once

#include <string>
#include <vector>

#include "apps/invocation.h"
#include "understudy/agent.h"
#include "wire/control.pb.h"

namespace understudy::apps {

/// A command's connection to a platform, through an agent of its own.
///
/// Thread: the one that made it.
class Session {
public:
    /// Returns when the registry answers.
    /// Errors: bad_config, unavailable, denied, timed_out (none), with advice.
    [[nodiscard]] static Result<Session> open(const Invocation& invocation);

    [[nodiscard]] Agent& agent() { return agent_; }
    [[nodiscard]] Duration timeout() const { return timeout_; }
    [[nodiscard]] const std::string& where() const { return where_; }

    /// Errors: what the registry says; unavailable, timed_out (unknown if it was sent).
    [[nodiscard]] Result<wire::pb::Answer> ask(wire::pb::Ask ask);
    /// All services, in order of their names.
    [[nodiscard]] Result<std::vector<wire::pb::ServiceInfo>> services();
    /// Errors: not_found (none): says which service was probably meant.
    [[nodiscard]] Result<wire::pb::ServiceInfo> service(const std::string& family);

    /// A proxy that is connected to a member of the service.
    /// Errors: not_found (none): no such service; timed_out (none): no active member; bad_config.
    [[nodiscard]] Result<Proxy> proxy(const std::string& family);

private:
    Session(Agent agent, Duration timeout, std::string where)
        : agent_(std::move(agent)), timeout_(timeout), where_(std::move(where)) {}

    Agent agent_;
    Duration timeout_;
    std::string where_;
};

}  // namespace understudy::apps
