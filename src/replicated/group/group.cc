#include "replicated/group/group.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace understudy::replicated {

namespace {

const Error journal_closed{.code = Errc::closed, .detail = "the journal is closed"};

}  // namespace

Group::Group(GroupContext context, Opened opened)
    : context_(std::move(context)),
      schedule_(context_.runtime, context_.node.heartbeat_interval, static_cast<Owner&>(*this)),
      driver_(context_, static_cast<Owner&>(*this)),
      membership_(context_),
      transfer_(context_),
      pending_({.queue_bytes_max = context_.options.queue_bytes_max,
                .outstanding_entries_max = context_.options.outstanding_entries_max,
                .outstanding_bytes_max = context_.options.outstanding_bytes_max}),
      delivery_(context_, static_cast<Owner&>(*this), schedule_, driver_, membership_, transfer_,
                pending_),
      checkpointing_(context_, static_cast<Owner&>(*this), schedule_, driver_, membership_,
                     delivery_),
      start_(context_, static_cast<Owner&>(*this), schedule_, driver_, membership_, delivery_,
             checkpointing_),
      opened_(std::move(opened)) {}

// --- How it runs and ends --------------------------------------------------------------------

void Group::run(consensus::Recovered recovered) {
    phase_ = closing_ ? Phase::closing : Phase::running;
    if (!driver_.start(std::move(recovered), transfer_.may_be_active())) {
        return fail({.code = Errc::corrupt, .detail = "the log does not fit together"});
    }
    schedule_.tend_soon();
    if (!opened()) {
        delivery_.tell_first_standing();
        if (detached()) return;
        schedule_.later([this] {
            if (auto opened = std::exchange(opened_, nullptr)) opened({});
        });
    }
    settle();
}

// Works as if the process had been started again.
void Group::restart() {
    context_.log.warn("replicated.restarted", {kv("service", service())});
    driver_.stop();
    checkpointing_.drop_incoming();
    delivery_.drop_reading();
    delivery_.resume();
    delivery_.update_standing();
    if (ended()) return;
    phase_ = Phase::starting;
    start_.begin_again();
}

void Group::fail(Error error) {
    if (ended()) return;
    const auto self = shared_from_this();
    context_.log.error("replicated.group_failed", {kv("service", service()), kv("error", error)});
    phase_ = Phase::ended;
    schedule_.stop();
    driver_.end();
    checkpointing_.drop_incoming();
    // A step may be on the stack, so the core is destroyed in a later turn.
    context_.runtime.post([self] { self->driver_.drop_core(); });
    context_.surroundings.ended(id());
    // A group that is still being opened is owned only by this task.
    context_.runtime.post([self, error = std::move(error)] {
        if (self->detached()) return;
        PendingAppends::Answers answers;
        self->pending_.fail(error, answers);
        self->delivery_.give(std::move(answers));
        if (self->detached()) return;
        if (auto opened = std::exchange(self->opened_, nullptr)) return opened(error);
        if (auto closing = std::exchange(self->closing_, std::nullopt)) return closing->done();
        self->context_.observer.failed(error);
    });
}

void Group::detach() {
    phase_ = Phase::detached;
    schedule_.end();
    driver_.end();
    checkpointing_.drop_incoming();
    driver_.drop_core();
}

void Group::give_up() {
    if (detached()) return;
    const auto self = shared_from_this();
    if (!ended()) context_.surroundings.ended(id());
    detach();
}

void Group::close(std::function<void()> done) {
    US_ASSERT(!closing_);
    closing_ = Closing{.done = std::move(done),
                       .deadline = context_.runtime.now() + 2 * context_.node.election_timeout};
    if (phase_ != Phase::running) {
        return schedule_.later([this] {
            if (auto closing = std::exchange(closing_, std::nullopt)) {
                context_.surroundings.ended(id());
                detach();
                closing->done();
            }
        });
    }
    phase_ = Phase::closing;
    schedule_.turn();
}

// It ends when nothing is under way. A leader transfers the lead first, if there is a member that
// can take it.
void Group::close_when_idle() {
    if (context_.runtime.now() < closing_->deadline) {
        schedule_.tend_soon();
        if (!pending_.idle() || !driver_.writes().idle()) return;
        if (driver_.leads() &&
            transfer_.best_target(membership_.members(), driver_.core()).value != 0) {
            if (!transfer_.under_way()) leave_lead();
            return;
        }
    }
    PendingAppends::Answers answers;
    pending_.fail(journal_closed, answers);
    delivery_.give(std::move(answers));
    const auto closing = std::exchange(closing_, std::nullopt);
    if (detached() || !closing) return;
    context_.surroundings.ended(id());
    detach();
    closing->done();
}

// --- The journal's face ----------------------------------------------------------------------

Result<void> Group::check_active() const {
    if (phase_ != Phase::running) return journal_closed;
    if (standing().role == Role::active) return {};
    return Error{.code = Errc::not_active,
                 .detail = "the active member is " + membership_.name_of(driver_.leader())};
}

