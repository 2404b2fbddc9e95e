#include "replicated/group/driver.h"

#include <algorithm>

#include "replicated/entry_body.h"

namespace understudy::replicated {

Driver::Driver(const GroupContext& context, Owner& owner)
    : context_(context),
      owner_(owner),
      state_{.service = context.options.service, .hard = {}, .snapshot = std::nullopt},
      outbox_(context.node_log, context.surroundings, context.id,
              [this](const Error& error) { owner_.fail(error); }) {}

// --- The run of a core -----------------------------------------------------------------------

Result<void> Driver::start(consensus::Recovered recovered, bool electable) {
    US_ASSERT(core_ == nullptr);
    recovered.hard = state_.hard;
    core_ = context_.make_core({.id = context_.self_id,
                                .seed = context_.runtime.random().next(),
                                .election_timeout = context_.node.election_timeout,
                                .heartbeat_interval = context_.node.heartbeat_interval,
                                .inflight_entries_max = context_.options.outstanding_entries_max,
                                .electable = electable});
    leading_ = {};
    leader_ = {};
    return step(consensus::Start{.recovered = std::move(recovered)});
}

void Driver::stop() {
    work_.begin_again();
    outbox_.clear();
    writes_.forget_writes();
    core_.reset();
    change_lead({.state = consensus::State::follower, .term = state_.hard.term, .leader = {}});
}

void Driver::end() {
    work_.end();
    outbox_.clear();
}

TimePoint Driver::next_deadline() const {
    return runs() ? core_->next_deadline() : TimePoint::max();
}

bool Driver::leads() const {
    return runs() && leading_.value != 0 && core_->state() == consensus::State::leader &&
           core_->term() == leading_;
}

Index Driver::checkpoint() const { return state_.snapshot ? state_.snapshot->index : Index{}; }

// --- Events ----------------------------------------------------------------------------------

Result<void> Driver::step(consensus::Event event) {
    US_ASSERT(core_ != nullptr);
    const bool may_refuse = std::holds_alternative<consensus::Propose>(event) ||
                            std::holds_alternative<consensus::ProposeConfiguration>(event) ||
                            std::holds_alternative<consensus::CatchUp>(event) ||
                            std::holds_alternative<consensus::Transfer>(event);
    auto effects = core_->step(std::move(event), context_.runtime.now());
    if (effects) {
        carry_out(*std::move(effects));
        return {};
    }
    const Errc code = effects.error().code;
    if (!may_refuse && code != Errc::corrupt && code != Errc::refused &&
        code != Errc::limit_exceeded && code != Errc::not_active) {
        owner_.fail(effects.error());
    }
    return std::move(effects).error();
}

Result<void> Driver::propose(std::vector<consensus::LogEntry> entries, journal::Urgency urgency) {
    urgencies_.proposed = urgency;
    auto taken = step(consensus::Propose{.entries = std::move(entries)});
    urgencies_.proposed = journal::Urgency::ordinary;
    return taken;
}

bool Driver::receive(ServerId from, ConsensusMessage message) {
    if (const auto* request = std::get_if<consensus::AppendRequest>(&message.message);
        request != nullptr && !request->entries.empty()) {
        // The leader sends them again.
        if (!has_room_for(*request, message.urgent)) return false;
        urgencies_.first = request->prev_index.next();
        urgencies_.received = std::move(message.urgent);
    }
    const auto taken =
        step(consensus::Receive{.from = from, .message = std::move(message.message)});
    urgencies_.received.clear();
    if (!taken) {
        context_.log.debug("replicated.message_refused",
                           {kv("service", context_.options.service), kv("error", taken.error())});
    }
    return static_cast<bool>(taken);
}

// If the disk is full, only entries that may use the reserve are accepted.
bool Driver::has_room_for(const consensus::AppendRequest& request,
                          const std::vector<bool>& urgent) const {
    if (context_.surroundings.disk_congested()) return false;
    if (context_.node_log.space() == journal::Space::ok) return true;
    for (std::size_t i = 0; i < request.entries.size(); ++i) {
        if (!urgent.at(i) && request.entries[i].kind == consensus::EntryKind::command) return false;
    }
    return true;
}

bool Driver::durable(journal::LogPosition position) {
    const std::uint64_t number = writes_.durable(position);
    outbox_.durable(position);
    while (const auto task = writes_.next_task(position)) {
        (*task)();
        if (owner_.ended()) return false;
    }
    if (number == 0 || !runs()) return true;
    return static_cast<bool>(step(consensus::Persisted{.write = number}));
}

// --- Effects ---------------------------------------------------------------------------------

void Driver::carry_out(consensus::Effects effects) {
    // What must be durable is written first, in one piece. Messages that may be sent before it is
    // durable are not delayed by that, because they are sent at the end of the turn.
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
                if (owner_.ended()) return;
                write = {};
                hard = false;
            }
            number = entries->write;
            add_entries(*entries, write);
        }
    }
    if (hard || number != 0) {
        persist(write, hard, number);
        if (owner_.ended()) return;
    }

    // The first requests of a new leader come before the effect StateChanged, which says that it
    // leads.
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
            owner_.checkpoint_wanted(install->from, install->snapshot);
        } else if (const auto* changed = std::get_if<consensus::StateChanged>(&effect)) {
            change_lead(*changed);
        }
        if (owner_.ended()) return;
    }
}

