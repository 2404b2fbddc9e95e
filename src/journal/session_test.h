#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "journal/fake_runtime_test.h"
#include "journal/local_journal.h"
#include "journal/segment.h"

namespace understudy::journal {

inline constexpr const char* directory = "/data/journal";

/// Remembers all it hears.
class Recorder final : public Observer {
public:
    struct Heard {
        Index index;
        Epoch epoch;
        EntryType type = EntryType::command;
        std::string body;
        friend bool operator==(const Heard&, const Heard&) = default;
    };

    Result<void> restore(Index at, Bytes state) override {
        restored_at = at;
        restored = std::string(as_text(state));
        if (refuse_restore) return *refuse_restore;
        return {};
    }
    void committed(const Entry& entry) override {
        heard.push_back({entry.index, entry.epoch, entry.type, std::string(as_text(entry.body))});
        if (on_committed) on_committed();
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
    std::vector<Heard> heard;
    std::vector<Space> spaces;
    std::vector<Error> failures;
    std::optional<Error> refuse_restore;
    std::function<void()> on_committed;
    std::function<void()> on_failed;
};

/// One process that opens the journal of `disk`, and what came of it.
class Session {
public:
    explicit Session(FakeDisk& disk, std::uint64_t seed = 1, std::uint64_t segment_bytes = 64 * KiB)
        : runtime(disk, seed) {
        opening = LocalJournal::open(runtime, log,
                                     {.directory = directory, .segment_size_bytes = segment_bytes},
                                     recorder, [this](Result<std::unique_ptr<Journal>> result) {
                                         if (result) {
                                             journal = *std::move(result);
                                         } else {
                                             error = result.error();
                                         }
                                     });
    }

    /// Opens to the end.
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
    Result<void> checkpoint(std::string_view state) {
        std::optional<Result<void>> result;
        const Bytes bytes = as_bytes(state);
        journal->save_checkpoint(Buffer(bytes.begin(), bytes.end()),
                                 [&](Result<void> written) { result = std::move(written); });
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
