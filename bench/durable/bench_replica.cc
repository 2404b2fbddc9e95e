// bench_replica local DIRECTORY
// bench_replica shared DIRECTORY NAME LEASE_MS
// bench_replica group DIRECTORY NAME NAME=HOST:PORT,...
//
// One member of a service whose state is a sum, on a journal of either kind. Prints "opened MS",
// then "role NAME EPOCH" with each change. When it is active and its first command is durable, it
// prints "answered NANOSECONDS", the time of the monotonic clock.
// Reads from its standard input, and ends with it:
//   load BYTES WINDOW WARM_UP_MS MEASURED_MS FILE   says "loaded PER_SECOND CHECKSUM"
//   fill BYTES COUNT                                says "filled"

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

#include <unistd.h>

#include "bench/calls/closed_loop.h"
#include "understudy/replica.h"

namespace understudy::bench {

namespace {

/// Adds up its commands, with almost no work of its own.
class Sum final : public SmallStateMachine {
public:
    void apply(const Command& command, Buffer& reply) override {
        sum_ += command.body.size();
        append(reply);
    }
    void snapshot(Buffer& out) const override { append(out); }
    Result<void> restore(Bytes state) override {
        if (state.size() != sizeof sum_) return Error{.code = Errc::corrupt};
        std::memcpy(&sum_, state.data(), sizeof sum_);
        return {};
    }

private:
    void append(Buffer& out) const {
        const auto* const bytes = reinterpret_cast<const std::byte*>(&sum_);
        out.insert(out.end(), bytes, bytes + sizeof sum_);
    }
    std::uint64_t sum_ = 0;
};

void say(const std::string& line) {
    const std::string whole = line + "\n";
    if (::write(STDOUT_FILENO, whole.data(), whole.size()) < 0) std::_Exit(1);
}

[[noreturn]] void fail(const Error& error) {
    std::fprintf(stderr, "bench_replica: %s %s\n", std::string(name(error.code)).c_str(),
                 error.detail.c_str());
    std::_Exit(1);
}

[[nodiscard]] Duration ms(const std::string& text) {
    return std::chrono::milliseconds(std::stol(text));
}

/// Keeps up to `window` commands under way. It refills when half of them are answered, so that no
/// thread is woken for each.
class Pipeline {
public:
    Pipeline(Replica& replica, std::size_t window, Duration warm_up, Duration measured)
        : replica_(replica),
          window_(window),
          end_(now() + warm_up + measured),
          counted_(warm_up, measured) {}

    [[nodiscard]] Calls run(Bytes command) {
        while (now() < end_) {
            wait_until_at_most(window_ / 2);
            const std::size_t room = window_ - under_way_.load();
            under_way_.fetch_add(room);
            for (std::size_t i = 0; i < room; ++i) {
                replica_.submit(command, [this, begun = now()](const Result<Buffer>& reply) {
                    (void)counted_.done(begun, reply ? reply->size() : 0);
                    answered();
                });
            }
        }
        wait_until_at_most(0);
        return counted_.result();
    }

private:
    void answered() {
        const std::size_t left = under_way_.fetch_sub(1) - 1;
        if (left != 0 && left != window_ / 2) return;
        const std::lock_guard lock(mutex_);
        changed_.notify_one();
    }
    void wait_until_at_most(std::size_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return under_way_.load() <= count; });
    }

    Replica& replica_;
    const std::size_t window_;
    const TimePoint end_;
    Outstanding counted_;
    std::atomic<std::size_t> under_way_{0};
    std::mutex mutex_;
    std::condition_variable changed_;
};

void load(Replica& replica, std::istringstream& words) {
    std::size_t bytes = 0;
    std::size_t window = 0;
    std::string warm_up;
    std::string measured;
    std::string file;
    words >> bytes >> window >> warm_up >> measured >> file;
    const Buffer command(bytes, std::byte{'x'});
    const Calls calls =
        window == 1 ? one_at_a_time(ms(warm_up), ms(measured),
                                    [&]() -> std::size_t {
                                        const auto reply = replica.submit(command);
                                        return reply ? reply->size() : 0;
                                    })
                    : Pipeline(replica, window, ms(warm_up), ms(measured)).run(command);
    if (calls.per_second <= 0 || !calls.latency.write(file)) {
        fail({.code = Errc::failed, .detail = "a command failed"});
    }
    say("loaded " + std::to_string(calls.per_second) + " " + std::to_string(calls.checksum));
}

void fill(Replica& replica, std::istringstream& words) {
    std::size_t bytes = 0;
    std::size_t count = 0;
    words >> bytes >> count;
    const Buffer command(bytes, std::byte{'x'});
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t answered = 0;
    for (std::size_t i = 0; i < count; ++i) {
        replica.submit(command, [&](const Result<Buffer>& reply) {
            if (!reply) fail(reply.error());
            const std::lock_guard lock(mutex);
            if (++answered == count) changed.notify_one();
        });
    }
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return answered == count; });
    say("filled");
}

[[nodiscard]] Result<ReplicaOptions> options_of(const std::vector<std::string>& arguments) {
    ReplicaOptions options{.service = "Sum", .member = "only", .journal = LocalDirectory{}};
    const std::string kind = arguments.empty() ? "" : arguments[0];
    if (kind == "local" && arguments.size() == 2) {
        options.journal = LocalDirectory{arguments[1]};
        return options;
    }
    if (kind == "shared" && arguments.size() == 4) {
        options.member = arguments[2];
        options.journal = SharedDirectory{.path = arguments[1], .lease = ms(arguments[3])};
        return options;
    }
    if (kind == "group" && arguments.size() == 4) {
        options.member = arguments[2];
        ReplicatedGroup group{.directory = arguments[1], .nodes = {}};
        std::istringstream nodes(arguments[3]);
        for (std::string node; std::getline(nodes, node, ',');) {
            const std::size_t equals = node.find('=');
            group.nodes.push_back(
                {.name = node.substr(0, equals), .address = node.substr(equals + 1)});
        }
        options.journal = std::move(group);
        return options;
    }
    return Error{.code = Errc::bad_config, .detail = "usage: see the head of bench_replica.cc"};
}

int run(const std::vector<std::string>& arguments) {
    auto options = options_of(arguments);
    if (!options) fail(options.error());
    const TimePoint begun = now();
    auto opened = Replica::open(*std::move(options), std::make_shared<Sum>());
    if (!opened) fail(opened.error());
    Replica replica = *std::move(opened);
    Epoch told;  // Callback thread only.
    replica.on_role([&](const ReplicaStatus& status) {
        say("role " + std::string(name(status.role)) + " " + std::to_string(status.epoch.value));
        if (status.role != Role::active || status.epoch == told) return;
        told = status.epoch;
        const Buffer first(16, std::byte{'x'});
        replica.submit(Bytes(first), [](const Result<Buffer>& reply) {
            if (reply) say("answered " + std::to_string(nanoseconds(now())));
        });
    });
    if (const auto waited = replica.wait_open(); !waited) fail(waited.error());
    say("opened " + std::to_string(in_seconds(now() - begun) * 1000));
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream words(line);
        std::string verb;
        words >> verb;
        if (verb == "load") load(replica, words);
        if (verb == "fill") fill(replica, words);
    }
    replica.close();
    return 0;
}

}  // namespace

}  // namespace understudy::bench

int main(int count, char** arguments) {
    return understudy::bench::run({arguments + 1, arguments + count});
}
