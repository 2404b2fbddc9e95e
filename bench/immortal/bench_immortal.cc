// bench_immortal SERVICE MEMBER JOURNAL DIRECTORY LISTEN SERVERS CLIENTS [REGISTRY
// CHECKPOINT_EVERY]
//
// One copy of the service "server", which takes or echoes what it is sent, or of "client", which
// sends. JOURNAL is local, shared, NAME=HOST:PORT,... for a replicated one, or beside=HOST:PORT,
// where a coordinator has journal and connections; SERVERS and CLIENTS say where the copies listen,
// HOST:PORT,... each, unless REGISTRY knows; CHECKPOINT_EVERY is in bytes of calls. Says "opened
// MS" when its journal is replayed. Reads from its standard input, and ends with it:
//   count                                    server: says "counted CALLS NANOSECONDS"
//   push BYTES                               client: one-way calls without end
//   stop                                     client: says "stopped CALLS" when all of them are made
//   echo BYTES WINDOW WARM_UP_MS MEASURED_MS FILE      client: says "echoed PER_SECOND CHECKSUM"
//   session BYTES WINDOW WARM_UP_MS MEASURED_MS FILE   the same by a session, without an immortal
//   fill MEBIBYTES                           server: says "filled" when a checkpoint has it all,
//                                            with REGISTRY before; then each call of 1 KiB replaces
//                                            a row

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include "bench/calls/closed_loop.h"
#include "understudy/immortal_client.h"
#include "understudy/immortal_member.h"

namespace understudy::bench {

namespace {

constexpr std::uint64_t fill_row_bytes = 1024;
constexpr std::uint64_t fill_rows_at_once = 4096;

class Server final : public Immortal {
public:
    void take(const Buffer& data) {
        if (filled > 0 && data.size() == fill_row_bytes) rows.put(calls % filled, data);
        ++calls;
        bytes += data.size();
    }
    Buffer echo(const Buffer& data) {
        take(data);
        return data;
    }
    void fill(std::uint64_t from, std::uint64_t count) {
        filled = std::max(filled, from + count);
        for (std::uint64_t row = from; row < from + count; ++row) {
            rows.put(row, Buffer(fill_row_bytes, static_cast<std::byte>(row)));
        }
    }

    template <class F>
    void fields(F& f) {
        f(calls, bytes, filled, rows);
    }
    template <class H>
    static void handlers(H& h) {
        h("take", &Server::take);
        h("echo", &Server::echo);
        h("fill", &Server::fill);
    }

    std::uint64_t calls = 0;
    std::uint64_t bytes = 0;
    std::uint64_t filled = 0;
    SnapshotMap<std::uint64_t, Buffer> rows;
};

/// What the client's handlers report to the outside; a replay may repeat it without harm. Loop
/// thread.
struct Watch {
    std::deque<TimePoint> begun;
    std::optional<Outstanding> counted;
};
Watch watch;

class Client final : public Immortal {
public:
    void push(std::uint64_t count, const Buffer& what) {
        for (std::uint64_t i = 0; i < count; ++i) send<&Server::take>("server", what);
    }
    void start(std::uint64_t window, const Buffer& what) {
        data = what;
        running = true;
        for (std::uint64_t i = 0; i < window; ++i) ask();
    }
    void stop() { running = false; }
    void ask() {
        ++under_way;
        watch.begun.push_back(now());
        call<&Server::echo>("server", data).then<&Client::answered>();
    }
    void answered(const Result<Buffer>& answer) {
        --under_way;
        const TimePoint begun = watch.begun.empty() ? now() : watch.begun.front();
        if (!watch.begun.empty()) watch.begun.pop_front();
        if (watch.counted) (void)watch.counted->done(begun, answer ? answer->size() : 0);
        if (running) ask();
    }

    template <class F>
    void fields(F& f) {
        f(under_way, running, data);
    }
    template <class H>
    static void handlers(H& h) {
        h("push", &Client::push);
        h("start", &Client::start);
        h("stop", &Client::stop);
        h("answered", &Client::answered);
    }

    std::uint64_t under_way = 0;
    bool running = false;
    Buffer data;
};

void say(const std::string& line) {
    const std::string whole = line + "\n";
    if (::write(STDOUT_FILENO, whole.data(), whole.size()) < 0) std::_Exit(1);
}

[[noreturn]] void fail(const Error& error) {
    std::fprintf(stderr, "bench_immortal: %s\n", to_string(error).c_str());
    std::_Exit(1);
}
void must(const Result<void>& done) {
    if (!done) fail(done.error());
}

[[nodiscard]] std::vector<std::string> split(const std::string& list) {
    std::vector<std::string> parts;
    std::istringstream in(list);
    for (std::string part; std::getline(in, part, ',');) parts.push_back(part);
    return parts;
}

struct Load {
    std::size_t bytes = 0;
    std::size_t window = 0;
    Duration warm_up{};
    Duration measured{};
    std::string file;

