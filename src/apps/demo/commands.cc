#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>
#include <system_error>
#include <vector>

#include <unistd.h>

#include <fmt/format.h>

#include "apps/demo/hello.h"
#include "apps/demo/parts.h"
#include "apps/demo/standby.h"
#include "apps/demo/standby_parts.h"
#include "apps/view/quantity.h"

namespace understudy::apps::demo {

namespace {

/// A temporary directory that is removed with this object.
class TemporaryDirectory {
public:
    [[nodiscard]] static Result<std::unique_ptr<TemporaryDirectory>> make() {
        const char* const base = std::getenv("TMPDIR");
        std::string path = fmt::format("{}/understudy-demo-XXXXXX",
                                       base == nullptr || *base == '\0' ? "/tmp" : base);
        if (::mkdtemp(path.data()) == nullptr) {
            return Error{.code = Errc::failed, .detail = "no temporary directory in " + path};
        }
        return std::unique_ptr<TemporaryDirectory>(new TemporaryDirectory(std::move(path)));
    }
    ~TemporaryDirectory() {
        before_output_fails({});
        remove(path_);
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }

private:
    explicit TemporaryDirectory(std::string path) : path_(std::move(path)) {
        before_output_fails([path = path_] { remove(path); });
    }
    static void remove(const std::string& path) {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
    const std::string path_;
};

struct DemoWanted {
    std::string rounds = "1";
    std::string pause;
    std::string registry;
    std::string member;
    std::string directory;
};

constexpr std::uint64_t rounds_max = 10'000;

[[nodiscard]] Result<PlayOptions> play_options(const Invocation& invocation,
                                               const DemoWanted& wanted) {
    PlayOptions options;
    options.paint = invocation.paint;
    const char* const end = wanted.rounds.data() + wanted.rounds.size();
    const auto parsed = std::from_chars(wanted.rounds.data(), end, options.rounds);
    if (parsed.ec != std::errc{} || parsed.ptr != end || options.rounds < 1 ||
        options.rounds > rounds_max) {
        return Error{.code = Errc::bad_config,
                     .detail = fmt::format("--rounds: expected 1 to {}", rounds_max)};
    }
    options.summary_only = !invocation.for_people();
    const bool watched = is_terminal(STDOUT_FILENO) && options.rounds < 10;
    if (watched && !options.summary_only) options.pause = 700ms;
    if (!wanted.pause.empty()) {
        const auto pause = parse_duration_ms(wanted.pause);
        if (!pause || *pause > 60'000) {
            return Error{.code = Errc::bad_config,
                         .detail = fmt::format("--pause {}: expected 0ms to 60s{}", wanted.pause,
                                               pause ? "" : ": " + duration_advice(wanted.pause))};
        }
        options.pause = std::chrono::milliseconds(*pause);
    }
    return options;
}

/// The demonstration brings its own settings, so settings for other platforms in the environment
/// are removed.
void forget_environment() {
    std::vector<std::string> ours;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        if (text.starts_with("UNDERSTUDY_")) ours.emplace_back(text.substr(0, text.find('=')));
    }
    for (const std::string& variable : ours) (void)::unsetenv(variable.c_str());
}

template <class Play>
Result<Exit> perform(const Invocation& invocation, const DemoWanted& wanted) {
    const auto options = US_TRY(play_options(invocation, wanted));
    const auto directory = US_TRY(TemporaryDirectory::make());
    forget_environment();
    Processes::catch_interrupts();
    Exit exit = Exit::done;
    Play play(options, directory->path());
    if (const auto played = play.play(); !played) {
        exit = played.error().code == Errc::closed ? Exit::interrupted : Exit::no;
        (void)print_error(played.error());
        if (exit == Exit::no) tell(play.errors());
    }
    if (options.summary_only && exit != Exit::interrupted) {
        auto summary = play.summary_json();
        summary["ok"] = exit == Exit::done;
        print(to_json_line(summary));
    }
    return exit;
}

template <class Play>
void add_play(const Command& demo, Globals& globals, const std::string& name,
              const std::string& about, const std::string& rounds) {
    const auto wanted = std::make_shared<DemoWanted>();
    wanted->rounds = rounds;
    const Command playing = demo.add(name, about);
    playing.option({.names = "--rounds",
                    .value_name = "N",
                    .about = "Kills the active member N times, alternately."},
                   wanted->rounds);
    playing.option({.names = "--pause",
                    .value_name = "DURATION",
                    .about = "Waits this long between steps; 700ms on a terminal, otherwise none."},
                   wanted->pause);
    playing.runs(globals.running([wanted](const Invocation& invocation) {
        return perform<Play>(invocation, *wanted);
    }));
    playing.footer("Exit code 0 only if every line of every process was the expected one.");
}

/// Adds the command of one process of a demonstration.
void add_part(const Command& root, Globals& globals, const std::string& name, bool with_directory,
              const std::function<Result<Exit>(const DemoWanted&)>& run) {
    const auto wanted = std::make_shared<DemoWanted>();
    const Command part = root.add_hidden(name);
    part.required_option({.names = "--registry", .value_name = "HOST:PORT", .about = ""},
                         wanted->registry);
    part.option({.names = "--member", .value_name = "NAME", .about = ""}, wanted->member);
    if (with_directory) {
        part.required_option({.names = "--directory", .value_name = "DIR", .about = ""},
                             wanted->directory);
    }
    part.runs(globals.running([wanted, run](const Invocation&) { return run(*wanted); }));
}

[[nodiscard]] CopyOptions copy_options(const DemoWanted& wanted) {
    return {.registry = wanted.registry, .member = wanted.member, .directory = wanted.directory};
}

}  // namespace

void add_demo_commands(const Command& root, Globals& globals) {
    const Command demo = root.add("demo", "Shows a failover with real processes and kills.");
    add_play<Hello>(demo, globals, "hello",
                    "Registry, two members, a client: kill -9 the active one and measure.", "1");
    add_play<Standby>(demo, globals, "standby",
                      "Three copies of an immortal, a client: kill -9 the active one, count.", "4");

    add_part(root, globals, "demo-member", false,
             [](const DemoWanted& wanted) { return run_member(wanted.registry, wanted.member); });
    add_part(root, globals, "demo-client", false,
             [](const DemoWanted& wanted) { return run_client(wanted.registry); });
    add_part(root, globals, "demo-server-copy", true,
             [](const DemoWanted& wanted) { return run_server_copy(copy_options(wanted)); });
    add_part(root, globals, "demo-asking-client", true,
             [](const DemoWanted& wanted) { return run_asking_client(copy_options(wanted)); });
}

}  // namespace understudy::apps::demo
