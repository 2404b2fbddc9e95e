#include "raft/raft_core.h"

#include <limits>

#include "base/errors.h"
#include "base/plant.h"
#include "consensus/configuration.h"
#include "consensus/message.h"
#include "raft/convert.h"

namespace understudy::raft {

using namespace consensus;

namespace {

Error refused(std::string detail) {
    return Error{.code = Errc::refused, .detail = std::move(detail)};
}

Error not_leading() { return Error{.code = Errc::not_active, .detail = "not the leader"}; }

std::uint64_t to_ms(Duration duration) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

// For small seeds the engine's random numbers begin with similar values.
std::uint32_t fold(std::uint64_t seed) {
    seed ^= seed >> 33;
    seed *= 0xff51afd7ed558ccdU;
    return static_cast<std::uint32_t>(seed ^ seed >> 32);
}

// How long the engine waits before it offers a checkpoint again. It then offers the newest one, and
// the server would have to begin again. Large checkpoints take long. A server that did not get the
// offer says so at the next heartbeat.
constexpr unsigned install_timeout_ms = 600'000;

/// Checks that recovery found one log: no gap, no decreasing term, no contradiction to a
/// checkpoint.
Result<void> check(Recovered& found) {
    if (found.hard.term.value == 0) return corrupt("a server starts in term 0");
    if (found.first.value == 0) return corrupt("a log begins at 0");
    Epoch last{1};
    for (const LogEntry& entry : found.entries) {
        if (entry.term < last || entry.term > found.hard.term) {
            return corrupt("the terms of the log do not ascend");
        }
        last = entry.term;
    }
    if (!found.snapshot) {
        if (found.entries.empty()) return {};
        if (found.first != Index{1} || found.entries.front().kind != EntryKind::configuration) {
            return corrupt("a log without a checkpoint begins with a configuration at 1");
        }
        return {};
    }
    const SnapshotRef& snapshot = *found.snapshot;
    if (!well_formed(snapshot.configuration) || snapshot.index.value == 0 ||
        snapshot.term.value == 0 || snapshot.configuration_index.value == 0 ||
        snapshot.configuration_index > snapshot.index || snapshot.term > found.hard.term) {
        return corrupt("the checkpoint's place contradicts itself");
    }
    const std::uint64_t end = found.first.value + found.entries.size();
    if (found.first.value > snapshot.index.value + 1) {
        return corrupt("entries are missing behind the checkpoint");
    }
    // The checkpoint was to replace this log, and the crash came before that.
    const bool reaches = found.first <= snapshot.index && snapshot.index.value < end;
    const bool agrees =
        reaches &&
        found.entries[static_cast<std::size_t>(snapshot.index.value - found.first.value)].term ==
            snapshot.term;
    const bool follows = found.first.value == snapshot.index.value + 1 &&
                         (found.entries.empty() || found.entries.front().term >= snapshot.term);
    if (!agrees && !follows) {
        found.entries.clear();
        found.first = snapshot.index.next();
    }
    return {};
}

}  // namespace

std::unique_ptr<ConsensusCore> make_core(const ConsensusCore::Options& options) {
    return std::make_unique<RaftCore>(options,
                                      planted(Plant::naive_host) ? Guards::none() : Guards{});
}

RaftCore::RaftCore(const Options& options, Guards guards)
    : options_(options), guards_(guards), electable_(options.electable) {
    US_ASSERT(options.id.value != 0);
    US_ASSERT(options.heartbeat_interval >= 1ms &&
              options.election_timeout > options.heartbeat_interval);
    engine_.reset(us_engine_new(options.id.value, fold(options.seed),
                                static_cast<unsigned>(to_ms(options.election_timeout)),
                                static_cast<unsigned>(to_ms(options.heartbeat_interval)),
                                install_timeout_ms, options.inflight_entries_max));
    US_ASSERT(engine_ != nullptr);
}

RaftCore::~RaftCore() = default;

Result<Effects> RaftCore::step(Event event, TimePoint now) {
    if (ended_) {
        return Error{.code = Errc::failed,
                     .effect = understudy::Effect::unknown,
                     .detail = "core has ended"};
    }
    US_ASSERT(started_ != std::holds_alternative<Start>(event));
    now_ms_ = std::max(now_ms_, to_ms(now.time_since_epoch()));
    effects_.clear();
    auto done = std::visit([this](auto& one) { return on(one); }, event);
    if (done && state() == State::leader && told_.state != State::leader) done = begin_term();
    if (!done) {
        const Errc code = done.error().code;
        if (!started_ || code == Errc::failed) ended_ = true;
        return std::move(done).error();
    }
    collect_state();
    return std::move(effects_);
}

Result<void> RaftCore::on(Start& start) {
    Recovered& found = start.recovered;
    US_CHECK(check(found));
    Converted converted;
    us_snapshot snapshot{};
    if (found.snapshot) snapshot = converted.snapshot(*found.snapshot);
    const us_entry* entries = US_TRY(converted.entries(found.entries));

    if (found.snapshot && found.snapshot->configuration_index < found.first) {
        base_ = {found.snapshot->configuration_index, found.snapshot->configuration};
    }
    Index index = found.first;
    for (const LogEntry& entry : found.entries) {
        if (entry.kind == EntryKind::configuration) {
            configurations_[index] = US_TRY(decode_configuration(entry.body.bytes));
        }
        index = index.next();
    }
    started_ = true;
    hard_ = found.hard;
    snapshot_ = std::move(found.snapshot);
    return collect(us_engine_start(engine_.get(), now_ms_, hard_.term.value, hard_.vote.value,
                                   snapshot_ ? &snapshot : nullptr, found.first.value, entries,
                                   found.entries.size()));
}

Result<void> RaftCore::on(Persisted& persisted) {
    const Index index = writes_.done(persisted.write);
    if (installing_ || index.value <= us_engine_last_stored(engine_.get())) return {};
    US_ASSERT(index <= last() && state() != State::candidate);
    return collect(us_engine_persisted(engine_.get(), now_ms_, index.value));
}

Result<void> RaftCore::on(SnapshotInstalled& installed) {
    if (!installing_ || installing_->snapshot.index != installed.index ||
        installing_->snapshot.term != installed.term) {
        return {};  // Another checkpoint has taken its place.
    }
    snapshot_ = std::move(installing_->snapshot);
    installing_.reset();
    configurations_.clear();
    base_ = {snapshot_->configuration_index, snapshot_->configuration};
    return collect(us_engine_installed(engine_.get(), now_ms_));
}

Result<void> RaftCore::on(SnapshotTaken& taken) {
    SnapshotRef& snapshot = taken.snapshot;
    if (installing_ || snapshot.index.value <= us_engine_snapshot_index(engine_.get())) return {};
    const ConfigurationAt at = configuration_at(snapshot.index);
    if (snapshot.index > commit_ || snapshot.term != term_at(snapshot.index) ||
        snapshot.configuration_index != at.index || snapshot.configuration != at.configuration ||
        snapshot.reference.size() > reference_size_max) {
        return refused("a checkpoint that contradicts the log");
    }
    Converted converted;
    const us_snapshot to = converted.snapshot(snapshot);
    snapshot_ = std::move(snapshot);
    US_CHECK(collect(us_engine_snapshot(engine_.get(), now_ms_, &to, taken.trailing)));
    drop_configurations_before_log();
    return {};
}

void RaftCore::drop_configurations_before_log() {
    while (!configurations_.empty() && configurations_.begin()->first < first()) {
        base_ = {configurations_.begin()->first, std::move(configurations_.begin()->second)};
        configurations_.erase(configurations_.begin());
    }
}

Result<void> RaftCore::on(Deadline&) {
    if (now_ms_ < us_engine_timeout_at(engine_.get())) return {};
    last_deadline_ms_ = now_ms_;
    const bool withheld = !electable_ && !needed_;
    if (withheld && state() == State::candidate) return {};
    if (state() == State::follower) {
        // A server that does not campaign must vote for others, but it refuses to while it knows a
        // leader. So it forgets the leader at its timeout.
        const bool unaware =
            !is_voter(configuration(), options_.id) && guards_.on(Guard::unaware_voter);
        if (withheld || unaware || us_engine_last_stored(engine_.get()) < last().value) {
            us_engine_forget_leader(engine_.get(), now_ms_);
            return collect(US_OK);
        }
    }
    if (guards_.on(Guard::calm_candidate)) us_engine_calm(engine_.get());
    return collect(us_engine_timeout(engine_.get(), now_ms_));
}

Result<void> RaftCore::on(Propose& propose) {
    if (state() != State::leader) return not_leading();
    if (us_engine_transferee(engine_.get()) != 0)
        return refused("the leadership is being transferred");
    US_ASSERT(!propose.entries.empty());
    if (propose.entries.size() > entries_per_message_max) {
        return Error{.code = Errc::limit_exceeded, .detail = "too many entries at once"};
    }
    for (LogEntry& entry : propose.entries) {
        US_ASSERT(entry.kind == EntryKind::command ||
                  (entry.kind == EntryKind::barrier && entry.body.bytes.empty()));
        if (entry.body.bytes.size() > entry_size_max) {
            return Error{.code = Errc::limit_exceeded, .detail = "entry too large"};
        }
    }
    return submit(propose.entries);
}

Result<void> RaftCore::submit(std::vector<LogEntry>& entries) {
    for (LogEntry& entry : entries) entry.term = term();
    Converted converted;
    const us_entry* to = US_TRY(converted.entries(entries));
    const Index begins = last().next();
    return collect(us_engine_submit(engine_.get(), now_ms_, to, entries.size()),
                   {.first = begins, .entries = &entries});
}

Result<void> RaftCore::on(ProposeConfiguration& propose) {
    if (state() != State::leader) return not_leading();
    const Configuration& to = propose.configuration;
    if (!well_formed(to)) return refused("not a configuration");
    if (us_engine_transferee(engine_.get()) != 0)
        return refused("the leadership is being transferred");
    if (us_engine_promotee(engine_.get()) != 0) return refused("a server is catching up");
    if (us_engine_uncommitted_configuration(engine_.get()) != 0) {
        return refused("the last change is not committed yet");
    }
    if (term_at(commit_) != term()) return refused("the leader's term has only begun");
    if (differences(configuration(), to) != 1) return refused("one server at a time");
    if (voters(to) < voters(configuration()) && voters(to) < 2) {
        return refused("at least two voters must stay");
    }
    auto body = std::make_shared<const Buffer>(encoded(to));
    std::vector<LogEntry> entries(1);
    entries[0].kind = EntryKind::configuration;
    entries[0].body = {.owner = body, .bytes = *body};
    return submit(entries);
}

Result<void> RaftCore::on(CatchUp& wanted) {
    if (state() != State::leader) return not_leading();
    const Server* server = find(configuration(), wanted.server);
    if (server == nullptr || server->membership == Membership::voter ||
        // A leader that gives up its vote is an observer for a while.
        wanted.server == options_.id) {
        return refused("only another observer can catch up");
    }
    if (us_engine_promotee(engine_.get()) != 0) return refused("a server is catching up");
    return collect(us_engine_catch_up(engine_.get(), now_ms_, wanted.server.value));
}

Result<void> RaftCore::on(Transfer& transfer) {
    if (state() != State::leader) return not_leading();
    if (transfer.to == options_.id || !is_voter(configuration(), transfer.to)) {
        return refused("only another voter can lead");
    }
    if (us_engine_transferee(engine_.get()) != 0)
        return refused("the leadership is being transferred");
    return collect(us_engine_transfer(engine_.get(), now_ms_, transfer.to.value));
}

Result<void> RaftCore::on(Campaign&) {
    if (!electable_) return refused("not electable");
    const us_result result = us_engine_campaign(engine_.get(), now_ms_);
    if (result == US_NOT_NOW) return refused("leading, not a voter, or entries are not durable");
    return collect(result);
}

TimePoint RaftCore::next_deadline() const {
    constexpr auto max_ms = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(Duration::max()).count());
    if (!started_ || ended_) return TimePoint::max();
    if (!electable_ && !needed_ && state() == State::candidate) return TimePoint::max();
    const std::uint64_t at = std::max(us_engine_timeout_at(engine_.get()), last_deadline_ms_ + 1);
    if (at >= max_ms) return TimePoint::max();
    return TimePoint(std::chrono::milliseconds(at));
}