    explicit Load(std::istringstream& words) {
        std::int64_t warm_up_ms = 0;
        std::int64_t measured_ms = 0;
        words >> bytes >> window >> warm_up_ms >> measured_ms >> file;
        warm_up = std::chrono::milliseconds(warm_up_ms);
        measured = std::chrono::milliseconds(measured_ms);
    }
};

/// No calls at all are not a failure: the disk may have been busy for that long.
void say_calls(const Calls& calls, bool failed, const std::string& file) {
    if (failed) fail({.code = Errc::failed, .detail = "a call failed"});
    must(calls.latency.write(file));
    say("echoed " + std::to_string(calls.per_second) + " " + std::to_string(calls.checksum));
}

// --- Parts ---------------------------------------------------------------------------------------

void count(ImmortalMember& member) {
    std::uint64_t calls = 0;
    const auto look = [&] {
        return member.look<Server>([&](const Server& server) { calls = server.calls; });
    };
    auto looked = look();
    // Beside a coordinator it is active before it gets the start.
    while (!looked && looked.error().code == Errc::not_active) {
        std::this_thread::sleep_for(1ms);
        looked = look();
    }
    must(looked);
    say("counted " + std::to_string(calls) + " " + std::to_string(nanoseconds(now())));
}

void fill(ImmortalMember& member, const ImmortalOptions& options, std::istringstream& words) {
    std::uint64_t mebibytes = 0;
    words >> mebibytes;
    const std::uint64_t rows = mebibytes * MiB / fill_row_bytes;
    for (std::uint64_t row = 0; row < rows; row += fill_rows_at_once) {
        must(member.impulse<&Server::fill>(row, std::min(fill_rows_at_once, rows - row)));
    }
    if (!options.registry.empty()) return say("filled");
    // A checkpoint is due after this many bytes, and then takes some time.
    const Index before = member.status().applied;
    const Buffer padding(512 * KiB);
    for (std::size_t i = 0; member.status().checkpoint < before; ++i) {
        must(member.impulse<&Server::take>(padding));
        if (i * padding.size() > options.checkpoint_every_bytes) std::this_thread::sleep_for(100ms);
    }
    say("filled");
}

/// Makes one-way calls without end, many with each impulse.
class Pusher {
public:
    static constexpr std::size_t at_once_bytes = 256 * KiB;
    static constexpr std::size_t impulses_max = 4;

    explicit Pusher(ImmortalMember& member) : member_(member) {}
    ~Pusher() { (void)stop(); }
    Pusher(const Pusher&) = delete;
    Pusher& operator=(const Pusher&) = delete;

    void start(std::size_t bytes) {
        running_ = true;
        pushed_ = 0;
        thread_ = std::thread([this, bytes] { run(bytes); });
    }
    std::uint64_t stop() {
        running_ = false;
        if (thread_.joinable()) thread_.join();
        return pushed_;
    }

private:
    void run(std::size_t bytes) {
        const Buffer data(bytes, std::byte{'x'});
        const std::uint64_t count = at_once_bytes / std::max<std::size_t>(bytes, 64);
        while (running_) {
            {
                std::unique_lock lock(mutex_);
                changed_.wait(lock, [this] { return under_way_ < impulses_max; });
                ++under_way_;
                if (std::exchange(full_, false)) {
                    lock.unlock();
                    std::this_thread::sleep_for(std::chrono::milliseconds(1));
                }
            }
            member_.impulse_async<&Client::push>(
                [this, count](const Result<void>& pushed) {
                    const bool full = !pushed && pushed.error().code == Errc::limit_exceeded;
                    if (!pushed && !full) fail(pushed.error());
                    const std::lock_guard lock(mutex_);
                    --under_way_;
                    if (pushed) pushed_ += count;
                    full_ = full_ || full;
                    changed_.notify_one();
                },
                count, data);
        }
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return under_way_ == 0; });
    }

    ImmortalMember& member_;
    std::atomic<bool> running_{false};
    std::thread thread_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t under_way_ = 0;
    std::uint64_t pushed_ = 0;  ///< Calls that will be made, since start().
    bool full_ = false;  ///< Too much waits for the server.
};

void echo(ImmortalMember& member, const Load& load) {
    must(member.look<Client>([&](const Client&) {
        watch.begun.clear();
        watch.counted.emplace(load.warm_up, load.measured);
    }));
    must(member.impulse<&Client::start>(load.window, Buffer(load.bytes, std::byte{'x'})));
    std::this_thread::sleep_for(load.warm_up + load.measured);
    must(member.impulse<&Client::stop>());
    std::uint64_t under_way = 1;
    while (under_way > 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        must(member.look<Client>([&](const Client& client) { under_way = client.under_way; }));
    }
    Calls calls;
    bool failed = true;
    must(member.look<Client>([&](const Client&) {
        calls = watch.counted->result();
        failed = watch.counted->failed();
        watch.counted.reset();
    }));
    say_calls(calls, failed, load.file);
}

