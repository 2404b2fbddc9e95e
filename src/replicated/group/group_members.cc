// Who is in the group, changed while it runs.

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "consensus/configuration.h"
#include "replicated/entry_body.h"
#include "replicated/group/group.h"
#include "understudy/limits.h"

namespace understudy::replicated {

namespace {

constexpr std::size_t changes_max = 16;

Error refused(std::string detail) { return {.code = Errc::refused, .detail = std::move(detail)}; }

}  // namespace

// --- Wanted from outside ---------------------------------------------------------------------

Result<void> Group::check_leads() const {
    if (phase_ != Phase::running) {
        return Error{.code = Errc::closed, .detail = options_.service + " is not open"};
    }
    if (leads() && applied_term_ == leading_) return {};
    return Error{.code = Errc::not_active,
                 .detail = fmt::format("{} leads {}", leader_name(), options_.service)};
}

void Group::add_member(Member member, Done done) {
    auto checked = check_leads();
    if (checked) checked = check_identifier("node", member.name);
    if (checked && (member.address.host.empty() || member.address.port == 0)) {
        checked = Error{.code = Errc::bad_config,
                        .detail = fmt::format("{} needs an address", member.name)};
    }
    if (checked && changes_.size() >= changes_max) {
        checked = Error{.code = Errc::limit_exceeded,
                        .detail = fmt::format("{} changes of members wait", changes_.size())};
    }
    if (!checked) {
        return later([done = std::move(done), checked](Group&) { done(checked); });
    }
    surroundings_.learn(member);
    changes_.push_back(
        {.member = std::move(member),
         .removal = false,
         .done = std::move(done),
         .stage = Change::Stage::wanted,
         .deadline = runtime_.now() + std::min(node_.join_timeout, node_.reach_timeout),
         .id = {}});
    schedule_turn();
}

void Group::remove_member(const std::string& name, Done done) {
    auto checked = check_leads();
    if (checked) {
        const MemberRow* row = members_.find(name);
        if (row == nullptr) {
            checked = Error{.code = Errc::not_found,
                            .detail = fmt::format("{} has no member {}", options_.service, name)};
        } else if (row->id == self_id_) {
            checked = refused(fmt::format("{} leads; transfer the lead first", name));
        } else if (members_.votes(*row) && members_.without(name).voters() < 2) {
            checked = refused(fmt::format("without {} fewer than two would vote", name));
        } else if (changes_.size() >= changes_max) {
            checked = Error{.code = Errc::limit_exceeded,
                            .detail = fmt::format("{} changes of members wait", changes_.size())};
        }
    }
    if (!checked) {
        return later([done = std::move(done), checked](Group&) { done(checked); });
    }
    changes_.push_back({.member = members_.find(name)->member,
                        .removal = true,
                        .done = std::move(done),
                        .stage = Change::Stage::wanted,
                        .deadline = runtime_.now() + node_.join_timeout,
                        .id = members_.find(name)->id});
    schedule_turn();
}

void Group::transfer(const std::string& name, Done done) {
    auto checked = check_leads();
    if (checked) {
        const MemberRow* row = members_.find(name);
        if (row == nullptr) {
            checked = Error{.code = Errc::not_found,
                            .detail = fmt::format("{} has no member {}", options_.service, name)};
        } else if (row->id == self_id_) {
            return later([done = std::move(done)](Group&) { done({}); });
        } else if (row->member.kind == MemberKind::witness) {
            checked = refused(fmt::format("{} is a witness", name));
        } else if (!consensus::is_voter(core_->configuration(), row->id)) {
            checked = refused(fmt::format("{} does not vote yet", name));
        } else {
            checked = hand_over(row->id, done);
            if (checked) return;
        }
    }
    later([done = std::move(done), checked](Group&) { done(checked); });
}

void Group::set_last_resort(bool allow) {
    last_resort_ = allow;
    if (!alive()) return;
    core_->set_electable(may_be_active());
    settle();
}

// A member that has nothing, and is not in the configuration: one that has lost its disk is let in
// again under its name, anybody else waits for add_member().
void Group::join(const Member& member, std::uint64_t identity) {
    if (!check_leads()) return;
    const MemberRow* row = members_.find(member.name);
    if (row != nullptr && row->id == server_of(identity, id_)) return;
    const bool known = std::any_of(changes_.begin(), changes_.end(), [&](const Change& change) {
        return change.member.name == member.name;
    });
    if (row == nullptr && !known) {
        return surroundings_.tell_node(member.name, wire::MessageType::founded,
                                       encode(Founded{.group = id_, .members = std::nullopt}));
    }
    if (known || changes_.size() >= changes_max) return;
    log_.warn("replicated.member_replaced",
              {kv("service", options_.service), kv("member", member.name)});
    Member again = row->member;
    again.address = member.address;
    changes_.push_back({.member = std::move(again),
                        .removal = false,
                        .done = nullptr,
                        .stage = Change::Stage::wanted,
                        .deadline = runtime_.now() + node_.join_timeout,
                        .id = {}});
    schedule_turn();
}

// --- What a leader does about it -------------------------------------------------------------

Result<Index> Group::propose_internal(consensus::LogEntry entry) {
    const Index index = core_->last().next();
    std::vector<consensus::LogEntry> entries;
    entries.push_back(std::move(entry));
    proposing_ = journal::Urgency::promotion;
    auto taken = step(consensus::Propose{.entries = std::move(entries)});
    proposing_ = journal::Urgency::ordinary;
    if (!taken) return std::move(taken).error();
    return index;
}

// In each turn in which something happened, and each heartbeat while something is under way.
void Group::tend() {
    if (!alive()) return;
    const auto self = shared_from_this();
    if (phase_ == Phase::closing) {
        if (leads()) tend_handover();
        if (alive()) close_when_idle();
        return;
    }
    if (consensus::find(core_->configuration(), self_id_) == nullptr) {
        ask_to_join();
        return;
    }
    fetch_newer();
    if (!leads()) {
        if (!changes_.empty()) finish_change({});
        if (handover_) tend_handover();
        if (self_.kind == MemberKind::witness) store_for_witness();
        ask_whether_outside();
        return;
    }
    if (applied_term_ != leading_) return tend_soon();
    if (!may_be_active() && !handover_) {
        // It leads only because it alone had the newest entries.
        if (const ServerId heir = best_heir(); heir.value != 0) {
            static_cast<void>(hand_over(heir, nullptr));
        }
        tend_soon();
    }
    make_way_when_full();
    tend_handover();
    if (!alive() || !leads() || handover_) return;
    tend_changes();
    if (alive() && leads()) reconcile();
}

void Group::tend_changes() {
    if (changes_.empty()) return;
    Change& change = changes_.front();
    const bool overdue = runtime_.now() >= change.deadline;
    switch (change.stage) {
        case Change::Stage::wanted: {
            if (list_index_) break;
            if (!change.removal) {
                const auto identity = surroundings_.identity_of(change.member.name);
                if (!identity) {
                    if (overdue) {
                        return finish_change(Error{
                            .code = Errc::unavailable,
                            .detail = not_reached(change.member)});
                    }
                    break;
                }
                // Reached: from now on it has time to catch up.
                if (change.id.value == 0) change.deadline = runtime_.now() + node_.join_timeout;
                change.id = server_of(*identity, id_);
            }
            return list(change);
        }
        case Change::Stage::listed:
            if (list_index_) break;
            change.stage = Change::Stage::joining;
            [[fallthrough]];
        case Change::Stage::joining: {
            const consensus::Server* server = consensus::find(configuration_, change.id);
            const MemberRow* row = members_.find(change.id);
            const bool there =
                row != nullptr && server != nullptr &&
                (server->membership == consensus::Membership::voter) == members_.votes(*row);
            const bool finished = change.removal ? server == nullptr : there;
            if (finished) return finish_change({});
            if (overdue) {
                return finish_change(
                    Error{.code = Errc::unavailable,
                          .effect = Effect::unknown,
                          .detail = fmt::format("{} has not caught up yet", change.member.name)});
            }
            break;
        }
    }
    tend_soon();
}

std::string Group::not_reached(const Member& member) const {
    const std::string why = surroundings_.trouble_with(member.name);
    return fmt::format("node {} at {} is not reached{}", member.name, to_string(member.address),
                       why.empty() ? "" : " (" + why + ")");
}

void Group::list(Change& change) {
    const Members members = change.removal
                                ? members_.without(change.member.name)
                                : members_.with({.id = change.id, .member = change.member});
    if (members == members_) {
        change.stage = Change::Stage::joining;
        return tend_soon();
    }
    if (auto checked = members.check(); !checked) return finish_change(checked);
    Buffer body;
    members.encode(body);
    const auto owner =
        std::make_shared<const Buffer>(encode_body(BodyKind::members, std::move(body)));
    auto index = propose_internal({.term = {},
                                   .kind = consensus::EntryKind::command,
                                   .body = {.owner = owner, .bytes = *owner}});
    if (!alive()) return;
    tend_soon();
    if (!index) return;  // Not now: again with the next heartbeat.
    list_index_ = *index;
    change.stage = Change::Stage::listed;
}

// Without the lead each change ends: those that were listed go on under the next leader.
void Group::finish_change(const Result<void>& result) {
    std::vector<std::pair<Done, Result<void>>> due;
    if (leads()) {
        due.emplace_back(std::move(changes_.front().done), result);
        changes_.pop_front();
        if (!changes_.empty()) tend_soon();
    } else {
        for (Change& change : changes_) {
            Error error{
                .code = Errc::not_active,
                .effect = change.stage == Change::Stage::wanted ? Effect::none : Effect::unknown,
                .detail = "the lead was lost"};
            due.emplace_back(std::move(change.done), std::move(error));
        }
        changes_.clear();
    }
    for (auto& [done, outcome] : due) {
        if (done) {
            later([done = std::move(done), outcome = outcome](Group&) { done(outcome); });
        }
    }
}

// One step towards the configuration that the list of members asks for.
void Group::reconcile() {
    const consensus::Configuration& now = core_->configuration();
    if (now != configuration_ || list_index_ || members_.rows().empty()) return;
    const consensus::Configuration wanted = members_.configuration();
    if (now == wanted) return;
    tend_soon();

    if (catching_up_.value != 0) {
        const auto state = core_->catch_up(catching_up_);
        if (state == consensus::CatchUpState::running) return;
        const ServerId id = std::exchange(catching_up_, ServerId{});
        if (state == consensus::CatchUpState::finished && consensus::find(wanted, id) != nullptr) {
            return propose_configuration(
                consensus::with(now, {.id = id, .membership = consensus::Membership::voter}),
                "promote");
        }
    }
    // Who is gone first, so that who is dead does not count for the majority; never below two.
    for (const consensus::Server& server : now.servers) {
        if (consensus::find(wanted, server.id) != nullptr) continue;
        if (server.id == self_id_) {
            if (const ServerId heir = best_heir(); heir.value != 0) {
                static_cast<void>(hand_over(heir, nullptr));
            }
            return;
        }
        auto without = consensus::without(now, server.id);
        if (consensus::is_voter(now, server.id) && consensus::voters(without) < 2) continue;
        return propose_configuration(std::move(without), "remove");
    }
    for (const consensus::Server& server : wanted.servers) {
        if (consensus::find(now, server.id) != nullptr) continue;
        return propose_configuration(
            consensus::with(now, {.id = server.id, .membership = consensus::Membership::observer}),
            "add");
    }
    for (const consensus::Server& server : wanted.servers) {
        const bool votes = consensus::is_voter(now, server.id);
        if (server.membership == consensus::Membership::voter && !votes) {
            if (step(consensus::CatchUp{.server = server.id})) catching_up_ = server.id;
            return;
        }
        if (server.membership == consensus::Membership::observer && votes &&
            consensus::voters(now) > 2 && server.id != self_id_) {
            return propose_configuration(consensus::with(now, server), "demote");
        }
    }
}

void Group::propose_configuration(consensus::Configuration configuration, std::string_view what) {
    const auto proposed =
        step(consensus::ProposeConfiguration{.configuration = std::move(configuration)});
    if (!proposed) {
        log_.debug("replicated.change_waits", {kv("service", options_.service), kv("change", what),
                                               kv("error", proposed.error())});
        return;
    }
    log_.info("replicated.configuration", {kv("service", options_.service), kv("change", what)});
}

// --- What the node tells, and is told ---------------------------------------------------------

void Group::node_connected(const std::string& name) {
    if (phase_ == Phase::founding) return ask_founders();
    if (!alive()) return;
    if (incoming_ && surroundings_.name_of(incoming_->from(), id_) == name) incoming_->resume();
    if (!changes_.empty() && changes_.front().member.name == name) schedule_turn();
}

void Group::node_lost(const std::string& name) {
    if (founding_ && phase_ == Phase::founding) founding_->lost(name);
}

GroupStatus Group::status() const {
    GroupStatus status;
    status.service = options_.service;
    status.self = self_.name;
    status.kind = self_.kind;
    status.durable = durable_;
    status.applied = applied_;
    status.first = node_log_.first(id_);
    status.checkpoint = checkpoint();
    status.outside = outside_;
    if (phase_ == Phase::founding) {
        status.founders_here = founding_->here();
        status.founders_missing = founding_->missing();
    }
    if (!alive()) return status;
    status.removed = outside_ && was_member();
    status.role = standing_.role;
    if (status.role == Role::standby && self_.kind == MemberKind::checkpointer) {
        status.role = Role::checkpointer;
    }
    if (consensus::find(core_->configuration(), self_id_) == nullptr) status.role = Role::joining;
    status.term = core_->term();
    if (leader_.value != 0) status.leader = leader_name();
    status.last = core_->last();
    status.commit = core_->commit();
    for (const MemberRow& row : members_.rows()) {
        const consensus::Server* server = consensus::find(core_->configuration(), row.id);
        MemberStatus& member = status.members.emplace_back();
        member.member = row.member;
        member.id = row.id;
        member.joined = server != nullptr;
        member.votes = server != nullptr && server->membership == consensus::Membership::voter;
        member.connected = !surroundings_.name_of(row.id, id_).empty();
        member.leader = row.id == leader_;
        if (leads()) {
            member.match = row.id == self_id_ ? durable_ : core_->match(row.id);
            member.lag = core_->last().value - std::min(core_->last(), member.match).value;
        }
    }
    return status;
}

}  // namespace understudy::replicated
