#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "registry/state/state.h"
#include "registry/tenure/turn.h"

namespace understudy::registry {

/// The last reports of members of services with a journal. Positions are kept only here. A role, an
/// epoch or the first checkpoint is proposed, one proposal of a member at a time.
///
/// Bounds: one report of each member in line, `detail_max` bytes of its detail.
class Reports {
public:
    static constexpr std::size_t detail_max = 256;

    /// Requires: `state` outlives this.
    explicit Reports(const State& state) : state_(state) {}

    /// False: the report is not valid for this member and was ignored.
    /// Requires: the member is in line.
    bool heard(Turn& turn, wire::pb::MemberReport report);
    /// The proposal is applied. The member may have reported more since.
    void settled(Turn& turn, const Proposal& proposal);
    /// The proposal was refused. It is repeated after a while.
    void refused(const Proposal& proposal, TimePoint now);
    void tick(Turn& turn);
    void forget(const std::string& family, const std::string& member);

    /// The last entry that the member has applied. Nullopt: it has not reported yet.
    [[nodiscard]] std::optional<std::uint64_t> applied(const std::string& family,
                                                       const std::string& member) const;
    void add_positions(TimePoint now, wire::pb::LookupAnswer& lookup) const;

private:
    using Key = std::pair<std::string, std::string>;  ///< (family, member)
    struct Row {
        wire::pb::MemberReport said;
        TimePoint heard;
        bool proposed = false;  ///< A proposal about it is not decided yet.
        TimePoint retry = {};   ///< After a refusal: when to propose again.
    };

    void consider(Turn& turn, const Key& key, Row& row);

    const State& state_;
    std::map<Key, Row> rows_;
};

}  // namespace understudy::registry
