#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "replicated/node/members.h"

namespace understudy::replicated {

/// How a group comes to be: the first founder learns from all others that they have nothing of it,
/// and which disk each has. Then it gives everybody the same list of members.
///
/// A group is founded once. A second founding would need the word of all founders again, and those
/// that have the group answer with it instead.
///
/// Machine.
class Founding {
public:
    static constexpr Duration patience = 1s;  ///< Before it is logged which are missing.

    /// Requires: `self` is among the founders, names are unique.
    Founding(GroupId group, std::string self, std::vector<Member> founders);

    /// Is it this one that collects?
    [[nodiscard]] bool collects() const { return founders_.front().name == self_; }
    /// A founder with this disk has nothing of the group.
    void heard(const std::string& name, std::uint64_t identity);
    /// Its node is no longer connected: what it said may not hold any more.
    void lost(const std::string& name) { heard_.erase(name); }
    /// The members of the new group, once everybody has been heard. Requires: collects().
    [[nodiscard]] std::optional<Members> complete(std::uint64_t own_identity) const;
    /// A list that the first founder gave. Errors: bad_config (none): made from other founders.
    [[nodiscard]] Result<void> accept(const Members& members, std::uint64_t own_identity) const;

    [[nodiscard]] const std::vector<Member>& founders() const { return founders_; }
    /// For people: the founders that have been heard, this one too, and the others.
    [[nodiscard]] std::vector<std::string> here() const;
    [[nodiscard]] std::vector<std::string> missing() const;
    /// For the log: those that have been missing for a while, once; else empty. At a first start
    /// all have to be there at the same time. To be called now and then.
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
