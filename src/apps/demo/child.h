#pragma once

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "platform/network/fd.h"
#include "understudy/types.h"

namespace understudy::apps::demo {

/// One process of this program's own file, with a pipe from its standard output.
///
/// Dies with its parent, also when that is killed. Destroying it kills it and waits for its end.
/// Requires: the parent has one thread, and it is the one that starts children.
class Child {
public:
    struct Options {
        std::vector<std::string> arguments;
        std::string errors_file;  ///< Gets its standard error.
        pid_t group = 0;          ///< The process group to join; 0: one of its own.
        bool notes = false;       ///< A second pipe, on its descriptor `notes_descriptor`.
    };

    static constexpr int notes_descriptor = 3;

    /// Errors: failed (none): no process or no pipe.
    [[nodiscard]] static Result<Child> start(const Options& options);

    Child(Child&& other) noexcept;
    Child& operator=(Child&& other) noexcept;
    ~Child();

    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] int output() const { return output_.get(); }
    [[nodiscard]] int notes() const { return notes_.get(); }

    void signal(int number) const;
    /// Its exit code, 128 + the signal that ended it, or nothing if it has not ended by then.
    [[nodiscard]] std::optional<int> wait(Duration limit);

private:
    Child() = default;
    void end();

    pid_t pid_ = 0;  ///< 0: none, or ended and waited for.
    std::optional<int> status_;
    platform::Fd output_;
    platform::Fd notes_;
};

}  // namespace understudy::apps::demo
