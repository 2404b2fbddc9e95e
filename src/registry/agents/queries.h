#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "registry/agents/reports.h"
#include "registry/agents/sessions.h"
#include "registry/state/state.h"
#include "registry/tenure/turn.h"

namespace understudy::registry {

/// Questions that change nothing: lookups, the story of a service, the platform, a backup.
///
/// A lookup that is not cached is answered once it is certain that this node is still active.
/// Otherwise a node that does not know yet that it was replaced could answer.
///
/// Bounds: `lookups_max` in flight; one more is refused. The newest `timings_max` promotions are
/// shown with the time that they took.
class Queries {
public:
    static constexpr std::size_t lookups_max = 50'000;
    static constexpr std::size_t timings_max = 1024;

    /// Requires: all outlive this. `node`: the name of this node.
    Queries(std::string node, std::string version, const State& state, const Sessions& sessions,
            const Reports& reports, TimePoint started);

    void ask(Turn& turn, SessionId session, const wire::pb::Ask& ask);
    /// Requires: the token is of a Confirm, and comes for the first time.
    void confirmed(Turn& turn, std::uint64_t token, const Result<void>& result);
    /// The time that a promotion took, from the event that led to it.
    void promoted(const wire::pb::Promotion& row, Duration took);
    /// The tenure has ended.
    void retire(Turn& turn, const Error& over) const;

    void set_space(std::string space) { space_ = std::move(space); }
    void set_journal(wire::pb::JournalInfo journal) { journal_ = std::move(journal); }

private:
    struct Lookup {
        SessionId session;
        std::uint64_t request = 0;
        std::string family;
    };

    void look_up(Turn& turn, SessionId session, std::uint64_t request,
                 const wire::pb::LookupAsk& ask);
    [[nodiscard]] wire::pb::Answer found(TimePoint now, const std::string& family) const;
    void explain(const Service& service, wire::pb::Answer& answer) const;
    void describe(TimePoint now, wire::pb::PlatformInfo& info) const;

    const std::string node_;
    const std::string version_;
    const State& state_;
    const Sessions& sessions_;
    const Reports& reports_;
    const TimePoint started_;
    std::string space_ = "ok";
    wire::pb::JournalInfo journal_;
    std::map<std::uint64_t, Lookup> lookups_;  ///< Not confirmed yet, by token.
    std::uint64_t token_last_ = 0;
    std::map<std::pair<std::string, std::uint64_t>, std::uint64_t> took_us_;  ///< (family, epoch)
};

}  // namespace understudy::registry
