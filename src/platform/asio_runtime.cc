#include "platform/asio_runtime.h"

#include <map>
#include <string>
#include <utility>

#include <sys/random.h>

#include "platform/disk.h"
#include "platform/loop.h"
#include "platform/machine/host.h"
#include "platform/network/network.h"
#include "platform/worker.h"

namespace understudy::platform {

namespace {

std::uint64_t random_seed() {
    std::uint64_t seed = 0;
    const auto got = ::getrandom(&seed, sizeof seed, 0);
    US_ASSERT(got == sizeof seed);  // Requests of up to 256 bytes are never cut short.
    return seed;
}

}  // namespace

struct AsioRuntime::Parts {
    explicit Parts(Log& log) : loop(log), network(loop), host(loop), random(random_seed()) {}

    Loop loop;
    SocketNetwork network;
    PosixDisk disk;
    LinuxHost host;
    Random random;
    std::map<std::string, ThreadWorker, std::less<>> workers;
};

AsioRuntime::AsioRuntime(Log& log) : parts_(std::make_unique<Parts>(log)) {}
AsioRuntime::~AsioRuntime() = default;

void AsioRuntime::run() {
    parts_->loop.run();
}
bool AsioRuntime::poll() {
    return parts_->loop.poll();
}
bool AsioRuntime::poll_for(Duration wait_max) {
    return parts_->loop.poll_for(wait_max);
}
void AsioRuntime::stop() {
    parts_->loop.stop();
}

TimePoint AsioRuntime::now() const {
    return parts_->loop.now();
}
void AsioRuntime::post(Task task) {
    parts_->loop.post(std::move(task));
}
std::unique_ptr<Timer> AsioRuntime::at(TimePoint when, Task task) {
    return parts_->loop.at(when, std::move(task));
}
TurnEnds& AsioRuntime::turn_ends() { return parts_->loop.turn_ends(); }

Worker& AsioRuntime::worker(std::string_view name) {
    const auto found = parts_->workers.find(name);
    if (found != parts_->workers.end()) return found->second;
    return parts_->workers.try_emplace(std::string(name), parts_->loop, std::string(name))
        .first->second;
}

Network& AsioRuntime::network() {
    return parts_->network;
}
Disk& AsioRuntime::disk() {
    return parts_->disk;
}
Host& AsioRuntime::host() {
    return parts_->host;
}
Random& AsioRuntime::random() {
    return parts_->random;
}

const LoopFigures& AsioRuntime::figures() const {
    return parts_->loop.figures();
}
Loop& AsioRuntime::loop() {
    return parts_->loop;
}

}  // namespace understudy::platform
