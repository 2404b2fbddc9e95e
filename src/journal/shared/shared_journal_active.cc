// The active: appends, keeps its claim, leaves.
#include <cstring>
#include <utility>

#include "journal/appending.h"
#include "journal/format/whole_file.h"
#include "journal/shared/shared_journal_core.h"

namespace understudy::journal {

namespace {

Result<void> write_stamp(Disk& disk, const std::string& directory, const EpochRecord& record,
                         File& claim, std::uint64_t stamp) {
    // The epoch is read first. An owner that cannot read it acknowledges nothing, so its stamp must
    // not change: standbys would wait for it.
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

Error stepped_down() { return {.code = Errc::not_active, .detail = "this member stepped down"}; }

}  // namespace

SharedJournal::Core::Tenure::Tenure(SharedTenure begun, Disk& disk, const Options& options)
    : record(begun.record),
      appender(begun.tail, {.segment_bytes = options.segment_size_bytes,
                            .queue_bytes_max = options.queue_bytes_max,
                            // The claim says which segment was begun.
                            .reserve = Appender::ReserveTime::when_due,
                            .reserve_retry_interval = options.reserve_retry_interval,
                            .mark_after = options.mark_after}),
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
    arm_stamp();
    vouch_for(first);
    trim();
    turn();
}

/// Writes into the claim which segment was begun, so that the loss of that whole segment is
/// noticed. If it fails, the tenure goes on.
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
        taken = tenure_->appender.offer(append);
    }
    if (!taken) {
        return later([refused = std::move(append.done), error = taken.error()](Core&) {
            if (refused) refused(error);
        });
    }
    turn_end_.mark();
}

/// Carries out what the appender decides.
void SharedJournal::Core::turn() {
    Tenure& tenure = *tenure_;
    const Appender::Turn todo = tenure.appender.turn(runtime_.now());
    log_turn(log_, options_.directory, options_.queue_bytes_max, todo);
    for (const InFlight* const one : todo.writes) {
        if (one != nullptr) write(*one);
    }
    if (todo.make_reserve) make_reserve(*todo.make_reserve);
    if (todo.wake) {
        tenure.append_timer = runtime_.at(*todo.wake, tenure.life.guarded([this] {
            const auto self = shared_from_this();
            turn();
        }));
    }
    const Lifetime::Watch here = life_.watch();
    if (todo.refusal && !refuse(todo.refused, *todo.refusal, here)) return;
    if (todo.space) observer_.space_changed(*todo.space);
    if (!here.ended()) settle();
}

void SharedJournal::Core::write(const InFlight& one) {
    const std::shared_ptr<Flush>& flush = one.flush;
    if (one.batch.begins_segment || runtime_.now() - checked_ >= options_.lease) {
        checked_ = runtime_.now();
        flush->looks_first = true;
        flush->path = path_in(options_.directory,
                              shared_segment_name(tenure_->record.epoch, one.batch.generation));
    }
    run(
        "journal",
        [writer = tenure_->writer, flush, hold = hold_] { look_and_write(*writer, *hold, *flush); },
        tenure_->life.guarded([flush](Core& core) { core.flushed(flush); }), place_of(*flush));
}

void SharedJournal::Core::flushed(const std::shared_ptr<Flush>& flush) {
    const auto tenure = tenure_;
    if (!flush->result) {
        const Error& error = flush->result.error();
        if (error.code == Errc::not_active) return end_tenure(error);
        if (!is_shortage(error.code)) return fail(error);
        // The batch waits until there is a descriptor to read the epoch with. Until then nothing
        // is acknowledged, and the progress stamp does not change.
        if (tenure->appender.stalled(flush, runtime_.now())) {
            log_.warn("journal.stalled", {kv("directory", options_.directory), kv("error", error)});
        }
        return turn();
    }
    const InFlight durable = tenure->appender.written(flush);
    const Epoch epoch = tenure->record.epoch;
    const auto entry = [&](const Batch::Placed& placed, Bytes body) {
        hear({.index = placed.index, .epoch = epoch, .type = placed.type, .body = body});
    };
    if (!deliver(durable, life_.watch(), entry)) return;
    if (options_.on_commit) options_.on_commit(heard_.last, epoch);
    const Batch& batch = durable.batch;
    if (batch.begins_segment) {
        vouch_for({.generation = batch.generation, .entry = batch.placed.front().index});
    }
    tenure->appender.reuse(std::move(flush->bytes));
    turn();
}

