#include "journal/local/local_journal_core.h"

#include <utility>

#include "journal/appending.h"
#include "journal/format/whole_file.h"

namespace understudy::journal {

namespace {

// How often at most the journal checks whether the directory is still the one that it holds: with a
// flush, or in look_if_due().
constexpr Duration look_interval = 1s;

Error being_closed() { return {.code = Errc::closed, .detail = "the journal is being closed"}; }

}  // namespace

LocalJournal::Core::Core(Runtime& runtime, Log& log, Options options, Observer& observer,
                         Recovered recovered)
    : runtime_(runtime),
      log_(log),
      options_(std::move(options)),
      observer_(observer),
      appender_(recovered.tail, {.segment_bytes = options_.segment_size_bytes,
                                 .queue_bytes_max = options_.queue_bytes_max,
                                 // Only the reserve says that the present segment was begun.
                                 .reserve = Appender::ReserveTime::at_once,
                                 .reserve_retry_interval = options_.reserve_retry_interval,
                                 .mark_after = options_.mark_after}),
      standing_{.role = Role::active, .epoch = recovered.tail.chain.epoch, .active = {}},
      hold_(std::move(recovered.hold)),
      looked_(runtime.now()),
      writer_(std::make_shared<SegmentWriter>(std::move(recovered.segment))),
      turn_end_(runtime.turn_ends(), TurnPhase::journal,
                [this] {
                    const auto self = shared_from_this();
                    turn();
                }),
      committed_(recovered.tail.chain),
      segments_(std::move(recovered.segments)),
      checkpoints_(std::move(recovered.checkpoints)),
      leftovers_(std::move(recovered.leftovers)) {
    if (!recovered.reserve) return;
    appender_.reserve_made(std::move(recovered.reserve), recovered.reserve_is_reused);
}

void LocalJournal::Core::start() {
    watches_ = hold_->watch(runtime_.host(), life_.guarded([this] { look(); }));
    if (!watches_.empty()) look();  // Changes before the watch are not reported.
    turn();
}

void LocalJournal::Core::detach() {
    US_ASSERT(state_ != State::detached);
    if (state_ != State::releasing) {
        abandon_checkpoint(checkpoint_file_);
        release_files([](Core&) {});
    }
    state_ = State::detached;
    life_.end();
    turn_end_.unmark();
}

Index LocalJournal::Core::checkpoint() const {
    return checkpoints_.empty() ? Index{} : checkpoints_.back();
}

void LocalJournal::Core::append(std::vector<Draft> drafts, Urgency urgency, Appended done) {
    US_ASSERT(!drafts.empty());
    Append append{.drafts = std::move(drafts), .urgency = urgency, .done = std::move(done)};
    Result<void> taken = serving();
    if (taken) taken = appender_.offer(append);
    if (!taken) return refuse_later(std::move(append.done), taken.error());
    turn_end_.mark();
}

void LocalJournal::Core::refuse_later(Appended done, const Error& error) {
    if (!done) return;
    later([done = std::move(done), error](Core&) { done(error); });
}

Result<void> LocalJournal::Core::admit(std::uint64_t bytes, Urgency urgency) {
    if (poisoned_) return Error{.code = Errc::disk_failed, .detail = poisoned_->detail};
    US_CHECK(serving());
    auto admitted = appender_.admit(bytes, urgency);
    if (!admitted) turn_end_.mark();  // The turn reports a change of space.
    return admitted;
}

void LocalJournal::Core::append_admitted(std::vector<Draft> drafts, Appended done) {
    Append append{.drafts = std::move(drafts), .done = std::move(done)};
    if (auto taken = serving(); !taken) {
        return refuse_later(std::move(append.done), taken.error());
    }
    appender_.queue_admitted(std::move(append));
    turn_end_.mark();
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
    return being_closed();
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

/// Carries out what the appender decides.
void LocalJournal::Core::turn() {
    if (poisoned_) return settle();
    const Appender::Turn todo = appender_.turn(runtime_.now());
    log_turn(log_, options_.directory, options_.queue_bytes_max, todo);
    for (const InFlight* const one : todo.writes) {
        if (one != nullptr) write(*one);
    }
    if (todo.make_reserve) make_reserve(*todo.make_reserve);
    if (todo.wake) {
        append_timer_ = runtime_.at(*todo.wake, life_.guarded([this] {
            const auto self = shared_from_this();
            turn();
        }));
    }
    const Lifetime::Watch here = life_.watch();
    if (todo.refusal && !refuse(todo.refused, *todo.refusal, here)) return;
    if (todo.space) observer_.space_changed(*todo.space);
    if (!here.ended()) settle();
}

void LocalJournal::Core::write(const InFlight& one) {
    const Batch& batch = one.batch;
    if (batch.begins_segment) {
        segments_.push_back({.generation = batch.generation,
                             .first = batch.placed.front().index,
                             .ours = reserve_is_ours_});
    }
    const std::shared_ptr<Flush>& flush = one.flush;
    if (batch.begins_segment || runtime_.now() - looked_ >= look_interval) {
        looked_ = runtime_.now();
        flush->looks_first = true;
        flush->path = path_in(options_.directory, segment_name(batch.generation));
    }
    run(
        "journal",
        [writer = writer_, flush, hold = hold_] { look_and_write(*writer, *hold, *flush); },
        [flush](Core& core) { core.flushed(flush); }, place_of(*flush));
}

void LocalJournal::Core::flushed(const std::shared_ptr<Flush>& flush) {
    if (poisoned_) return;
    if (!flush->result) return poison(flush->result.error());

    const InFlight durable = appender_.written(flush);
    const auto hear = [&](const Batch::Placed& placed, Bytes body) {
        US_ASSERT(placed.index == committed_.last.next());
        committed_.last = placed.index;
        committed_.checksum = placed.checksum;
        observer_.committed({.index = placed.index,
                             .epoch = committed_.epoch,
                             .type = placed.type,
                             .body = body,
                             .place = {.generation = durable.batch.generation,
                                       .offset = durable.batch.offset + placed.body_offset}});
    };
    if (!deliver(durable, life_.watch(), hear)) return;
    appender_.reuse(std::move(flush->bytes));
    turn();
}

/// Ends the tenure, because the content of the disk is unknown or the directory was replaced.
void LocalJournal::Core::poison(Error error) {
    if (poisoned_) return;
    const bool gone = error.code == Errc::no_such_file;
    poisoned_ = Error{.code = gone ? Errc::no_such_file : Errc::disk_failed,
                      .effect = Effect::unknown,
                      .detail = std::move(error.detail)};
    standing_.role = Role::standby;
    watches_.clear();
    append_timer_.reset();

    if (!refuse(appender_.end(), *poisoned_, *poisoned_, life_.watch())) return;
    observer_.failed(*poisoned_);
    if (state_ == State::detached) return;
    settle();
}

void LocalJournal::Core::look_if_due() {
    if (runtime_.now() - looked_ >= look_interval) look();
}

/// Checks whether the directory is still the one that this journal holds.
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

void LocalJournal::Core::make_reserve(std::uint64_t generation) {
    ++jobs_;
    std::optional<std::uint64_t> retired;
    if (!retired_.empty()) {  // The oldest is taken, so that the others have no gap.
        retired = retired_.front();
        retired_.pop_front();
    }
    auto made = std::make_shared<MadeReserve>();
    run(
        "reserve",
        [made, retired, &disk = runtime_.disk(), directory = options_.directory, generation,
         size = options_.segment_size_bytes, durable = committed_.last] {
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

void LocalJournal::Core::reserve_made(MadeReserve made) {
    --jobs_;
    if (poisoned_) return settle();
    if (made.useless) {
        leftovers_.push_back(path_in(options_.directory, segment_name(*made.useless)));
    }
    Result<std::unique_ptr<File>>& file = *made.file;
    if (file) {
        reserve_is_ours_ = true;
        appender_.reserve_made(*std::move(file), made.reused);
        return turn();
    }
    if (file.error().effect == Effect::unknown) return poison(std::move(file).error());
    if (file.error().code == Errc::no_such_file) look();

    if (appender_.reserve_failed(file.error(), runtime_.now())) {
        log_.warn("journal.reserve.failed",
                  {kv("directory", options_.directory), kv("error", file.error())});
    }
    turn();
}

void LocalJournal::Core::confirm(Done done) {
    Result<void> outcome;
    if (poisoned_) {
        outcome = Error{.code = Errc::disk_failed, .detail = poisoned_->detail};
    } else if (state_ != State::serving) {
        outcome = being_closed();
    }
    later([done = std::move(done), outcome](Core&) { done(outcome); });
}

void LocalJournal::Core::close(std::function<void()> done) {
    US_ASSERT(state_ == State::serving);
    state_ = State::closing;
    closed_ = std::move(done);
    watches_.clear();
    appender_.leave(being_closed());
    later([](Core& core) { core.turn(); });
}

/// Continues close() when nothing is under way.
void LocalJournal::Core::settle() {
    if (state_ != State::closing || jobs_ > 0) return;
    if (!poisoned_ && !appender_.drained()) return;
    if (checkpoint_file_) return abandon_checkpoint(checkpoint_file_);
    state_ = State::releasing;
    release_files([](Core& core) {
        const auto closed = std::move(core.closed_);
        closed();
    });
}

/// Closes the files on a worker, after the flushes under way.
void LocalJournal::Core::release_files(std::function<void(Core&)> done) {
    watches_.clear();
    append_timer_.reset();
    auto job = [writer = writer_,
                reserve = std::shared_ptr<File>(appender_.take_reserve())]() mutable {
        writer->release();
        reserve.reset();
    };
    run("journal", std::move(job), std::move(done));
    hold_.reset();
}

}  // namespace understudy::journal
