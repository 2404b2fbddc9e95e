#include "replica/checkpoints.h"

#include <algorithm>
#include <utility>

namespace understudy::replica {

Checkpoints::Checkpoints(Runtime& runtime, Log& log, Options options, const Replicated& replicated,
                         StateMachine& machine)
    : runtime_(runtime),
      log_(log),
      options_(options),
      replicated_(replicated),
      machine_(machine),
      begin_(runtime.turn_ends(), TurnPhase::commands, [this] { begin_if_due(); }) {}

Checkpoints::~Checkpoints() { life_.end(); }

void Checkpoints::start(journal::Journal& journal) {
    journal_ = &journal;
    newest_ = journal.checkpoint();
    consider();
}

void Checkpoints::applied(std::uint64_t commands, std::uint64_t bytes) {
    commands_ += commands;
    bytes_ += bytes;
    consider();
}

void Checkpoints::set_role(Role role) {
    const bool promoted = role == Role::active && role_ != Role::active;
    role_ = role;
    // A promoted member has commands to carry out, and no caller waits for this checkpoint.
    if (promoted && duty_ != CheckpointDuty::mine && serving_.empty()) drop();
    consider();
}

void Checkpoints::set_duty(CheckpointDuty duty) {
    duty_ = duty;
    if (duty == CheckpointDuty::others && serving_.empty()) drop();
    consider();
}

void Checkpoints::now(Taken taken) {
    if (stopped_) {
        later([taken = std::move(taken)] {
            taken(Error{.code = Errc::closed, .detail = "the replica is being closed"});
        });
        return;
    }
    wanted_.push_back(std::move(taken));
    begin_.mark();
}

void Checkpoints::drop() {
    if (!writing_) return;
    ++counters_.dropped;
    give_up();
    wanted_.insert(wanted_.begin(), std::make_move_iterator(serving_.begin()),
                   std::make_move_iterator(serving_.end()));
    serving_.clear();
    if (!wanted_.empty()) begin_.mark();
}

void Checkpoints::stop() {
    if (std::exchange(stopped_, true)) return;
    retry_.reset();
    give_up();
    std::vector<Taken> told = std::exchange(serving_, {});
    told.insert(told.end(), std::make_move_iterator(wanted_.begin()),
                std::make_move_iterator(wanted_.end()));
    wanted_.clear();
    for (Taken& taken : told) {
        later([taken = std::move(taken)] {
            taken(Error{.code = Errc::closed, .detail = "the replica is being closed"});
        });
    }
}

/// What the abandoned checkpoint would have covered counts for the next one.
void Checkpoints::give_up() {
    commands_ += std::exchange(covered_commands_, 0);
    bytes_ += std::exchange(covered_bytes_, 0);
    source_.reset();
    writer_.reset();
    rest_.clear();
    writing_ = false;
}

bool Checkpoints::due() const {
    if (duty_ == CheckpointDuty::others || role_ == Role::joining) return false;
    const std::uint64_t times = duty_ == CheckpointDuty::standbys && role_ == Role::active ? 2 : 1;
    if (options_.every_commands > 0 && commands_ >= times * options_.every_commands) return true;
    return options_.every_bytes > 0 &&
           bytes_ >= times * std::max(options_.every_bytes, counters_.bytes_last);
}

void Checkpoints::consider() {
    if (journal_ == nullptr || stopped_ || writing_ || retry_ || !due()) return;
    begin_.mark();
}

/// At the end of the turn: so it is between two entries, and includes all entries of the turn.
void Checkpoints::begin_if_due() {
    if (stopped_ || writing_) return;
    if (const Index newest = journal_->checkpoint(); newest > newest_) {
        newest_ = newest;  // Another member has taken one meanwhile.
        commands_ = 0;
        bytes_ = 0;
    }
    if (!wanted_.empty() || due()) begin();
}

void Checkpoints::begin() {
    writing_ = true;
    serving_ = std::exchange(wanted_, {});
    auto writer = journal_->begin_checkpoint();
    if (!writer) return ended(std::move(writer).error());
    US_ASSERT((*writer)->at() == journal_->committed());
    writer_ = *std::move(writer);
    source_ = std::make_unique<CheckpointSource>(replicated_, machine_);
    covered_commands_ = std::exchange(commands_, 0);
    covered_bytes_ = std::exchange(bytes_, 0);
    written_bytes_ = 0;
    step();
}

void Checkpoints::step() {
    Buffer slice;
    slice.reserve(options_.slice_bytes + options_.slice_bytes / 4);
    auto more = source_->next(slice, options_.slice_bytes);
    if (!more) return ended(std::move(more).error());
    more_ = *more;
    write(std::move(slice));
}

/// A state machine may return a piece that is longer than a slice. The rest is written after it.
void Checkpoints::write(Buffer slice) {
    constexpr std::size_t size_max = journal::CheckpointWriter::slice_bytes_max;
    if (slice.size() > size_max) {
        rest_.assign(slice.begin() + size_max, slice.end());
        slice.resize(size_max);
    }
    written_bytes_ += slice.size();
    writer_->write(std::move(slice), [this](Result<void> result) { written(std::move(result)); });
}

void Checkpoints::written(Result<void> result) {
    if (!result) return ended(std::move(result).error());
    if (!rest_.empty()) return write(std::exchange(rest_, {}));
    if (more_) return step();
    source_.reset();
    writer_->finish([this](Result<void> finished) {
        if (!finished) return ended(std::move(finished).error());
        ended(writer_->at());
    });
}

void Checkpoints::ended(Result<Index> result) {
    if (result) covered_commands_ = covered_bytes_ = 0;
    give_up();
    if (result) {
        ++counters_.taken;
        counters_.bytes_last = written_bytes_;
        newest_ = std::max(newest_, *result);
        retry_after_ = {};
    } else {
        ++counters_.failed;
        log_.warn("replica.checkpoint.failed",
                  {kv("index", journal_->committed().value), kv("error", result.error())});
        retry_after_ = std::clamp(2 * retry_after_, options_.retry_min, options_.retry_max);
        // The commands since the checkpoint before are still not covered.
        retry_ = runtime_.at(runtime_.now() + retry_after_, [this] {
            const auto fired = std::move(retry_);
            begin_.mark();
        });
    }
    if (!wanted_.empty()) begin_.mark();
    consider();
    const Lifetime::Watch here = life_.watch();
    for (const Taken& taken : std::exchange(serving_, {})) {
        taken(result);
        if (here.ended()) return;
    }
}

void Checkpoints::later(std::function<void()> task) {
    runtime_.post(life_.guarded(std::move(task)));
}

}  // namespace understudy::replica
