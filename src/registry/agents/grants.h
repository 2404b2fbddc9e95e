#pragma once

#include <map>
#include <string>

#include "registry/agents/sessions.h"
#include "registry/state/state.h"
#include "registry/tenure/turn.h"

namespace understudy::registry {

/// Tells members their roles, and remembers which active member knows its own.
class Grants {
public:
    /// Requires: both outlive this.
    Grants(const State& state, const Sessions& sessions) : state_(state), sessions_(sessions) {}

    /// A member that is not connected is told its role when it registers again.
    void tell(Turn& turn, const Grant& grant);
    /// Answers a member that registers.
    void confirm(Turn& turn, const Proposal& joining, const Grant& grant);
    static void refuse(Turn& turn, const Proposal& joining, const Error& error);
    /// The member is not in line any more.
    void revoke(Turn& turn, const std::string& family, const Member& member) const;

    /// The member that is active according to the state, if it was not told so in this tenure and
    /// has not said so itself. A state that is older than later events names the wrong member.
    /// Empty: there is none.
    [[nodiscard]] std::string unconfirmed(const std::string& family) const;

private:
    void note(const Grant& grant);

    const State& state_;
    const Sessions& sessions_;
    std::map<std::string, std::string> confirmed_;  ///< Family to its active member.
};

}  // namespace understudy::registry