void Group::append(std::vector<journal::Draft> drafts, journal::Urgency urgency,
                   journal::Journal::Appended done) {
    PendingAppends::Append append{.drafts = std::move(drafts), .done = std::move(done), .bytes = 0};
    auto taken = check_active();
    if (taken) taken = pending_.add(append, urgency);
    if (taken) return schedule_.turn();
    schedule_.later(
        [done = std::move(append.done), error = std::move(taken).error()] { done(error); });
}

void Group::confirm(Done done) {
    if (auto checked = check_active(); !checked) return answer(std::move(done), checked);
    pending_.confirm(std::move(done));
    schedule_.turn();
}

Result<std::unique_ptr<journal::CheckpointWriter>> Group::begin_checkpoint() {
    if (!driver_.runs() || phase_ != Phase::running) return journal_closed;
    return checkpointing_.begin();
}

void Group::answer(Done done, Result<void> result) {
    if (!done) return;
    schedule_.later([done = std::move(done), result = std::move(result)] { done(result); });
}

// --- Steering --------------------------------------------------------------------------------

Result<void> Group::check_leads() const {
    if (phase_ != Phase::running) {
        return Error{.code = Errc::closed, .detail = service() + " is not open"};
    }
    if (driver_.leads() && delivery_.applied_term() == driver_.leading()) return {};
    return Error{
        .code = Errc::not_active,
        .detail = fmt::format("{} leads {}", membership_.name_of(driver_.leader()), service())};
}

void Group::add_member(Member member, Done done) {
    auto taken = check_leads();
    if (taken) taken = membership_.add(std::move(member), done, context_.runtime.now());
    if (!taken) return answer(std::move(done), taken);
    schedule_.turn();
}

void Group::remove_member(const std::string& name, Done done) {
    auto taken = check_leads();
    if (taken) taken = membership_.remove(name, done, context_.runtime.now());
    if (!taken) return answer(std::move(done), taken);
    schedule_.turn();
}

void Group::transfer(const std::string& name, Done done) {
    if (auto checked = check_leads(); !checked) return answer(std::move(done), checked);
    const auto to = transfer_.target(name, membership_.members(), driver_.core().configuration());
    if (!to) return answer(std::move(done), to.error());
    if (*to == context_.self_id) return answer(std::move(done), {});
    if (auto begun = begin_transfer(*to, done); !begun) answer(std::move(done), begun);
}

void Group::set_last_resort(bool allow) {
    transfer_.set_last_resort(allow);
    if (!driver_.runs()) return;
    driver_.set_electable(transfer_.may_be_active());
    settle();
}

// --- What the node brings --------------------------------------------------------------------

void Group::received(ServerId from, ConsensusMessage message) {
    if (!driver_.runs()) return;
    if (std::holds_alternative<consensus::AppendRequest>(message.message)) {
        membership_.joining().counted();
    }
    if (driver_.receive(from, std::move(message))) settle();
}

void Group::found(const std::string& node, std::uint64_t identity) {
    if (!ended()) start_.found(node, identity);
}

void Group::founded(const Founded& message) {
    if (ended()) return;
    if (start_.founding()) return start_.founded(message);
    if (phase_ != Phase::running || message.members || driver_.leads()) return;
    if (!membership_.joining().excluded()) return;
    const bool was_member = membership_.includes_self(driver_.core().configuration());
    context_.log.warn(was_member ? "replicated.removed" : "replicated.not_added",
                      {kv("service", service()), kv("member", context_.self.name)});
}

void Group::join(const Member& member, std::uint64_t identity) {
    if (!check_leads()) return;
    switch (membership_.join(member, identity, context_.runtime.now())) {
        case GroupMembership::Join::nothing:
            return;
        case GroupMembership::Join::stranger:
            return context_.surroundings.tell_node(
                member.name, wire::MessageType::founded,
                encode(Founded{.group = id(), .members = std::nullopt}));
        case GroupMembership::Join::replaced:
            context_.log.warn("replicated.member_replaced",
                              {kv("service", service()), kv("member", member.name)});
            return schedule_.turn();
    }
}

void Group::node_connected(const std::string& name) {
    if (ended()) return;
    if (start_.founding()) return start_.ask_founders();
    if (!driver_.runs()) return;
    checkpointing_.node_connected(name);
    if (membership_.waits_for(name)) schedule_.turn();
}

void Group::process_gone(const std::string& name) {
    const ServerId leader = driver_.leader();
    if (!driver_.runs() || leader.value == 0 || leader == context_.self_id) return;
    if (!transfer_.may_be_active() || membership_.name_of(leader) != name) return;
    const auto place = transfer_.leader_gone(leader, membership_.members(),
                                             membership_.configuration(), context_.runtime.now());
    if (!place) return;
    context_.log.info("replicated.leader_gone",
                      {kv("service", service()), kv("leader", name), kv("place", *place)});
    if (*place == 0) return schedule_.wake();
    schedule_.arm(std::min(driver_.next_deadline(), transfer_.campaign_at()));
}

void Group::durable(journal::LogPosition position) {
    if (ended()) return;
    const auto self = shared_from_this();
    if (driver_.durable(position)) settle();
}

void Group::space_changed(journal::Space space) {
    if (detached() || !opened()) return;
    schedule_.turn();
    context_.observer.space_changed(space);
}

}  // namespace understudy::replicated
