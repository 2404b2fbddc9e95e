#include "apps/demo/processes.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <fmt/format.h>

#include "apps/run/backup_file.h"

namespace understudy::apps::demo {

namespace {

volatile std::sig_atomic_t interrupted = 0;
int interrupt_pipe[2] = {-1, -1};  // Readable for ever after an interrupt.

/// As poll(), but an earlier interrupt ends it too.
int poll_or_interrupt(std::vector<pollfd>& waiting, int milliseconds) {
    waiting.push_back({interrupt_pipe[0], POLLIN, 0});
    const int ready = ::poll(waiting.data(), waiting.size(), milliseconds);
    waiting.pop_back();
    return ready;
}

[[nodiscard]] Error play_failure(std::string detail) {
    return {.code = Errc::failed, .detail = std::move(detail)};
}

enum class Input { some, end };

[[nodiscard]] Input read_some(int descriptor, std::string& into) {
    std::array<char, 4096> chunk{};
    const ssize_t size = ::read(descriptor, chunk.data(), chunk.size());
    if (size < 0) return errno == EINTR || errno == EAGAIN ? Input::some : Input::end;
    if (size == 0) return Input::end;
    into.append(chunk.data(), static_cast<std::size_t>(size));
    return Input::some;
}

[[nodiscard]] int milliseconds_until(Clock::time_point deadline) {
    const auto left = deadline - Clock::now();
    if (left <= Clock::duration::zero()) return 0;
    return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count());
}

}  // namespace

Processes::Processes(std::vector<std::string> names, std::string directory,
                     std::function<void(const Line&)> shown)
    : directory_(std::move(directory)), shown_(std::move(shown)) {
    for (std::string& name : names) {
        actors_.push_back({std::move(name), std::nullopt, false, {}, {}, {}});
    }
}

void Processes::catch_interrupts() {
    struct sigaction action {};
    if (interrupt_pipe[0] < 0) (void)::pipe2(interrupt_pipe, O_CLOEXEC | O_NONBLOCK);
    action.sa_handler = [](int) {
        const int before = errno;
        interrupted = 1;
        (void)!::write(interrupt_pipe[1], "", 1);
        errno = before;
    };
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
        (void)::sigaction(number, &action, nullptr);
    }
}

void Processes::pause(Duration duration) {
    std::vector<pollfd> nobody;
    (void)poll_or_interrupt(nobody, static_cast<int>(duration / 1ms));
}

std::string Processes::errors_file(std::size_t actor) const {
    return fmt::format("{}/{}.log", directory_, actor);
}

Result<void> Processes::start(std::size_t actor, std::vector<std::string> arguments) {
    Actor& it = actors_.at(actor);
    it.child.reset();
    it.stopped = false;
    it.unread.clear();
    it.unread_notes.clear();
    it.child = US_TRY(Child::start({.arguments = std::move(arguments),
                                    .errors_file = errors_file(actor),
                                    .group = group_,
                                    .notes = true}));
    if (group_ == 0) group_ = it.child->pid();
    return {};
}

Child& Processes::child(std::size_t actor) {
    US_ASSERT(actors_.at(actor).child.has_value());
    return *actors_.at(actor).child;
}

Clock::time_point Processes::stop(std::size_t actor, int signal) {
    Actor& it = actors_.at(actor);
    US_ASSERT(it.child.has_value());
    it.stopped = true;
    it.unread.clear();
    const auto now = Clock::now();
    it.child->signal(signal);
    return now;
}

std::optional<Line> Processes::take_line() {
    for (std::size_t index = 0; index < actors_.size(); ++index) {
        std::string& unread = actors_[index].unread;
        const std::size_t end = unread.find('\n');
        if (end == std::string::npos) continue;
        Line line{index, unread.substr(0, end), Clock::now()};
        unread.erase(0, end + 1);
        return line;
    }
    return std::nullopt;
}

void Processes::take_notes(Actor& actor) {
    std::string& unread = actor.unread_notes;
    for (std::size_t end; (end = unread.find('\n')) != std::string::npos;
         unread.erase(0, end + 1)) {
        const std::size_t blank = unread.find(' ');
        if (blank >= end) continue;
        std::int64_t nanoseconds = 0;
        (void)std::from_chars(unread.data() + blank + 1, unread.data() + end, nanoseconds);
        actor.notes[unread.substr(0, blank)] =
            Clock::time_point(std::chrono::nanoseconds(nanoseconds));
    }
}

