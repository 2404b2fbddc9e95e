#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "base/eventually_test.h"

namespace understudy::process {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

using understudy::eventually;
using understudy::patience;

/// Ends a test that cannot go on. gtest reports it as the failure of the test.
class Broken : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// A descriptor that is closed at the end, and on exec.
class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int number) : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~Descriptor() { reset(); }

    [[nodiscard]] int get() const { return number_; }
    [[nodiscard]] bool valid() const { return number_ >= 0; }
    void reset();

private:
    int number_ = -1;
};

/// One line of a program: "what name ... key=value ...".
struct Line {
    std::string text;
    Clock::time_point when;

    /// True if the first words are equal and the pattern's other words occur somewhere in the line.
    [[nodiscard]] bool matches(std::string_view pattern) const;
    /// The text after "key="; empty if there is none.
    [[nodiscard]] std::string value(std::string_view key) const;
    /// The same as a number. Throws Broken if it is not one.
    [[nodiscard]] std::uint64_t number(std::string_view key) const;
    /// Words are counted from 0.
    [[nodiscard]] std::string word(std::size_t index) const;
};

/// What to run, and how.
struct Command {
    std::vector<std::string> arguments;         ///< [0] is the program's path.
    /// "NAME=value", added to the environment of the test.
    std::vector<std::string> environment = {};
    int network = -1;  ///< The network namespace to run in.
};

/// How a program ended.
struct Ending {
    int code = -1;   ///< -1: a signal ended it.
    int signal = 0;  ///< That signal.
};

/// A running program of ours: its lines and its end. It dies with the test in any case.
///
/// What it writes to stdout is kept line by line, with the time; stderr goes to a file.
/// Thread: the test's.
class Process {
public:
    /// Throws Broken on errors.
    Process(std::string name, Command command, std::string errors_file);
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] pid_t pid() const { return pid_; }

    /// The next line that matches after the last expected one. Throws Broken if none comes.
    Line expect(std::string_view pattern, Clock::duration limit = patience);
    Line expect(const std::string& what, const std::function<bool(const Line&)>& wanted,
                Clock::duration limit = patience);
    /// A line that matches, from the very beginning; the position of expect() does not change.
    Line ever(std::string_view pattern, Clock::duration limit = patience);
    /// Waits until stderr contains these words. Throws Broken.
    void expect_error(std::string_view words, Clock::duration limit = patience);
    /// As expect(), but returns nothing if no line comes; the position of expect() then does not
    /// change.
    std::optional<Line> await(std::string_view pattern, Clock::duration limit);
    /// Moves the position of expect() after all present lines.
    void skip();
    /// Everything so far.
    [[nodiscard]] std::vector<Line> lines() const;
    /// Those that match.
    [[nodiscard]] std::vector<Line> lines(std::string_view pattern) const;
    [[nodiscard]] std::string errors() const;

    /// Writes one line to its stdin.
    void say(std::string_view line);
    void signal(int number);
    void kill() { signal(SIGKILL); }
    /// Returns when the process has really stopped.
    void stop();
    void resume() { signal(SIGCONT); }
    /// Throws Broken if it does not end.
    Ending wait(Clock::duration limit = patience);
    [[nodiscard]] bool running();

    /// True if it ended without being asked to.
    [[nodiscard]] bool ended_by_itself();
    [[nodiscard]] std::size_t resident_bytes() const;
    /// Its open descriptors according to /proc, and whether each survives an exec.
    struct Open {
        int number;
        std::string what;
        bool survives_exec;
    };
    [[nodiscard]] std::vector<Open> descriptors() const;

private:
    void read_lines();
    void take(std::string_view bytes);
    std::optional<Line> search(const std::function<bool(const Line&)>& wanted,
                               Clock::duration limit);
    [[noreturn]] void complain(const std::string& what) const;

    const std::string name_;
    const std::string errors_file_;
    pid_t pid_ = -1;
    Descriptor handle_;  ///< pidfd
    Descriptor input_;
    Descriptor output_;
    Descriptor stop_reading_;
    std::optional<Ending> ending_;
    bool asked_to_end_ = false;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Line> lines_;
    std::string partial_;
    bool finished_ = false;
    std::size_t next_ = 0;
    std::thread reader_;
};

/// Runs a program to its end. Throws Broken if it does not end.
struct Finished {
    Ending ending;
    std::string output;
    std::string errors;
};
Finished run(Command command, std::string_view input = {}, Clock::duration limit = patience);

/// A temporary directory that is removed at the end.
class TemporaryDirectory {
public:
    TemporaryDirectory();
    ~TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string operator/(std::string_view name) const {
        return path_ + "/" + std::string(name);
    }

private:
    std::string path_;
};

[[nodiscard]] std::string contents(const std::string& file);
[[nodiscard]] std::vector<std::string> split(std::string_view text, char separator);

}  // namespace understudy::process
