#include "journal/local/local_journal_start.h"

#include <utility>

#include <fmt/format.h>

#include "journal/local/local_journal_core.h"

namespace understudy::journal {

namespace {

Result<void> check_options(const LocalJournal::Options& options) {
    if (options.directory.empty()) {
        return Error{.code = Errc::bad_config, .detail = "journal: no directory"};
    }
    const std::uint64_t size = options.segment_size_bytes;
    if (size < segment_bytes_min || size > segment_bytes_max || size % segment_bytes_step != 0) {
        return Error{
            .code = Errc::bad_config,
            .detail = fmt::format("journal: segments of {} bytes; expected {} to {} in "
                                  "steps of {}",
                                  size, segment_bytes_min, segment_bytes_max, segment_bytes_step)};
    }
    return {};
}

}  // namespace

LocalJournal::Start::Start(Runtime& runtime, Log& log, Options options, Observer& observer,
                           Opened opened)
    : runtime_(runtime),
      log_(log),
      options_(std::move(options)),
      observer_(observer),
      opened_(std::move(opened)) {}

void LocalJournal::Start::begin() {
    if (auto checked = check_options(options_); !checked) {
        runtime_.post(life_.guarded([this, error = std::move(checked).error()] {
            const auto self = shared_from_this();
            end(error);
        }));
        return;
    }
    const auto journal = static_cast<std::uint32_t>(
        runtime_.random().between(std::uint64_t{1}, std::uint64_t{UINT32_MAX}));
    recovery_ = std::make_shared<Recovery>(
        runtime_.disk(), Recovery::Options{.directory = options_.directory,
                                           .segment_bytes = options_.segment_size_bytes,
                                           .journal = journal,
                                           .keeps_segments = options_.keeps_segments,
                                           .identities = options_.identities});
    run(&Recovery::begin, &Start::begun);
}

/// Runs one step of the recovery, then calls `done` with its result.
template <class T>
void LocalJournal::Start::run(Result<T> (Recovery::*step)(), void (Start::*done)(T)) {
    auto result = std::make_shared<std::optional<Result<T>>>();
    runtime_.worker("journal").submit(
        [recovery = recovery_, step, result] { result->emplace((*recovery.*step)()); },
        life_.guarded([this, done, result] {
            const auto self = shared_from_this();
            if (!**result) return end(std::move(**result).error());
            (this->*done)(*std::move(**result));
        }));
}

void LocalJournal::Start::run(Result<void> (Recovery::*step)(), void (Start::*done)()) {
    auto result = std::make_shared<Result<void>>();
    runtime_.worker("journal").submit(
        [recovery = recovery_, step, result] { *result = (*recovery.*step)(); },
        life_.guarded([this, done, result] {
            const auto self = shared_from_this();
            if (!*result) return end(std::move(*result).error());
            (this->*done)();
        }));
}

void LocalJournal::Start::begun() { run(&Recovery::state, &Start::restored); }

void LocalJournal::Start::restored(std::optional<CheckpointReader::Slice> slice) {
    if (!slice) return run(&Recovery::next, &Start::read);
    const StateSlice part{.at = recovery_->checkpoint()->at,
                          .bytes = slice->bytes,
                          .first = slice->first,
                          .last = slice->last};
    auto taken = observer_.restore(part);
    if (over_) return;
    if (!taken) return end(std::move(taken).error());
    run(&Recovery::state, &Start::restored);
}

void LocalJournal::Start::read(Recovery::Slice slice) {
    for (const Recovery::Replayed& replayed : slice.entries) {
        const EntryHeader& header = replayed.header;
        const Bytes body = Bytes(slice.bodies).subspan(replayed.body_offset, header.body_bytes);
        observer_.committed({.index = header.index,
                             .epoch = header.epoch,
                             .type = header.type,
                             .body = body,
                             .place = replayed.place});
        if (over_) return;
    }
    if (slice.last) {
        run(&Recovery::finish, &Start::finished);
    } else {
        run(&Recovery::next, &Start::read);
    }
}

void LocalJournal::Start::finished(Recovered recovered) {
    recovery_.reset();
    report(recovered);
    const Chain chain = recovered.tail.chain;
    auto core = std::make_shared<Core>(runtime_, log_, options_, observer_, std::move(recovered));
    std::unique_ptr<Journal> journal(new LocalJournal(core));
    observer_.committed(
        {.index = chain.last, .epoch = chain.epoch, .type = EntryType::tenure, .body = {}});
    if (over_) return;
    observer_.standing_changed(core->standing());
    if (over_) return;
    over_ = true;
    core->start();
    std::exchange(opened_, {})(std::move(journal));
}

void LocalJournal::Start::end(Error error) {
    over_ = true;
    recovery_.reset();
    std::exchange(opened_, {})(std::move(error));
}

void LocalJournal::Start::report(const Recovered& recovered) {
    for (const Index at : recovered.damaged_checkpoints) {
        log_.warn("journal.checkpoint.damaged",
                  {kv("directory", options_.directory), kv("index", at.value)});
    }
    if (recovered.cut_bytes > 0) {
        log_.warn("journal.tail.cut", {kv("directory", options_.directory),
                                       kv("after", recovered.tail.chain.last.value - 1),
                                       kv("bytes", recovered.cut_bytes)});
    }
    log_.info("journal.opened",
              {kv("directory", options_.directory), kv("epoch", recovered.tail.chain.epoch),
               kv("index", recovered.tail.chain.last.value)});
}

}  // namespace understudy::journal
