#include "bench/harness/child.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "bench/harness/clock.h"

namespace understudy::bench {

namespace {

[[nodiscard]] Error failed(std::string what, int error) {
    return {.code = Errc::failed, .detail = std::move(what) + ": " + std::strerror(error)};
}

struct Pipe {
    Fd read;
    Fd write;
};

[[nodiscard]] Result<Pipe> make_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return failed("pipe", errno);
    return Pipe{Fd(ends[0]), Fd(ends[1])};
}

// Between fork and exec, so only safe calls are used.
[[noreturn]] void become(const Child::Options& options, char** arguments, int input, int output,
                         int errors, pid_t parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
    ::dup2(input, STDIN_FILENO);
    ::dup2(output, STDOUT_FILENO);
    if (errors >= 0) ::dup2(errors, STDERR_FILENO);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    if (options.network >= 0 && ::setns(options.network, CLONE_NEWNET) != 0) ::_exit(126);
    if (options.processor >= 0) {
        cpu_set_t only;
        CPU_ZERO(&only);
        CPU_SET(options.processor, &only);
        ::sched_setaffinity(0, sizeof only, &only);
    }
    ::execvp(arguments[0], arguments);
    ::_exit(127);
}

}  // namespace

Result<Child> Child::start(const Options& options) {
    Pipe input = US_TRY(make_pipe());
    Pipe output = US_TRY(make_pipe());
    Fd errors;
    if (!options.errors_file.empty()) {
        errors = Fd(
            ::open(options.errors_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
        if (!errors) return failed(options.errors_file, errno);
    }
    std::vector<std::string> words = options.command;
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);

    const pid_t parent = ::getpid();
    Child child;
    child.name_ = words.front();
    child.pid_ = ::fork();
    if (child.pid_ < 0) return failed("fork", errno);
    if (child.pid_ == 0) {
        become(options, arguments.data(), input.read.get(), output.write.get(), errors.get(),
               parent);
    }
    child.input_ = std::move(input.write);
    child.output_ = std::move(output.read);
    return child;
}

Result<std::string> Child::run(const Options& options, Duration limit, std::string_view input) {
    Child child = US_TRY(start(options));
    child.tell(input);
    child.input_.reset();
    std::string text;
    const TimePoint end = now() + limit;
    for (;;) {
        auto line = child.line(end - now());
        if (line) {
            text += *line + '\n';
            continue;
        }
        if (line.error().code != Errc::closed) return std::move(line).error();
        break;
    }
    const auto code = child.wait(end - now());
    if (!code) return Error{.code = Errc::timed_out, .detail = child.name_ + " does not end"};
    if (*code != 0) {
        return Error{.code = Errc::failed,
                     .detail = child.name_ + " ended with " + std::to_string(*code)};
    }
    return text;
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      input_(std::move(other.input_)),
      output_(std::move(other.output_)),
      unread_(std::move(other.unread_)),
      name_(std::move(other.name_)) {}

Child& Child::operator=(Child&& other) noexcept {
    std::swap(pid_, other.pid_);
    std::swap(input_, other.input_);
    std::swap(output_, other.output_);
    std::swap(unread_, other.unread_);
    std::swap(name_, other.name_);
    return *this;
}

Child::~Child() { kill(); }

Result<std::string> Child::line(Duration limit) {
    const TimePoint end = now() + limit;
    for (;;) {
        if (const auto at = unread_.find('\n'); at != std::string::npos) {
            std::string found = unread_.substr(0, at);
            unread_.erase(0, at + 1);
            return found;
        }
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - now());
        pollfd state{.fd = output_.get(), .events = POLLIN, .revents = 0};
        const int ready =
            ::poll(&state, 1, static_cast<int>(std::max<std::int64_t>(left.count() + 1, 0)));
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) {
            return Error{.code = Errc::timed_out, .detail = name_ + " sends nothing"};
        }
        char bytes[4096];
        const auto got = ::read(output_.get(), bytes, sizeof bytes);
        if (got <= 0) return Error{.code = Errc::closed, .detail = name_ + " ended"};
        unread_.append(bytes, static_cast<std::size_t>(got));
    }
}

Result<std::string> Child::line_with(std::string_view beginning, Duration limit) {
    const TimePoint end = now() + limit;
    for (;;) {
        auto found = line(end - now());
        if (!found) {
            Error error = std::move(found).error();
            error.detail += ", waiting for \"" + std::string(beginning) + "\"";
            return error;
        }
        if (found->starts_with(beginning)) return found;
    }
}

void Child::tell(std::string_view text) {
    while (!text.empty()) {
        const auto wrote = ::write(input_.get(), text.data(), text.size());
        if (wrote <= 0) return;  // It has ended; the reader of its output will notice.
        text.remove_prefix(static_cast<std::size_t>(wrote));
    }
}

void Child::signal(int number) const {
    if (pid_ > 0) ::kill(pid_, number);
}

void Child::kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(std::exchange(pid_, 0), nullptr, 0);
}

std::optional<int> Child::wait(Duration limit) {
    if (pid_ <= 0) return std::nullopt;
    const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(limit).count();
    pollfd state{.fd = process.get(), .events = POLLIN, .revents = 0};
    if (::poll(&state, 1, static_cast<int>(std::max<std::int64_t>(left, 0))) <= 0) {
        return std::nullopt;
    }
    int status = 0;
    ::waitpid(std::exchange(pid_, 0), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace understudy::bench
