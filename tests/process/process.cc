#include "tests/process/process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace understudy::process {

namespace {

[[noreturn]] void fail(const std::string& what) {
    throw Broken(what + ": " + std::strerror(errno));
}

struct Pipe {
    Descriptor read;
    Descriptor write;
};

Pipe make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail("pipe");
    return {Descriptor(ends[0]), Descriptor(ends[1])};
}

int milliseconds_left(Clock::time_point deadline) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    return static_cast<int>(std::max<decltype(left)>(left, 0));
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> out;
    for (std::string& text : texts) out.push_back(text.data());
    out.push_back(nullptr);
    return out;
}

std::vector<std::string> environment_with(const std::vector<std::string>& added) {
    std::vector<std::string> out = added;
    for (char** one = ::environ; *one != nullptr; ++one) {
        const std::string_view text(*one);
        const std::string_view name = text.substr(0, text.find('=') + 1);
        const bool replaced = std::any_of(added.begin(), added.end(), [&](const std::string& mine) {
            return mine.starts_with(name);
        });
        if (!replaced) out.emplace_back(text);
    }
    return out;
}

struct Started {
    pid_t pid;
    Descriptor handle;
};

/// The child dies with the thread that starts it, so that must be the test's main thread.
Started start(Command command, int input, int output, int errors) {
    std::vector<std::string> environment = environment_with(command.environment);
    const std::vector<char*> arguments = pointers(command.arguments);
    const std::vector<char*> variables = pointers(environment);
    const pid_t parent = ::getpid();
    // vfork() copies no page tables; with a sanitizer these are large.
    const pid_t pid = ::vfork();
    if (pid < 0) fail("vfork");
    if (pid == 0) {  // Only system calls, which change nothing in the memory of the parent.
        (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) ::_exit(126);
        if (command.network >= 0 && ::setns(command.network, CLONE_NEWNET) != 0) ::_exit(126);
        // Descriptors with which the test itself was started; those that it opened are
        // close-on-exec.
        (void)::syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */);
        (void)::dup2(input, STDIN_FILENO);
        (void)::dup2(output, STDOUT_FILENO);
        (void)::dup2(errors, STDERR_FILENO);
        sigset_t none;
        (void)sigemptyset(&none);
        (void)::sigprocmask(SIG_SETMASK, &none, nullptr);
        ::execve(arguments[0], arguments.data(), variables.data());
        ::_exit(127);
    }
    return {pid, Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)))};
}

Ending ending_of(int status) {
    if (WIFSIGNALED(status)) return {.code = -1, .signal = WTERMSIG(status)};
    return {.code = WEXITSTATUS(status), .signal = 0};
}

Ending reap(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) fail("waitpid");
    }
    return ending_of(status);
}

bool readable(int descriptor, Clock::time_point deadline) {
    pollfd one{.fd = descriptor, .events = POLLIN, .revents = 0};
    while (true) {
        const int ready = ::poll(&one, 1, milliseconds_left(deadline));
        if (ready >= 0) return ready > 0;
        if (errno != EINTR) fail("poll");
    }
}