/// Keeps this many calls of a session under way; callbacks run one at a time.
class Pipeline {
public:
    Pipeline(ImmortalClient& client, const Load& load)
        : client_(client),
          data_(load.bytes, std::byte{'x'}),
          counted_(load.warm_up, load.measured) {}

    [[nodiscard]] Calls run(std::size_t window) {
        live_ = window;
        for (std::size_t i = 0; i < window; ++i) begin();
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return live_ == 0; });
        return counted_.result();
    }
    [[nodiscard]] bool failed() const { return counted_.failed(); }

private:
    void begin() {
        client_.call_async<&Server::echo>(
            [this, begun = now()](const Result<Buffer>& answer) {
                if (counted_.done(begun, answer ? answer->size() : 0)) return begin();
                const std::lock_guard lock(mutex_);
                if (--live_ == 0) changed_.notify_one();
            },
            data_);
    }

    ImmortalClient& client_;
    const Buffer data_;
    Outstanding counted_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t live_ = 0;
};

void session(const std::vector<std::string>& servers, const Load& load) {
    auto client = ImmortalClient::open({.service = "server", .members = servers}).value_or_throw();
    const Buffer data(load.bytes, std::byte{'x'});
    if (load.window > 1) {
        Pipeline pipeline(client, load);
        const Calls calls = pipeline.run(load.window);
        return say_calls(calls, pipeline.failed(), load.file);
    }
    bool failed = false;
    const Calls calls = one_at_a_time(load.warm_up, load.measured, [&]() -> std::size_t {
        const auto answer = client.call<&Server::echo>(data);
        failed = failed || !answer;
        return answer ? answer->size() : 0;
    });
    say_calls(calls, failed, load.file);
}

constexpr std::size_t registry_argument = 7;

[[nodiscard]] ImmortalOptions options_of(const std::vector<std::string>& arguments) {
    ImmortalOptions options{.service = arguments[0], .member = arguments[1]};
    constexpr std::string_view beside = "beside=";
    if (arguments[2].starts_with(beside)) {
        options.coordinator = arguments[2].substr(beside.size());
    } else if (arguments[2] == "local") {
        options.journal = LocalDirectory{arguments[3]};
    } else if (arguments[2] == "shared") {
        options.journal = SharedDirectory{.path = arguments[3]};
    } else {
        ReplicatedGroup group{.directory = arguments[3], .nodes = {}};
        for (const std::string& node : split(arguments[2])) {
            const std::size_t equals = node.find('=');
            group.nodes.push_back(
                {.name = node.substr(0, equals), .address = node.substr(equals + 1)});
        }
        options.journal = std::move(group);
    }
    options.listen = arguments[4];
    if (arguments.size() > registry_argument) {
        options.registry = {arguments[registry_argument]};
        options.checkpoint_every_bytes = std::stoull(arguments[registry_argument + 1]);
        return options;
    }
    options.peers = {{"server", split(arguments[5])}, {"client", split(arguments[6])}};
    return options;
}

int run(const std::vector<std::string>& arguments) {
    const ImmortalOptions options = options_of(arguments);
    const TimePoint begun = now();
    auto opened = options.service == "server" ? ImmortalMember::open<Server>(options)
                                              : ImmortalMember::open<Client>(options);
    if (!opened) fail(opened.error());
    ImmortalMember member = *std::move(opened);
    must(member.wait_open(5min));
    say("opened " + std::to_string(in_seconds(now() - begun) * 1000));
    member.on_role([](const ImmortalStatus& status) {
        say("role " + std::string(name(status.role)) + " " + std::to_string(status.epoch.value));
    });
    Pusher pusher(member);
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream words(line);
        std::string verb;
        words >> verb;
        if (verb == "count") count(member);
        if (verb == "fill") fill(member, options, words);
        if (verb == "push") {
            std::size_t bytes = 0;
            words >> bytes;
            pusher.start(bytes);
        }
        if (verb == "stop") say("stopped " + std::to_string(pusher.stop()));
        if (verb == "echo") echo(member, Load(words));
        if (verb == "session") session(split(arguments[5]), Load(words));
    }
    std::_Exit(0);  // Like a kill, for which journals are made.
}

}  // namespace

}  // namespace understudy::bench

int main(int count, char** arguments) {
    if (count == 8 || count == 10) {
        return understudy::bench::run({arguments + 1, arguments + count});
    }
    std::fputs("usage: see the head of bench_immortal.cc\n", stderr);
    return 2;
}
