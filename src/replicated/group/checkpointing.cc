#include "replicated/group/checkpointing.h"

#include <algorithm>
#include <utility>

#include "base/plant.h"
#include "replicated/group/own_checkpoint.h"

namespace understudy::replicated {

namespace {

constexpr Duration fetch_newer_interval = 5s;

std::string parent(const std::string& path) { return path.substr(0, path.rfind('/')); }

/// Makes the directory. Removes files that were not finished, or are newer than the checkpoint that
/// counts.
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

}  // namespace

Checkpointing::Checkpointing(const GroupContext& context, Owner& owner, Schedule& schedule,
                             Driver& driver, GroupMembership& membership, Delivery& delivery)
    : context_(context),
      owner_(owner),
      schedule_(schedule),
      driver_(driver),
      membership_(membership),
      delivery_(delivery) {}

void Checkpointing::run(Worker::Job job, std::function<void()> done) {
    context_.runtime.worker(checkpoint_worker)
        .submit(std::move(job), driver_.guarded(std::move(done)));
}

// --- The directory ---------------------------------------------------------------------------

void Checkpointing::prepare_directory(std::function<void()> then) {
    struct Job {
        Result<std::vector<Index>> kept{std::vector<Index>{}};
    };
    const auto job = std::make_shared<Job>();
    run([job, directory = context_.directory, newest = driver_.checkpoint(),
         &disk = context_.runtime.disk()] { job->kept = sweep(disk, directory, newest); },
        [this, job, then = std::move(then)] {
            if (!job->kept && is_shortage(job->kept.error().code)) {
                return schedule_.when_short(
                    driver_.guarded([this, then] { prepare_directory(then); }));
            }
            if (!job->kept) return owner_.fail(std::move(job->kept).error());
            kept_.reset(*std::move(job->kept));
            then();
        });
}

void Checkpointing::restore(std::function<void()> then) {
    const consensus::SnapshotRef& snapshot = *driver_.state().snapshot;
    if (context_.self.kind == MemberKind::witness) {
        delivery_.restored(snapshot);
        return then();
    }
    struct Job {
        Result<std::unique_ptr<journal::CheckpointReader>> reader{
            Error{.code = Errc::closed, .detail = {}}};
    };
    delivery_.pause();
    const auto job = std::make_shared<Job>();
    run(
        [job, at = snapshot.index, directory = context_.directory,
         &disk = context_.runtime.disk()] {
            job->reader = journal::CheckpointReader::open(disk, directory, at);
        },
        [this, job, snapshot, then = std::move(then)] {
            if (!job->reader && is_shortage(job->reader.error().code)) {
                return schedule_.when_short(driver_.guarded([this, then] { restore(then); }));
            }
            if (!job->reader) return owner_.fail(std::move(job->reader).error());
            restore_slice(*std::move(job->reader), snapshot, then);
        });
}

void Checkpointing::restore_slice(std::shared_ptr<journal::CheckpointReader> reader,
                                  const consensus::SnapshotRef& snapshot,
                                  std::function<void()> then) {
    struct Job {
        Result<journal::CheckpointReader::Slice> slice{Error{.code = Errc::closed, .detail = {}}};
    };
    const auto job = std::make_shared<Job>();
    run([job, reader] { job->slice = reader->next(); },
        [this, job, reader, snapshot, then = std::move(then)] {
            if (!job->slice) return owner_.fail(std::move(job->slice).error());
            const auto& slice = *job->slice;
            auto taken = context_.observer.restore({.at = snapshot.index,
                                                    .bytes = slice.bytes,
                                                    .first = slice.first,
                                                    .last = slice.last});
            if (owner_.ended()) return;
            if (!taken) return owner_.fail(std::move(taken).error());
            if (!slice.last) return restore_slice(reader, snapshot, then);
            delivery_.restored(snapshot);
            then();
        });
}

// Files that cannot be removed now are removed when the group is opened again.
void Checkpointing::remove(const std::vector<Index>& indexes) {
    if (indexes.empty()) return;
    std::vector<std::string> names;
    names.reserve(indexes.size());
    for (const Index index : indexes) {
        names.push_back(context_.directory + "/" + journal::checkpoint_name(index));
    }
    context_.runtime.worker(checkpoint_worker)
        .submit(
            [names = std::move(names), &disk = context_.runtime.disk()] {
                for (const std::string& name : names) static_cast<void>(disk.remove(name));
            },
            [] {});
}

void Checkpointing::remove_superfluous() { remove(kept_.take_superfluous(driver_.checkpoint())); }

// --- Of this member --------------------------------------------------------------------------

Result<std::unique_ptr<journal::CheckpointWriter>> Checkpointing::begin() {
    if (own_) {
        return Error{.code = Errc::limit_exceeded, .detail = "a checkpoint is being written"};
    }
    if (incoming_ && !incoming_->begun() && !incoming_wanted_) incoming_.reset();
    if (delivery_.applied().value == 0 || delivery_.paused() || incoming_) {
        return Error{.code = Errc::limit_exceeded, .detail = "there is no state of its own yet"};
    }
    consensus::ConfigurationAt at = driver_.core().configuration_at(delivery_.applied());
    own_ = true;
    std::unique_ptr<journal::CheckpointWriter> writer = std::make_unique<Own>(
        *this, consensus::SnapshotRef{.index = delivery_.applied(),
                                      .term = delivery_.applied_term(),
                                      .configuration = std::move(at.configuration),
                                      .configuration_index = at.index,
                                      .reference = encode_reference(membership_.members())});
    return writer;
}

// The checkpoint may cover entries that are committed but not durable here yet. Then it waits for
// them, because the log must go on after it without a gap.
void Checkpointing::written(consensus::SnapshotRef snapshot, Done done) {
    if (!driver_.runs()) {
        own_ = false;
        if (owner_.ended()) {
            return done(Error{.code = Errc::closed, .detail = "the journal is closed"});
        }
        // The log is being read for a new start, and must not change meanwhile.
        kept_.add(snapshot.index);
        return done(Error{.code = Errc::limit_exceeded, .detail = "the group is starting again"});
    }
    DurableWrites& writes = driver_.writes();
    if (snapshot.index > writes.last() && !writes.idle()) {
        return writes.when_durable(writes.newest(), [this, snapshot = std::move(snapshot),
                                                     done = std::move(done)]() mutable {
            written(std::move(snapshot), std::move(done));
        });
    }
    // A newer checkpoint was sent meanwhile, or is on its way. That one counts.
    if (incoming_ || installing_ || snapshot.index <= driver_.checkpoint() ||
        snapshot.index > writes.last()) {
        own_ = false;
        kept_.add(snapshot.index);
        remove_superfluous();
        return done({});
    }
    driver_.set_snapshot(snapshot);
    journal::GroupWrite write;
    const std::uint32_t kept = trailing(snapshot.index);
    if (snapshot.index.value >= context_.node_log.first(context_.id).value + kept) {
        write.trim = Index{snapshot.index.value + 1 - kept};
    }
    auto position = driver_.write(std::move(write));
    if (!position) {
        own_ = false;
        return done(std::move(position).error());
    }
    kept_.add(snapshot.index);
    // The core drops the entries that the log has dropped.
    const auto taken =
        driver_.step(consensus::SnapshotTaken{.snapshot = snapshot, .trailing = kept});
    if (!taken && driver_.runs()) {
        context_.log.error("replicated.checkpoint_refused",
                           {kv("service", context_.options.service), kv("error", taken.error())});
    }
    writes.when_durable(*position,
                        [this, snapshot, done = std::move(done)] { own_durable(snapshot, done); });
    owner_.settle();
}

void Checkpointing::own_durable(const consensus::SnapshotRef& snapshot, const Done& done) {
    own_ = false;
    context_.log.info("replicated.checkpoint",
                      {kv("service", context_.options.service), kv("index", snapshot.index.value)});
    remove_superfluous();
    done({});
}

// Enough entries for the slowest member, as far as a leader knows.
std::uint32_t Checkpointing::trailing(Index at) const {
    std::uint64_t wanted = context_.options.trailing_entries_min;
    if (driver_.leads()) {
        for (const consensus::Server& server : driver_.core().configuration().servers) {
            if (server.id == context_.self_id) continue;
            const Index has = driver_.core().match(server.id);
            if (has < at) wanted = std::max(wanted, at.value - has.value);
        }
    }
    return static_cast<std::uint32_t>(
        std::min<std::uint64_t>(wanted, context_.options.trailing_entries_max));
}

// --- Of other members ------------------------------------------------------------------------

void Checkpointing::fetch_wanted(ServerId from, const consensus::SnapshotRef& snapshot) {
    if (installing_) {
        // Another source of the same checkpoint, which is here already and will be durable soon.
        if (installing_->index == snapshot.index && installing_->term == snapshot.term) return;
        installing_.reset();
        driver_.drop_work();
    }
    context_.log.info("replicated.checkpoint_wanted",
                      {kv("service", context_.options.service), kv("index", snapshot.index.value),
                       kv("from", context_.surroundings.name_of(from, context_.id))});
    incoming_wanted_ = true;
    incoming_ = std::make_unique<Incoming>(
        context_.runtime, context_.surroundings, context_.id, context_.directory,
        Incoming::Source{.from = from, .snapshot = snapshot},
        [this](Result<consensus::SnapshotRef> result) { wanted_fetched(std::move(result)); });
}

void Checkpointing::fetch(ServerId from, Index beyond) {
    incoming_wanted_ = false;
    incoming_ = std::make_unique<Incoming>(
        context_.runtime, context_.surroundings, context_.id, context_.directory,
        Incoming::Source{.from = from, .snapshot = std::nullopt, .beyond = beyond},
        [this](Result<consensus::SnapshotRef> result) { fetched(std::move(result)); });
}

// A witness has no state to take a checkpoint of, but needs one to trim its log.
void Checkpointing::fetch_for_witness() {
    schedule_.tend_soon();
    const ServerId leader = driver_.leader();
    if (incoming_ || leader.value == 0 || leader == context_.self_id) return;
    const Index first = context_.node_log.first(context_.id);
    if (delivery_.applied().value < first.value + context_.options.trailing_entries_max) return;
    fetch(leader, driver_.checkpoint());
}

// A member that takes no checkpoints uses one of another member to trim its log. An active member
// is in this case while another member can take them. Members that take their own find no
// checkpoint that is much newer.
bool Checkpointing::wants_newer() const {
    return context_.self.kind != MemberKind::witness && !incoming_ && !own_ &&
           !delivery_.paused() &&
           delivery_.applied().value >=
               driver_.checkpoint().value +
                   2 * std::uint64_t{context_.options.trailing_entries_min};
}

void Checkpointing::applied(Index index) {
    if (index <= asking_.applied) return;
    asking_.applied = index;
    if (wants_newer()) schedule_.tend_by(asking_.again);
}

void Checkpointing::fetch_newer() {
    if (!wants_newer()) return;
    const std::vector<consensus::Server>& servers = driver_.core().configuration().servers;
    if (context_.runtime.now() >= asking_.again) {
        asking_.again = context_.runtime.now() + fetch_newer_interval;
        asking_.asked = 0;
    }
    while (asking_.asked < servers.size()) {
        const ServerId from = servers[asking_.asked++].id;
        if (from == context_.self_id) continue;
        if (context_.surroundings.name_of(from, context_.id).empty()) continue;
        // A checkpoint that replaces less than half of the log is not worth fetching.
        return fetch(from, Index{(driver_.checkpoint().value + delivery_.applied().value) / 2});
    }
}

void Checkpointing::chunk(ServerId from, const Chunk& chunk) {
    if (incoming_ && incoming_->from() == from) incoming_->chunk(chunk);
}

void Checkpointing::node_connected(const std::string& name) {
    if (!incoming_) return;
    if (context_.surroundings.name_of(incoming_->from(), context_.id) == name) incoming_->resume();
}

void Checkpointing::drop_incoming() {
    incoming_.reset();
    installing_.reset();
}

// It counts like a checkpoint of this member, with the configuration that this member's log has
// there.
void Checkpointing::fetched(Result<consensus::SnapshotRef> result) {
    const auto group = owner_.keep();
    const auto gone = std::move(incoming_);
    if (!driver_.runs()) return;
    if (!result) {
        // There is no newer checkpoint. That is the usual answer.
        if (result.error().code == Errc::unavailable) return schedule_.tend_soon();
        return context_.log.warn(
            "replicated.checkpoint_lost",
            {kv("service", context_.options.service), kv("error", result.error())});
    }
    const Index index = result->index;
    if (index > delivery_.applied() || index > driver_.writes().last()) return remove({index});
    own_ = true;
    written(*std::move(result), [](const Result<void>&) {});
}

void Checkpointing::wanted_fetched(Result<consensus::SnapshotRef> result) {
    const auto group = owner_.keep();
    const auto gone = std::move(incoming_);
    if (!driver_.runs()) return;
    if (result) return install(*std::move(result));
    context_.log.warn("replicated.checkpoint_lost",
                      {kv("service", context_.options.service), kv("error", result.error())});
    const Errc code = result.error().code;
    if (code == Errc::disk_failed || code == Errc::no_space || code == Errc::not_permitted) {
        return owner_.fail(std::move(result).error());
    }
    owner_.restart();
}

// It replaces the log. Reads of the log and a restoration that are under way are abandoned.
void Checkpointing::install(consensus::SnapshotRef snapshot) {
    auto members = decode_reference(snapshot.reference);
    if (!members) return owner_.fail(std::move(members).error());
    driver_.drop_work();
    delivery_.drop_reading();
    delivery_.pause();
    driver_.set_snapshot(snapshot);
    journal::GroupWrite write;
    write.from = snapshot.index.next();
    write.restart = !planted(Plant::install_keeps_log);
    auto position = driver_.write(std::move(write));
    if (!position) return;
    driver_.writes().forget_writes();
    kept_.add(snapshot.index);
    installing_ = std::move(snapshot);
    driver_.writes().when_durable(*position,
                                  driver_.guarded([this, list = *std::move(members)]() mutable {
                                      installed(std::move(list));
                                  }));
}

void Checkpointing::installed(Members members) {
    const consensus::SnapshotRef snapshot = *std::exchange(installing_, std::nullopt);
    membership_.apply(std::move(members));
    membership_.apply(snapshot.configuration);
    driver_.writes().set_last(snapshot.index);
    remove_superfluous();
    const auto taken =
        driver_.step(consensus::SnapshotInstalled{.index = snapshot.index, .term = snapshot.term});
    if (!taken || !driver_.runs()) return;
    if (snapshot.index <= delivery_.applied()) {
        delivery_.resume();
        return owner_.settle();
    }
    restore([this] {
        context_.log.info(
            "replicated.checkpoint_installed",
            {kv("service", context_.options.service), kv("index", delivery_.applied().value)});
        owner_.settle();
    });
}

}  // namespace understudy::replicated