std::vector<std::string_view> words(std::string_view text) {
    std::vector<std::string_view> out;
    while (!text.empty()) {
        const std::size_t end = text.find(' ');
        if (end != 0) out.push_back(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return out;
}

std::string tail(std::string text) {
    constexpr std::size_t most = 6000;
    if (text.size() > most) text = "[...]" + text.substr(text.size() - most);
    return text;
}

}  // namespace

void Descriptor::reset() {
    if (number_ >= 0) ::close(std::exchange(number_, -1));
}

bool Line::matches(std::string_view pattern) const {
    const auto wanted = words(pattern);
    const auto ours = words(text);
    if (wanted.empty() || ours.empty() || wanted[0] != ours[0]) return wanted.empty();
    return std::all_of(wanted.begin() + 1, wanted.end(), [&](std::string_view word) {
        return std::find(ours.begin() + 1, ours.end(), word) != ours.end();
    });
}

std::string Line::value(std::string_view key) const {
    const std::string start = std::string(key) + "=";
    for (const std::string_view one : words(text)) {
        if (one.starts_with(start)) return std::string(one.substr(start.size()));
    }
    return {};
}

std::uint64_t Line::number(std::string_view key) const {
    const std::string digits = value(key);
    std::uint64_t out = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
    if (error != std::errc() || end != digits.data() + digits.size()) {
        throw Broken("no number " + std::string(key) + " in: " + text);
    }
    return out;
}

std::string Line::word(std::size_t index) const {
    const auto all = words(text);
    return index < all.size() ? std::string(all[index]) : std::string();
}

Process::Process(std::string name, Command command, std::string errors_file)
    : name_(std::move(name)), errors_file_(std::move(errors_file)) {
    Pipe input = make_pipe();
    Pipe output = make_pipe();
    const Descriptor errors(
        ::open(errors_file_.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600));
    if (!errors.valid()) fail(errors_file_);
    Started started = start(std::move(command), input.read.get(), output.write.get(), errors.get());
    pid_ = started.pid;
    handle_ = std::move(started.handle);
    input_ = std::move(input.write);
    output_ = std::move(output.read);
    stop_reading_ = Descriptor(::eventfd(0, EFD_CLOEXEC));
    reader_ = std::thread([this] { read_lines(); });
}

Process::~Process() {
    if (!ending_) {
        (void)::kill(pid_, SIGKILL);
        ending_ = reap(pid_);
    }
    const std::uint64_t one = 1;
    (void)!::write(stop_reading_.get(), &one, sizeof one);
    reader_.join();
}

/// A child of the process may hold the pipe open after its end; stop_reading_ ends this function
/// too.
void Process::read_lines() {
    std::array<char, 65536> buffer{};
    std::array<pollfd, 2> sources{{{.fd = output_.get(), .events = POLLIN, .revents = 0},
                                   {.fd = stop_reading_.get(), .events = POLLIN, .revents = 0}}};
    while (true) {
        if (::poll(sources.data(), sources.size(), -1) < 0) {
            if (errno == EINTR) continue;
            break;
        }
        if (sources[1].revents != 0) break;
        const ssize_t count = ::read(output_.get(), buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) break;
        take({buffer.data(), static_cast<std::size_t>(count)});
    }
    const std::lock_guard lock(mutex_);
    finished_ = true;
    changed_.notify_all();
}

void Process::take(std::string_view bytes) {
    const auto now = Clock::now();
    const std::lock_guard lock(mutex_);
    while (!bytes.empty()) {
        const std::size_t end = bytes.find('\n');
        partial_ += bytes.substr(0, end);
        if (end == std::string_view::npos) break;
        lines_.push_back({std::exchange(partial_, {}), now});
        bytes.remove_prefix(end + 1);
    }
    changed_.notify_all();
}

std::optional<Line> Process::search(const std::function<bool(const Line&)>& wanted,
                                    Clock::duration limit) {
    const auto deadline = Clock::now() + limit;
    std::unique_lock lock(mutex_);
    std::size_t at = next_;
    while (true) {
        for (; at < lines_.size(); ++at) {
            if (!wanted(lines_[at])) continue;
            next_ = at + 1;
            return lines_[at];
        }
        if (finished_) return std::nullopt;
        if (changed_.wait_until(lock, deadline) == std::cv_status::timeout && at == lines_.size()) {
            return std::nullopt;
        }
    }
}

Line Process::expect(std::string_view pattern, Clock::duration limit) {
    const std::string wanted(pattern);
    return expect(
        "\"" + wanted + "\"", [&](const Line& line) { return line.matches(wanted); }, limit);
}

Line Process::expect(const std::string& what, const std::function<bool(const Line&)>& wanted,
                     Clock::duration limit) {
    if (auto found = search(wanted, limit)) return *found;
    complain("does not say " + what + " within " +
             std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(limit).count()) +
             " ms");
}

Line Process::ever(std::string_view pattern, Clock::duration limit) {
    std::size_t next = 0;
    {
        const std::lock_guard lock(mutex_);
        next = std::exchange(next_, 0);
    }
    const auto found = search([&](const Line& line) { return line.matches(pattern); }, limit);
    {
        const std::lock_guard lock(mutex_);
        next_ = next;
    }
    if (found) return *found;
    complain("never says \"" + std::string(pattern) + "\"");
}

void Process::expect_error(std::string_view wanted, Clock::duration limit) {
    // A file sends no notification, so it is read again after short pauses.
    const auto deadline = Clock::now() + limit;
    while (errors().find(wanted) == std::string::npos) {
        if (Clock::now() >= deadline) complain("does not report " + std::string(wanted));
        std::this_thread::sleep_for(5ms);
    }
}

std::optional<Line> Process::await(std::string_view pattern, Clock::duration limit) {
    return search([&](const Line& line) { return line.matches(pattern); }, limit);
}

void Process::skip() {
    const std::lock_guard lock(mutex_);
    next_ = lines_.size();
}

std::vector<Line> Process::lines() const {
    const std::lock_guard lock(mutex_);
    return {lines_.begin(), lines_.end()};
}

std::vector<Line> Process::lines(std::string_view pattern) const {
    std::vector<Line> out = lines();
    std::erase_if(out, [&](const Line& line) { return !line.matches(pattern); });
    return out;
}

