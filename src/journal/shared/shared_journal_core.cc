#include "journal/shared/shared_journal_core.h"

#include <utility>

#include "journal/appending.h"

namespace understudy::journal {

SharedJournal::Core::Core(Runtime& runtime, Log& log, Options options, Observer& observer)
    : runtime_(runtime),
      log_(log),
      options_(std::move(options)),
      observer_(observer),
      reader_(std::make_shared<SharedReader>(runtime.disk(), options_.directory)),
      rest_since_(runtime.now()),
      judge_after_(options_.mark_after),
      claims_(options_.lease),
      turn_end_(runtime.turn_ends(), TurnPhase::journal, [this] {
          const auto self = shared_from_this();
          turn();
      }) {}

void SharedJournal::Core::begin(SharedOpened opened) {
    opened_ = std::move(opened);
    using Hold = std::unique_ptr<DirectoryHold>;
    auto held = std::make_shared<std::optional<Result<Hold>>>();
    const std::uint64_t writer = options_.identities.empty() ? 0 : runtime_.random().next();
    run(
        "journal",
        [held, writer, &disk = runtime_.disk(), directory = options_.directory,
         identities = options_.identities] {
            held->emplace(DirectoryHold::take(disk, directory, DirectoryHold::Access::shared,
                                              identities, writer));
        },
        [held](Core& core) {
            if (!**held) return core.fail((**held).error());
            core.hold_ = *std::move(**held);
            core.checked_ = core.runtime_.now();
            core.follow();
        });
}

/// Where the kernel reports changes, the end of the directory is noticed at once.
void SharedJournal::Core::watch_directory() {
    watches_ = hold_->watch(runtime_.host(), life_.guarded([this] { check_directory(); }));
    if (!watches_.empty()) check_directory();  // Changes before the watch were not reported.
}

/// Checks whether the directory is still the one that was opened.
void SharedJournal::Core::check_directory() {
    if (phase_ == Phase::failed || closing_ || !hold_) return;
    if (checking_) {
        check_again_ = true;
        return;
    }
    checking_ = true;
    check_again_ = false;
    checked_ = runtime_.now();
    auto found = std::make_shared<Result<void>>();
    run(
        "journal", [found, hold = hold_] { *found = hold->look(); },
        [found](Core& core) {
            core.checking_ = false;
            if (!*found) {
                Error error = found->error();
                error.effect = Effect::unknown;
                return core.fail(std::move(error));
            }
            if (core.check_again_) core.check_directory();
        });
}

void SharedJournal::Core::refuse_opening(Error error, SharedOpened opened) {
    opened_ = std::move(opened);
    later([error = std::move(error)](Core& core) { core.fail(error); });
}

void SharedJournal::Core::give_up() {
    if (phase_ == Phase::opening) detach();
}

void SharedJournal::Core::detach() {
    if (phase_ == Phase::detached) return;
    phase_ = Phase::detached;
    life_.end();
    poll_timer_.reset();
    look_timer_.reset();
    watches_.clear();
    abandon_checkpoint(checkpoint_file_);
    if (tenure_) release(std::exchange(tenure_, nullptr));
}

void SharedJournal::Core::later(std::function<void(Core&)> task) {
    runtime_.post(life_.guarded([this, task = std::move(task)] {
        const auto self = shared_from_this();
        task(*this);
    }));
}

/// Runs `job` on `worker`, then `done` on the loop unless the journal is destroyed before.
void SharedJournal::Core::run(std::string_view worker, Worker::Job job,
                              std::function<void(Core&)> done, Worker::Place place) {
    ++jobs_;
    runtime_.worker(worker).submit(std::move(job), life_.guarded([this, done = std::move(done)] {
        const auto self = shared_from_this();
        --jobs_;
        done(*this);
        if (phase_ != Phase::detached) settle();
    }),
                                   place);
}

/// False if the observer destroyed the journal.
bool SharedJournal::Core::hear(const Entry& entry) {
    US_ASSERT(entry.index == heard_.last.next());
    heard_ = {.last = entry.index, .epoch = entry.epoch, .content = content_checksum(entry)};
    observer_.committed(entry);
    return phase_ != Phase::detached;
}

bool SharedJournal::Core::hear(const Buffer& bodies, const std::vector<SharedEntry>& entries) {
    for (const SharedEntry& one : entries) {
        const EntryHeader& header = one.header;
        const Bytes body = Bytes(bodies).subspan(one.body_offset, header.body_bytes);
        const bool there =
            hear({.index = header.index, .epoch = header.epoch, .type = header.type, .body = body});
        if (!there) return false;
    }
    return true;
}

void SharedJournal::Core::change_standing(Role role, Epoch epoch, std::string active,
                                          std::uint64_t tenure) {
    Standing now{.role = role, .epoch = epoch, .active = std::move(active)};
    if (now == standing_) return;
    standing_ = std::move(now);
    if (options_.on_standing) options_.on_standing(standing_, tenure);
    // While the journal opens, one call at the end of the opening is enough.
    if (phase_ != Phase::opening) observer_.standing_changed(standing_);
}

/// Ends the journal, because the content of the disk is unknown or cannot be used.
void SharedJournal::Core::fail(Error error) {
    if (failed_) return;
    const bool was_opening = phase_ == Phase::opening;
    poll_timer_.reset();
    look_timer_.reset();
    watches_.clear();
    phase_ = Phase::failed;
    taking_.end();
    failed_ = error;
    if (was_opening) return std::exchange(opened_, {})(std::move(error));

    standing_.role = Role::standby;
    if (options_.on_standing) options_.on_standing(standing_, 0);
    const auto tenure = std::exchange(tenure_, nullptr);
    if (tenure) {
        release(tenure);
        if (!refuse(tenure->appender.end(), error, error, life_.watch())) return;
        const Error unconfirmed{.code = error.code, .detail = error.detail};
        for (const Done& done : std::exchange(tenure->confirms, {})) {
            done(unconfirmed);
            if (phase_ == Phase::detached) return;
        }
    }
    const Error none{.code = error.code, .detail = error.detail};
    if (left_) std::exchange(left_, {})(none);
    if (phase_ == Phase::detached) return;
    if (taken_) std::exchange(taken_, {})(none);
    if (phase_ == Phase::detached) return;
    observer_.failed(error);
    if (phase_ != Phase::detached) settle();
}

void SharedJournal::Core::close(std::function<void()> done) {
    US_ASSERT(!closing_);
    closing_ = true;
    closed_ = std::move(done);
    poll_timer_.reset();
    look_timer_.reset();
    watches_.clear();
    if (tenure_) begin_leaving({.code = Errc::closed, .detail = "the journal is being closed"});
    later([](Core& core) { core.settle(); });
}

/// Continues step_down() and close() when nothing is under way.
void SharedJournal::Core::settle() {
    if (phase_ == Phase::leaving) leave();
    if (!closing_ || !closed_ || jobs_ > 0) return;
    const bool busy = phase_ == Phase::taking || phase_ == Phase::active || tenure_;
    if (busy) return;
    if (checkpoint_file_) return abandon_checkpoint(checkpoint_file_);
    const auto closed = std::exchange(closed_, {});
    // A spare that was not used is removed.
    if (spare_.file) {
        auto file = std::shared_ptr<File>(std::move(spare_.file));
        return run(
            "journal",
            [file, &disk = runtime_.disk(), path = path_in(options_.directory, spare_.name)]() {
                static_cast<void>(disk.remove(path));
            },
            [closed](Core&) { closed(); });
    }
    closed();
}

}  // namespace understudy::journal
