// Checkpoints of a group: its own, and those that others send.

#include <algorithm>
#include <utility>

#include "base/plant.h"
#include "consensus/configuration.h"
#include "journal/format/whole_file.h"
#include "replicated/group/group.h"
#include "replicated/surroundings.h"

namespace understudy::replicated {

namespace {

constexpr std::size_t checkpoints_kept = 2;
constexpr Duration fetch_newer_interval = 5s;

const Error given_up{.code = Errc::closed, .detail = "the journal is closed"};

}  // namespace

/// A checkpoint that the observer's owner is writing.
class Group::Checkpointing final : public journal::CheckpointWriter {
public:
    Checkpointing(std::weak_ptr<Group> group, consensus::SnapshotRef snapshot,
                  std::shared_ptr<journal::CheckpointFile> file)
        : group_(std::move(group)), snapshot_(std::move(snapshot)), file_(std::move(file)) {}
    Checkpointing(const Checkpointing&) = delete;
    Checkpointing& operator=(const Checkpointing&) = delete;
    ~Checkpointing() override {
        const auto group = group_.lock();
        if (!group || handed_over_) return;
        group->own_checkpointing_ = false;
        group->runtime_.worker(checkpoint_worker)
            .submit([file = file_] { file->abandon(); }, [] {});
    }

    [[nodiscard]] Index at() const override { return snapshot_.index; }

    void write(Buffer slice, Done done) override {
        US_ASSERT(!busy_);
        US_ASSERT(slice.size() <= slice_bytes_max);
        const auto kept = std::make_shared<const Buffer>(std::move(slice));
        run([kept](journal::CheckpointFile& file) { return file.write(*kept); }, std::move(done));
    }

    void finish(Done done) override {
        US_ASSERT(!busy_);
        run([](journal::CheckpointFile& file) { return file.finish(); },
            [this, done = std::move(done)](Result<void> result) {
                const auto group = group_.lock();
                handed_over_ = true;
                if (!result) {
                    group->own_checkpointing_ = false;
                    return done(std::move(result));
                }
                group->checkpoint_written(snapshot_, life_.guarded(done));
            });
    }

private:
    /// `done` is not called once this is destroyed, or the group is detached.
    void run(std::function<Result<void>(journal::CheckpointFile&)> job, Done done) {
        const auto group = group_.lock();
        if (!group || group->detached_) return;
        if (group->phase_ == Phase::ended) {
            return group->later(
                life_.guarded([done = std::move(done)](Group&) { done(given_up); }));
        }
        busy_ = true;
        const auto result = std::make_shared<Result<void>>();
        group->runtime_.worker(checkpoint_worker)
            .submit([file = file_, job = std::move(job), result] { *result = job(*file); },
                    life_.guarded([this, result, done = std::move(done)] {
                        const auto still = group_.lock();
                        if (!still || still->detached_) return;
                        busy_ = false;
                        done(std::move(*result));
                    }));
    }

