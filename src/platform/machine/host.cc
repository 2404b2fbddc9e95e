#include "platform/machine/host.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <climits>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/network/fd.h"

namespace understudy::platform {

namespace {

std::optional<std::string> read_small_file(const std::string& path) {
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return std::nullopt;
    std::string text(4096, '\0');  // No file in /proc that we read comes near this size.
    const auto got = ::read(file.get(), text.data(), text.size());
    if (got <= 0) return std::nullopt;
    text.resize(static_cast<std::size_t>(got));
    return text;
}

template <class Number>
std::optional<Number> to_number(std::string_view text) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end == text.data()) return std::nullopt;
    return number;
}

std::string_view take_word(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(" \n"), text.size()));
    const std::string_view word = text.substr(0, text.find_first_of(" \n"));
    text.remove_prefix(word.size());
    return word;
}

struct ProcessStat {
    std::uint64_t pid;
    std::uint64_t start_ticks;
};

// /proc/PID/stat is "PID (NAME) STATE ...". The name may contain anything, so the fields are found
// from its end.
std::optional<ProcessStat> read_stat(const std::string& who) {
    const auto text = read_small_file("/proc/" + who + "/stat");
    if (!text) return std::nullopt;
    const auto pid = to_number<std::uint64_t>(*text);
    const std::size_t name_end = text->rfind(')');
    if (!pid || name_end == std::string::npos) return std::nullopt;

    std::string_view rest = std::string_view(*text).substr(name_end + 1);
    constexpr int first_field = 3;
    constexpr int start_field = 22;
    for (int field = first_field; field < start_field; ++field) take_word(rest);
    const auto start = to_number<std::uint64_t>(take_word(rest));
    if (!start) return std::nullopt;
    return ProcessStat{*pid, *start};
}

// In a time namespace with an offset, start times are shifted only for us. They would "prove" the
// death of living processes.
bool time_is_shifted() {
    const auto text = read_small_file("/proc/self/timens_offsets");
    if (!text) return false;  // The kernel has no time namespaces.
    std::string_view rest = *text;
    for (std::string_view word = take_word(rest); !word.empty(); word = take_word(rest)) {
        const auto number = to_number<std::int64_t>(word);
        if (number && *number != 0) return true;
    }
    return false;
}

ProcessId identify(const std::string& who) {
    auto boot = read_small_file("/proc/sys/kernel/random/boot_id");
    struct stat pid_namespace{};
    const bool knows_namespace = ::stat("/proc/self/ns/pid", &pid_namespace) == 0;
    const auto own = read_stat("self");
    const auto process = read_stat(who);
    // If /proc belongs to another pid namespace, the pid that it shows for us differs.
    const bool own_proc = own && own->pid == static_cast<std::uint64_t>(::getpid());
    if (!boot || !knows_namespace || !process || !own_proc || time_is_shifted()) return {};
    boot->erase(boot->find_last_not_of('\n') + 1);
    return {std::move(*boot), pid_namespace.st_ino, process->pid, process->start_ticks};
}

