// The active: appends, keeps its claim, leaves.
#include <algorithm>
#include <cstring>
#include <utility>

#include "journal/format/whole_file.h"
#include "journal/shared/shared_journal_core.h"

namespace understudy::journal {

namespace {

// How soon one that lacks a descriptor looks again whether there is one.
constexpr Duration shortage_retry = 20ms;

Result<void> write_stamp(Disk& disk, const std::string& directory, const EpochRecord& record,
                         File& claim, std::uint64_t stamp) {
    // First, so that nobody waits for one that cannot read the epoch, and so acknowledges nothing.
    US_CHECK(check_epoch(disk, directory, record));
    Buffer bytes(sizeof stamp);
    std::memcpy(bytes.data(), &stamp, sizeof stamp);
    US_CHECK(claim.write_at(stamp_offset, bytes));
    return claim.sync();
}

Result<void> write_last_begun(File& claim, const LastBegun& begun) {
    Buffer bytes;
    encode(begun, bytes);
    US_CHECK(claim.write_at(last_begun_offset, bytes));
    return claim.sync();
}

}  // namespace

SharedJournal::Core::Tenure::Tenure(SharedTenure begun, Disk& disk, const Options& options)
    : record(begun.record),
      batcher(begun.tail, Batcher::Reserve::wanted,
              {.segment_bytes = options.segment_size_bytes,
               .queue_bytes_max = options.queue_bytes_max}),
      writer(std::make_shared<SharedWriter>(disk, options.directory, begun.record,
                                            std::move(begun.segment))),
      claim(std::move(begun.claim)) {}

void SharedJournal::Core::serve(SharedTenure begun) {
    const Buffer bodies = std::move(begun.bodies);
    const std::vector<SharedEntry> entries = std::move(begun.entries);
    log_.info("journal.taken",
              {kv("directory", options_.directory), kv("epoch", begun.record.epoch),
               kv("from", begun.old), kv("sealed", begun.at.value)});
    journal_ = begun.journal;
    const EpochRecord record = begun.record;
    const LastBegun first{.generation = begun.tail.generation, .entry = begun.tail.chain.last};
    own_ = record;
    tenure_ = std::make_shared<Tenure>(std::move(begun), runtime_.disk(), options_);
    const auto tenure = tenure_;
    phase_ = Phase::active;
    if (!hear(bodies, entries)) return;
    change_standing(Role::active, record.epoch, record.member, record.tenure);
    if (tenure_ != tenure) return;
    std::exchange(taken_, {})(record.epoch);
    if (tenure_ != tenure) return;
    if (options_.on_commit) options_.on_commit(heard_.last, record.epoch);
    make_reserve();
    arm_mark();
    arm_stamp();
    vouch_for(first);
    trim();
}

/// So that a loss of the whole segment is noticed; without it nothing else is amiss.
void SharedJournal::Core::vouch_for(const LastBegun& begun) {
    auto result = std::make_shared<Result<void>>();
    run(
        "stamp",
        [result, begun, claim = tenure_->claim] { *result = write_last_begun(*claim, begun); },
        [result](Core& core) {
            if (*result) return;
            core.log_.warn("journal.claim.failed", {kv("directory", core.options_.directory),
                                                    kv("error", result->error())});
        });
}

void SharedJournal::Core::append(std::vector<Draft> drafts, Urgency urgency, Appended done) {
    US_ASSERT(!drafts.empty());
    Append append{.drafts = std::move(drafts), .urgency = urgency, .done = std::move(done)};
    Result<void> taken;
    if (failed_) {
        taken = *failed_;
    } else if (closing_) {
        taken = Error{.code = Errc::closed, .detail = "the journal is being closed"};
    } else if (phase_ != Phase::active) {
        taken = Error{.code = Errc::not_active, .detail = "this member is not the active one"};
    } else {
        taken = tenure_->batcher.offer(append);
    }
    if (!taken) {
        return later([refused = std::move(append.done), error = taken.error()](Core&) {
            if (refused) refused(error);
        });
    }
    flush_.mark();
}

/// At the end of the turn, so that all appends of one turn share a flush.
void SharedJournal::Core::flush() {
    const auto tenure = tenure_;
    if (tenure->queue.rises(tenure->batcher.waiting_bytes(), options_.queue_bytes_max)) {
        log_.warn("journal.queue", {kv("directory", options_.directory),
                                    kv("waiting_bytes", tenure->batcher.waiting_bytes()),
                                    kv("limit_bytes", options_.queue_bytes_max)});
    }
    while (tenure->in_flight.size() < flushes_in_flight_max) {
        Batcher& batcher = tenure->batcher;
        if (!tenure->in_flight.empty() && batcher.waiting_bytes() < full_batch_bytes) break;
        Batcher::Formed formed = batcher.form();
        const bool formed_batch = formed.batch.has_value();
        if (formed_batch) submit(std::move(*formed.batch));
        if (!refuse(std::move(formed.refused), batcher.no_space())) return;
        if (tenure_ != tenure) return;
        if (!formed_batch) break;
    }
    make_reserve();
    watch_space();
    if (phase_ != Phase::detached) settle();
}

void SharedJournal::Core::submit(Batch batch) {
    US_ASSERT(!batch.placed.empty());
    auto flush = std::make_shared<Flush>();
    flush->offset = batch.offset;
    flush->bytes = std::move(batch.bytes);
    if (batch.begins_segment) {
        US_ASSERT(tenure_->reserve != nullptr);
        flush->next_segment = std::move(tenure_->reserve);
    }
    if (batch.begins_segment || runtime_.now() - checked_ >= options_.lease) {
        checked_ = runtime_.now();
        flush->looks_first = true;
        flush->path = path_in(options_.directory,
                              shared_segment_name(tenure_->record.epoch, batch.generation));
    }
    tenure_->in_flight.push_back({.batch = std::move(batch), .flush = flush});
    write(flush);
}

void SharedJournal::Core::write(const std::shared_ptr<Flush>& flush) {
    const auto place = flush->bytes.size() <= inline_flush_bytes_max ? Worker::Place::inline_if_idle
                                                               : Worker::Place::worker_thread;
    run(
        "journal",
        [writer = tenure_->writer, flush, hold = hold_] {
            if (std::exchange(flush->looks_first, false)) {
                auto there = hold->look();
                if (there) there = writer->look(*flush, flush->path);
                if (!there) writer->give_up(std::move(there).error());
            }
            writer->run(*flush);
        },
        tenure_->life.guarded([flush](Core& core) { core.flushed(flush); }), place);
}

void SharedJournal::Core::flushed(const std::shared_ptr<Flush>& flush) {
    const auto tenure = tenure_;
    US_ASSERT(tenure->stalled < tenure->in_flight.size());
    US_ASSERT(tenure->in_flight[tenure->stalled].flush == flush);
    if (!flush->result) {
        const Error& error = flush->result.error();
        if (is_shortage(error.code)) return stall(error);
        return error.code == Errc::not_active ? end_tenure(error) : fail(error);
    }
    tenure->short_of = false;
    const InFlight done = std::move(tenure->in_flight.front());
    tenure->in_flight.pop_front();
    const Epoch epoch = tenure->record.epoch;
    std::size_t next = 0;
    for (const Batch::Acknowledgement& acknowledgement : done.batch.acknowledgements) {
        for (std::size_t i = 0; i < acknowledgement.entries; ++i) {
            const Batch::Placed& placed = done.batch.placed[next++];
            const bool there =
                hear({.index = placed.index,
                      .epoch = epoch,
                      .type = placed.type,
                      .body = Bytes(flush->bytes).subspan(placed.body_offset, placed.body_bytes)});
            if (!there) return;
        }
        if (acknowledgement.done) acknowledgement.done(heard_.last);
        if (phase_ == Phase::detached) return;
    }
    US_ASSERT(next == done.batch.placed.size());
    if (options_.on_commit) options_.on_commit(heard_.last, epoch);
    if (done.batch.begins_segment) {
        vouch_for({.generation = done.batch.generation, .entry = done.batch.placed.front().index});
    }
    tenure->batcher.reuse(std::move(flush->bytes));
    arm_mark();
    this->flush();
}

/// A batch waits, written or not, for the epoch to be read: there is no descriptor for that now.
/// Nothing is acknowledged meanwhile, and the progress stamp stands still.
void SharedJournal::Core::stall(const Error& error) {
    Tenure& tenure = *tenure_;
    ++tenure.stalled;
    if (!std::exchange(tenure.short_of, true)) {
        log_.warn("journal.stalled", {kv("directory", options_.directory), kv("error", error)});
    }
    if (tenure.stalled == 1) go_on_soon();
}

void SharedJournal::Core::go_on_soon() {
    tenure_->stall_timer = runtime_.at(runtime_.now() + shortage_retry,
                                       tenure_->life.guarded([this] { go_on(); }));
}

/// Tries again what stalled, in its order: once all that is under way has come back.
void SharedJournal::Core::go_on() {
    Tenure& tenure = *tenure_;
    if (tenure.stalled < tenure.in_flight.size()) return go_on_soon();
    tenure.stalled = 0;
    for (const InFlight& one : tenure.in_flight) write(one.flush);
}

/// False if somebody destroyed the journal.
bool SharedJournal::Core::refuse(std::vector<Append> refused, const Error& error) {
    for (const Append& append : refused) {
        if (append.done) append.done(error);
        if (phase_ == Phase::detached) return false;
    }
    return true;
}

void SharedJournal::Core::make_reserve() {
    Tenure& tenure = *tenure_;
    if (!tenure.batcher.reserve_is_due() || tenure.making_reserve) return;
    if (tenure.reserve_retry_armed) return;
    if (phase_ != Phase::active && tenure.batcher.idle()) return;
    // Only when the present segment's first entries are durable: so the reserve vouches for them.
    const bool begins = std::any_of(tenure.in_flight.begin(), tenure.in_flight.end(),
                                    [](const InFlight& one) { return one.batch.begins_segment; });
    if (begins) return;

    tenure.making_reserve = true;
    auto made = std::make_shared<std::optional<Result<std::unique_ptr<File>>>>();
    const std::uint64_t generation = tenure.batcher.tail().generation + 1;
    const std::string name = shared_segment_name(tenure.record.epoch, generation);
    run(
        "reserve",
        [made, name, generation, &disk = runtime_.disk(), directory = options_.directory,
         size = options_.segment_size_bytes, durable = heard_.last] {
            made->emplace(make_whole_file(disk, directory, name, [&](File& file) -> Result<void> {
                US_CHECK(file.lock());
                return fill_segment(file, generation, size, durable);
            }));
            if (**made) return;
            const Error error = (*made)->error();
            made->emplace(explain_no_room(disk, directory, size, error));
        },
        tenure_->life.guarded([made](Core& core) { core.reserve_made(std::move(**made)); }));
}

void SharedJournal::Core::reserve_made(Result<std::unique_ptr<File>> file) {
    Tenure& tenure = *tenure_;
    tenure.making_reserve = false;
    if (file) {
        tenure.reserve_failing = false;
        tenure.reserve = *std::move(file);
        tenure.batcher.reserve_made();
        trim();
        return flush();
    }
    if (file.error().effect == Effect::unknown) {
        Error error = std::move(file).error();
        error.code = Errc::disk_failed;
        return fail(std::move(error));
    }
    if (!std::exchange(tenure.reserve_failing, true)) {
        log_.warn("journal.reserve.failed",
                  {kv("directory", options_.directory), kv("error", file.error())});
    }
    // In a shortage, what needs the segment waits for the next try: the disk is not full. And if a
    // claimer took this owner for gone and swept its file away, the next look at the epoch says so.
    const bool waits = is_shortage(file.error().code) || file.error().code == Errc::in_use;
    if (!waits) tenure.batcher.reserve_failed(file.error().detail);
    tenure.reserve_retry_armed = true;
    tenure.reserve_timer =
        runtime_.at(runtime_.now() + options_.reserve_retry_interval, tenure.life.guarded([this] {
            tenure_->reserve_retry_armed = false;
            make_reserve();
        }));
    flush();
}

/// When nothing has come for a while, vouches for the last entry: standbys hear it then without a
/// prompt, and damage to it is told from a torn end.
void SharedJournal::Core::arm_mark() {
    Tenure& tenure = *tenure_;
    if (tenure.mark_armed || tenure.batcher.marked() || phase_ != Phase::active) return;
    tenure.mark_armed = true;
    tenure.mark_timer =
        runtime_.at(runtime_.now() + options_.mark_after, tenure.life.guarded([this] {
            tenure_->mark_armed = false;
            // While entries come, each vouches for those before it.
            if (tenure_->in_flight.empty() && tenure_->batcher.idle()) offer_mark();
        }));
}

void SharedJournal::Core::offer_mark() {
    Append mark{.drafts = {}, .done = {}};
    mark.drafts.push_back({.type = EntryType::mark, .body = {}});
    // Refused on a full disk: the room that is left has better uses.
    if (tenure_->batcher.offer(mark)) flush_.mark();
}

void SharedJournal::Core::watch_space() {
    const Space now = tenure_->batcher.space();
    if (now == tenure_->told_space) return;
    tenure_->told_space = now;
    log_.warn("journal.space", {kv("directory", options_.directory),
                                kv("space", now == Space::ok ? "ok" : "reserve_only")});
    observer_.space_changed(now);
}

/// Shows that it lives, and learns in time that it is not active any more.
void SharedJournal::Core::arm_stamp() {
    tenure_->stamp_timer =
        runtime_.at(claims_.next_look(runtime_.now()), tenure_->life.guarded([this] {
            auto result = std::make_shared<Result<void>>();
            run(
                "stamp",
                [result, record = tenure_->record, claim = tenure_->claim, stamp = ++tenure_->stamp,
                 &disk = runtime_.disk(), directory = options_.directory] {
                    *result = write_stamp(disk, directory, record, *claim, stamp);
                },
                tenure_->life.guarded([result](Core& core) { core.stamped(*result); }));
        }));
}

void SharedJournal::Core::stamped(const Result<void>& result) {
    if (!result) {
        Error error = result.error();
        if (error.code == Errc::not_active) return end_tenure(error);
        if (is_shortage(error.code)) return arm_stamp();
        error = {.code = Errc::disk_failed, .effect = Effect::unknown, .detail = error.detail};
        return fail(std::move(error));
    }
    // Standbys take checkpoints too: once in a lease is soon enough to see them.
    if (tenure_->stamp % ClaimMachine::looks_per_lease == 0) {
        trim();
        check_directory();
    }
    arm_stamp();
}

Result<void> SharedJournal::Core::check_active() const {
    if (failed_) return Error{.code = failed_->code, .detail = failed_->detail};
    if (closing_) return Error{.code = Errc::closed, .detail = "the journal is being closed"};
    if (phase_ == Phase::active) return {};
    return Error{.code = Errc::not_active, .detail = "this member is not the active one"};
}

void SharedJournal::Core::confirm(Done done) {
    if (const auto active = check_active(); !active) {
        return later([done = std::move(done), active](Core&) { done(active); });
    }
    tenure_->confirms.push_back(std::move(done));
    run_confirms();
}

/// One reading of the epoch for all that wait when it begins.
void SharedJournal::Core::run_confirms() {
    if (tenure_->confirming || tenure_->confirms.empty()) return;
    tenure_->confirming = true;
    auto asked = std::make_shared<std::vector<Done>>(std::exchange(tenure_->confirms, {}));
    auto result = std::make_shared<Result<void>>();
    run(
        "stamp",
        [result, record = tenure_->record, &disk = runtime_.disk(),
         directory = options_.directory] { *result = check_epoch(disk, directory, record); },
        [result, asked, tenure = tenure_->life.watch()](Core& core) {
            Result<void> told = *result;
            if (!told) told = Error{.code = told.error().code, .detail = told.error().detail};
            for (const Done& done : *asked) {
                done(told);
                if (core.phase_ == Phase::detached) return;
            }
            if (tenure.ended()) return;
            core.tenure_->confirming = false;
            if (*result || is_shortage(result->error().code)) return core.run_confirms();
            if (result->error().code == Errc::not_active) return core.end_tenure(result->error());
            core.fail(result->error());
        });
}

/// Another is active. What was being written may have been seen by it, what waits was not.
void SharedJournal::Core::end_tenure(const Error& error) {
    const auto tenure = std::exchange(tenure_, nullptr);
    phase_ = Phase::standby;
    release(tenure);
    log_.warn("journal.superseded", {kv("directory", options_.directory),
                                     kv("epoch", tenure->record.epoch), kv("error", error)});
    Error unknown = error;
    unknown.effect = Effect::unknown;
    for (const InFlight& one : tenure->in_flight) {
        for (const Batch::Acknowledgement& acknowledgement : one.batch.acknowledgements) {
            if (acknowledgement.done) acknowledgement.done(unknown);
            if (phase_ == Phase::detached) return;
        }
    }
    Error none = error;
    none.effect = Effect::none;
    if (!refuse(tenure->batcher.take_waiting(), none)) return;
    for (const Done& done : std::exchange(tenure->confirms, {})) {
        done(none);
        if (phase_ == Phase::detached) return;
    }
    if (left_) std::exchange(left_, {})(none);
    if (phase_ == Phase::detached) return;
    if (tenure->told_space != Space::ok) observer_.space_changed(Space::ok);
    if (phase_ == Phase::detached) return;
    change_standing(Role::standby, tenure->record.epoch, "", 0);
    if (phase_ == Phase::detached) return;
    check_directory();  // In another directory nothing is published, either.
    resume_following();
}

/// Behind the flushes under way, and where files may be closed.
void SharedJournal::Core::release(std::shared_ptr<Tenure> tenure) {
    tenure->life.end();
    flush_.unmark();
    tenure->reserve_timer.reset();
    tenure->mark_timer.reset();
    tenure->stamp_timer.reset();
    tenure->stall_timer.reset();
    auto job = [writer = tenure->writer, claim = std::move(tenure->claim),
                reserve = std::shared_ptr<File>(std::move(tenure->reserve))]() mutable {
        writer->release();
        claim.reset();
        reserve.reset();
    };
    run("journal", std::move(job), [](Core&) {});
}

void SharedJournal::Core::step_down(Done done) {
    if (const auto active = check_active(); !active) {
        return later([done = std::move(done), active](Core&) { done(active); });
    }
    phase_ = Phase::leaving;
    left_ = std::move(done);
    later([](Core& core) { core.settle(); });
}

/// Leaves once all that was accepted is durable, and vouched for.
void SharedJournal::Core::leave() {
    US_ASSERT(phase_ == Phase::leaving);
    Tenure& tenure = *tenure_;
    if (!tenure.in_flight.empty() || !tenure.batcher.idle() || flush_.marked()) return;
    if (!tenure.batcher.marked() && !tenure.mark_offered) {
        tenure.mark_offered = true;
        offer_mark();
        if (!tenure.batcher.idle()) return;
    }
    const auto left = std::exchange(tenure_, nullptr);
    phase_ = Phase::standby;
    const Error none{.code = Errc::not_active, .detail = "this member stepped down"};
    release(left);
    claims_.stand_back(runtime_.now() + options_.lease);
    for (const Done& done : std::exchange(left->confirms, {})) {
        done(none);
        if (phase_ == Phase::detached) return;
    }
    change_standing(Role::standby, left->record.epoch, "", 0);
    if (phase_ == Phase::detached) return;
    if (left_) std::exchange(left_, {})(Result<void>());
    if (phase_ == Phase::detached) return;
    resume_following();
}

/// Goes on as a standby behind what was heard as the active.
void SharedJournal::Core::resume_following() {
    rest_since_ = runtime_.now();
    judge_after_ = options_.mark_after;
    run(
        "journal",
        [reader = reader_, heard = heard_, journal = journal_] { reader->resume(heard, journal); },
        [](Core& core) { core.follow(); });
}

}  // namespace understudy::journal
