#include "apps/output.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <mutex>
#include <string>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace understudy::apps {

namespace {

/// Never destroyed, because callbacks may print while static objects are destroyed.
struct StandardOutput {
    std::mutex mutex;  ///< Keeps lines of several threads apart.
    std::function<void()> leave;

    static StandardOutput& the() {
        static StandardOutput& one = *new StandardOutput;
        return one;
    }
};

/// Returns 0 or the error number.
[[nodiscard]] int write_all(int descriptor, std::string_view text) {
    while (!text.empty()) {
        const auto written = ::write(descriptor, text.data(), text.size());
        if (written >= 0) {
            text.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno == EAGAIN) {
            // Another process that shares the descriptor made it non-blocking.
            pollfd state{.fd = descriptor, .events = POLLOUT, .revents = 0};
            (void)::poll(&state, 1, -1);
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

[[nodiscard]] std::string why_unwritten(int error) {
    if (error == EBADF) return "it is closed";
    return std::generic_category().message(error);
}

void complain(int error) {
    tell(fmt::format("understudy: standard output cannot be written: {}\n", why_unwritten(error)));
}

/// Ends the process as SIGPIPE does, so that shells print nothing.
[[noreturn]] void end_by_broken_pipe() {
    (void)std::signal(SIGPIPE, SIG_DFL);
    sigset_t set;
    (void)::sigemptyset(&set);
    (void)::sigaddset(&set, SIGPIPE);
    (void)::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
    (void)std::raise(SIGPIPE);
    ::_exit(128 + SIGPIPE);
}

/// Destructors do not run, because other threads are running and this may be one of their
/// callbacks.
[[noreturn]] void end_unwritten(StandardOutput& output, int error) {
    if (output.leave) output.leave();
    if (error == EPIPE) end_by_broken_pipe();
    complain(error);
    ::_exit(static_cast<int>(Exit::io_failed));
}

void write_output(std::string_view text, bool reader_may_leave) {
    StandardOutput& output = StandardOutput::the();
    const std::lock_guard lock(output.mutex);
    const int error = write_all(STDOUT_FILENO, text);
    if (error == 0 || (error == EPIPE && reader_may_leave)) return;
    end_unwritten(output, error);
}

}  // namespace

void open_output() {
    // The kernel assigns the lowest free number, so in this order each gets its own.
    const std::pair<int, int> standard[] = {
        {STDIN_FILENO, O_RDONLY},
        {STDOUT_FILENO, O_RDONLY},  // Writing to it fails, as with a closed descriptor.
        {STDERR_FILENO, O_WRONLY},
    };
    for (const auto& [descriptor, mode] : standard) {
        if (::fcntl(descriptor, F_GETFD) < 0) (void)::open("/dev/null", mode);
    }
    (void)std::signal(SIGPIPE, SIG_IGN);  // An error says more than a signal.
}

void print(std::string_view text) { write_output(text, false); }

void announce(std::string_view text) { write_output(text, true); }

void tell(std::string_view text) { (void)write_all(STDERR_FILENO, text); }

void remark(std::string_view line) { tell(fmt::format("{}\n", line)); }

Exit close_output(Exit exit) {
    StandardOutput& output = StandardOutput::the();
    const std::lock_guard lock(output.mutex);
    if (::close(STDOUT_FILENO) == 0 || errno == EINTR || errno == EBADF) return exit;
    complain(errno);
    return Exit::io_failed;
}

void before_output_fails(std::function<void()> leave) {
    StandardOutput& output = StandardOutput::the();
    const std::lock_guard lock(output.mutex);
    output.leave = std::move(leave);
}

bool is_terminal(int descriptor) { return ::isatty(descriptor) == 1; }

}  // namespace understudy::apps
