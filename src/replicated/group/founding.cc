#include "replicated/group/founding.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace understudy::replicated {

Founding::Founding(GroupId group, std::string self, std::vector<Member> founders)
    : group_(group), self_(std::move(self)), founders_(std::move(founders)) {
    US_ASSERT(std::any_of(founders_.begin(), founders_.end(),
                          [&](const Member& each) { return each.name == self_; }));
}

void Founding::heard(const std::string& name, std::uint64_t identity) {
    const bool founder = std::any_of(founders_.begin(), founders_.end(),
                                     [&](const Member& each) { return each.name == name; });
    if (founder && name != self_) heard_[name] = identity;
}

std::optional<Members> Founding::complete(std::uint64_t own_identity) const {
    US_ASSERT(collects());
    std::vector<MemberRow> rows;
    for (const Member& founder : founders_) {
        std::uint64_t identity = own_identity;
        if (founder.name != self_) {
            const auto found = heard_.find(founder.name);
            if (found == heard_.end()) return std::nullopt;
            identity = found->second;
        }
        rows.push_back({.id = server_of(identity, group_), .member = founder});
    }
    return Members(std::move(rows));
}

Result<void> Founding::accept(const Members& members, std::uint64_t own_identity) const {
    const auto same = [](const MemberRow& row, const Member& founder) {
        return row.member.name == founder.name && row.member.kind == founder.kind;
    };
    if (!std::equal(members.rows().begin(), members.rows().end(), founders_.begin(),
                    founders_.end(), same)) {
        return Error{
            .code = Errc::bad_config,
            .detail = fmt::format("{} was given another list of founders", founders_.front().name)};
    }
    const MemberRow* own = members.find(self_);
    US_ASSERT(own != nullptr);
    if (own->id != server_of(own_identity, group_)) {
        return Error{.code = Errc::corrupt, .detail = "founded with another disk of this node"};
    }
    return {};
}

std::vector<std::string> Founding::here() const {
    std::vector<std::string> names;
    for (const Member& founder : founders_) {
        if (founder.name == self_ || heard_.contains(founder.name)) names.push_back(founder.name);
    }
    return names;
}

std::vector<std::string> Founding::missing() const {
    std::vector<std::string> names;
    for (const Member& founder : founders_) {
        if (founder.name != self_ && !heard_.contains(founder.name)) names.push_back(founder.name);
    }
    return names;
}

std::vector<std::string> Founding::long_missing(TimePoint now) {
    auto missing = this->missing();
    if (missing != watched_) {
        watched_ = std::move(missing);
        watched_since_ = now;
        return {};
    }
    if (!watched_since_ || missing.empty() || now < *watched_since_ + patience) return {};
    watched_since_.reset();
    return missing;
}

}  // namespace understudy::replicated
