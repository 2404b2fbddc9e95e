#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/history/history.h"
#include "tests/process/process.h"

namespace understudy::process {

/// Where a member answers questions (journal_member_main.cc).
struct MemberSocket {
    std::string name;
    std::string path;
};

/// A client's connections to members. Thread: one.
class Caller {
public:
    enum class Kind : std::uint8_t {
        ok,
        refused,  ///< Certainly not done.
        unknown,  ///< Possibly done, now or later.
    };
    struct Answer {
        Kind kind = Kind::refused;
        std::string text = {};  ///< The text after "ok"; otherwise "CODE EFFECT DETAIL".
    };

    /// Asks and waits for the answer. A late answer is ignored.
    Answer ask(const MemberSocket& member, std::string_view question, Clock::duration limit);

private:
    std::map<std::string, Descriptor> connections_;
};

/// Writes the history of one run, with one clock and one order for all sources. Thread: any.
class Recorder {
public:
    Recorder(const std::string& file, Clock::duration gap_max);

    /// A number for a client that is new or had an unknown outcome.
    std::int64_t new_process();
    void write(history::Event event);
    void fault(const std::string& f, const std::string& node);
    void end(bool drained);
    [[nodiscard]] std::uint64_t acknowledged() const;
    /// Waits until an operation was acknowledged that began after this call. Throws Broken.
    void await_service(Clock::duration limit = patience);
    /// An answer that no client may get, whatever the history says.
    void complain(const std::string& what);
    [[nodiscard]] std::vector<std::string> complaints() const;

    /// A key for registers, a new one after some operations, and a value that was never used.
    std::string next_key();
    std::string next_value();
    [[nodiscard]] std::vector<std::string> keys() const;

private:
    void put(history::Event event);

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    const Clock::time_point began_ = Clock::now();
    std::ofstream out_;
    history::Writer writer_;
    std::int64_t processes_ = 0;
    std::uint64_t acknowledged_ = 0;
    std::uint64_t operations_ = 0;
    std::uint64_t values_ = 0;
    std::map<std::int64_t, std::uint64_t> open_;  ///< For each process, how many were begun before.
    std::uint64_t begun_ = 0;
    std::uint64_t newest_served_ = 0;  ///< The latest start among the acknowledged operations.
    std::vector<std::string> complaints_;
};

/// Clients of a service. Each opens a session and numbers its requests. It sends a request again
/// under the same number, to one member after the other, until it has an answer or its deadline
/// passes.
class Clients {
public:
    static constexpr Clock::duration operation_limit = patience;

    Clients(Recorder& recorder, std::vector<MemberSocket> members, std::size_t count);
    ~Clients();
    /// Each client finishes its present operation.
    void stop();

    /// One client that appends, and reads every register, for the end of a run.
    static void drain(Recorder& recorder, const std::vector<MemberSocket>& members);

private:
    class Client;
    std::atomic<bool> stopping_{false};
    std::vector<std::thread> threads_;
};

}  // namespace understudy::process
