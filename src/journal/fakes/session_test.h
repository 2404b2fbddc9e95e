#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "journal/fakes/fake_runtime_test.h"
#include "journal/format/segment.h"
#include "journal/local/local_journal.h"

namespace understudy::journal {

inline constexpr const char* directory = "/data/journal";

/// Remembers everything that it is told.
class Recorder final : public Observer {
public:
    struct Heard {
        Index index;
        Epoch epoch;
        EntryType type = EntryType::command;
        std::string body;
        friend bool operator==(const Heard&, const Heard&) = default;
    };

    Result<void> restore(const StateSlice& slice) override {
        EXPECT_NE(slice.first, restoring) << "one checkpoint from its first slice to its last";
        if (slice.first) restored.clear();
        restoring = !slice.last;
        restored_at = slice.at;
        restored += as_text(slice.bytes);
        ++slices;
        if (refuse_restore) return *refuse_restore;
        return {};
    }
    void committed(const Entry& entry) override {
        EXPECT_FALSE(restoring);
        heard.push_back({entry.index, entry.epoch, entry.type, std::string(as_text(entry.body))});
        if (on_committed) on_committed();
    }
    void standing_changed(const Standing& standing) override {
        standings.push_back(standing);
        if (on_standing) on_standing();
    }
    void space_changed(Space space) override { spaces.push_back(space); }
    void failed(const Error& error) override {
        failures.push_back(error);
        if (on_failed) on_failed();
    }

    /// The bodies of all commands, in order.
    [[nodiscard]] std::vector<std::string> commands() const {
        std::vector<std::string> found;
        for (const Heard& one : heard) {
            if (one.type == EntryType::command) found.push_back(one.body);
        }
        return found;
    }

    Index restored_at;
    std::string restored;
    bool restoring = false;
    std::size_t slices = 0;
    std::vector<Heard> heard;
    std::vector<Standing> standings;
    std::vector<Space> spaces;
    std::vector<Error> failures;
    std::optional<Error> refuse_restore;
    std::function<void()> on_committed;
    std::function<void()> on_standing;
    std::function<void()> on_failed;
};

/// One process that opens the journal of `disk`, and the results.
class Session {
public:
    explicit Session(FakeDisk& disk, std::uint64_t seed = 1, std::uint64_t segment_bytes = 64 * KiB,
                     std::vector<DirectoryWanted> identities = {})
        : runtime(disk, seed) {
        opening = LocalJournal::open(runtime, log,
                                     {.directory = directory,
                                      .segment_size_bytes = segment_bytes,
                                      .identities = std::move(identities)},
                                     recorder, [this](Result<std::unique_ptr<Journal>> result) {
                                         if (result) {
                                             journal = *std::move(result);
                                         } else {
                                             error = result.error();
                                         }
                                     });
    }

    /// Completes the opening.
    Session& opened() {
        runtime.settle();
        return *this;
    }

    /// Offers one command; the outcome goes to `outcomes`, in the order of arrival.
    void offer(std::string_view body, Urgency urgency = Urgency::ordinary) {
        std::vector<Draft> drafts(1);
        const Bytes bytes = as_bytes(body);
        drafts[0].body.assign(bytes.begin(), bytes.end());
        journal->append(std::move(drafts), urgency,
                        [this](Result<Index> result) { outcomes.push_back(std::move(result)); });
    }
    /// Appends one command and waits for the outcome.
    Result<Index> append(std::string_view body, Urgency urgency = Urgency::ordinary) {
        const std::size_t before = outcomes.size();
        offer(body, urgency);
        runtime.run_until([&] { return outcomes.size() > before; });
        if (outcomes.size() == before) return Error{.code = Errc::timed_out};
        return outcomes.back();
    }
    /// Writes a checkpoint in slices of `slice_bytes`. `done` gets the result.
    void save(std::string_view state, CheckpointWriter::Done done,
              std::size_t slice_bytes = 100'000) {
        auto begun = journal->begin_checkpoint();
        if (!begun) return done(begun.error());
        auto writer = std::make_shared<std::unique_ptr<CheckpointWriter>>(*std::move(begun));
        write_rest(writer, std::string(state), slice_bytes, std::move(done));
    }
    /// Takes a checkpoint and waits for the outcome.
    Result<void> checkpoint(std::string_view state, std::size_t slice_bytes = 100'000) {
        std::optional<Result<void>> result;
        save(
            state, [&](Result<void> written) { result = std::move(written); }, slice_bytes);
        runtime.run_until([&] { return result.has_value(); });
        runtime.settle();
        if (!result) return Error{.code = Errc::timed_out};
        return *result;
    }
    bool close() {
        bool closed = false;
        journal->close([&] { closed = true; });
        runtime.settle();
        return closed;
    }

    FakeRuntime runtime;
    NullLog log;
    Recorder recorder;
    std::vector<Result<Index>> outcomes;
    std::unique_ptr<Opening> opening;
    std::unique_ptr<Journal> journal;
    std::optional<Error> error;

private:
    static void write_rest(const std::shared_ptr<std::unique_ptr<CheckpointWriter>>& writer,
                           std::string rest, std::size_t slice_bytes, CheckpointWriter::Done done) {
        if (rest.empty()) {
            (*writer)->finish([writer, done = std::move(done)](const Result<void>& result) {
                writer->reset();
                done(result);
            });
            return;
        }
        const Bytes slice = as_bytes(rest).first(std::min(rest.size(), slice_bytes));
        (*writer)->write(Buffer(slice.begin(), slice.end()),
                         [writer, slice_bytes, rest = rest.substr(slice.size()),
                          done = std::move(done)](const Result<void>& result) {
                             if (result) return write_rest(writer, rest, slice_bytes, done);
                             writer->reset();
                             done(result);
                         });
    }
};

/// The files of the journal on `disk` that end in `suffix`, oldest first.
inline std::vector<std::string> files(const FakeDisk& disk, std::string_view suffix) {
    std::vector<std::string> found;
    for (const std::string& path : disk.names()) {
        if (path.ends_with(suffix)) found.push_back(path);
    }
    return found;
}

}  // namespace understudy::journal
