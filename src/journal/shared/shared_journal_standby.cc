// The standby: follows what is committed, watches the active member, takes over.
#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "journal/format/whole_file.h"
#include "journal/shared/shared_journal_core.h"

namespace understudy::journal {

namespace {

// The longest time between two checks of a standby at rest whether the entry that it waits for is
// damaged.
constexpr Duration judge_interval_max = 60s;

// Prompts may come with each flush of the active; reading costs about as much as a flush.
constexpr Duration hurry_interval = 1ms;

// How soon a standby looks again after a hint that the active member is gone. Each time is twice as
// long as the one before.
constexpr Duration look_soon_first = 1ms;

}  // namespace

void SharedJournal::Core::prompt(Index committed, Epoch epoch) {
    if (phase_ == Phase::active || phase_ == Phase::leaving || phase_ == Phase::failed) return;
    if (prompt_ && epoch < prompt_->second) return;
    prompt_ = std::make_pair(prompt_ ? std::max(committed, prompt_->first) : committed, epoch);
    if (committed > heard_.last || epoch > standing_.epoch) hurry();
}

/// Reads what a prompt announced: at once, but at most once per hurry_interval.
void SharedJournal::Core::hurry() {
    if (following_ && phase_ == Phase::standby) return;  // The prompt is handled after this read.
    const TimePoint now = runtime_.now();
    if (phase_ == Phase::standby && hurried_ && now - *hurried_ < hurry_interval) {
        return follow_at(*hurried_ + hurry_interval);
    }
    hurried_ = now;
    follow();
}

void SharedJournal::Core::follow_at(TimePoint when) {
    poll_timer_ = runtime_.at(when, life_.guarded([this] { prompt_ ? hurry() : follow(); }));
}

/// Reads what follows. If a read is under way, it reads again after that.
void SharedJournal::Core::follow() {
    const bool follows =
        phase_ == Phase::opening || phase_ == Phase::standby || phase_ == Phase::taking;
    if (!follows || (closing_ && phase_ != Phase::taking)) return;
    if (following_) {
        follow_again_ = true;
        return;
    }
    following_ = true;
    follow_again_ = false;
    poll_timer_.reset();
    auto slice = std::make_shared<std::optional<Result<SharedReader::Slice>>>();
    run(
        "journal",
        [slice, reader = reader_, prompt = std::exchange(prompt_, std::nullopt)] {
            if (prompt) reader->prompt(prompt->first, prompt->second);
            slice->emplace(reader->next());
        },
        [slice](Core& core) { core.followed(*std::move(*slice)); });
}

void SharedJournal::Core::followed(Result<SharedReader::Slice> slice) {
    following_ = false;
    if (phase_ == Phase::failed) return;
    if (!slice) {
        Error error = std::move(slice).error();
        if (phase_ == Phase::taking) return takeover_failed(std::move(error));
        // Files may be removed at any time. If the directory itself is gone, the check says so.
        const bool missing = error.code == Errc::no_such_file && phase_ == Phase::standby;
        if (missing) check_directory();
        const bool may_pass =
            missing || error.code == Errc::disk_failed || is_shortage(error.code);
        if (!may_pass || phase_ != Phase::standby) return fail(std::move(error));
        // Only a read failed, so nothing is in doubt. The next poll may succeed.
        if (!std::exchange(read_failing_, true)) {
            log_.warn("journal.read.failed",
                      {kv("directory", options_.directory), kv("error", error)});
        }
        return come_to_rest();
    }
    read_failing_ = false;
    checkpoint_ = std::max(checkpoint_, slice->checkpoint);
    journal_ = reader_->journal();
    if (slice->state || !slice->entries.empty()) {
        rest_since_ = runtime_.now();
        judge_after_ = options_.mark_after;
    }
    if (slice->state && !restore(*slice)) return;
    if (!hear(slice->bodies, slice->entries)) return;
    // The record of this member remains published after it steps down, but no member is active with
    // it.
    const bool news =
        slice->published && slice->published != own_ && slice->published->epoch >= standing_.epoch;
    if (news && phase_ != Phase::taking) {
        const EpochRecord& who = *slice->published;
        change_standing(Role::standby, who.epoch, who.member, who.tenure);
        if (phase_ == Phase::detached) return;
    }
    if (slice->more || follow_again_) return follow();
    come_to_rest();
}

/// False if the journal has failed or was destroyed.
bool SharedJournal::Core::restore(const SharedReader::Slice& slice) {
    restoring_ = !slice.state->last;
    auto taken = observer_.restore({.at = slice.state_at,
                                    .bytes = slice.state->bytes,
                                    .first = slice.state->first,
                                    .last = slice.state->last});
    if (phase_ == Phase::detached) return false;
    if (!taken) {
        fail(std::move(taken).error());
        return false;
    }
    // No job uses the reader now: its last job has returned.
    if (slice.state->last) heard_ = reader_->heard();
    return true;
}

/// All that is committed has been heard.
void SharedJournal::Core::come_to_rest() {
    if (phase_ == Phase::opening) {
        observer_.standing_changed(standing_);
        if (phase_ == Phase::detached) return;
        phase_ = Phase::standby;
        std::unique_ptr<SharedJournal> journal(new SharedJournal(shared_from_this()));
        std::exchange(opened_, {})(std::move(journal));
        if (phase_ == Phase::detached) return;
        watch_directory();
        look_round();
    }
    if (phase_ == Phase::taking) {
        if (published_) finish_takeover();
        return;
    }
    if (phase_ != Phase::standby || closing_) return;
    make_spare();
    if (runtime_.now() - checked_ >= options_.lease) check_directory();
    if (runtime_.now() - rest_since_ >= judge_after_) {
        rest_since_ = runtime_.now();
        judge_after_ = std::min(2 * judge_after_, judge_interval_max);
        auto result = std::make_shared<Result<void>>();
        following_ = true;
        return run(
            "journal", [result, reader = reader_] { *result = reader->judge(); },
            [result](Core& core) { core.judged(*result); });
    }
    if (prompt_) return hurry();
    follow_at(runtime_.now() + options_.poll_interval);
}

void SharedJournal::Core::judged(const Result<void>& judged) {
    following_ = false;
    if (!judged && phase_ == Phase::standby && judged.error().code != Errc::disk_failed &&
        !is_shortage(judged.error().code)) {
        return fail(judged.error());
    }
    follow();
}

/// Which member is active, and whether it lives.
Result<SharedJournal::Core::Look> SharedJournal::Core::look_into(Disk& disk,
                                                                 const std::string& directory) {
    Look look;
    ClaimMachine::Sighting& sighting = look.sighting;
    auto published = read_epoch(disk, directory);
    // An `epoch` that cannot be read names no owner. The next claimer replaces it.
    if (!published && published.error().code != Errc::corrupt) return published.error();
    if (!published || !*published) return look;
    sighting.epoch = (*published)->epoch;
    sighting.tenure = (*published)->tenure;
    auto claim = disk.open(path_in(directory, claim_name(sighting.epoch)), Disk::Open::existing);
    if (!claim && claim.error().code == Errc::no_such_file) return look;
    if (!claim) return std::move(claim).error();
    Buffer bytes(sizeof sighting.stamp + process_bytes);
    if ((*claim)->read_at(stamp_offset, bytes)) {
        look.owner = decode_process(Bytes(bytes).subspan(sizeof sighting.stamp));
    } else {
        bytes.resize(sizeof sighting.stamp);
        if (!(*claim)->read_at(stamp_offset, bytes)) bytes.clear();
    }
    if (!bytes.empty()) std::memcpy(&sighting.stamp, bytes.data(), sizeof sighting.stamp);
    const auto locked = (*claim)->lock();
    if (!locked && locked.error().code != Errc::in_use) return locked.error();
    sighting.held = !locked;
    return look;
}

/// Looks at regular intervals whether the active member lives.
void SharedJournal::Core::look_round() {
    if (options_.election != Election::autonomous || closing_ || phase_ == Phase::failed) return;
    Duration interval = std::min(options_.poll_interval, claims_.interval());
    if (look_soon_ > Duration{} && look_soon_ < interval) {
        interval = std::exchange(look_soon_, 2 * look_soon_);
    } else {
        look_soon_ = {};
    }
    look_timer_ = runtime_.at(runtime_.now() + interval, life_.guarded([this] { look_round(); }));
    if (!looking_) look();
}

/// Looks more often for a while: when the end of a process is noticed, its locks may be released a
/// little later.
void SharedJournal::Core::suspect() {
    if (phase_ != Phase::standby || closing_) return;
    look_soon_ = look_soon_first;
    if (looking_) look_again_ = true;
    look_round();
}

void SharedJournal::Core::look() {
    if (phase_ != Phase::standby || closing_) return;
    if (looking_) {
        look_again_ = true;
        return;
    }
    looking_ = true;
    look_again_ = false;
    auto found = std::make_shared<std::optional<Result<Look>>>();
    run(
        "stamp",
        [found, &disk = runtime_.disk(), directory = options_.directory] {
            found->emplace(look_into(disk, directory));
        },
        [found](Core& core) { core.looked(**found); });
}

void SharedJournal::Core::looked(const Result<Look>& look) {
    looking_ = false;
    if (!look) {
        claims_.missed();
        if (look_again_) this->look();
        return;
    }
    if (phase_ != Phase::standby || closing_) return;
    watch_owner(*look);
    const ClaimMachine::Sighting& sighting = look->sighting;
    if (claims_.saw(runtime_.now(), sighting) == ClaimMachine::Verdict::claim) {
        log_.info("journal.claim", {kv("directory", options_.directory),
                                    kv("after", sighting.epoch),
                                    kv("because", sighting.held ? "stood still" : "free")});
        return take_over({}, [](const Result<Epoch>&) {});
    }
    if (look_again_) this->look();
}

/// If the owner runs on this machine, the kernel reports the end of its process. Then the standby
/// looks at once.
void SharedJournal::Core::watch_owner(const Look& look) {
    if (watched_tenure_ == look.sighting.tenure) return;
    watched_tenure_ = look.sighting.tenure;
    owner_watch_.reset();
    if (!look.owner || !look.sighting.held) return;
    owner_watch_ = runtime_.host().watch(*look.owner, life_.guarded([this] { suspect(); }));
}

/// With a spare, a takeover finds room on a full disk and need not write zeros.
void SharedJournal::Core::make_spare() {
    if (spare_.file || making_spare_ || phase_ != Phase::standby || closing_) return;
    if (runtime_.now() < spare_retry_) return;
    making_spare_ = true;
    spare_.name = spare_name(runtime_.random().next());
    auto made = std::make_shared<std::optional<Result<std::unique_ptr<File>>>>();
    run(
        "reserve",
        [made, &disk = runtime_.disk(), directory = options_.directory, name = spare_.name,
         size = first_segment_bytes(options_.segment_size_bytes)] {
            made->emplace(
                make_whole_file(disk, directory, name, [size](File& file) -> Result<void> {
                    US_CHECK(file.lock());
                    return write_zeros(file, 0, size);
                }));
        },
        [made](Core& core) {
            core.making_spare_ = false;
            if (**made) {
                core.spare_.file = *std::move(**made);
                return;
            }
            core.spare_retry_ = core.runtime_.now() + core.options_.reserve_retry_interval;
            core.log_.warn("journal.spare.failed", {kv("directory", core.options_.directory),
                                                    kv("error", (**made).error())});
        });
}

void SharedJournal::Core::take_over(Epoch at_least, Taken done) {
    std::optional<Error> refused;
    if (failed_) {
        refused = Error{.code = failed_->code, .detail = failed_->detail};
    } else if (closing_) {
        refused = Error{.code = Errc::closed, .detail = "the journal is being closed"};
    } else if (phase_ == Phase::taking || phase_ == Phase::leaving) {
        refused = Error{.code = Errc::limit_exceeded, .detail = "a change of role is under way"};
    }
    if (refused) {
        return later([done = std::move(done), error = *refused](Core&) { done(error); });
    }
    if (phase_ == Phase::active) {
        if (at_least <= tenure_->record.epoch) {
            const Epoch epoch = tenure_->record.epoch;
            return later([done = std::move(done), epoch](Core&) { done(epoch); });
        }
        return step_down([this, at_least, done](const Result<void>& left) {
            left ? take_over(at_least, done) : done(left.error());
        });
    }
    US_ASSERT(phase_ == Phase::standby);
    phase_ = Phase::taking;
    taking_.begin_again();
    published_ = false;
    taken_ = std::move(done);
    const auto journal = static_cast<std::uint32_t>(
        runtime_.random().between(std::uint64_t{1}, std::uint64_t{UINT32_MAX}));
    SharedTakeover::Options options{.directory = options_.directory,
                                    .segment_bytes =
                                        first_segment_bytes(options_.segment_size_bytes),
                                    .member = options_.member,
                                    .tenure = std::max<std::uint64_t>(1, runtime_.random().next()),
                                    .journal = journal,
                                    .process = runtime_.host().self(),
                                    .prompts_at = options_.prompts_at};
    SharedTakeover::Spare spare{.name = spare_.name, .file = std::move(spare_.file)};
    takeover_ =
        std::make_shared<SharedTakeover>(runtime_.disk(), std::move(options), std::move(spare));
    checked_ = runtime_.now();
    step([at_least, hold = hold_](SharedTakeover& takeover) -> Result<void> {
             // If another directory has this name now, there is nothing to take over in it.
             if (auto there = hold->look(); !there) {
                 return Error{.code = Errc::closed, .detail = there.error().detail};
             }
             return takeover.claim(at_least);
         },
         [](Core& claimed) {
             claimed.step([](SharedTakeover& takeover) { return takeover.publish(); },
                          [](Core& published) {
                              published.published_ = true;
                              published.follow();
                          });
         });
}

/// Runs one step of the takeover, then `done`.
void SharedJournal::Core::step(std::function<Result<void>(SharedTakeover&)> step,
                               std::function<void(Core&)> done) {
    auto result = std::make_shared<Result<void>>();
    run(
        "journal",
        [result, takeover = takeover_, step = std::move(step)] { *result = step(*takeover); },
        taking_.guarded([result, done = std::move(done)](Core& core) {
            if (!*result) return core.takeover_failed(result->error());
            done(core);
        }));
}

void SharedJournal::Core::finish_takeover() {
    auto begun = std::make_shared<std::optional<Result<SharedTenure>>>();
    following_ = true;  // The reader is not used meanwhile.
    run(
        "journal",
        [begun, takeover = takeover_, heard = heard_, journal = journal_] {
            begun->emplace(takeover->finish(heard, journal));
        },
        [begun, taking = taking_.watch()](Core& core) {
            core.following_ = false;
            if (!taking.ended()) core.taken(*std::move(*begun));
        });
}

void SharedJournal::Core::taken(Result<SharedTenure> begun) {
    if (!begun) return takeover_failed(std::move(begun).error());
    if (closing_) {
        return takeover_failed({.code = Errc::closed, .detail = "the journal is being closed"});
    }
    takeover_.reset();
    taking_.end();
    serve(*std::move(begun));
}

void SharedJournal::Core::takeover_failed(Error error) {
    error.effect = Effect::none;
    phase_ = Phase::standby;
    taking_.end();
    // Closing files may block, so a worker does it.
    run(
        "journal", [takeover = std::exchange(takeover_, nullptr)]() mutable { takeover.reset(); },
        [](Core&) {});
    log_.warn("journal.takeover.failed", {kv("directory", options_.directory), kv("error", error)});
    const Duration pause = runtime_.random().between(claims_.interval(), options_.lease);
    claims_.stand_back(runtime_.now() + pause);
    const bool over = error.code != Errc::not_active && error.code != Errc::in_use &&
                      error.code != Errc::no_space && error.code != Errc::no_such_file &&
                      error.code != Errc::closed && !is_shortage(error.code);
    const auto done = std::exchange(taken_, {});
    if (error.code == Errc::no_such_file) error.code = Errc::not_active;
    done(error);
    if (phase_ == Phase::detached) return;
    if (over) return fail(std::move(error));
    check_directory();  // The directory may be the reason. Then the journal reports it.
    follow();
    settle();
}

}  // namespace understudy::journal
