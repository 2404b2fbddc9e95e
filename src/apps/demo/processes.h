#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "apps/demo/child.h"

namespace understudy::apps::demo {

using Clock = std::chrono::steady_clock;

/// A line of a process, and when it was read.
struct Line {
    std::size_t actor = 0;
    std::string text;
    Clock::time_point at;
};

/// The processes of one demonstration: starts them, reads their lines and ends them, all in one
/// thread.
///
/// Bounds: a line beyond `line_size_max` ends the demonstration as unexpected.
class Processes {
public:
    static constexpr std::size_t line_size_max = 4 * KiB;

    /// `shown` gets every line as it arrives. `names` are the names of the processes, also used for
    /// the files of their standard error in `directory`.
    Processes(std::vector<std::string> names, std::string directory,
              std::function<void(const Line&)> shown);

    /// Errors: failed (none).
    [[nodiscard]] Result<void> start(std::size_t actor, std::vector<std::string> arguments);
    [[nodiscard]] Child& child(std::size_t actor);
    /// Sends `signal` to the process. From now on its lines are ignored, and its end is expected.
    /// Returns the time just before the signal.
    Clock::time_point stop(std::size_t actor, int signal);

    /// The next line of each process, in any order among them.
    using Expected = std::map<std::size_t, std::string>;
    /// Waits for all these lines. Errors: failed (none): another line came, or a process ended;
    /// timed_out (none); closed (none): interrupted.
    [[nodiscard]] Result<std::map<std::size_t, Line>> expect(const Expected& expected,
                                                             Duration limit);
    /// The next line of one process, whatever it is; the others print nothing. Errors: as expect().
    [[nodiscard]] Result<Line> next_line(std::size_t actor, Duration limit);

    /// When the client last wrote "lost" or "found"; nothing if it has not since `since`.
    [[nodiscard]] std::optional<Clock::time_point> noted(std::size_t actor, const std::string& what,
                                                         Clock::time_point since);

    /// Runs this program to its end and returns its output.
    /// Errors: failed (none): its exit code is not 0; timed_out.
    [[nodiscard]] Result<std::string> run(std::vector<std::string> arguments, Duration limit);

    /// The last lines of a process on standard error.
    [[nodiscard]] std::string errors_of(std::size_t actor) const;

    /// Makes SIGINT, SIGTERM and SIGHUP end waits instead of the process.
    static void catch_interrupts();
    /// Waits for this time or until an interrupt, also an earlier one.
    static void pause(Duration duration);

private:
    struct Actor {
        std::string name;
        std::optional<Child> child;
        bool stopped = false;
        std::string unread;
        std::string unread_notes;
        std::map<std::string, Clock::time_point> notes;
    };

    [[nodiscard]] Result<std::optional<Line>> read_line(Clock::time_point deadline);
    [[nodiscard]] std::optional<Line> take_line();
    [[nodiscard]] Result<bool> await_input(Clock::time_point deadline);
    static void take_notes(Actor& actor);
    [[nodiscard]] std::string errors_file(std::size_t actor) const;

    std::vector<Actor> actors_;
    const std::string directory_;
    const std::function<void(const Line&)> shown_;
    pid_t group_ = 0;
};

}  // namespace understudy::apps::demo
