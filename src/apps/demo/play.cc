#include "apps/demo/play.h"

#include <csignal>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "apps/output.h"

namespace understudy::apps::demo {

namespace {

constexpr std::string_view ready_begin = "registry ready on ";

}  // namespace

void show(const PlayOptions& options, const std::string& text) {
    if (options.summary_only) {
        tell(text);
    } else {
        print(text);
    }
}

void act(const PlayOptions& options, const Columns& columns, const std::string& text) {
    if (options.pause > Duration::zero()) Processes::pause(options.pause);
    show(options, columns.act(text));
}

std::uint64_t microseconds(Clock::duration duration) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
}

Error unexpected(std::string detail) { return {.code = Errc::failed, .detail = std::move(detail)}; }

Result<std::string> start_registry(Processes& processes, std::size_t actor,
                                   const std::string& directory, const std::string& platform) {
    US_CHECK(processes.start(actor, {"registry", "--listen", "127.0.0.1:0", "--data",
                                     directory + "/registry", "--platform", platform}));
    const Line ready = US_TRY(processes.next_line(actor, step_limit));
    const std::size_t end = ready.text.find(',');
    if (!ready.text.starts_with(ready_begin) || end == std::string::npos) {
        return unexpected(fmt::format("the registry printed \"{}\"", ready.text));
    }
    return ready.text.substr(ready_begin.size(), end - ready_begin.size());
}

Result<void> end_all(Processes& processes, const std::vector<std::size_t>& actors,
                     std::size_t registry) {
    for (const std::size_t actor : actors) {
        (void)processes.stop(actor, SIGTERM);
        if (!processes.child(actor).wait(step_limit)) return unexpected("a process did not end");
    }
    (void)processes.stop(registry, SIGTERM);
    const auto code = processes.child(registry).wait(step_limit);
    if (code != 0) {
        return unexpected(fmt::format("the registry ended with {}", code.value_or(-1)));
    }
    return {};
}

std::string errors_of(const Processes& processes, const std::vector<std::string>& names) {
    std::string out;
    for (std::size_t actor = 0; actor < names.size(); ++actor) {
        if (const std::string text = processes.errors_of(actor); !text.empty()) {
            out += fmt::format("--- {} wrote:\n{}", names[actor], text);
        }
    }
    return out;
}

std::uint64_t percentile(const std::vector<std::uint64_t>& sorted, std::size_t percent) {
    return sorted.empty() ? 0 : sorted[(sorted.size() - 1) * percent / 100];
}

}  // namespace understudy::apps::demo
