#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "replicated/node/members.h"

namespace understudy::replicated {

/// How a group is founded: the first founder learns from all others that they have no data of it,
/// and which disk each has. Then it gives all of them the same list of members.
///
/// A group is founded once. A second founding would need an answer from all founders again, but
/// founders that have the group answer with its members instead.
///
/// Machine.
class Founding {
public:
    /// After this time it is logged which founders are missing.
    static constexpr Duration patience = 1s;

    /// Requires: `self` is among the founders, names are unique.
    Founding(GroupId group, std::string self, std::vector<Member> founders);

    /// Tells whether this founder is the first one, which collects the answers.
    [[nodiscard]] bool collects() const { return founders_.front().name == self_; }
    /// A founder with this disk has no data of the group.
    void heard(const std::string& name, std::uint64_t identity);
    /// Its node is no longer connected, so its answer may not be true any more.
    void lost(const std::string& name) { heard_.erase(name); }
    /// The members of the new group, when all founders have been heard. Requires: collects().
    [[nodiscard]] std::optional<Members> complete(std::uint64_t own_identity) const;
    /// Checks a list that the first founder sent. Errors: bad_config (none): it was made from other
    /// founders.
    [[nodiscard]] Result<void> accept(const Members& members, std::uint64_t own_identity) const;

    [[nodiscard]] const std::vector<Member>& founders() const { return founders_; }
    /// For people: the founders that have been heard, including this one, and the missing ones.
    [[nodiscard]] std::vector<std::string> here() const;
    [[nodiscard]] std::vector<std::string> missing() const;
    /// For the log: the founders that have been missing for a while. They are returned once;
    /// otherwise it is empty. At the first start all must run at the same time. To be called
    /// periodically.
    [[nodiscard]] std::vector<std::string> long_missing(TimePoint now);

private:
    const GroupId group_;
    const std::string self_;
    const std::vector<Member> founders_;
    std::map<std::string, std::uint64_t> heard_;
    std::vector<std::string> watched_;        ///< Those that were missing at the last look.
    std::optional<TimePoint> watched_since_;  ///< nullopt: that has been logged.
};

}  // namespace understudy::replicated
