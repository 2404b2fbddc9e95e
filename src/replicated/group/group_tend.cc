// What a group does when something is due: turns, timers, the lead, the members.

#include <algorithm>
#include <utility>

#include "consensus/configuration.h"
#include "replicated/entry_body.h"
#include "replicated/group/group.h"

namespace understudy::replicated {

// --- Turns and timers ------------------------------------------------------------------------

void Group::turn() {
    if (!driver_.runs()) return;
    propose_rounds();
    tend();
    settle();
}

void Group::settle() {
    if (ended()) return;
    const auto self = shared_from_this();
    delivery_.update_standing();
    delivery_.apply();
    if (ended()) return;
    delivery_.update_standing();
    if (ended()) return;
    if (phase_ == Phase::running) checkpointing_.applied(delivery_.applied());
    if (driver_.leads() && !transfer_.under_way() && pending_.ready()) schedule_.turn();
    schedule_.arm(std::min(driver_.next_deadline(), transfer_.campaign_at()));
}

void Group::woken() {
    const auto self = shared_from_this();
    context_.node_log.look();
    if (driver_.next_deadline() <= context_.runtime.now()) {
        if (!driver_.step(consensus::Deadline{}) && ended()) return;
    }
    campaign();
    if (ended()) return;
    if (schedule_.tending_is_due()) {
        pending_.retry();
        if (start_.founding()) start_.ask_founders();
        tend();
    }
    settle();
}

void Group::campaign() {
    if (!driver_.runs()) return;
    const TimePoint now = context_.runtime.now();
    if (!transfer_.campaign_is_due(driver_.leader(), driver_.core().state(), now)) return;
    if (!driver_.step(consensus::Campaign{}) && !ended()) transfer_.campaign_refused(now);
}

void Group::propose_rounds() {
    if (!driver_.leads() || transfer_.under_way()) return;
    while (driver_.leads()) {
        if (context_.node_log.space() != journal::Space::ok) {
            PendingAppends::Answers answers;
            pending_.refuse_ordinary(context_.node_log.no_space(), answers);
            delivery_.give(std::move(answers));
            if (!driver_.runs()) return;
        }
        auto round = pending_.next();
        if (!round) return;
        const Index first = driver_.core().last().next();
        if (!driver_.propose(round->entries, round->urgency)) {
            // It was not taken. A later turn tries again, or the lead is lost, and then the appends
            // are answered.
            pending_.returned(*std::move(round));
            schedule_.tend_soon();
            return;
        }
        pending_.proposed(*std::move(round), first, driver_.core().term());
    }
}

// --- The lead --------------------------------------------------------------------------------

void Group::lead_changed(Epoch led) {
    const ServerId leader = driver_.leader();
    if (leader.value != 0) {
        transfer_.leader_known();
    } else {
        schedule_.tend_soon();
    }
    if (transfer_.is_to(leader)) {
        schedule_.later([this] { tend_transfer(); });
    }
    const Epoch leads = driver_.leading();
    if (leads == led) return;
    if (led.value != 0) {
        context_.log.info("replicated.lead_lost", {kv("service", service()), kv("term", led),
                                                   kv("leader", membership_.name_of(leader))});
        schedule_.turn();
    }
    if (leads.value != 0) {
        context_.log.info("replicated.leads", {kv("service", service()), kv("term", leads)});
        membership_.lead_won();
        schedule_.tend_soon();
    }
}

Result<void> Group::begin_transfer(ServerId to, Done done) {
    if (transfer_.under_way()) {
        return Error{.code = Errc::refused,
                     .detail = "the leadership is being transferred already"};
    }
    US_CHECK(driver_.step(consensus::Transfer{.to = to}));
    transfer_.begin(to, std::move(done), context_.runtime.now());
    schedule_.tend_soon();
    return {};
}

void Group::leave_lead() {
    const ServerId to = transfer_.best_target(membership_.members(), driver_.core());
    if (to.value != 0) static_cast<void>(begin_transfer(to, nullptr));
}

void Group::tend_transfer() {
    if (!transfer_.under_way()) return;
    auto ended = transfer_.look(driver_.leader(), context_.runtime.now());
    if (!ended) return schedule_.tend_soon();
    schedule_.turn();
    answer(std::move(ended->done), std::move(ended->result));
}

void Group::tend_full_disk() {
    if (context_.node_log.space() == journal::Space::ok) return transfer_.has_room();
    schedule_.tend_soon();
    const TimePoint now = context_.runtime.now();
    const auto to = transfer_.next_with_room(membership_.members(), driver_.core(), now);
    if (!to || !begin_transfer(*to, nullptr)) return;
    context_.log.warn("replicated.makes_way",
                      {kv("service", service()), kv("to", context_.surroundings.name_of(*to, id())),
                       kv("reason", context_.node_log.no_space().detail)});
    transfer_.tries(*to, now);
}

// --- What is under way -----------------------------------------------------------------------

void Group::tend() {
    if (!driver_.runs()) return;
    const auto self = shared_from_this();
    if (phase_ == Phase::closing) {
        if (driver_.leads()) tend_transfer();
        if (driver_.runs()) close_when_idle();
        return;
    }
    if (consensus::find(driver_.core().configuration(), context_.self_id) == nullptr) {
        return ask_to_join(membership_.joining().outsider(context_.runtime.now()));
    }
    checkpointing_.fetch_newer();
    driver_.leads() ? tend_lead() : tend_following();
}

void Group::tend_following() {
    for (auto& lost : membership_.lead_lost()) answer(std::move(lost.done), std::move(lost.result));
    tend_transfer();
    if (context_.self.kind == MemberKind::witness) checkpointing_.fetch_for_witness();
    ask_to_join(
        membership_.joining().follower(driver_.leader().value != 0, context_.runtime.now()));
}

void Group::tend_lead() {
    if (delivery_.applied_term() != driver_.leading()) return schedule_.tend_soon();
    if (!transfer_.may_be_active() && !transfer_.under_way()) {
        // It leads only because no other member had the newest entries.
        leave_lead();
        schedule_.tend_soon();
    }
    tend_full_disk();
    tend_transfer();
    if (!driver_.leads() || transfer_.under_way()) return;
    carry_out(membership_.tend_changes(context_.runtime.now()));
    if (driver_.leads()) carry_out(membership_.reconcile(driver_.core()));
}

void Group::ask_to_join(const Joining::Next& next) {
    if (next.ask) {
        context_.surroundings.tell_all(wire::MessageType::join,
                                       encode(Join{.group = id(), .member = context_.self}));
    }
    schedule_.tend_by(next.again);
}

void Group::carry_out(GroupMembership::Effects effects) {
    if (effects.soon) schedule_.tend_soon();
    if (effects.answer) answer(std::move(effects.answer->done), effects.answer->result);
    if (auto* list = std::get_if<GroupMembership::ProposeList>(&effects.step)) {
        propose_list(std::move(list->list));
    } else if (auto* change = std::get_if<GroupMembership::ProposeConfiguration>(&effects.step)) {
        propose_configuration(std::move(change->configuration), change->what);
    } else if (const auto* catch_up = std::get_if<GroupMembership::CatchUp>(&effects.step)) {
        if (driver_.step(consensus::CatchUp{.server = catch_up->server})) {
            membership_.catching_up(catch_up->server);
        }
    } else if (std::holds_alternative<GroupMembership::LeaveLead>(effects.step)) {
        leave_lead();
    }
}

// If the list is not taken now, it is proposed again with the next heartbeat.
void Group::propose_list(Buffer list) {
    const auto body =
        std::make_shared<const Buffer>(encode_body(BodyKind::members, std::move(list)));
    std::vector<consensus::LogEntry> entries;
    entries.push_back({.term = {},
                       .kind = consensus::EntryKind::command,
                       .body = {.owner = body, .bytes = *body}});
    const Index index = driver_.core().last().next();
    const auto taken = driver_.propose(std::move(entries), journal::Urgency::promotion);
    if (taken && driver_.runs()) membership_.listed(index);
}

void Group::propose_configuration(consensus::Configuration configuration, std::string_view what) {
    const auto proposed =
        driver_.step(consensus::ProposeConfiguration{.configuration = std::move(configuration)});
    if (!proposed) {
        context_.log.debug("replicated.change_waits", {kv("service", service()), kv("change", what),
                                                       kv("error", proposed.error())});
        return;
    }
    context_.log.info("replicated.configuration", {kv("service", service()), kv("change", what)});
}

}  // namespace understudy::replicated
