#include "replicated/group/group.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "replicated/entry_body.h"

namespace understudy::replicated {

namespace {

constexpr Duration campaign_retry = 2ms;

const Error journal_closed{.code = Errc::closed, .detail = "the journal is closed"};

}  // namespace

Group::Group(Setup setup)
    : runtime_(setup.runtime),
      log_(setup.log),
      node_log_(setup.node_log),
      surroundings_(setup.surroundings),
      make_core_(setup.make_core),
      directory_(std::move(setup.directory)),
      self_(std::move(setup.self)),
      id_(group_of(setup.options.service)),
      self_id_(server_of(setup.node_log.identity(), id_)),
      options_(std::move(setup.options)),
      node_(std::move(setup.node)),
      observer_(setup.observer),
      opened_(std::move(setup.opened)),
      last_resort_(options_.last_resort),
      outbox_(node_log_, surroundings_, id_, [this](const Error& error) { fail(error); }),
      proposals_({.queue_bytes_max = options_.queue_bytes_max,
                  .outstanding_entries_max = options_.outstanding_entries_max,
                  .outstanding_bytes_max = options_.outstanding_bytes_max}),
      turn_(runtime_.turn_ends(), TurnPhase::commands, [this] { turn(); }) {
    state_.service = options_.service;
}

Group::~Group() = default;

void Group::detach() {
    detached_ = true;
    life_.end();
    work_.end();
    phase_ = Phase::ended;
    turn_.unmark();
    timer_.reset();
    incoming_.reset();
    outbox_.clear();
    core_.reset();
}

void Group::give_up() {
    if (detached_) return;
    const auto self = shared_from_this();
    if (phase_ != Phase::ended) surroundings_.ended(id_);
    detach();
}

// --- The journal's face ----------------------------------------------------------------------

void Group::append(std::vector<journal::Draft> drafts, journal::Urgency urgency,
                   journal::Journal::Appended done) {
    Result<void> taken;
    Proposals::Append append{.drafts = std::move(drafts), .done = std::move(done), .bytes = 0};
    if (phase_ != Phase::running) {
        taken = journal_closed;
    } else if (standing_.role != Role::active) {
        taken = Error{.code = Errc::not_active, .detail = "the active member is " + leader_name()};
    } else {
        taken = proposals_.add(append, urgency);
    }
    if (taken) return schedule_turn();
    later(
        [done = std::move(append.done), error = std::move(taken).error()](Group&) { done(error); });
}

void Group::confirm(Done done) {
    Result<void> taken;
    if (phase_ != Phase::running) {
        taken = journal_closed;
    } else if (standing_.role != Role::active) {
        taken = Error{.code = Errc::not_active, .detail = "the active member is " + leader_name()};
    }
    if (!taken) {
        return later([done = std::move(done), taken](Group&) { done(taken); });
    }
    proposals_.confirm(std::move(done));
    schedule_turn();
}

void Group::close(std::function<void()> done) {
    US_ASSERT(!closed_);
    closed_ = std::move(done);
    if (phase_ != Phase::running) {
        return later([](Group& self) {
            if (auto closed = std::exchange(self.closed_, nullptr)) {
                self.surroundings_.ended(self.id_);
                self.detach();
                closed();
            }
        });
    }
    phase_ = Phase::closing;
    close_deadline_ = runtime_.now() + 2 * node_.election_timeout;
    schedule_turn();
}

// Goes when nothing is under way, and a leader not before it has found an heir, if there is one.
void Group::close_when_idle() {
    const bool overdue = runtime_.now() >= close_deadline_;
    if (!overdue) {
        tend_soon();
        if (!proposals_.idle() || !written_.empty()) return;
        if (leads() && best_heir().value != 0) {
            if (!handover_) static_cast<void>(hand_over(best_heir(), nullptr));
            return;
        }
    }
    const auto self = shared_from_this();
    Proposals::Answers answers;
    proposals_.fail(journal_closed, answers);
    give(std::move(answers));
    const auto closed = std::exchange(closed_, nullptr);
    if (detached_ || !closed) return;
    surroundings_.ended(id_);
    detach();
    closed();
}

// --- What the node brings --------------------------------------------------------------------

void Group::received(ServerId from, ConsensusMessage message) {
    if (!alive()) return;
    if (const auto* request = std::get_if<consensus::AppendRequest>(&message.message)) {
        outside_ = false;
        if (!request->entries.empty()) {
            // A full disk takes only what may use the reserve. The leader sends it again.
            if (surroundings_.disk_congested()) return;
            if (node_log_.space() != journal::Space::ok) {
                for (std::size_t i = 0; i < request->entries.size(); ++i) {
                    if (!message.urgent.at(i) &&
                        request->entries[i].kind == consensus::EntryKind::command) {
                        return;
                    }
                }
            }
            incoming_first_ = request->prev_index.next();
            incoming_urgent_ = std::move(message.urgent);
        }
    }
    const auto taken =
        step(consensus::Receive{.from = from, .message = std::move(message.message)});
    incoming_urgent_.clear();
    if (!taken) {
        log_.debug("replicated.message_refused",
                   {kv("service", options_.service), kv("error", taken.error())});
        return;
    }
    settle();
}

void Group::durable(journal::LogPosition position) {
    if (detached_ || phase_ == Phase::ended) return;
    const auto self = shared_from_this();
    std::uint64_t write = 0;
    while (!written_.empty() && written_.front().position <= position) {
        write = written_.front().number;
        durable_ = std::max(durable_, written_.front().last);
        written_.pop_front();
    }
    outbox_.durable(position);
    while (!waiting_.empty() && waiting_.front().position <= position) {
        const auto task = std::move(waiting_.front().task);
        waiting_.pop_front();
        task();
        if (phase_ == Phase::ended) return;
    }
    if (write != 0 && alive()) {
        if (!step(consensus::Persisted{.write = write})) return;
    }
    settle();
}

void Group::space_changed(journal::Space space) {
    if (detached_ || opened_) return;
    schedule_turn();
    observer_.space_changed(space);
}

void Group::log_failed(const Error& error) { fail(error); }

// --- Turns and steps -------------------------------------------------------------------------

void Group::later(std::function<void(Group&)> task) {
    runtime_.post(life_.guarded([this, task = std::move(task)] {
        const auto self = shared_from_this();
        task(*this);
    }));
}

/// After a pause: something could not be opened for want of a descriptor, and nothing is wrong.
void Group::later_when_short(std::function<void(Group&)> task) {
    constexpr Duration pause = 50ms;
    shortage_timer_ =
        runtime_.at(runtime_.now() + pause, life_.guarded([this, task = std::move(task)] {
            if (phase_ != Phase::ended) task(*this);
        }));
}

void Group::turn() {
    if (!alive()) return;
    const auto self = shared_from_this();
    propose_rounds();
    if (alive()) tend();
    settle();
}

void Group::propose_rounds() {
    if (!leads() || handover_) return;
    while (alive() && leads()) {
        if (node_log_.space() != journal::Space::ok) {
            Proposals::Answers answers;
            proposals_.refuse_ordinary({.code = Errc::no_space, .detail = "the disk is full"},
                                       answers);
            give(std::move(answers));
            if (!alive()) return;
        }
        auto round = proposals_.next();
        if (!round) return;
        const Index first = core_->last().next();
        proposing_ = round->urgency;
        const auto taken = step(consensus::Propose{.entries = round->entries});
        proposing_ = journal::Urgency::ordinary;
        if (!taken) {
            // Not now: a later turn tries again, or the lead is lost and that answers it.
            proposals_.returned(*std::move(round));
            blocked_ = true;
            tend_soon();
            return;
        }
        proposals_.proposed(*std::move(round), first, core_->term());
    }
}

Result<void> Group::step(consensus::Event event) {
    US_ASSERT(core_ != nullptr);
    const bool may_refuse = std::holds_alternative<consensus::Propose>(event) ||
                            std::holds_alternative<consensus::ProposeConfiguration>(event) ||
                            std::holds_alternative<consensus::CatchUp>(event) ||
                            std::holds_alternative<consensus::Transfer>(event);
    auto effects = core_->step(std::move(event), runtime_.now());
    if (effects) {
        carry_out(*std::move(effects));
        return {};
    }
    const Errc code = effects.error().code;
    if (!may_refuse && code != Errc::corrupt && code != Errc::refused &&
        code != Errc::limit_exceeded && code != Errc::not_active) {
        fail(effects.error());
    }
    return std::move(effects).error();
}

void Group::carry_out(consensus::Effects effects) {
    // What is to be durable is written first, in one piece. Messages that may leave before it is
    // durable lose nothing by that, since they leave at the end of the turn.
    journal::GroupWrite write;
    bool hard = false;
    std::uint64_t number = 0;
    for (consensus::Effect& effect : effects) {
        if (auto* persist_hard = std::get_if<consensus::PersistHardState>(&effect)) {
            state_.hard = persist_hard->hard;
            hard = true;
        } else if (auto* entries = std::get_if<consensus::PersistEntries>(&effect)) {
            if (number != 0) {
                persist(write, hard, number);
                if (phase_ == Phase::ended) return;
                write = {};
                hard = false;
                number = 0;
            }
            number = entries->write;
            const Index next = node_log_.last(id_).next();
            if (entries->from != next) write.from = entries->from;
            write.entries.reserve(entries->entries.size());
            Index index = entries->from;
            for (consensus::LogEntry& entry : entries->entries) {
                bool urgent = entry.kind != consensus::EntryKind::command ||
                              proposing_ == journal::Urgency::promotion;
                if (index >= incoming_first_) {
                    const std::size_t place =
                        static_cast<std::size_t>(index.value - incoming_first_.value);
                    if (place < incoming_urgent_.size() && incoming_urgent_[place]) urgent = true;
                }
                write.entries.push_back({.term = entry.term,
                                         .kind = stored_kind(entry.kind, urgent),
                                         .owner = std::move(entry.body.owner),
                                         .body = entry.body.bytes});
                index = index.next();
            }
        }
    }
    if (hard || number != 0) {
        persist(write, hard, number);
        if (phase_ == Phase::ended) return;
    }

    // A new leader's first requests come before the word that it leads.
    for (const consensus::Effect& effect : effects) {
        if (const auto* changed = std::get_if<consensus::StateChanged>(&effect)) {
            outbox_.lead(changed->state == consensus::State::leader ? changed->term : Epoch{});
        }
    }
    for (consensus::Effect& effect : effects) {
        if (auto* send = std::get_if<consensus::Send>(&effect)) {
            if (auto* install = std::get_if<consensus::InstallRequest>(&send->message)) {
                if (!state_.snapshot) continue;
                install->snapshot = *state_.snapshot;
            }
            outbox_.put(send->to, std::move(send->message));
        } else if (const auto* install = std::get_if<consensus::InstallSnapshot>(&effect)) {
            begin_install(install->from, install->snapshot);
        } else if (const auto* changed = std::get_if<consensus::StateChanged>(&effect)) {
            state_changed(*changed);
        }
        if (phase_ == Phase::ended) return;
    }
}

void Group::persist(journal::GroupWrite& write, bool hard, std::uint64_t number) {
    const Index first = write.from.value != 0 ? write.from : node_log_.last(id_).next();
    const Index last{first.value + write.entries.size() - 1};
    if (write.from.value != 0) {
        // What was written from there on is void.
        const Index kept{write.from.value - 1};
        for (Written& each : written_) each.last = std::min(each.last, kept);
        durable_ = std::min(durable_, kept);
    }
    if (hard) write.state = encode(state_);
    const bool all_urgent =
        std::all_of(write.entries.begin(), write.entries.end(),
                    [](const journal::GroupEntry& entry) { return is_urgent(entry.kind); });
    const auto urgency = all_urgent ? journal::Urgency::promotion : journal::Urgency::ordinary;
    auto position = surroundings_.write(id_, write, urgency);
    if (!position && position.error().code == Errc::no_space) {
        // By this the log found that it is full. The consensus has taken these: they are the last
        // for now, and use what is kept for promotions.
        position = surroundings_.write(id_, std::move(write), journal::Urgency::promotion);
    }
    if (!position) return fail(std::move(position).error());
    if (number != 0) {
        written_.push_back({.position = *position, .number = number, .last = last});
    }
    if (hard) outbox_.gate(*position);
}

void Group::state_changed(const consensus::StateChanged& change) {
    const Epoch before = leading_;
    leading_ = change.state == consensus::State::leader ? change.term : Epoch{};
    leader_ = change.state == consensus::State::leader ? self_id_ : change.leader;
    if (leader_.value != 0) {
        leader_term_ = change.term;
        campaign_at_.reset();
    } else {
        tend_soon();
    }
    outbox_.lead(leading_);
    if (handover_ && leader_ == handover_->to) {
        later([](Group& self) { self.tend_handover(); });
    }
    if (before.value != 0 && before != leading_) {
        log_.info("replicated.lead_lost", {kv("service", options_.service), kv("term", before),
                                           kv("leader", leader_name())});
        schedule_turn();
    }
    if (leading_.value != 0 && before != leading_) {
        log_.info("replicated.leads", {kv("service", options_.service), kv("term", leading_)});
        catching_up_ = {};
        list_index_.reset();
        tend_soon();
    }
}

void Group::settle() {
    if (detached_ || phase_ == Phase::ended) return;
    const auto self = shared_from_this();
    update_standing();
    apply();
    if (detached_ || phase_ == Phase::ended) return;
    update_standing();
    if (detached_ || phase_ == Phase::ended) return;
    if (leads() && !handover_ && !blocked_ && proposals_.ready()) schedule_turn();
    arm();
}

void Group::arm() {
    TimePoint when = tend_at_;
    if (alive()) when = std::min(when, core_->next_deadline());
    if (campaign_at_) when = std::min(when, *campaign_at_);
    // A timer that comes too early asks again: cheaper than a new one for each heartbeat heard.
    if (when >= timer_at_) return;
    timer_at_ = when;
    timer_ = runtime_.at(when, [this] { woken(); });
}

void Group::woken() {
    const auto self = shared_from_this();
    timer_at_ = TimePoint::max();
    node_log_.look();
    const TimePoint now = runtime_.now();
    if (alive() && core_->next_deadline() <= now) {
        if (!step(consensus::Deadline{}) && phase_ == Phase::ended) return;
    }
    if (campaign_at_ && *campaign_at_ <= now && alive()) {
        campaign_at_.reset();
        if (core_->state() == consensus::State::follower &&
            (leader_ == gone_ || leader_.value == 0)) {
            const auto stands = step(consensus::Campaign{});
            if (phase_ == Phase::ended) return;
            // Refused while entries are on their way to the disk: in a moment, then.
            if (!stands && now < campaign_until_) campaign_at_ = now + campaign_retry;
        }
    }
    if (tend_at_ <= now) {
        tend_at_ = TimePoint::max();
        blocked_ = false;
        if (phase_ == Phase::founding) ask_founders();
        if (alive()) tend();
    }
    settle();
}

void Group::when_durable(journal::LogPosition position, std::function<void()> task) {
    waiting_.push_back({.position = position, .task = std::move(task)});
}

// Answers may call back, close, or destroy.
void Group::give(Proposals::Answers answers) {
    for (const Proposals::Answer& answer : answers) {
        if (detached_) return;
        answer.give();
    }
}

void Group::fail(Error error) {
    if (detached_ || phase_ == Phase::ended) return;
    const auto self = shared_from_this();
    log_.error("replicated.group_failed", {kv("service", options_.service), kv("error", error)});
    phase_ = Phase::ended;
    work_.end();
    timer_.reset();
    incoming_.reset();
    outbox_.clear();
    // A step may be on the stack: the core goes in a later turn.
    runtime_.post([self] { self->core_.reset(); });
    surroundings_.ended(id_);
    // One that is still opening has no other owner than this.
    runtime_.post([self, error = std::move(error)] {
        if (self->detached_) return;
        Proposals::Answers answers;
        self->proposals_.fail(error, answers);
        self->give(std::move(answers));
        if (self->detached_) return;
        if (auto opened = std::exchange(self->opened_, nullptr)) return opened(error);
        if (auto closed = std::exchange(self->closed_, nullptr)) return closed();
        self->observer_.failed(error);
    });
}

}  // namespace understudy::replicated
