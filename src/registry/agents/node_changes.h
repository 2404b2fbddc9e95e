#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "registry/agents/sessions.h"
#include "registry/nodes.h"
#include "registry/tenure/turn.h"

namespace understudy::registry {

/// The nodes of the registry. Agents are told which nodes there are, and operators change them.
///
/// Bounds: `changes_max` under way; one more is refused.
class NodeChanges {
public:
    static constexpr std::size_t changes_max = 16;

    /// Requires: `sessions` outlives this. `node`: the name of this node.
    NodeChanges(std::string node, const Sessions& sessions)
        : node_(std::move(node)), sessions_(sessions) {}

    /// All nodes; none if the registry runs alone. Agents are told when they change.
    void set_nodes(Turn& turn, std::vector<Node> nodes);
    /// Errors: refused (it runs alone), bad_config, limit_exceeded (none).
    [[nodiscard]] Result<void> ask(Turn& turn, SessionId session, std::uint64_t request,
                                   const wire::pb::NodesAsk& ask);
    /// Requires: the token is of a ChangeNodes, and comes for the first time.
    void changed(Turn& turn, std::uint64_t token, const Result<void>& result);
    /// The tenure has ended. That completes a request for a transfer to any other node.
    void retire(Turn& turn, const Error& over) const;

    [[nodiscard]] const std::vector<Node>& nodes() const { return nodes_; }

private:
    struct Question {
        SessionId session;
        std::uint64_t request = 0;
        bool ends_tenure = false;  ///< A transfer to any other node.
    };

    const std::string node_;
    const Sessions& sessions_;
    std::vector<Node> nodes_;
    std::map<std::uint64_t, Question> questions_;  ///< Under way, by token.
    std::uint64_t token_last_ = 0;
};

}  // namespace understudy::registry
