#pragma once

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "platform/network/fd.h"
#include "understudy/types.h"

namespace understudy::apps::demo {

/// One process that runs this program, with a pipe from its standard output.
///
/// It dies with its parent, also if the parent is killed. The destructor kills it and waits for its
/// end.
/// Requires: the parent has one thread, which starts the children.
class Child {
public:
    struct Options {
        std::vector<std::string> arguments;
        std::string errors_file;  ///< Receives its standard error.
        pid_t group = 0;          ///< The process group to join; 0: one of its own.
        bool notes = false;       ///< A second pipe, on its descriptor `notes_descriptor`.
    };

    static constexpr int notes_descriptor = 3;

    /// Errors: failed (none): no process or no pipe could be created.
    [[nodiscard]] static Result<Child> start(const Options& options);

    Child(Child&& other) noexcept;
    Child& operator=(Child&& other) noexcept;
    ~Child();

    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] int output() const { return output_.get(); }
    [[nodiscard]] int notes() const { return notes_.get(); }

    void signal(int number) const;
    /// Its exit code; 128 + the number of the signal that ended it; nothing if it has not ended in
    /// time.
    [[nodiscard]] std::optional<int> wait(Duration limit);

private:
    Child() = default;
    void end();

    pid_t pid_ = 0;  ///< 0: none, or it has ended and was waited for.
    std::optional<int> status_;
    platform::Fd output_;
    platform::Fd notes_;
};

}  // namespace understudy::apps::demo
