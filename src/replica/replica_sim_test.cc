// The replica on the simulator's disk. The disk tears writes between sectors, loses what a failed
// sync did not write, stalls and becomes full. Kills, power cuts and disk faults come at random.
// Then follows a phase without faults, in which everything must work.

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "base/seed_line_test.h"
#include "replica/ledger_test.h"
#include "replica/list_machine_test.h"
#include "replica/local_test.h"
#include "replica/replica.h"
#include "sim/world.h"

namespace understudy::replica {
namespace {

/// A service of one member, which submits commands to itself as long as it runs.
class Service {
public:
    Service(Runtime& runtime, Log& log, Ledger& ledger) : runtime_(runtime), ledger_(ledger) {
        opening_ = Replica::open(runtime, log, every(40),
                                 local(runtime, log,
                                       {.directory = "/var/lib/service",
                                        .segment_size_bytes = 64 * KiB}),
                                 machine_, [this](Result<std::unique_ptr<Replica>> opened) {
                                     this->opened(std::move(opened));
                                 });
    }

    [[nodiscard]] bool serves() const { return replica_ != nullptr && !failed_; }
    [[nodiscard]] bool broken() const { return failed_ || error_; }
    [[nodiscard]] const std::optional<Error>& error() const { return error_; }
    [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_; }
    [[nodiscard]] const ListMachine& machine() const { return machine_; }

private:
    void opened(Result<std::unique_ptr<Replica>> opened) {
        if (!opened) {
            error_ = opened.error();
            return;
        }
        replica_ = *std::move(opened);
        replica_->on_failed([this](const Error&) { failed_ = true; });
        ledger_.check(machine_.commands);
        ledger_.agree(machine_.commands);
        EXPECT_GT(replica_->epoch(), ledger_.epoch);
        ledger_.epoch = replica_->epoch();
        go_on();
    }

    void go_on() {
        const std::uint64_t burst = runtime_.random().chance(1, 20) ? 30 : 1;
        for (std::uint64_t i = 0; i < burst; ++i) propose(runtime_.random().below(6000));
        timer_ =
            runtime_.at(runtime_.now() + runtime_.random().between(Duration(50us), Duration(4ms)),
                        [this] { go_on(); });
    }

    void propose(std::uint64_t bytes) {
        const auto number = ledger_.next++;
        std::string command = std::to_string(number) + ":";
        command.append(bytes, static_cast<char>('a' + number % 26));
        ledger_.offer(command);
        const Bytes raw = as_bytes(command);
        replica_->propose(Buffer(raw.begin(), raw.end()), Urgency::ordinary,
                          [this, command](const Result<Index>& outcome) {
                              ledger_.settle(command, outcome);
                              if (outcome) ++acknowledged_;
                          });
    }

    Runtime& runtime_;
    Ledger& ledger_;
    ListMachine machine_;
    bool failed_ = false;
    std::optional<Error> error_;
    std::uint64_t acknowledged_ = 0;
    std::unique_ptr<journal::Opening> opening_;
    std::unique_ptr<Replica> replica_;
    std::unique_ptr<Timer> timer_;
};

/// The faults of one run, drawn once. A run may have no fault.
sim::DiskOptions faults(Random& random) {
    sim::DiskOptions disk;
    disk.kill_loses_unsynced = random.chance(1, 2);
    if (random.chance(1, 3)) disk.sync_error_rate = 2'000;
    if (random.chance(1, 3)) disk.write_error_rate = 2'000;
    if (random.chance(1, 3)) disk.read_error_rate = 500;
    if (random.chance(1, 3)) disk.stall_rate = 5'000;
    disk.stall_max = 50ms;
    if (random.chance(1, 3)) disk.capacity_bytes = random.between(200 * KiB, 800 * KiB);
    return disk;
}

void run(std::uint64_t seed) {
    const SeedLine line(seed);
    sim::World world({.seed = seed});
    Random& random = world.random();
    sim::Node& node = world.add_node("h1");
    node.disk().options() = faults(random);
    Ledger ledger;
    sim::Process& process = node.start("service", [&](Runtime& runtime, Log& log) {
        return std::make_unique<Service>(runtime, log, ledger);
    });

    for (int turn = 0; turn < 12; ++turn) {
        switch (random.below(4)) {
            case 0:
                world.run_for(random.between(Duration(0s), Duration(60ms)));
                process.crash();
                break;
            case 1:
                world.run_for(random.between(Duration(0s), Duration(60ms)));
                node.power_off();
                node.power_on();
                break;
            default:
                process.crash_at_disk_call(random.between(std::uint64_t{1}, std::uint64_t{150}));
                world.run_until([&] { return !process.alive(); }, Duration(200ms));
                if (random.chance(1, 2)) {
                    node.power_off();
                    node.power_on();
                }
        }
        if (process.alive() && process.app<Service>().broken()) process.stop();
        if (!process.alive()) process.restart();
    }

    process.crash_at_disk_call(0);
    node.disk().options() = {};
    process.stop();
    process.restart();
    ASSERT_TRUE(
        world.run_until([&] { return process.app<Service>().acknowledged() > 50; }, Duration(20s)))
        << to_string(process.app<Service>().error().value_or(Error{Errc::timed_out}));
    process.crash();
    process.restart();
    ASSERT_TRUE(world.run_until([&] { return process.app<Service>().serves(); }, Duration(20s)));
    EXPECT_EQ(world.verdict(), "");
}

TEST(ReplicaSim, KeepsItsPromisesUnderRandomFaults) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        run(seed);
        ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed;
    }
}

}  // namespace
}  // namespace understudy::replica