void Driver::add_entries(consensus::PersistEntries& from, journal::GroupWrite& to) const {
    if (from.from != context_.node_log.last(context_.id).next()) to.from = from.from;
    to.entries.reserve(from.entries.size());
    Index index = from.from;
    for (consensus::LogEntry& entry : from.entries) {
        to.entries.push_back({.term = entry.term,
                              .kind = stored_kind(entry.kind, urgencies_.urgent(index, entry.kind)),
                              .owner = std::move(entry.body.owner),
                              .body = entry.body.bytes});
        index = index.next();
    }
}

bool Driver::Urgencies::urgent(Index index, consensus::EntryKind kind) const {
    if (kind != consensus::EntryKind::command) return true;
    if (proposed == journal::Urgency::promotion) return true;
    if (index < first) return false;
    const auto place = static_cast<std::size_t>(index.value - first.value);
    return place < received.size() && received[place];
}

void Driver::persist(journal::GroupWrite& write, bool hard, std::uint64_t number) {
    const Index first =
        write.from.value != 0 ? write.from : context_.node_log.last(context_.id).next();
    const Index last{first.value + write.entries.size() - 1};
    if (write.from.value != 0) writes_.cut(Index{write.from.value - 1});
    if (hard) write.state = encode(state_);
    const bool all_urgent =
        std::all_of(write.entries.begin(), write.entries.end(),
                    [](const journal::GroupEntry& entry) { return is_urgent(entry.kind); });
    const auto urgency = all_urgent ? journal::Urgency::promotion : journal::Urgency::ordinary;
    auto position = context_.surroundings.write(context_.id, write, urgency);
    if (!position && position.error().code == Errc::no_space) {
        // With this write the log noticed that the disk is full. The consensus has taken these
        // entries already, so they use the room that is kept for promotions.
        position =
            context_.surroundings.write(context_.id, std::move(write), journal::Urgency::promotion);
    }
    if (!position) return owner_.fail(std::move(position).error());
    if (number != 0) writes_.written(*position, number, last);
    if (hard) outbox_.gate(*position);
}

void Driver::change_lead(const consensus::StateChanged& change) {
    const Epoch led = leading_;
    leading_ = change.state == consensus::State::leader ? change.term : Epoch{};
    leader_ = change.state == consensus::State::leader ? context_.self_id : change.leader;
    if (leader_.value != 0) leader_term_ = change.term;
    outbox_.lead(leading_);
    owner_.lead_changed(led);
}

Result<journal::LogPosition> Driver::write(journal::GroupWrite write) {
    write.state = encode(state_);
    auto position =
        context_.surroundings.write(context_.id, std::move(write), journal::Urgency::promotion);
    if (!position) owner_.fail(position.error());
    return position;
}

}  // namespace understudy::replicated
