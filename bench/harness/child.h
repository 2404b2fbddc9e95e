#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "bench/harness/fd.h"
#include "understudy/types.h"

namespace understudy::bench {

/// How long a line may take that says nothing of the figures. A busy machine is slow.
inline constexpr Duration answer_max = 90s;

/// A process of this benchmark: pipes to its input and from its output, its errors in a file.
///
/// It dies with this process, also if this process is killed. The destructor kills it and waits for
/// its end.
/// Requires: the thread that starts it lives as long as it does (for the kernel the parent is a
/// thread).
class Child {
public:
    struct Options {
        /// A path, or a name that is searched, then the arguments.
        std::vector<std::string> command;
        std::string errors_file = {};  ///< Empty: the standard error of this process.
        int network = -1;              ///< The network namespace; -1: that of this process.
        int processor = -1;            ///< The only processor to run on; -1: any.
    };

    /// Errors: failed (none): no process, no pipe, or no such program.
    [[nodiscard]] static Result<Child> start(const Options& options);
    /// Starts it, waits for its end, and returns its output. Errors: failed, timed_out.
    [[nodiscard]] static Result<std::string> run(const Options& options, Duration limit = 10s,
                                                 std::string_view input = {});

    Child(Child&& other) noexcept;
    Child& operator=(Child&& other) noexcept;
    ~Child();

    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] bool alive() const { return pid_ > 0; }

    /// The next line of its output. Errors: closed: it ended; timed_out.
    [[nodiscard]] Result<std::string> line(Duration limit);
    /// Reads until a line begins with `beginning`, and returns the line. Errors: as line().
    [[nodiscard]] Result<std::string> line_with(std::string_view beginning, Duration limit);
    void tell(std::string_view text);
    void end_input() { input_.reset(); }

    void signal(int number) const;
    /// Sends SIGKILL, then waits until the process has gone completely.
    void kill();
    /// Its exit code, 128 + the number of the signal that ended it, or nothing if it has not ended
    /// in time.
    [[nodiscard]] std::optional<int> wait(Duration limit);

private:
    Child() = default;

    pid_t pid_ = 0;  // 0: none, or it has ended and was waited for.
    Fd input_;
    Fd output_;
    std::string unread_;
    std::string name_;
};

}  // namespace understudy::bench
