#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apps/commands/invocation.h"
#include "understudy/agent.h"
#include "understudy/registry.h"
#include "wire/control.pb.h"

namespace understudy::apps {

/// A command's connection to a platform, through its own agent.
///
/// Thread: the one that created it.
class Session {
public:
    /// The part of the registry that a command needs.
    enum class Needs : std::uint8_t {
        registry,  ///< The registry; with several nodes, the active one.
        any_node,  ///< Any node; the active one is preferred, but not awaited.
    };

    /// Returns when the registry answers, or when it had enough time to answer.
    /// Errors: bad_config, unavailable, denied, timed_out (none), with advice.
    [[nodiscard]] static Result<Session> open(const Invocation& invocation,
                                              Needs needs = Needs::registry);

    [[nodiscard]] Agent& agent() { return agent_; }
    [[nodiscard]] Duration timeout() const { return timeout_; }
    /// As given; possibly several addresses.
    [[nodiscard]] const std::string& where() const { return where_; }
    /// The address whose registry answers.
    [[nodiscard]] std::string answered_at();

    /// Errors: those of the registry; unavailable, timed_out (unknown if it was sent).
    [[nodiscard]] Result<wire::pb::Answer> ask(wire::pb::Ask ask);
    /// The same for any node.
    [[nodiscard]] Result<wire::pb::Answer> ask_any(wire::pb::Ask ask);
    /// Sets the consistency of later lookups.
    void set_consistency(Consistency consistency) { consistency_ = consistency; }
    /// What came with the last lookup: revision, age, the node that answered.
    [[nodiscard]] const wire::pb::LookupAnswer& looked_up() const { return looked_up_; }
    /// All services, sorted by name.
    [[nodiscard]] Result<std::vector<wire::pb::ServiceInfo>> services();
    /// Errors: not_found (none): names the service that was probably meant.
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
    std::optional<Error> absent_;  ///< Why the registry did not answer at first.
    Consistency consistency_ = Consistency::linearizable;
    wire::pb::LookupAnswer looked_up_;  ///< Without the services.
};

}  // namespace understudy::apps
