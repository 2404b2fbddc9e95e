#include "replicated/group/group_membership.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "consensus/configuration.h"
#include "understudy/limits.h"

namespace understudy::replicated {

// --- What is applied -------------------------------------------------------------------------

void GroupMembership::apply(Members members) {
    members_ = std::move(members);
    for (const MemberRow& row : members_.rows()) context_.surroundings.learn(row.member);
}

void GroupMembership::apply(consensus::Configuration configuration) {
    configuration_ = std::move(configuration);
}

void GroupMembership::applied(Index index) {
    if (list_index_ && index >= *list_index_) list_index_.reset();
}

std::string GroupMembership::name_of(ServerId server) const {
    if (server.value == 0) return "not known";
    if (const MemberRow* row = members_.find(server)) return row->member.name;
    return context_.surroundings.name_of(server, context_.id);
}

bool GroupMembership::includes_self(const consensus::Configuration& newest) const {
    return members_.find(context_.self.name) != nullptr ||
           consensus::find(newest, context_.self_id) != nullptr;
}

// --- Changes ---------------------------------------------------------------------------------

Result<void> GroupMembership::check_room() const {
    if (changes_.size() < changes_max) return {};
    return Error{.code = Errc::limit_exceeded,
                 .detail = fmt::format("{} changes of members wait", changes_.size())};
}

Result<void> GroupMembership::add(Member member, Done& done, TimePoint now) {
    US_CHECK(check_identifier("node", member.name));
    if (member.address.host.empty() || member.address.port == 0) {
        return Error{.code = Errc::bad_config,
                     .detail = fmt::format("{} needs an address", member.name)};
    }
    US_CHECK(check_room());
    context_.surroundings.learn(member);
    changes_.push_back(
        {.member = std::move(member),
         .removal = false,
         .done = std::move(done),
         .stage = Change::Stage::wanted,
         .deadline = now + std::min(context_.node.join_timeout, context_.node.reach_timeout),
         .id = {}});
    return {};
}

Result<void> GroupMembership::remove(const std::string& name, Done& done, TimePoint now) {
    const MemberRow* row = members_.find(name);
    if (row == nullptr) {
        return Error{.code = Errc::not_found,
                     .detail = fmt::format("{} has no member {}", context_.options.service, name)};
    }
    if (row->id == context_.self_id) {
        return Error{.code = Errc::refused,
                     .detail = fmt::format("{} leads; transfer the lead first", name)};
    }
    if (members_.votes(*row) && members_.without(name).voters() < 2) {
        return Error{.code = Errc::refused,
                     .detail = fmt::format("without {} fewer than two would vote", name)};
    }
    US_CHECK(check_room());
    changes_.push_back({.member = row->member,
                        .removal = true,
                        .done = std::move(done),
                        .stage = Change::Stage::wanted,
                        .deadline = now + context_.node.join_timeout,
                        .id = row->id});
    return {};
}

GroupMembership::Join GroupMembership::join(const Member& member, std::uint64_t identity,
                                            TimePoint now) {
    const MemberRow* row = members_.find(member.name);
    if (row != nullptr && row->id == server_of(identity, context_.id)) return Join::nothing;
    const bool known = std::any_of(changes_.begin(), changes_.end(), [&](const Change& change) {
        return change.member.name == member.name;
    });
    if (row == nullptr && !known) return Join::stranger;
    if (known || !check_room()) return Join::nothing;
    Member again = row->member;
    again.address = member.address;
    changes_.push_back({.member = std::move(again),
                        .removal = false,
                        .done = nullptr,
                        .stage = Change::Stage::wanted,
                        .deadline = now + context_.node.join_timeout,
                        .id = {}});
    return Join::replaced;
}

bool GroupMembership::waits_for(std::string_view node) const {
    return !changes_.empty() && changes_.front().member.name == node;
}

// --- What a leader does next -----------------------------------------------------------------

GroupMembership::Effects GroupMembership::tend_changes(TimePoint now) {
    if (changes_.empty()) return {};
    Change& change = changes_.front();
    if (list_index_) return {.step = {}, .answer = {}, .soon = true};
    if (change.stage == Change::Stage::wanted) return begin(change, now);

    change.stage = Change::Stage::joining;
    if (is_finished(change)) return finish({});
    if (now < change.deadline) return {.step = {}, .answer = {}, .soon = true};
    return finish(Error{.code = Errc::unavailable,
                        .effect = Effect::unknown,
                        .detail = fmt::format("{} has not caught up yet", change.member.name)});
}

GroupMembership::Effects GroupMembership::begin(Change& change, TimePoint now) {
    if (change.removal) return list(change);
    const auto identity = context_.surroundings.identity_of(change.member.name);
    if (!identity) {
        if (now < change.deadline) return {.step = {}, .answer = {}, .soon = true};
        return finish(Error{.code = Errc::unavailable, .detail = not_reached(change.member)});
    }
    // The member is reached. From now on it has time to catch up.
    if (change.id.value == 0) change.deadline = now + context_.node.join_timeout;
    change.id = server_of(*identity, context_.id);
    return list(change);
}

GroupMembership::Effects GroupMembership::list(Change& change) {
    const Members members = change.removal
                                ? members_.without(change.member.name)
                                : members_.with({.id = change.id, .member = change.member});
    Effects effects{.step = {}, .answer = {}, .soon = true};
    if (members == members_) {
        change.stage = Change::Stage::joining;
        return effects;
    }
    if (auto checked = members.check(); !checked) return finish(std::move(checked));
    ProposeList proposal;
    members.encode(proposal.list);
    effects.step = std::move(proposal);
    return effects;
}

void GroupMembership::listed(Index index) {
    list_index_ = index;
    changes_.front().stage = Change::Stage::listed;
}

bool GroupMembership::is_finished(const Change& change) const {
    const consensus::Server* server = consensus::find(configuration_, change.id);
    if (change.removal) return server == nullptr;
    const MemberRow* row = members_.find(change.id);
    return row != nullptr && server != nullptr &&
           (server->membership == consensus::Membership::voter) == members_.votes(*row);
}

GroupMembership::Effects GroupMembership::finish(Result<void> result) {
    Effects effects;
    effects.answer = Answer{.done = std::move(changes_.front().done), .result = std::move(result)};
    changes_.pop_front();
    effects.soon = !changes_.empty();
    return effects;
}

void GroupMembership::lead_won() {
    catching_up_ = {};
    list_index_.reset();
}

// Changes that were listed go on under the next leader.
std::vector<GroupMembership::Answer> GroupMembership::lead_lost() {
    std::vector<Answer> answers;
    for (Change& change : std::exchange(changes_, {})) {
        answers.push_back(
            {.done = std::move(change.done),
             .result = Error{
                 .code = Errc::not_active,
                 .effect = change.stage == Change::Stage::wanted ? Effect::none : Effect::unknown,
                 .detail = "the lead was lost"}});
    }
    return answers;
}

std::string GroupMembership::not_reached(const Member& member) const {
    const std::string why = context_.surroundings.trouble_with(member.name);
    return fmt::format("node {} at {} is not reached{}", member.name, to_string(member.address),
                       why.empty() ? "" : " (" + why + ")");
}

GroupMembership::Effects GroupMembership::reconcile(const consensus::ConsensusCore& core) {
    const consensus::Configuration& now = core.configuration();
    if (now != configuration_ || list_index_ || members_.rows().empty()) return {};
    const consensus::Configuration wanted = members_.configuration();
    if (now == wanted) return {};
    Effects effects{.step = {}, .answer = {}, .soon = true};
    const auto propose = [&](consensus::Configuration next, std::string_view what) {
        effects.step = ProposeConfiguration{.configuration = std::move(next), .what = what};
        return std::move(effects);
    };

    if (catching_up_.value != 0) {
        const auto state = core.catch_up(catching_up_);
        if (state == consensus::CatchUpState::running) return effects;
        const ServerId id = std::exchange(catching_up_, ServerId{});
        if (state == consensus::CatchUpState::finished && consensus::find(wanted, id) != nullptr) {
            return propose(
                consensus::with(now, {.id = id, .membership = consensus::Membership::voter}),
                "promote");
        }
    }
    // Removals come first, so that a dead server does not count for the majority; never below two
    // voters.
    for (const consensus::Server& server : now.servers) {
        if (consensus::find(wanted, server.id) != nullptr) continue;
        if (server.id == context_.self_id) {
            effects.step = LeaveLead{};
            return effects;
        }
        auto without = consensus::without(now, server.id);
        if (consensus::is_voter(now, server.id) && consensus::voters(without) < 2) continue;
        return propose(std::move(without), "remove");
    }
    for (const consensus::Server& server : wanted.servers) {
        if (consensus::find(now, server.id) != nullptr) continue;
        return propose(
            consensus::with(now, {.id = server.id, .membership = consensus::Membership::observer}),
            "add");
    }
    for (const consensus::Server& server : wanted.servers) {
        const bool votes = consensus::is_voter(now, server.id);
        if (server.membership == consensus::Membership::voter && !votes) {
            effects.step = CatchUp{.server = server.id};
            return effects;
        }
        if (server.membership == consensus::Membership::observer && votes &&
            consensus::voters(now) > 2 && server.id != context_.self_id) {
            return propose(consensus::with(now, server), "demote");
        }
    }
    return effects;
}

}  // namespace understudy::replicated