bool has_exited(const Fd& pidfd) {
    pollfd state{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
    return ::poll(&state, 1, 0) == 1 && (state.revents & POLLIN) != 0;
}

class Watching final : public std::enable_shared_from_this<Watching> {
public:
    Watching(Loop& loop, std::function<void()> gone)
        : loop_(loop), gone_(std::move(gone)), descriptor_(loop.context()) {}

    void await_exit(Descriptor pidfd) {
        descriptor_ = std::move(pidfd);
        descriptor_.async_wait(Descriptor::wait_read, [self = shared_from_this()](const auto& err) {
            if (!err) self->call_soon();
        });
    }

    void call_soon() {
        loop_.post([self = shared_from_this()] {
            if (self->gone_) std::exchange(self->gone_, nullptr)();
        });
    }

    void end() {
        gone_ = nullptr;
        boost::system::error_code ignored;
        if (descriptor_.is_open()) descriptor_.close(ignored);
    }

private:
    Loop& loop_;
    std::function<void()> gone_;
    Descriptor descriptor_;
};

class PidfdWatch final : public ProcessWatch {
public:
    explicit PidfdWatch(std::shared_ptr<Watching> watching) : watching_(std::move(watching)) {}
    ~PidfdWatch() override { watching_->end(); }
    PidfdWatch(const PidfdWatch&) = delete;
    PidfdWatch& operator=(const PidfdWatch&) = delete;

private:
    const std::shared_ptr<Watching> watching_;
};

/// The kernel's events about one directory.
class DirectoryEvents final : public std::enable_shared_from_this<DirectoryEvents> {
public:
    DirectoryEvents(Loop& loop, Descriptor events, std::vector<std::string> names,
                    std::function<void()> changed)
        : loop_(loop),
          events_(std::move(events)),
          names_(std::move(names)),
          changed_(std::move(changed)) {}

    void await() {
        events_.async_wait(Descriptor::wait_read, [self = shared_from_this()](const auto& error) {
            if (!error) self->read();
        });
    }

    void end() {
        changed_ = nullptr;
        boost::system::error_code ignored;
        if (events_.is_open()) events_.close(ignored);
    }

private:
    void read() {
        if (!changed_) return;
        // Room for at least one event: NAME_MAX is 255.
        alignas(inotify_event) std::array<char, 4096> bytes;
        const auto got = ::read(events_.native_handle(), bytes.data(), bytes.size());
        const bool goes_on = got > 0 || errno == EAGAIN || errno == EINTR;
        bool ours = false;
        for (std::size_t at = 0; got > 0 && at < static_cast<std::size_t>(got);) {
            inotify_event event{};
            std::memcpy(&event, bytes.data() + at, sizeof event);
            const char* const name = bytes.data() + at + sizeof event;
            ours = ours || event.len == 0 ||
                   std::find(names_.begin(), names_.end(), std::string_view(name)) != names_.end();
            at += sizeof event + event.len;
        }
        if (ours) {
            loop_.post([self = shared_from_this()] {
                if (self->changed_) std::function<void()>(self->changed_)();
            });
        }
        if (goes_on) await();
    }

    Loop& loop_;
    Descriptor events_;
    const std::vector<std::string> names_;
    std::function<void()> changed_;
};

class InotifyWatch final : public DirectoryWatch {
public:
    explicit InotifyWatch(std::shared_ptr<DirectoryEvents> events) : events_(std::move(events)) {}
    ~InotifyWatch() override { events_->end(); }
    InotifyWatch(const InotifyWatch&) = delete;
    InotifyWatch& operator=(const InotifyWatch&) = delete;

private:
    const std::shared_ptr<DirectoryEvents> events_;
};

}  // namespace

LinuxHost::LinuxHost(Loop& loop) : loop_(loop), self_(identify("self")) {}

std::unique_ptr<ProcessWatch> LinuxHost::watch(const ProcessId& process,
                                               std::function<void()> gone) {
    if (self_.boot.empty() || process.boot != self_.boot) return nullptr;
    if (process.pid_namespace != self_.pid_namespace) return nullptr;
    if (process.pid == 0 || process.pid > INT_MAX) return nullptr;

    auto watching = std::make_shared<Watching>(loop_, std::move(gone));
    auto watch = std::make_unique<PidfdWatch>(watching);
    Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(process.pid), 0)));
    // EINVAL and ENOENT: the number still exists as a thread or a group, but its process has gone.
    const bool absent = !pidfd && (errno == ESRCH || errno == EINVAL || errno == ENOENT);
    if (absent) {
        watching->call_soon();
        return watch;
    }
    if (!pidfd) return nullptr;

    // We hold the pidfd now, so the process with this pid stays the same while we check its
    // identity.
    const auto stat = read_stat(std::to_string(process.pid));
    if (has_exited(pidfd) || (stat && stat->start_ticks != process.start_ticks)) {
        watching->call_soon();
    } else if (!stat) {
        return nullptr;  // It lives, and /proc does not show whether it is the right process.
    } else if (auto descriptor = loop_.adopt(std::move(pidfd))) {
        watching->await_exit(std::move(*descriptor));
    } else {
        return nullptr;
    }
    return watch;
}

std::unique_ptr<DirectoryWatch> LinuxHost::watch_directory(const std::string& directory,
                                                           std::vector<std::string> names,
                                                           std::function<void()> changed) {
    constexpr std::uint32_t ends = IN_DELETE_SELF | IN_MOVE_SELF | IN_CREATE | IN_DELETE |
                                   IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR;
    Fd fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!fd || ::inotify_add_watch(fd.get(), directory.c_str(), ends) < 0) return nullptr;
    auto descriptor = loop_.adopt(std::move(fd));
    if (!descriptor) return nullptr;
    auto events = std::make_shared<DirectoryEvents>(loop_, std::move(*descriptor),
                                                    std::move(names), std::move(changed));
    events->await();
    return std::make_unique<InotifyWatch>(std::move(events));
}

std::uint64_t LinuxHost::wall_ms() const {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

std::optional<ProcessId> identify_process(std::uint64_t pid) {
    ProcessId process = identify(std::to_string(pid));
    if (process.boot.empty()) return std::nullopt;
    return process;
}

}  // namespace understudy::platform
