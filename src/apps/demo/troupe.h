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

/// What a process printed, and when we had read it.
struct Line {
    std::size_t actor = 0;
    std::string text;
    Clock::time_point at;
};

/// The processes of one demonstration: started, listened to, ended, all in one thread.
///
/// Bounds: a line beyond `line_size_max` ends the demonstration as unexpected.
class Troupe {
public:
    static constexpr std::size_t line_size_max = 4 * KiB;

    /// `shown` sees every line as it comes; `names` are the actors, also used for files of their
    /// errors in `directory`.
    Troupe(std::vector<std::string> names, std::string directory,
           std::function<void(const Line&)> shown);

    /// Errors: failed (none).
    [[nodiscard]] Result<void> start(std::size_t actor, std::vector<std::string> arguments);
    [[nodiscard]] Child& child(std::size_t actor);
    /// From now on the actor is not listened to, and its end is no surprise. Returns the moment
    /// just before the signal.
    Clock::time_point dismiss(std::size_t actor, int signal);

    /// What each actor shall print next, one line each, in any order among them.
    using Expected = std::map<std::size_t, std::string>;
    /// Waits until all of it has come. Errors: failed (none): another line came, or an actor ended;
    /// timed_out (none); closed (none): interrupted.
    [[nodiscard]] Result<std::map<std::size_t, Line>> expect(const Expected& expected,
                                                             Duration limit);
    /// The next line of one actor, whatever it is; the others are silent. Errors: as expect().
    [[nodiscard]] Result<Line> next_line(std::size_t actor, Duration limit);

    /// When the client noted "lost" or "found" last; nothing if it has not since `since`.
    [[nodiscard]] std::optional<Clock::time_point> noted(std::size_t actor, const std::string& what,
                                                         Clock::time_point since);

    /// Runs this program once more to its end and returns what it printed.
    /// Errors: failed (none): its exit code is not 0; timed_out.
    [[nodiscard]] Result<std::string> run(std::vector<std::string> arguments, Duration limit);

    /// The last lines that an actor wrote to standard error.
    [[nodiscard]] std::string errors_of(std::size_t actor) const;

    /// Makes SIGINT, SIGTERM and SIGHUP end waits instead of the process.
    static void take_interrupts();
    /// Waits so long, or until an interrupt; also one that has come already.
    static void pause(Duration duration);

private:
    struct Actor {
        std::string name;
        std::optional<Child> child;
        bool dismissed = false;
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