void SharedJournal::Core::make_reserve(std::uint64_t generation) {
    auto made = std::make_shared<std::optional<Result<std::unique_ptr<File>>>>();
    const std::string name = shared_segment_name(tenure_->record.epoch, generation);
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
    if (file) {
        tenure_->appender.reserve_made(*std::move(file), false);
        trim();
        return turn();
    }
    if (file.error().effect == Effect::unknown) {
        Error error = std::move(file).error();
        error.code = Errc::disk_failed;
        return fail(std::move(error));
    }
    if (file.error().code == Errc::no_such_file) check_directory();
    if (tenure_->appender.reserve_failed(file.error(), runtime_.now())) {
        log_.warn("journal.reserve.failed",
                  {kv("directory", options_.directory), kv("error", file.error())});
    }
    turn();
}

/// Shows that this member lives. An idle member learns in this way that it is no longer active.
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
    // Standbys take checkpoints too. To look for them once in a lease is enough.
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

/// Reads the epoch once for all confirmations that wait when the reading begins.
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

/// Another member is active. It may have read what was being written, but not what waits.
void SharedJournal::Core::end_tenure(const Error& error) {
    const auto tenure = std::exchange(tenure_, nullptr);
    phase_ = Phase::standby;
    release(tenure);
    log_.warn("journal.superseded", {kv("directory", options_.directory),
                                     kv("epoch", tenure->record.epoch), kv("error", error)});
    Error unknown = error;
    unknown.effect = Effect::unknown;
    Error none = error;
    none.effect = Effect::none;
    if (!refuse(tenure->appender.end(), unknown, none, life_.watch())) return;
    for (const Done& done : std::exchange(tenure->confirms, {})) {
        done(none);
        if (phase_ == Phase::detached) return;
    }
    if (left_) std::exchange(left_, {})(none);
    if (phase_ == Phase::detached) return;
    if (tenure->appender.told_space() != Space::ok) observer_.space_changed(Space::ok);
    if (phase_ == Phase::detached) return;
    change_standing(Role::standby, tenure->record.epoch, "", 0);
    if (phase_ == Phase::detached) return;
    check_directory();  // `epoch` also differs if the directory was replaced.
    resume_following();
}

/// Closes the files on a worker, after the flushes under way.
void SharedJournal::Core::release(std::shared_ptr<Tenure> tenure) {
    tenure->life.end();
    turn_end_.unmark();
    tenure->append_timer.reset();
    tenure->stamp_timer.reset();
    auto job = [writer = tenure->writer, claim = std::move(tenure->claim),
                reserve = std::shared_ptr<File>(tenure->appender.take_reserve())]() mutable {
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
    left_ = std::move(done);
    begin_leaving(stepped_down());
}

void SharedJournal::Core::begin_leaving(Error why) {
    phase_ = Phase::leaving;
    tenure_->appender.leave(std::move(why));
    later(tenure_->life.guarded([](Core& core) { core.turn(); }));
}

/// Ends the tenure when everything that was accepted is durable and a mark follows it.
void SharedJournal::Core::leave() {
    US_ASSERT(phase_ == Phase::leaving);
    if (!tenure_->appender.drained()) return;
    const auto left = std::exchange(tenure_, nullptr);
    phase_ = Phase::standby;
    const Error none = stepped_down();
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

/// Goes on as a standby, after the last entry that was heard as the active member.
void SharedJournal::Core::resume_following() {
    rest_since_ = runtime_.now();
    judge_after_ = options_.mark_after;
    run(
        "journal",
        [reader = reader_, heard = heard_, journal = journal_] { reader->resume(heard, journal); },
        [](Core& core) { core.follow(); });
}

}  // namespace understudy::journal
