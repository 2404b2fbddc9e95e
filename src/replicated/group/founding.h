#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "replicated/node/members.h"

namespace understudy::replicated {

/// How a group comes to be: the first founder learns from all others that they have nothing of it,
/// each with which disk, and then hands everybody the same list of members.
///
/// Who says so and then hears of a founding by another disk than the one it told may still be
/// founded only once: a second founding would need the word of all founders again, and those who
/// have the group answer with it instead.
///
/// Machine.
class Founding {
public:
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
    /// A list that was handed out. Errors: bad_config (none): made from other founders.
    [[nodiscard]] Result<void> accept(const Members& members, std::uint64_t own_identity) const;

    [[nodiscard]] const std::vector<Member>& founders() const { return founders_; }
    /// For people: who has been heard, oneself too, and who has not.
    [[nodiscard]] std::vector<std::string> here() const;
    [[nodiscard]] std::vector<std::string> missing() const;

private:
    const GroupId group_;
    const std::string self_;
    const std::vector<Member> founders_;
    std::map<std::string, std::uint64_t> heard_;
};

}  // namespace understudy::replicated
