#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "bench/harness/fd.h"
#include "understudy/types.h"

namespace understudy::bench {

/// A process of this benchmark: pipes to its input and from its output, its errors in a file.
///
/// Dies with this process, also when that is killed. Destroying it kills it and waits for its end.
/// Requires: the thread that starts it lives as long as it does (the kernel's parent is a thread).
class Child {
public:
    struct Options {
        std::vector<std::string> command;  ///< A path, or a name to be found, then the arguments.
        std::string errors_file = {};      ///< Empty: our own standard error.
        int network = -1;                  ///< The network namespace to live in; -1: ours.
        int processor = -1;                ///< The only one to run on; -1: any.
    };

    /// Errors: failed (none): no process, no pipe, no such program.
    [[nodiscard]] static Result<Child> start(const Options& options);
    /// Starts, waits for the end, gives back what it printed. Errors: failed, timed_out.
    [[nodiscard]] static Result<std::string> run(const Options& options, Duration limit = 10s,
                                                 std::string_view input = {});

    Child(Child&& other) noexcept;
    Child& operator=(Child&& other) noexcept;
    ~Child();

    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] bool alive() const { return pid_ > 0; }

    /// The next line of its output. Errors: closed: it ended; timed_out.
    [[nodiscard]] Result<std::string> line(Duration limit);
    /// Reads on until a line begins so; the line. Errors: as line().
    [[nodiscard]] Result<std::string> line_with(std::string_view beginning, Duration limit);
    void tell(std::string_view text);
    void end_input() { input_.reset(); }

    void signal(int number) const;
    /// SIGKILL, then waits for its end, so that the process is gone altogether.
    void kill();
    /// Its exit code, 128 + the signal that ended it, or nothing if it has not ended by then.
    [[nodiscard]] std::optional<int> wait(Duration limit);

private:
    Child() = default;

    pid_t pid_ = 0;  // 0: none, or ended and waited for.
    Fd input_;
    Fd output_;
    std::string unread_;
    std::string name_;
};

}  // namespace understudy::bench
