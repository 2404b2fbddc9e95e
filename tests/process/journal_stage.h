#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "tests/process/journal_clients.h"
#include "tests/process/process.h"

namespace understudy::process {

/// Members of one service on a journal, each in its own process, and clients whose history is
/// judged.
///
/// finish() heals nothing by itself: the test must have ended its faults. finish() starts the
/// members that do not run, lets clients read everything, waits until all members hold the same,
/// and judges the recorded history, as `understudy-history check` does.
class JournalStage : public testing::Test {
protected:
    using Options = std::vector<std::string>;

    /// The longest time until clients are served again after a fault.
    static constexpr Clock::duration gap_max = patience;
    /// A history needs this many operations.
    static constexpr std::uint64_t acknowledged_min = 100;

    struct Member {
        std::string name;
        Options options;
        std::string directory;
        std::string socket;
        int network = -1;
        std::vector<std::string> environment = {};
        Process* process = nullptr;
    };

    JournalStage();
    void TearDown() override;

    /// It is not started yet.
    Member& add_member(const std::string& name, Options options, int network = -1);
    [[nodiscard]] Member& member(std::size_t i) { return members_[i]; }
    [[nodiscard]] std::size_t members() const { return members_.size(); }
    /// Starts it as a supervisor would: repeatedly, on the same directory.
    Process& start(std::size_t i);
    void start_all();
    /// One group of `count` founders, one on each of these hosts; on loopback if there are none.
    void add_group(std::size_t count, const std::vector<std::pair<std::string, int>>& hosts = {},
                   const std::function<Options(const std::string& name)>& more = {});

    void begin_clients(std::size_t count = 4);
    Recorder& recorder() { return *recorder_; }
    /// Clients are served meanwhile.
    void run_for(Clock::duration time);

    /// A question of the test itself.
    Caller::Answer ask(std::size_t i, std::string_view question, Clock::duration limit = patience);
    /// What "status" says of `key`; empty if there is no answer.
    std::string status(std::size_t i, std::string_view key, Clock::duration limit = patience);
    /// The active member with the highest epoch.
    std::size_t active();
    /// The same, once it is not `not_this`.
    std::size_t active_other_than(std::size_t not_this);
    void await_role(std::size_t i, std::string_view role);
    void kill(std::size_t i);
    /// It has ended by itself, as a member must that cannot go on.
    void expect_failed(std::size_t i, std::string_view words);
    void expect_refused(std::size_t i);

    /// Goes on until the history has acknowledged_min operations.
    void finish();

    [[nodiscard]] const TemporaryDirectory& directory() const { return directory_; }

private:
    void record_state(std::size_t i);
    [[nodiscard]] std::optional<std::size_t> active_now(std::optional<std::size_t> not_this);

    TemporaryDirectory directory_;
    const std::string history_file_;
    std::unique_ptr<Recorder> recorder_;
    std::deque<Member> members_;
    std::deque<Process> processes_;
    std::unique_ptr<Clients> clients_;
    Caller caller_;
};

}  // namespace understudy::process