std::string Process::errors() const { return contents(errors_file_); }

void Process::complain(const std::string& what) const {
    std::string said;
    for (const Line& line : lines()) said += line.text + "\n";
    throw Broken(name_ + " (" + std::to_string(pid_) + ") " + what + "\n--- its lines:\n" +
                 tail(std::move(said)) + "--- its stderr:\n" + tail(errors()));
}

void Process::say(std::string_view line) {
    std::string text(line);
    text += '\n';
    if (::write(input_.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        complain("does not listen to \"" + std::string(line) + "\"");
    }
}

void Process::signal(int number) {
    if (ending_) complain("has ended; no signal can reach it");
    if (number != SIGSTOP && number != SIGCONT) asked_to_end_ = true;
    if (::kill(pid_, number) != 0) fail("kill " + name_);
}

void Process::stop() {
    signal(SIGSTOP);
    int status = 0;
    if (::waitpid(pid_, &status, WUNTRACED) != pid_) fail("waitpid " + name_);
    if (WIFSTOPPED(status)) return;
    ending_ = ending_of(status);
    complain("ended instead of stopping");
}

Ending Process::wait(Clock::duration limit) {
    asked_to_end_ = true;
    if (!ending_) {
        if (!readable(handle_.get(), Clock::now() + limit)) complain("does not end");
        ending_ = reap(pid_);
    }
    return *ending_;
}

bool Process::running() {
    if (!ending_ && readable(handle_.get(), Clock::now())) ending_ = reap(pid_);
    return !ending_;
}

bool Process::ended_by_itself() { return !running() && !asked_to_end_; }

std::size_t Process::resident_bytes() const {
    std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmRSS:")) return std::stoul(line.substr(6)) * 1024;
    }
    complain("has no resident size");
}

std::vector<Process::Open> Process::descriptors() const {
    std::vector<Open> out;
    const std::string base = "/proc/" + std::to_string(pid_);
    for (const auto& one : std::filesystem::directory_iterator(base + "/fd")) {
        const std::string number = one.path().filename();
        std::error_code gone;
        const std::string what = std::filesystem::read_symlink(one.path(), gone);
        std::ifstream info(base + "/fdinfo/" + number);
        for (std::string line; std::getline(info, line);) {
            if (!line.starts_with("flags:")) continue;
            const bool survives = (std::stoul(line.substr(6), nullptr, 8) & O_CLOEXEC) == 0;
            out.push_back({std::stoi(number), what, survives});
            break;
        }
    }
    return out;
}

Finished run(Command command, std::string_view input, Clock::duration limit) {
    const std::string program = command.arguments.at(0);
    Pipe in = make_pipe();
    Pipe out = make_pipe();
    Pipe errors = make_pipe();
    const Started child =
        start(std::move(command), in.read.get(), out.write.get(), errors.write.get());
    in.read.reset();
    out.write.reset();
    errors.write.reset();
    if (!input.empty() &&
        ::write(in.write.get(), input.data(), input.size()) != static_cast<ssize_t>(input.size())) {
        fail("write to " + program);
    }
    in.write.reset();

    Finished finished;
    const auto deadline = Clock::now() + limit;
    std::array<char, 16384> buffer{};
    std::array<pollfd, 2> sources{{{.fd = out.read.get(), .events = POLLIN, .revents = 0},
                                   {.fd = errors.read.get(), .events = POLLIN, .revents = 0}}};
    while (sources[0].fd >= 0 || sources[1].fd >= 0) {
        if (::poll(sources.data(), sources.size(), milliseconds_left(deadline)) == 0) {
            (void)::kill(child.pid, SIGKILL);
            (void)reap(child.pid);
            throw Broken(program + " does not end\n" + finished.output + finished.errors);
        }
        for (pollfd& source : sources) {
            if (source.fd < 0 || source.revents == 0) continue;
            const ssize_t count = ::read(source.fd, buffer.data(), buffer.size());
            std::string& text = &source == sources.data() ? finished.output : finished.errors;
            if (count > 0) {
                text.append(buffer.data(), static_cast<std::size_t>(count));
            } else if (count == 0 || errno != EINTR) {
                source.fd = -1;
            }
        }
    }
    finished.ending = reap(child.pid);
    return finished;
}

TemporaryDirectory::TemporaryDirectory() {
    path_ = std::filesystem::temp_directory_path() / "understudy-process-XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) fail("mkdtemp");
}

TemporaryDirectory::~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::string contents(const std::string& file) {
    const std::ifstream in(file, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> out;
    while (!text.empty()) {
        const std::size_t end = text.find(separator);
        out.emplace_back(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return out;
}

}  // namespace understudy::process
