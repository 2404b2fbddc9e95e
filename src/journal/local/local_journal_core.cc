#include "journal/local/local_journal_core.h"

#include <algorithm>
#include <utility>

#include "journal/format/whole_file.h"

namespace understudy::journal {

namespace {

// How often it is looked whether the directory is still the one that is held: with a flush, or when
// somebody with a tick asks.
constexpr Duration look_interval = 1s;

}  // namespace

LocalJournal::Core::Core(Runtime& runtime, Log& log, Options options, Observer& observer,
                         Recovered recovered)
    : runtime_(runtime),
      log_(log),
      options_(std::move(options)),
      observer_(observer),
      batcher_(recovered.tail, Batcher::Reserve::wanted,
               {.segment_bytes = options_.segment_size_bytes,
                .queue_bytes_max = options_.queue_bytes_max}),
      standing_{.role = Role::active, .epoch = recovered.tail.chain.epoch, .active = {}},
      hold_(std::move(recovered.hold)),
      looked_(runtime.now()),
      writer_(std::make_shared<SegmentWriter>(std::move(recovered.segment))),
      flush_(runtime.turn_ends(), TurnPhase::journal,
             [this] {
                 const auto self = shared_from_this();
                 flush();
             }),
      committed_(recovered.tail.chain),
      reserve_(std::move(recovered.reserve)),
      segments_(std::move(recovered.segments)),
      checkpoints_(std::move(recovered.checkpoints)),
      leftovers_(std::move(recovered.leftovers)) {
    if (!reserve_) return;
    recovered.reserve_is_reused ? batcher_.reserve_reused() : batcher_.reserve_made();
}

void LocalJournal::Core::start() {
    watches_ = hold_->watch(runtime_.host(), life_.guarded([this] { look(); }));
    if (!watches_.empty()) look();  // What happened before it began was not told.
    make_reserve();
    arm_mark();
}

void LocalJournal::Core::detach() {
    US_ASSERT(state_ != State::detached);
    if (state_ != State::releasing) {
        abandon_checkpoint(checkpoint_file_);
        release_files([](Core&) {});
    }
    state_ = State::detached;
    life_.end();
    flush_.unmark();
}

Index LocalJournal::Core::checkpoint() const {
    return checkpoints_.empty() ? Index{} : checkpoints_.back();
}

void LocalJournal::Core::append(std::vector<Draft> drafts, Urgency urgency, Appended done) {
    US_ASSERT(!drafts.empty());
    Append append{.drafts = std::move(drafts), .urgency = urgency, .done = std::move(done)};
    Result<void> taken = serving();
    if (taken) taken = batcher_.offer(append);
    if (!taken) {
        later([refused = std::move(append.done), error = taken.error()](Core&) {
            if (refused) refused(error);
        });
        return;
    }
    flush_.mark();
}

Result<void> LocalJournal::Core::admit(std::uint64_t bytes, Urgency urgency) {
    if (poisoned_) return Error{.code = Errc::disk_failed, .detail = poisoned_->detail};
    US_CHECK(serving());
    auto admitted = batcher_.admit(bytes, urgency);
    if (!admitted) flush_.mark();  // Which tells of the space.
    return admitted;
}

void LocalJournal::Core::append_admitted(std::vector<Draft> drafts, Appended done) {
    Append append{.drafts = std::move(drafts), .done = std::move(done)};
    if (auto taken = serving(); !taken) {
        later([refused = std::move(append.done), error = taken.error()](Core&) {
            if (refused) refused(error);
        });
        return;
    }
    batcher_.queue_admitted(std::move(append));
    flush_.mark();
}

void LocalJournal::Core::keep_from(std::uint64_t generation) {
    US_ASSERT(options_.keeps_segments);
    US_ASSERT(generation >= keep_from_);
    keep_from_ = generation;
}

std::vector<std::uint64_t> LocalJournal::Core::segments() const {
    std::vector<std::uint64_t> generations;
    for (const SegmentPlace& segment : segments_) generations.push_back(segment.generation);
    return generations;
}

Result<void> LocalJournal::Core::serving() const {
    if (poisoned_) return *poisoned_;
    if (state_ == State::serving) return {};
    return Error{.code = Errc::closed, .detail = "the journal is being closed"};
}

void LocalJournal::Core::later(std::function<void(Core&)> task) {
    runtime_.post(life_.guarded([this, task = std::move(task)] {
        const auto self = shared_from_this();
        task(*this);
    }));
}

void LocalJournal::Core::run(std::string_view worker, Worker::Job job,
                             std::function<void(Core&)> done, Worker::Place place) {
    runtime_.worker(worker).submit([hold = hold_, job = std::move(job)] { job(); },
                                   life_.guarded([this, done = std::move(done)] {
                                       const auto self = shared_from_this();
                                       done(*this);
                                   }),
                                   place);
}

/// At the end of the turn, so that all appends of one turn share a flush.
void LocalJournal::Core::flush() {
    if (queue_.rises(batcher_.waiting_bytes(), options_.queue_bytes_max)) {
        log_.warn("journal.queue", {kv("directory", options_.directory),
                                    kv("waiting_bytes", batcher_.waiting_bytes()),
                                    kv("limit_bytes", options_.queue_bytes_max)});
    }
    while (!poisoned_ && in_flight_.size() < flushes_in_flight_max) {
        if (!in_flight_.empty() && batcher_.waiting_bytes() < full_batch_bytes) break;
        Batcher::Formed formed = batcher_.form();
        const bool formed_batch = formed.batch.has_value();
        if (formed_batch) submit(std::move(*formed.batch));
        refuse(std::move(formed.refused), batcher_.no_space());
        if (state_ == State::detached) return;
        if (!formed_batch) break;
    }
    make_reserve();
    watch_space();
    settle();
}

void LocalJournal::Core::submit(Batch batch) {
    US_ASSERT(!batch.placed.empty());
    auto flush = std::make_shared<Flush>();
    flush->offset = batch.offset;
    flush->bytes = std::move(batch.bytes);
    if (batch.begins_segment) {
        US_ASSERT(reserve_ != nullptr);
        flush->next_segment = std::move(reserve_);
        segments_.push_back(
            {.generation = batcher_.tail().generation,
             .first = batch.placed.front().index,
             .ours = reserve_is_ours_});
    }
    const auto place = flush->bytes.size() <= inline_flush_bytes_max ? Worker::Place::inline_if_idle
                                                                     : Worker::Place::worker_thread;
    const bool looks = batch.begins_segment || runtime_.now() - looked_ >= look_interval;
    if (looks) looked_ = runtime_.now();
    auto path = path_in(options_.directory, segment_name(batch.generation));
    in_flight_.push_back({.batch = std::move(batch), .flush = flush});
    run(
        "journal",
        [writer = writer_, flush, hold = looks ? hold_ : nullptr, path = std::move(path)] {
            if (hold) {
                auto there = hold->look();
                if (there) there = writer->look(*flush, path);
                if (!there) writer->give_up(std::move(there).error());
            }
            writer->run(*flush);
        },
        [flush](Core& core) { core.flushed(flush); }, place);
}

void LocalJournal::Core::flushed(const std::shared_ptr<Flush>& flush) {
    if (poisoned_) return;
    US_ASSERT(!in_flight_.empty());
    US_ASSERT(in_flight_.front().flush == flush);
    if (!flush->result) return poison(flush->result.error());

    const InFlight done = std::move(in_flight_.front());
    in_flight_.pop_front();
    std::size_t next = 0;
    for (const Batch::Acknowledgement& acknowledgement : done.batch.acknowledgements) {
        for (std::size_t i = 0; i < acknowledgement.entries; ++i) {
            if (!deliver(done.batch, done.batch.placed[next++], *flush)) return;
        }
        if (acknowledgement.done) acknowledgement.done(committed_.last);
        if (state_ == State::detached) return;
    }
    US_ASSERT(next == done.batch.placed.size());
    batcher_.reuse(std::move(flush->bytes));
    arm_mark();
    this->flush();
}

/// False if the observer destroyed the journal.
bool LocalJournal::Core::deliver(const Batch& batch, const Batch::Placed& placed,
                                 const Flush& flush) {
    US_ASSERT(placed.index == committed_.last.next());
    committed_.last = placed.index;
    committed_.checksum = placed.checksum;
    observer_.committed(
        {.index = placed.index,
         .epoch = committed_.epoch,
         .type = placed.type,
         .body = Bytes(flush.bytes).subspan(placed.body_offset, placed.body_bytes),
         .place = {.generation = batch.generation, .offset = batch.offset + placed.body_offset}});
    return state_ != State::detached;
}

void LocalJournal::Core::refuse(std::vector<Append> refused, const Error& error) {
    for (const Append& append : refused) {
        if (append.done) append.done(error);
        if (state_ == State::detached) return;
    }
}

/// Ends the tenure: nobody knows any more what is on the disk.
void LocalJournal::Core::poison(Error error) {
    if (poisoned_) return;
    const bool gone = error.code == Errc::no_such_file;
    poisoned_ = Error{.code = gone ? Errc::no_such_file : Errc::disk_failed,
                      .effect = Effect::unknown,
                      .detail = std::move(error.detail)};
    standing_.role = Role::standby;
    watches_.clear();
    reserve_timer_.reset();
    mark_timer_.reset();

    const std::deque<InFlight> in_flight = std::exchange(in_flight_, {});
    for (const InFlight& one : in_flight) {
        for (const Batch::Acknowledgement& acknowledgement : one.batch.acknowledgements) {
            if (acknowledgement.done) acknowledgement.done(*poisoned_);
            if (state_ == State::detached) return;
        }
    }
    refuse(batcher_.take_waiting(), *poisoned_);
    if (state_ == State::detached) return;
    observer_.failed(*poisoned_);
    if (state_ == State::detached) return;
    settle();
}

void LocalJournal::Core::look_if_due() {
    if (runtime_.now() - looked_ >= look_interval) look();
}

/// Looks whether the directory is still the one that is held.
void LocalJournal::Core::look() {
    if (poisoned_ || state_ != State::serving) return;
    if (looking_) {
        look_again_ = true;
        return;
    }
    looking_ = true;
    look_again_ = false;
    looked_ = runtime_.now();
    ++jobs_;
    auto found = std::make_shared<Result<void>>();
    run(
        "journal", [found, hold = hold_] { *found = hold->look(); },
        [found](Core& core) {
            core.looking_ = false;
            --core.jobs_;
            if (!*found) return core.poison(found->error());
            if (core.look_again_) core.look();
            core.settle();
        });
}

void LocalJournal::Core::make_reserve() {
    if (batcher_.reserve() == Batcher::Reserve::ready || making_reserve_ || poisoned_) return;
    if (reserve_retry_armed_) return;
    if (state_ != State::serving && batcher_.idle()) return;
    // Only when the present segment's first entries are durable, so that the reserve vouches for
    // some of them. One without the other is then proof of a loss.
    if (begins_segment_in_flight()) return;

    making_reserve_ = true;
    ++jobs_;
    std::optional<std::uint64_t> retired;
    if (!retired_.empty()) {  // The oldest, so that those that are left have no gap behind them.
        retired = retired_.front();
        retired_.pop_front();
    }
    auto made = std::make_shared<MadeReserve>();
    run(
        "reserve",
        [made, retired, &disk = runtime_.disk(), directory = options_.directory,
         generation = batcher_.tail().generation + 1, size = options_.segment_size_bytes,
         durable = committed_.last] {
            if (retired) {
                made->file.emplace(
                    reuse_segment(disk, directory, *retired, generation, size, durable));
                made->reused = static_cast<bool>(*made->file);
                if (made->reused || made->file->error().effect == Effect::unknown) return;
                made->useless = retired;
            }
            made->file.emplace(make_segment(disk, directory, generation, size, durable));
        },
        [made](Core& core) { core.reserve_made(std::move(*made)); });
}

bool LocalJournal::Core::begins_segment_in_flight() const {
    return std::any_of(in_flight_.begin(), in_flight_.end(),
                       [](const InFlight& one) { return one.batch.begins_segment; });
}

void LocalJournal::Core::reserve_made(MadeReserve made) {
    making_reserve_ = false;
    --jobs_;
    if (poisoned_) return settle();
    if (made.useless) {
        leftovers_.push_back(path_in(options_.directory, segment_name(*made.useless)));
    }
    Result<std::unique_ptr<File>>& file = *made.file;
    if (file) {
        reserve_failing_ = false;
        reserve_ = std::move(*file);
        reserve_is_ours_ = true;
        made.reused ? batcher_.reserve_reused() : batcher_.reserve_made();
        flush();
        return;
    }
    if (file.error().effect == Effect::unknown) return poison(std::move(file).error());
    if (file.error().code == Errc::no_such_file) look();

    if (!std::exchange(reserve_failing_, true)) {
        log_.warn("journal.reserve.failed",
                  {kv("directory", options_.directory), kv("error", file.error())});
    }
    // In a shortage, what needs the segment waits for the next try: the disk is not full.
    if (!is_shortage(file.error().code)) batcher_.reserve_failed(file.error().detail);
    reserve_retry_armed_ = true;
    reserve_timer_ =
        runtime_.at(runtime_.now() + options_.reserve_retry_interval, life_.guarded([this] {
            reserve_retry_armed_ = false;
            make_reserve();
        }));
    flush();
}

/// When nothing has come for a while, vouches for the last entry: from then on damage to it is
/// told from a torn end.
void LocalJournal::Core::arm_mark() {
    if (mark_armed_ || batcher_.marked() || poisoned_ || state_ != State::serving) return;
    mark_armed_ = true;
    mark_timer_ = runtime_.at(runtime_.now() + options_.mark_after, life_.guarded([this] {
        mark_armed_ = false;
        // While entries come, each vouches for those before it.
        if (in_flight_.empty() && batcher_.idle()) offer_mark();
    }));
}

void LocalJournal::Core::offer_mark() {
    Append mark{.drafts = {{.type = EntryType::mark, .body = {}}}, .done = {}};
    // Refused on a full disk: the room that is left has better uses.
    if (batcher_.offer(mark)) flush_.mark();
}

void LocalJournal::Core::watch_space() {
    const Space now = batcher_.space();
    if (now == told_space_ || poisoned_ || state_ == State::detached) return;
    told_space_ = now;
    log_.warn("journal.space", {kv("directory", options_.directory),
                                kv("space", now == Space::ok ? "ok" : "reserve_only")});
    observer_.space_changed(now);
}

void LocalJournal::Core::confirm(Done done) {
    Result<void> outcome;
    if (poisoned_) {
        outcome = Error{.code = Errc::disk_failed, .detail = poisoned_->detail};
    } else if (state_ != State::serving) {
        outcome = Error{.code = Errc::closed, .detail = "the journal is being closed"};
    }
    later([done = std::move(done), outcome](Core&) { done(outcome); });
}

void LocalJournal::Core::close(std::function<void()> done) {
    US_ASSERT(state_ == State::serving);
    state_ = State::closing;
    closed_ = std::move(done);
    watches_.clear();
    mark_timer_.reset();
    later([](Core& core) { core.settle(); });
}

/// Goes on with close() once nothing is under way.
void LocalJournal::Core::settle() {
    if (state_ != State::closing || jobs_ > 0 || !in_flight_.empty()) return;
    if (!poisoned_) {
        // What waits for a full disk to get room, or for a descriptor, would keep the journal open
        // for ever.
        const bool full = batcher_.reserve() == Batcher::Reserve::failed && !making_reserve_;
        const bool stuck = full || (reserve_retry_armed_ && !making_reserve_);
        if (!batcher_.idle() && stuck) {
            const Error closed{.code = Errc::closed, .detail = "the journal is being closed"};
            refuse(batcher_.take_waiting(), full ? batcher_.no_space() : closed);
        }
        if (state_ == State::detached || !batcher_.idle()) return;
        if (!batcher_.marked() && !mark_offered_) {
            mark_offered_ = true;
            offer_mark();
            if (!batcher_.idle()) return;
        }
    }
    if (checkpoint_file_) return abandon_checkpoint(checkpoint_file_);
    state_ = State::releasing;
    release_files([](Core& core) {
        const auto closed = std::move(core.closed_);
        closed();
    });
}

/// Behind the flushes under way, and where files may be closed.
void LocalJournal::Core::release_files(std::function<void(Core&)> done) {
    watches_.clear();
    reserve_timer_.reset();
    mark_timer_.reset();
    auto job = [writer = writer_, reserve = std::shared_ptr<File>(std::move(reserve_))]() mutable {
        writer->release();
        reserve.reset();
    };
    run("journal", std::move(job), std::move(done));
    hold_.reset();
}

}  // namespace understudy::journal