Result<bool> Processes::await_input(Clock::time_point deadline) {
    std::vector<pollfd> waiting;
    std::vector<std::pair<Actor*, bool>> whose;  // With true for notes.
    for (Actor& actor : actors_) {
        if (!actor.child || actor.stopped) continue;
        waiting.push_back({actor.child->output(), POLLIN, 0});
        whose.emplace_back(&actor, false);
        waiting.push_back({actor.child->notes(), POLLIN, 0});
        whose.emplace_back(&actor, true);
    }
    const int ready = poll_or_interrupt(waiting, milliseconds_until(deadline));
    if (interrupted != 0) return Error{.code = Errc::closed, .detail = "interrupted"};
    if (ready <= 0) return Clock::now() < deadline;
    for (std::size_t index = 0; index < waiting.size(); ++index) {
        if (waiting[index].revents == 0) continue;
        const auto [actor, notes] = whose[index];
        std::string& into = notes ? actor->unread_notes : actor->unread;
        const Input input = read_some(waiting[index].fd, into);
        take_notes(*actor);
        if (input == Input::end && !notes) {
            return play_failure(fmt::format("{} ended by itself", actor->name));
        }
        if (actor->unread.size() > line_size_max) {
            return play_failure(fmt::format("{} printed a line that is too long", actor->name));
        }
    }
    return true;
}

Result<std::optional<Line>> Processes::read_line(Clock::time_point deadline) {
    while (true) {
        if (auto line = take_line()) {
            shown_(*line);
            return line;
        }
        if (!US_TRY(await_input(deadline))) return std::optional<Line>();
    }
}

Result<std::map<std::size_t, Line>> Processes::expect(const Expected& expected, Duration limit) {
    const auto deadline = Clock::now() + limit;
    std::map<std::size_t, Line> seen;
    while (seen.size() < expected.size()) {
        auto line = US_TRY(read_line(deadline));
        if (!line) {
            for (const auto& [actor, text] : expected) {
                if (seen.contains(actor)) continue;
                return Error{.code = Errc::timed_out,
                             .detail = fmt::format("{} did not print \"{}\"", actors_[actor].name,
                                                   text)};
            }
        }
        const auto wanted = expected.find(line->actor);
        if (wanted == expected.end() || seen.contains(line->actor) ||
            wanted->second != line->text) {
            return play_failure(fmt::format("{} printed \"{}\", which was not expected",
                                            actors_[line->actor].name, line->text));
        }
        seen.emplace(line->actor, *std::move(line));
    }
    return seen;
}

Result<Line> Processes::next_line(std::size_t actor, Duration limit) {
    auto line = US_TRY(read_line(Clock::now() + limit));
    if (!line) {
        return Error{.code = Errc::timed_out,
                     .detail = fmt::format("{} did not print anything", actors_[actor].name)};
    }
    if (line->actor == actor) return *std::move(line);
    return play_failure(fmt::format("{} printed \"{}\", which was not expected",
                                    actors_[line->actor].name, line->text));
}

std::optional<Clock::time_point> Processes::noted(std::size_t actor, const std::string& what,
                                                  Clock::time_point since) {
    const auto& notes = actors_.at(actor).notes;
    const auto found = notes.find(what);
    if (found == notes.end() || found->second < since) return std::nullopt;
    return found->second;
}

Result<std::string> Processes::run(std::vector<std::string> arguments, Duration limit) {
    const auto deadline = Clock::now() + limit;
    const std::string command = fmt::format("{}", fmt::join(arguments, " "));
    const std::string errors = directory_ + "/command.log";
    Child child = US_TRY(Child::start({.arguments = std::move(arguments),
                                       .errors_file = errors,
                                       .group = group_}));
    std::string output;
    while (true) {
        std::vector<pollfd> waiting{{child.output(), POLLIN, 0}};
        const int ready = poll_or_interrupt(waiting, milliseconds_until(deadline));
        if (interrupted != 0) return Error{.code = Errc::closed, .detail = "interrupted"};
        if (ready > 0 && read_some(child.output(), output) == Input::end) break;
        if (Clock::now() >= deadline) {
            return Error{.code = Errc::timed_out, .detail = command + " takes too long"};
        }
    }
    const auto code = child.wait(limit);
    if (code == 0) return output;
    std::string detail = fmt::format("understudy {} ended with {}", command, code.value_or(-1));
    if (const auto said = read_file(errors, line_size_max)) {
        detail += fmt::format(": {}", as_text(*said));
    }
    return play_failure(std::move(detail));
}

std::string Processes::errors_of(std::size_t actor) const {
    const auto content = read_file(errors_file(actor), 16 * MiB);
    if (!content) return {};
    const std::string_view text = as_text(*content);
    constexpr std::size_t shown_max = 2 * KiB;
    return std::string(text.size() > shown_max ? text.substr(text.size() - shown_max) : text);
}

}  // namespace understudy::apps::demo
