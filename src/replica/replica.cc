#include "replica/replica.h"

#include <algorithm>
#include <utility>

#include "journal/local_journal.h"

namespace understudy::replica {

namespace {

constexpr Duration checkpoint_retry_interval = 1s;  // After one that failed, on a full disk say.
constexpr std::size_t slice_bytes = 1 * MiB;

}  // namespace

/// An opening under way: the replica hears the journal before anybody else has it.
class Replica::Starting final : public journal::Opening {
public:
    Starting(std::unique_ptr<Replica> replica, Opened opened)
        : replica_(std::move(replica)), opened_(std::move(opened)) {}
    Starting(const Starting&) = delete;
    Starting& operator=(const Starting&) = delete;
    ~Starting() override = default;

    void begin(Runtime& runtime, Log& log, Options options) {
        opening_ = journal::LocalJournal::open(
            runtime, log,
            {.directory = std::move(options.directory),
             .segment_size_bytes = options.segment_size_bytes,
             .queue_bytes_max = options.queue_bytes_max},
            *replica_, [this](Result<std::unique_ptr<journal::Journal>> journal) {
                ended(std::move(journal));
            });
    }

private:
    // The callback may destroy this: everything it needs is moved out before.
    void ended(Result<std::unique_ptr<journal::Journal>> journal) {
        const Opened opened = std::move(opened_);
        auto replica = std::move(replica_);
        if (!journal) {
            opened(std::move(journal).error());
            return;
        }
        replica->journal_ = *std::move(journal);
        opened(std::move(replica));
    }

    std::unique_ptr<Replica> replica_;
    Opened opened_;
    std::unique_ptr<journal::Opening> opening_;
};

std::unique_ptr<journal::Opening> Replica::open(Runtime& runtime, Log& log, Options options,
                                                StateMachine& machine, Opened opened) {
    std::unique_ptr<Replica> replica(
        new Replica(runtime, log, machine, options.checkpoint_every_entries));
    auto starting = std::make_unique<Starting>(std::move(replica), std::move(opened));
    starting->begin(runtime, log, std::move(options));
    return starting;
}

Replica::Replica(Runtime& runtime, Log& log, StateMachine& machine,
                 std::uint64_t checkpoint_every_entries)
    : runtime_(runtime),
      log_(log),
      machine_(machine),
      checkpoint_every_entries_(checkpoint_every_entries) {}

Replica::~Replica() = default;

void Replica::propose(Buffer command, Urgency urgency, Proposed done) {
    std::vector<journal::Draft> drafts;
    drafts.push_back({.type = journal::EntryType::command, .body = std::move(command)});
    journal_->append(std::move(drafts), urgency, std::move(done));
}

void Replica::checkpoint_now(Proposed done) {
    want_checkpoint_.push_back(std::move(done));
    if (!taking_checkpoint_) take_checkpoint();
}

void Replica::close(std::function<void()> done) {
    closing_ = true;
    retry_.reset();
    journal_->close(std::move(done));
}

void Replica::on_failed(std::function<void(const Error&)> failed) {
    on_failed_ = std::move(failed);
}

void Replica::on_space_changed(std::function<void(Space)> changed) {
    on_space_changed_ = std::move(changed);
}

Epoch Replica::epoch() const { return journal_->epoch(); }
Space Replica::space() const { return journal_->space(); }
Index Replica::checkpoint() const { return journal_->checkpoint(); }

Result<void> Replica::restore(const journal::StateSlice& slice) {
    if (slice.first) snapshot_.clear();
    snapshot_.insert(snapshot_.end(), slice.bytes.begin(), slice.bytes.end());
    if (!slice.last) return {};
    const Buffer state = std::exchange(snapshot_, {});
    US_CHECK(machine_.restore(state));
    applied_ = slice.at;
    return {};
}

void Replica::committed(const journal::Entry& entry) {
    US_ASSERT(entry.index > applied_);
    if (entry.type == journal::EntryType::command) {
        machine_.apply(entry.index, entry.body);
        ++commands_since_checkpoint_;
    }
    applied_ = entry.index;

    const bool due =
        checkpoint_every_entries_ > 0 && commands_since_checkpoint_ >= checkpoint_every_entries_;
    if (due && journal_ && !taking_checkpoint_ && !retry_armed_ && !closing_) take_checkpoint();
}

void Replica::space_changed(Space space) {
    const auto changed = on_space_changed_;  // The callback may destroy us.
    if (changed) changed(space);
}

void Replica::failed(const Error& error) {
    retry_.reset();
    closing_ = true;  // No checkpoint is worth trying any more.
    if (on_failed_) std::exchange(on_failed_, {})(error);
}

void Replica::take_checkpoint() {
    taking_checkpoint_ = true;
    commands_since_checkpoint_ = 0;
    get_checkpoint_ = std::exchange(want_checkpoint_, {});
    checkpoint_at_ = applied_;
    auto writer = journal_->begin_checkpoint();
    if (!writer) {
        runtime_.post([this, alive = std::weak_ptr(alive_), error = std::move(writer).error()] {
            if (!alive.expired()) checkpoint_ended(error);
        });
        return;
    }
    writer_ = *std::move(writer);
    snapshot_.clear();
    written_ = 0;
    machine_.snapshot(snapshot_);
    write_checkpoint();
}

void Replica::write_checkpoint() {
    const Bytes rest = Bytes(snapshot_).subspan(written_);
    if (rest.empty()) {
        writer_->finish([this](const Result<void>& result) { checkpoint_ended(result); });
        return;
    }
    const Bytes slice = rest.first(std::min(rest.size(), slice_bytes));
    written_ += slice.size();
    writer_->write(Buffer(slice.begin(), slice.end()), [this](const Result<void>& result) {
        if (result) return write_checkpoint();
        checkpoint_ended(result);
    });
}

void Replica::checkpoint_ended(const Result<void>& result) {
    taking_checkpoint_ = false;
    writer_.reset();
    snapshot_ = {};
    const Index at = checkpoint_at_;
    const std::vector<Proposed> wanted = std::exchange(get_checkpoint_, {});
    if (!result && !closing_) {
        log_.warn("replica.checkpoint.failed",
                  {kv("index", at.value), kv("error", result.error())});
    }
    if (!result && !closing_ && checkpoint_every_entries_ > 0) {
        retry_armed_ = true;
        retry_ = runtime_.at(runtime_.now() + checkpoint_retry_interval, [this] {
            retry_armed_ = false;
            if (!taking_checkpoint_) take_checkpoint();
        });
    }
    if (!want_checkpoint_.empty()) take_checkpoint();
    for (const Proposed& done : wanted) {
        Result<Index> outcome = at;
        if (!result) outcome = result.error();
        const std::weak_ptr<bool> alive = alive_;
        done(outcome);
        if (alive.expired()) return;
    }
}

}  // namespace understudy::replica
