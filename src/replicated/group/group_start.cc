// How a group comes to run: found or found again on the disk, read, restored, started.

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/plant.h"
#include "consensus/configuration.h"
#include "replicated/entry_body.h"
#include "replicated/group/group.h"
#include "replicated/surroundings.h"

namespace understudy::replicated {

namespace {

constexpr std::size_t read_entries_max = 4096;
constexpr std::size_t read_bytes_max = 4 * MiB;
constexpr Duration founding_retry = 200ms;
constexpr Duration join_interval = 500ms;
constexpr Duration founding_patience = 1s;  // Before it is logged who is missing.
constexpr Duration outside_interval = 2s;   // Without a leader, between questions why.

std::string parent(const std::string& path) { return path.substr(0, path.rfind('/')); }

/// Makes the directory; removes what was not finished, or is newer than what counts.
Result<std::vector<Index>> sweep(Disk& disk, const std::string& directory, Index newest) {
    US_CHECK(disk.make_directory(directory));
    US_CHECK(disk.sync_directory(parent(directory)));
    US_CHECK(disk.sync_directory(parent(parent(directory))));
    std::vector<Index> kept;
    for (const std::string& name : US_TRY(disk.list(directory))) {
        const auto at = journal::parse_checkpoint_name(name);
        if (at && *at <= newest) {
            kept.push_back(*at);
        } else {
            US_CHECK(disk.remove(directory + "/" + name));
        }
    }
    return kept;
}

journal::GroupEntry owned_entry(Epoch term, consensus::EntryKind kind, Buffer body) {
    auto owner = std::make_shared<const Buffer>(std::move(body));
    return {.term = term, .kind = stored_kind(kind, true), .owner = owner, .body = *owner};
}

}  // namespace

void Group::start() {
    US_ASSERT(phase_ == Phase::fresh);
    for (const Member& founder : options_.founders) surroundings_.learn(founder);
    if (const Bytes state = surroundings_.state_of(id_); !state.empty()) {
        auto decoded = decode_group_state(state);
        if (!decoded) return fail(std::move(decoded).error());
        state_ = *std::move(decoded);
        if (state_.service != options_.service) {
            return fail({.code = Errc::bad_config,
                         .detail = fmt::format("{} has the number of {}", options_.service,
                                               state_.service)});
        }
        return prepare_directory();
    }
    for (const Member& founder : options_.founders) {
        if (founder.name == self_.name) return begin_founding();
    }
    prepare_directory();
}

// --- Founding --------------------------------------------------------------------------------

void Group::begin_founding() {
    phase_ = Phase::founding;
    founding_.emplace(id_, self_.name, options_.founders);
    ask_founders();
}

void Group::ask_founders() {
    if (founding_->collects()) {
        if (const auto members = founding_->complete(node_log_.identity())) {
            return found_group(*members);
        }
    }
    const Buffer question = encode(Found{.group = id_, .service = options_.service});
    for (const Member& founder : founding_->founders()) {
        if (founder.name == self_.name) continue;
        surroundings_.tell_node(founder.name, wire::MessageType::found, question);
    }
    say_founding();
    tend_at_ = runtime_.now() + founding_retry;
    arm();
}

// Once for each that changes: at a first start all have to be there at the same time.
void Group::say_founding() {
    auto missing = founding_->missing();
    if (missing != founding_said_) {
        founding_said_ = std::move(missing);
        founding_since_ = runtime_.now();
        return;
    }
    if (!founding_since_ || founding_said_.empty()) return;
    if (runtime_.now() < *founding_since_ + founding_patience) return;
    founding_since_.reset();
    log_.warn("replicated.founding_waits",
              {kv("service", options_.service),
               kv("missing", fmt::format("{}", fmt::join(founding_said_, ","))),
               kv("founders", founding_->founders().size())});
}

void Group::found(const std::string& node, std::uint64_t identity) {
    if (phase_ == Phase::founding) {
        founding_->heard(node, identity);
        if (!founding_->collects()) return;
        if (const auto members = founding_->complete(node_log_.identity())) found_group(*members);
        return;
    }
    // Only who has something of the group knows that it was founded.
    if (!alive() || core_->configuration().servers.empty()) return;
    // The founders get what they were founded with as long as it is there. Who asks later begins
    // empty, like anybody who joins: nothing of its disk took part in anything.
    Founded answer{.group = id_, .members = std::nullopt};
    const auto entries = node_log_.first(id_) == Index{1}
                             ? node_log_.cached(id_, Index{1}, 2, read_bytes_max)
                             : std::vector<journal::GroupEntry>{};
    if (entries.size() == 2) {
        if (const auto body = decode_body(entries[1].body);
            body && body->kind == BodyKind::members) {
            auto members = Members::decode(body->content);
            if (members && members->find(server_of(identity, id_)) != nullptr) {
                answer.members = *std::move(members);
            }
        }
    }
    surroundings_.tell_node(node, wire::MessageType::founded, encode(answer));
}

// What was not applied before a restart is only in the log.
bool Group::was_member() const {
    return members_.find(self_.name) != nullptr ||
           consensus::find(core_->configuration(), self_id_) != nullptr;
}

void Group::founded(Founded message) {
    if (phase_ == Phase::running && !message.members && !leads()) {
        if (std::exchange(outside_, true)) return;
        return log_.warn(was_member() ? "replicated.removed" : "replicated.not_added",
                         {kv("service", options_.service), kv("member", self_.name)});
    }
    if (phase_ != Phase::founding) return;
    if (!message.members) {
        log_.info("replicated.joins_late", {kv("service", options_.service)});
        return prepare_directory();
    }
    if (auto accepted = founding_->accept(*message.members, node_log_.identity()); !accepted) {
        return fail(std::move(accepted).error());
    }
    found_group(*message.members);
}

// The same two entries at each founder: who votes, and who they are.
void Group::found_group(const Members& members) {
    phase_ = Phase::reading;
    tend_at_ = TimePoint::max();
    const Epoch term{1};
    Buffer list;
    members.encode(list);
    journal::GroupWrite write;
    state_.hard = {.term = term, .vote = {}};
    write.state = encode(state_);
    write.from = Index{1};
    write.entries.push_back(owned_entry(term, consensus::EntryKind::configuration,
                                        consensus::encoded(members.configuration())));
    write.entries.push_back(owned_entry(term, consensus::EntryKind::command,
                                        encode_body(BodyKind::members, std::move(list))));
    auto position = surroundings_.write(id_, std::move(write), journal::Urgency::promotion);
    if (!position) return fail(std::move(position).error());
    log_.info("replicated.founded",
              {kv("service", options_.service), kv("members", members.rows().size())});
    when_durable(*position, work_.guarded([this, members] {
        if (founding_->collects()) {
            const Buffer answer = encode(Founded{.group = id_, .members = members});
            for (const Member& founder : founding_->founders()) {
                if (founder.name == self_.name) continue;
                surroundings_.tell_node(founder.name, wire::MessageType::founded, answer);
            }
        }
        prepare_directory();
    }));
}

// --- Reading ---------------------------------------------------------------------------------

void Group::prepare_directory() {
    phase_ = Phase::reading;
    struct Job {
        Result<std::vector<Index>> kept{std::vector<Index>{}};
    };
    const auto job = std::make_shared<Job>();
    run([job, directory = directory_, newest = checkpoint(),
         &disk = runtime_.disk()] { job->kept = sweep(disk, directory, newest); },
        [job](Group& self) {
            if (!job->kept && is_shortage(job->kept.error().code)) {
                return self.later_when_short([](Group& group) {
                    if (group.phase_ == Phase::reading) group.prepare_directory();
                });
            }
            if (!job->kept) return self.fail(std::move(job->kept).error());
            self.checkpoints_ = *std::move(job->kept);
            self.read_log();
        });
}

void Group::read_log() {
    phase_ = Phase::reading;
    recovered_ = {};
    recovered_.snapshot = state_.snapshot;
    recovered_.first = node_log_.first(id_);
    if (recovered_.first.value == 0) recovered_.first = Index{1};
    if (state_.snapshot) {
        auto members = decode_reference(state_.snapshot->reference);
        if (!members) return fail(std::move(members).error());
        for (const MemberRow& row : members->rows()) surroundings_.learn(row.member);
        if (state_.snapshot->index > applied_ || applied_.value == 0) {
            members_ = *std::move(members);
            configuration_ = state_.snapshot->configuration;
        }
    }
    read_entries(recovered_.first);
}

void Group::read_entries(Index from) {
    if (from > node_log_.last(id_)) {
        durable_ = node_log_.last(id_);
        if (!state_.snapshot || state_.snapshot->index <= applied_) return raise_term();
        return restore([](Group& self) { self.raise_term(); });
    }
    node_log_.load(id_, from, read_entries_max, read_bytes_max,
                   work_.guarded([this, from](Result<std::vector<journal::GroupEntry>> entries) {
                       const auto self = shared_from_this();
                       if (!entries) return fail(std::move(entries).error());
                       for (const journal::GroupEntry& entry : *entries) {
                           if (!is_stored_kind(entry.kind)) {
                               return fail({.code = Errc::corrupt, .detail = "kind of an entry"});
                           }
                           consensus::LogEntry& kept = recovered_.entries.emplace_back();
                           kept.term = entry.term;
                           kept.kind = kind_of(entry.kind);
                           if (kept.kind == consensus::EntryKind::configuration) {
                               kept.body = {.owner = entry.owner, .bytes = entry.body};
                           }
                           learn_from(entry);
                       }
                       read_entries({from.value + entries->size()});
                   }));
}

// Who is listed, committed or not, is where others are found.
void Group::learn_from(const journal::GroupEntry& entry) {
    if (kind_of(entry.kind) != consensus::EntryKind::command) return;
    const auto body = decode_body(entry.body);
    if (!body || body->kind != BodyKind::members) return;
    const auto members = Members::decode(body->content);
    if (!members) return;
    for (const MemberRow& row : members->rows()) surroundings_.learn(row.member);
}

// Tells the observer the state of the checkpoint that counts.
void Group::restore(std::function<void(Group&)> then) {
    const consensus::SnapshotRef& snapshot = *state_.snapshot;
    if (self_.kind == MemberKind::witness) {
        restored(snapshot);
        return then(*this);
    }
    struct Job {
        Result<std::unique_ptr<journal::CheckpointReader>> reader{
            Error{.code = Errc::closed, .detail = {}}};
    };
    restoring_ = true;
    const auto job = std::make_shared<Job>();
    run(
        [job, at = snapshot.index, directory = directory_, &disk = runtime_.disk()] {
            job->reader = journal::CheckpointReader::open(disk, directory, at);
        },
        [job, snapshot, then = std::move(then)](Group& self) {
            if (!job->reader && is_shortage(job->reader.error().code)) {
                return self.later_when_short([then](Group& group) { group.restore(then); });
            }
            if (!job->reader) return self.fail(std::move(job->reader).error());
            self.restore_slice(*std::move(job->reader), snapshot, then);
        });
}

void Group::restore_slice(std::shared_ptr<journal::CheckpointReader> reader,
                          const consensus::SnapshotRef& snapshot,
                          std::function<void(Group&)> then) {
    struct Job {
        Result<journal::CheckpointReader::Slice> slice{Error{.code = Errc::closed, .detail = {}}};
    };
    const auto job = std::make_shared<Job>();
    run([job, reader] { job->slice = reader->next(); },
        [job, reader, snapshot, then = std::move(then)](Group& self) {
            if (!job->slice) return self.fail(std::move(job->slice).error());
            const auto& slice = *job->slice;
            auto taken = self.observer_.restore({.at = snapshot.index,
                                                 .bytes = slice.bytes,
                                                 .first = slice.first,
                                                 .last = slice.last});
            if (self.phase_ == Phase::ended) return;
            if (!taken) return self.fail(std::move(taken).error());
            if (!slice.last) return self.restore_slice(reader, snapshot, then);
            self.restored(snapshot);
            then(self);
        });
}

void Group::restored(const consensus::SnapshotRef& snapshot) {
    restoring_ = false;
    applied_ = snapshot.index;
    applied_term_ = snapshot.term;
}

// --- Starting --------------------------------------------------------------------------------

// A lone voter must never reuse its term, and a vote that was given may not be remembered wrongly:
// each start begins a term of its own, durable before anything is said.
void Group::raise_term() {
    if (planted(Plant::vote_not_kept)) return start_core();
    state_.hard = {.term = state_.hard.term.next(), .vote = {}};
    journal::GroupWrite write;
    write.state = encode(state_);
    auto position = surroundings_.write(id_, std::move(write), journal::Urgency::promotion);
    if (!position) return fail(std::move(position).error());
    when_durable(*position, work_.guarded([this] { start_core(); }));
}

void Group::start_core() {
    US_ASSERT(core_ == nullptr);
    recovered_.hard = state_.hard;
    core_ = make_core_({.id = self_id_,
                        .seed = runtime_.random().next(),
                        .election_timeout = node_.election_timeout,
                        .heartbeat_interval = node_.heartbeat_interval,
                        .inflight_entries_max = options_.outstanding_entries_max,
                        .electable = may_be_active()});
    phase_ = closed_ ? Phase::closing : Phase::running;
    leading_ = {};
    leader_ = {};
    if (!step(consensus::Start{.recovered = std::exchange(recovered_, {})})) {
        return fail({.code = Errc::corrupt, .detail = "the log does not fit together"});
    }
    tend_soon();
    if (opened_) {
        standing_.epoch = applied_term_;
        observer_.standing_changed(standing_);
        if (detached_) return;
        open({});
    }
    settle();
}

// After a checkpoint that never came: as if the process had been started again.
void Group::restart_core() {
    log_.warn("replicated.restarted", {kv("service", options_.service)});
    work_.begin_again();
    outbox_.clear();
    written_.clear();
    core_.reset();
    incoming_.reset();
    installing_.reset();
    loading_ = false;
    restoring_ = false;
    state_changed({.state = consensus::State::follower, .term = state_.hard.term, .leader = {}});
    update_standing();
    if (detached_ || phase_ == Phase::ended) return;
    read_log();
}

void Group::open(Result<void> result) {
    later([result = std::move(result)](Group& self) {
        if (auto opened = std::exchange(self.opened_, nullptr)) opened(result);
    });
}

// Who was removed while it was away is told nothing by anybody. A leader that does not count it
// says so; one that does, and is about to be heard, has nothing to answer.
void Group::ask_whether_outside() {
    const TimePoint now = runtime_.now();
    if (leader_.value != 0) {
        leaderless_since_ = TimePoint::max();
        return;
    }
    if (leaderless_since_ == TimePoint::max()) leaderless_since_ = now;
    TimePoint due = std::max(leaderless_since_, join_asked_at_) + outside_interval;
    if (now >= due) {
        join_asked_at_ = now;
        surroundings_.tell_all(wire::MessageType::join,
                               encode(Join{.group = id_, .member = self_}));
        due = now + outside_interval;
    }
    tend_at_ = std::min(tend_at_, due);
}

void Group::ask_to_join() {
    if (join_asked_at_ == TimePoint{} || runtime_.now() >= join_asked_at_ + join_interval) {
        join_asked_at_ = runtime_.now();
        surroundings_.tell_all(wire::MessageType::join,
                               encode(Join{.group = id_, .member = self_}));
    }
    tend_at_ = std::min(tend_at_, join_asked_at_ + join_interval);
}

}  // namespace understudy::replicated
