// A journal in use: appends numbered entries as fast as it can and prints what is acknowledged.
//
//   "opened"                      all that is committed has been heard
//   "recovered count=N epoch=E"   active: entries 1 to N were found, each as it was written
//   "acked count=N epoch=E"       entries up to N are acknowledged
//
// A standby of a shared directory waits until it is active. Wrong content ends it with code 4, a
// refusal with code 5 after a line with the reason.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/bytes.h"
#include "base/log.h"
#include "journal/local/local_journal.h"
#include "journal/shared/shared_journal.h"
#include "platform/asio_runtime.h"
#include "tests/process/given.h"

namespace understudy::power {

using process::print_line;

namespace {

constexpr std::size_t filler_max = 2000;
constexpr std::uint64_t checkpoint_every = 5'000;

/// A number, then as many bytes as the number says, which all contain it too.
[[nodiscard]] Buffer body_of(std::uint64_t number) {
    Buffer body(sizeof number + number * 37 % filler_max, static_cast<std::byte>(number * 31));
    std::memcpy(body.data(), &number, sizeof number);
    return body;
}

[[noreturn]] void end(int code, const std::string& line) {
    print_line(line);
    std::_Exit(code);
}

class Writer final : private journal::Observer {
public:
    Writer(Runtime& runtime, Log& log, const process::Given& given)
        : window_(static_cast<std::uint64_t>(given.number("window", 64))) {
        const auto opened = [this](Result<std::unique_ptr<journal::Journal>> journal) {
            if (!journal) end(5, "refused " + process::describe(journal.error()));
            journal_ = *std::move(journal);
            print_line("opened");
            if (journal_->standing().role == Role::active) begin();
        };
        if (given.text("kind") == "shared") {
            opening_ = journal::SharedJournal::opener(
                runtime, log,
                {.directory = given.text("directory"),
                 .member = given.text("member", "only"),
                 .election = journal::SharedJournal::Election::autonomous,
                 .lease = given.duration("lease", 1s),
                 .segment_size_bytes = 256 * KiB})(*this, opened);
        } else {
            opening_ = journal::LocalJournal::open(
                runtime, log,
                {.directory = given.text("directory"), .segment_size_bytes = 256 * KiB}, *this,
                opened);
        }
    }

private:
    void begin() {
        print_line("recovered count=" + std::to_string(heard_) +
                   " epoch=" + std::to_string(journal_->epoch().value));
        written_ = acked_ = heard_;
        write();
    }

    void write() {
        while (written_ < acked_ + window_) {
            std::vector<journal::Draft> drafts(1);
            drafts[0].body = body_of(++written_);
            journal_->append(std::move(drafts), journal::Urgency::ordinary,
                             [this, number = written_](const Result<Index>& done) {
                                 if (!done) end(5, "refused " + process::describe(done.error()));
                                 acked_ = number;
                                 print_line("acked count=" + std::to_string(number) +
                                            " epoch=" + std::to_string(journal_->epoch().value));
                                 write();
                             });
        }
        if (checkpoint_ == nullptr && heard_ >= checkpointed_ + checkpoint_every) checkpoint();
    }

    void checkpoint() {
        auto begun = journal_->begin_checkpoint();
        if (!begun) return;
        checkpoint_ = *std::move(begun);
        checkpointed_ = heard_;
        Buffer state(sizeof heard_);
        std::memcpy(state.data(), &heard_, sizeof heard_);
        checkpoint_->write(std::move(state), [this](const Result<void>& written) {
            if (!written) return checkpoint_.reset();
            checkpoint_->finish([this](const Result<void>&) { checkpoint_.reset(); });
        });
    }

    Result<void> restore(const journal::StateSlice& slice) override {
        if (slice.first) state_.clear();
        state_.insert(state_.end(), slice.bytes.begin(), slice.bytes.end());
        if (!slice.last) return {};
        if (state_.size() != sizeof heard_) end(4, "wrong checkpoint");
        std::memcpy(&heard_, state_.data(), sizeof heard_);
        checkpointed_ = heard_;
        return {};
    }
    void committed(const journal::Entry& entry) override {
        if (entry.type != journal::EntryType::command) return;
        const Buffer wanted = body_of(++heard_);
        if (entry.body.size() != wanted.size() ||
            std::memcmp(entry.body.data(), wanted.data(), wanted.size()) != 0) {
            end(4, "wrong count=" + std::to_string(heard_));
        }
    }
    void standing_changed(const journal::Standing& standing) override {
        const bool begins = standing.role == Role::active && !active_;
        active_ = standing.role == Role::active;
        if (begins && journal_ != nullptr) begin();
    }
    void space_changed(journal::Space) override {}
    void failed(const Error& error) override { end(5, "failed " + process::describe(error)); }

    const std::uint64_t window_;
    std::unique_ptr<journal::Opening> opening_;
    std::unique_ptr<journal::Journal> journal_;
    std::unique_ptr<journal::CheckpointWriter> checkpoint_;
    Buffer state_;
    bool active_ = false;
    std::uint64_t heard_ = 0;
    std::uint64_t written_ = 0;
    std::uint64_t acked_ = 0;
    std::uint64_t checkpointed_ = 0;
};

}  // namespace
}  // namespace understudy::power

int main(int count, char** values) {
    const understudy::process::Given given(count, values);
    understudy::NullLog log;
    understudy::platform::AsioRuntime runtime(log);
    const understudy::power::Writer writer(runtime, log, given);
    runtime.run();
    return 0;
}
