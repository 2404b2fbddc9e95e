#include "apps/demo/child.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <utility>

namespace understudy::apps::demo {

using platform::Fd;
using platform::system_error;

namespace {

struct Pipe {
    Fd read;
    Fd write;
};

[[nodiscard]] Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_error(Errc::failed, "pipe2", errno);
    return Pipe{Fd(ends[0]), Fd(ends[1])};
}

/// Runs after fork: nothing here allocates, and any failure ends the child.
struct Stage {
    pid_t parent;
    pid_t group;
    int output;
    int errors;
    int notes;
    int nothing;
};

[[noreturn]] void become(const Stage& stage, const char* path, char* const* arguments) {
    const auto must = [](int result) {
        if (result < 0) ::_exit(127);
    };
    must(::setpgid(0, stage.group));
    must(::prctl(PR_SET_PDEATHSIG, SIGKILL));
    // The parent died before the request took effect.
    if (::getppid() != stage.parent) ::_exit(127);
    must(::dup2(stage.nothing, STDIN_FILENO));
    must(::dup2(stage.output, STDOUT_FILENO));
    must(::dup2(stage.errors, STDERR_FILENO));
    if (stage.notes >= 0) must(::dup2(stage.notes, Child::notes_descriptor));
    (void)::signal(SIGINT, SIG_DFL);
    (void)::signal(SIGTERM, SIG_DFL);
    ::execv(path, arguments);
    ::_exit(127);
}

}  // namespace

Result<Child> Child::start(const Options& options) {
    Pipe output = US_TRY(make_pipe());
    Pipe notes;
    if (options.notes) {
        notes = US_TRY(make_pipe());
        // dup2 of a descriptor onto itself would keep close-on-exec.
        if (notes.write.get() == notes_descriptor) {
            notes.write = Fd(::fcntl(notes.write.get(), F_DUPFD_CLOEXEC, notes_descriptor + 1));
        }
    }
    const Fd errors(::open(options.errors_file.c_str(),
                           O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (!errors) return system_error(Errc::failed, options.errors_file, errno);
    const Fd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!nothing) return system_error(Errc::failed, "/dev/null", errno);

    std::vector<std::string> texts{"understudy"};
    texts.insert(texts.end(), options.arguments.begin(), options.arguments.end());
    std::vector<char*> arguments;
    for (std::string& text : texts) arguments.push_back(text.data());
    arguments.push_back(nullptr);

    const Stage stage{.parent = ::getpid(),
                      .group = options.group,
                      .output = output.write.get(),
                      .errors = errors.get(),
                      .notes = notes.write.get(),
                      .nothing = nothing.get()};
    const pid_t pid = ::fork();
    if (pid < 0) return system_error(Errc::failed, "fork", errno);
    if (pid == 0) become(stage, "/proc/self/exe", arguments.data());
    // Parent and child both call this, because either may come first.
    (void)::setpgid(pid, options.group);

    Child child;
    child.pid_ = pid;
    child.output_ = std::move(output.read);
    child.notes_ = std::move(notes.read);
    return child;
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      status_(std::exchange(other.status_, std::nullopt)),
      output_(std::move(other.output_)),
      notes_(std::move(other.notes_)) {}

Child& Child::operator=(Child&& other) noexcept {
    if (this == &other) return *this;
    end();
    pid_ = std::exchange(other.pid_, 0);
    status_ = std::exchange(other.status_, std::nullopt);
    output_ = std::move(other.output_);
    notes_ = std::move(other.notes_);
    return *this;
}

Child::~Child() { end(); }

void Child::end() {
    if (pid_ == 0) return;
    (void)::kill(pid_, SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
}

void Child::signal(int number) const {
    if (pid_ != 0) (void)::kill(pid_, number);
}

std::optional<int> Child::wait(Duration limit) {
    if (pid_ == 0) return status_;
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (true) {
        int status = 0;
        const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
        if (ended == pid_) {
            pid_ = 0;
            status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            return status_;
        }
        if (ended < 0 && errno != EINTR) return std::nullopt;
        if (std::chrono::steady_clock::now() >= deadline) return std::nullopt;
        (void)::poll(nullptr, 0, 1);
    }
}

}  // namespace understudy::apps::demo