State RaftCore::state() const {
    switch (us_engine_state(engine_.get())) {
        case US_LEADER:
            return State::leader;
        case US_CANDIDATE:
            return State::candidate;
        case US_FOLLOWER:
            break;
    }
    return State::follower;
}

Epoch RaftCore::term() const { return {us_engine_term(engine_.get())}; }

ServerId RaftCore::leader() const {
    // The engine still reports the leader of an older term.
    if (state() == State::follower && leader_term_ != term()) return {};
    return {us_engine_leader(engine_.get())};
}

Index RaftCore::first() const { return {us_engine_offset(engine_.get()) + 1}; }
Index RaftCore::last() const { return {us_engine_last(engine_.get())}; }

Epoch RaftCore::term_at(Index index) const {
    return {us_engine_term_of(engine_.get(), index.value)};
}

const Configuration& RaftCore::configuration() const {
    return configurations_.empty() ? base_.configuration : configurations_.rbegin()->second;
}

ConfigurationAt RaftCore::configuration_at(Index index) const {
    const auto after = configurations_.upper_bound(index);
    if (after == configurations_.begin()) return base_;
    const auto at = std::prev(after);
    return {at->first, at->second};
}

Index RaftCore::match(ServerId server) const {
    std::uint64_t index = 0;
    return us_engine_match(engine_.get(), server.value, &index) ? Index{index} : Index{};
}

CatchUpState RaftCore::catch_up(ServerId server) const {
    return static_cast<CatchUpState>(us_engine_catch_up_state(engine_.get(), server.value));
}

}  // namespace understudy::raft