    const std::weak_ptr<Group> group_;
    const consensus::SnapshotRef snapshot_;
    const std::shared_ptr<journal::CheckpointFile> file_;
    bool busy_ = false;
    bool handed_over_ = false;
    Lifetime life_;
};

void Group::run(Worker::Job job, std::function<void(Group&)> done) {
    runtime_.worker(checkpoint_worker)
        .submit(std::move(job), work_.guarded([this, done = std::move(done)] {
            const auto self = shared_from_this();
            done(*this);
        }));
}

Index Group::checkpoint() const { return state_.snapshot ? state_.snapshot->index : Index{}; }

Result<std::unique_ptr<journal::CheckpointWriter>> Group::begin_checkpoint() {
    if (!alive() || phase_ != Phase::running) return given_up;
    if (own_checkpointing_) {
        return Error{.code = Errc::limit_exceeded, .detail = "a checkpoint is being written"};
    }
    if (incoming_ && !incoming_->begun() && !incoming_wanted_) incoming_.reset();
    if (applied_.value == 0 || restoring_ || incoming_) {
        return Error{.code = Errc::limit_exceeded, .detail = "there is no state of its own yet"};
    }
    consensus::ConfigurationAt at = core_->configuration_at(applied_);
    consensus::SnapshotRef snapshot{.index = applied_,
                                    .term = applied_term_,
                                    .configuration = std::move(at.configuration),
                                    .configuration_index = at.index,
                                    .reference = encode_reference(members_)};
    own_checkpointing_ = true;
    auto file = std::make_shared<journal::CheckpointFile>(
        runtime_.disk(), directory_,
        journal::Checkpoint{.journal = static_cast<std::uint32_t>(id_.value),
                            .at = snapshot.index,
                            .epoch = snapshot.term,
                            .checksum = 0});
    std::unique_ptr<journal::CheckpointWriter> writer =
        std::make_unique<Checkpointing>(weak_from_this(), std::move(snapshot), std::move(file));
    return writer;
}

// It may cover entries that are committed but not durable here yet: then it waits for them, since
// the log is to go on behind it without a gap.
void Group::checkpoint_written(consensus::SnapshotRef snapshot, Done done) {
    if (phase_ == Phase::ended) {
        own_checkpointing_ = false;
        return done(given_up);
    }
    if (!alive()) {
        // The log is being read for a new start, and must not change meanwhile.
        own_checkpointing_ = false;
        checkpoints_.push_back(snapshot.index);
        return done(Error{.code = Errc::limit_exceeded, .detail = "the group is starting again"});
    }
    if (snapshot.index > durable_ && !written_.empty()) {
        return when_durable(written_.back().position, [this, snapshot = std::move(snapshot),
                                                       done = std::move(done)]() mutable {
            checkpoint_written(std::move(snapshot), std::move(done));
        });
    }
    // A newer one was sent meanwhile, or is on its way: that one counts.
    if (incoming_ || installing_ || snapshot.index <= checkpoint() || snapshot.index > durable_) {
        own_checkpointing_ = false;
        checkpoints_.push_back(snapshot.index);
        remove_old_checkpoints();
        return done({});
    }
    state_.snapshot = snapshot;
    journal::GroupWrite write;
    write.state = encode(state_);
    const std::uint32_t kept = trailing(snapshot.index);
    const Index first = node_log_.first(id_);
    if (snapshot.index.value >= first.value + kept) {
        write.trim = Index{snapshot.index.value + 1 - kept};
    }
    auto position = surroundings_.write(id_, std::move(write), journal::Urgency::promotion);
    if (!position) {
        own_checkpointing_ = false;
        const Error error = std::move(position).error();
        fail(error);
        return done(error);
    }
    checkpoints_.push_back(snapshot.index);
    // The core lets go of what the log has let go of.
    const auto taken = step(consensus::SnapshotTaken{.snapshot = snapshot, .trailing = kept});
    if (!taken && alive()) {
        log_.error("replicated.checkpoint_refused",
                   {kv("service", options_.service), kv("error", taken.error())});
    }
    when_durable(*position,
                 [this, snapshot, done = std::move(done)] { checkpoint_durable(snapshot, done); });
    settle();
}

void Group::checkpoint_durable(const consensus::SnapshotRef& snapshot, const Done& done) {
    own_checkpointing_ = false;
    log_.info("replicated.checkpoint",
              {kv("service", options_.service), kv("index", snapshot.index.value)});
    remove_old_checkpoints();
    done({});
}

// Enough for the slowest member that is registered, as far as a leader knows.
std::uint32_t Group::trailing(Index at) const {
    std::uint64_t wanted = options_.trailing_entries_min;
    if (leads()) {
        for (const consensus::Server& server : core_->configuration().servers) {
            if (server.id == self_id_) continue;
            const Index has = core_->match(server.id);
            if (has < at) wanted = std::max(wanted, at.value - has.value);
        }
    }
    return static_cast<std::uint32_t>(
        std::min<std::uint64_t>(wanted, options_.trailing_entries_max));
}

// All but the one that counts and the one before it. One that is newer, and does not count, goes
// when a newer one counts: its name may be that of a checkpoint that is about to come.
void Group::remove_old_checkpoints() {
    std::sort(checkpoints_.begin(), checkpoints_.end());
    checkpoints_.erase(std::unique(checkpoints_.begin(), checkpoints_.end()), checkpoints_.end());
    const auto newer = std::upper_bound(checkpoints_.begin(), checkpoints_.end(), checkpoint());
    const auto count = static_cast<std::size_t>(newer - checkpoints_.begin());
    if (count <= checkpoints_kept) return;
    const auto kept = newer - static_cast<std::ptrdiff_t>(checkpoints_kept);
    std::vector<std::string> names;
    for (auto each = checkpoints_.begin(); each != kept; ++each) {
        names.push_back(directory_ + "/" + journal::checkpoint_name(*each));
    }
    checkpoints_.erase(checkpoints_.begin(), kept);
    remove(std::move(names));
}

// What cannot be removed is removed when the group is opened again.
void Group::remove(std::vector<std::string> names) {
    runtime_.worker(checkpoint_worker)
        .submit(
            [names = std::move(names), &disk = runtime_.disk()] {
                for (const std::string& name : names) static_cast<void>(disk.remove(name));
            },
            [] {});
}

// --- From others -----------------------------------------------------------------------------

void Group::begin_install(ServerId from, const consensus::SnapshotRef& snapshot) {
    if (installing_) {
        // Another source of what is here already, and about to be durable.
        if (installing_->index == snapshot.index && installing_->term == snapshot.term) return;
        installing_.reset();
        work_.begin_again();
    }
    log_.info("replicated.checkpoint_wanted",
              {kv("service", options_.service), kv("index", snapshot.index.value),
               kv("from", surroundings_.name_of(from, id_))});
    incoming_wanted_ = true;
    incoming_ = std::make_unique<Incoming>(
        runtime_, surroundings_, id_, directory_,
        Incoming::Source{.from = from, .snapshot = snapshot},
        [this](Result<consensus::SnapshotRef> result) { installed(std::move(result), true); });
}

// A witness has no state to take a checkpoint of, but needs one to let go of its log.
void Group::store_for_witness() {
    tend_soon();
    if (incoming_ || leader_.value == 0 || leader_ == self_id_) return;
    const Index first = node_log_.first(id_);
    if (applied_.value < first.value + options_.trailing_entries_max) return;
    fetch_from(leader_, checkpoint());
}

void Group::fetch_from(ServerId from, Index beyond) {
    incoming_wanted_ = false;
    incoming_ = std::make_unique<Incoming>(
        runtime_, surroundings_, id_, directory_,
        Incoming::Source{.from = from, .snapshot = std::nullopt, .beyond = beyond},
        [this](Result<consensus::SnapshotRef> result) { installed(std::move(result), false); });
}

// Who takes none itself, as an active member does not while another can, lets go of its log by one
// that another has taken. Those who take their own find that nobody is far ahead.
bool Group::wants_newer_checkpoint() const {
    return self_.kind != MemberKind::witness && phase_ == Phase::running && !incoming_ &&
           !own_checkpointing_ && !restoring_ &&
           applied_.value >= checkpoint().value + 2 * std::uint64_t{options_.trailing_entries_min};
}

void Group::fetch_newer() {
    if (!wants_newer_checkpoint()) return;
    const std::vector<consensus::Server>& servers = core_->configuration().servers;
    if (runtime_.now() >= fetch_newer_at_) {
        fetch_newer_at_ = runtime_.now() + fetch_newer_interval;
        newer_asked_ = 0;
    }
    while (newer_asked_ < servers.size()) {
        const ServerId from = servers[newer_asked_++].id;
        if (from == self_id_ || surroundings_.name_of(from, id_).empty()) continue;
        // For less than half of the log it is not worth its way.
        return fetch_from(from, Index{(checkpoint().value + applied_.value) / 2});
    }
}

void Group::chunk(ServerId from, const Chunk& chunk) {
    if (incoming_ && incoming_->from() == from) incoming_->chunk(chunk);
}

void Group::installed(Result<consensus::SnapshotRef> result, bool wanted_by_core) {
    const auto self = shared_from_this();
    const auto gone = std::move(incoming_);
    if (!alive()) return;
    if (!result) {
        // There is none that is newer: the usual answer.
        if (!wanted_by_core && result.error().code == Errc::unavailable) return tend_soon();
        log_.warn("replicated.checkpoint_lost",
                  {kv("service", options_.service), kv("error", result.error())});
        const Errc code = result.error().code;
        if (code == Errc::disk_failed || code == Errc::no_space || code == Errc::not_permitted) {
            if (wanted_by_core) return fail(std::move(result).error());
            return;
        }
        if (wanted_by_core) restart_core();
        return;
    }
    const consensus::SnapshotRef snapshot = *std::move(result);
    if (!wanted_by_core) {
        // As if it were its own, with the configuration that its own log has there.
        if (snapshot.index > applied_ || snapshot.index > durable_) {
            return remove({directory_ + "/" + journal::checkpoint_name(snapshot.index)});
        }
        own_checkpointing_ = true;
        return checkpoint_written(snapshot, [](const Result<void>&) {});
    }
    install(snapshot);
}

// It takes the place of the log. What was being read of that, or restored, is over.
void Group::install(consensus::SnapshotRef snapshot) {
    auto members = decode_reference(snapshot.reference);
    if (!members) return fail(std::move(members).error());
    work_.begin_again();
    loading_ = false;
    restoring_ = true;
    state_.snapshot = snapshot;
    journal::GroupWrite write;
    write.state = encode(state_);
    write.from = snapshot.index.next();
    write.restart = !planted(Plant::install_keeps_log);
    auto position = surroundings_.write(id_, std::move(write), journal::Urgency::promotion);
    if (!position) return fail(std::move(position).error());
    written_.clear();
    checkpoints_.push_back(snapshot.index);
    installing_ = std::move(snapshot);
    when_durable(*position, work_.guarded([this, list = *std::move(members)]() mutable {
        install_durable(std::move(list));
    }));
}

void Group::install_durable(Members members) {
    const consensus::SnapshotRef snapshot = *std::exchange(installing_, std::nullopt);
    members_ = std::move(members);
    configuration_ = snapshot.configuration;
    for (const MemberRow& row : members_.rows()) surroundings_.learn(row.member);
    durable_ = snapshot.index;
    remove_old_checkpoints();
    const auto taken =
        step(consensus::SnapshotInstalled{.index = snapshot.index, .term = snapshot.term});
    if (!taken || !alive()) return;
    if (snapshot.index <= applied_) {
        restoring_ = false;
        return settle();
    }
    restore([](Group& self) {
        self.log_.info("replicated.checkpoint_installed",
                       {kv("service", self.options_.service), kv("index", self.applied_.value)});
        self.settle();
    });
}

}  // namespace understudy::replicated
