#include "sim/process.h"

#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "sim/test_programs.h"
#include "sim/world.h"

namespace understudy::sim {
namespace {

/// One machine "a" with one program that does nothing by itself.
struct Single {
    explicit Single(WorldOptions options = {}) : world(std::move(options)) {
        node = &world.add_node("a");
        process = &node->start("program", idle);
    }
    [[nodiscard]] SimRuntime& runtime() { return process->runtime(); }
    /// Runs `job` on a worker.
    void in_job(
        std::function<void(Disk&)> job, std::function<void()> done = [] {}) {
        runtime().post([this, job = std::move(job), done = std::move(done)] {
            SimRuntime& at = runtime();
            at.worker("test").submit([&at, job] { job(at.disk()); }, done);
        });
    }

    World world;
    Node* node;
    Process* process;
};

/// Reports its destruction.
struct ReportsEnd {
    explicit ReportsEnd(Log& to) : log(to) {}
    ~ReportsEnd() { log.error("program.ended"); }
    Log& log;
};

TEST(Process, AfterStopItsDestructorActed) {
    World world;
    Process& process = world.add_node("a").start(
        "program", [](Runtime&, Log& log) { return std::make_unique<ReportsEnd>(log); });
    process.stop();
    EXPECT_FALSE(process.alive());
    EXPECT_EQ(world.errors().size(), 1U);
}

TEST(Process, AfterACrashItsDestructorRanWithoutEffect) {
    World world;
    Process& process = world.add_node("a").start(
        "program", [](Runtime&, Log& log) { return std::make_unique<ReportsEnd>(log); });
    process.crash();
    EXPECT_FALSE(process.alive());
    EXPECT_TRUE(world.errors().empty());
}

// Everything that a destructor might try on a dead runtime.
TEST(Process, ADeadRuntimeAcceptsEveryCallAndDoesNothing) {
    struct Busy {
        explicit Busy(Runtime& to) : runtime(to) {}
        ~Busy() {
            runtime.post([] { FAIL(); });
            const auto timer = runtime.at(runtime.now(), [] { FAIL(); });
            runtime.worker("late").submit([] { FAIL(); }, [] { FAIL(); });
            EXPECT_FALSE(runtime.network().listen({"", 80}, {}, [](auto) { FAIL(); }));
            const auto attempt = runtime.network().connect({"a", 80}, {}, 1s, [](auto) { FAIL(); });
            EXPECT_FALSE(runtime.disk().open("/late", Disk::Open::create));
            const auto watch = runtime.host().watch(runtime.host().self(), [] { FAIL(); });
        }
        Runtime& runtime;
    };
    World world;
    Process& process = world.add_node("a").start(
        "program", [](Runtime& runtime, Log&) { return std::make_unique<Busy>(runtime); });
    process.crash();
    world.run_for(5s);
    EXPECT_FALSE(world.node("a").disk().exists("/late"));
}

TEST(Process, NothingRunsAfterACrash) {
    Single single;
    int ran = 0;
    const auto timer = single.runtime().at(single.runtime().now() + 1s, [&] { ++ran; });
    single.runtime().post([&] { ++ran; });
    single.in_job([&](Disk&) { ++ran; }, [&] { ++ran; });
    single.process->crash();
    single.world.run_for(5s);
    EXPECT_EQ(ran, 0);
}

TEST(Process, ACrashFromWithinItsOwnTurnEndsTheTurnWithoutEffect) {
    Pair pair;
    pair.near().end->on_received = [&] {
        pair.client->crash();
        pair.near().send("from beyond");
    };
    pair.server->runtime().post([&] { pair.far()->connection->send(as_bytes("die")); });
    pair.world.run_for(1s);
    EXPECT_FALSE(pair.client->alive());
    EXPECT_EQ(pair.far()->text, "");
    EXPECT_TRUE(pair.far()->ended);
}

TEST(Process, ARestartRunsTheSameProgramAsANewProcessOfTheSameBoot) {
    Single single;
    const ProcessId before = single.process->id();
    single.process->crash();
    single.process->restart();
    EXPECT_TRUE(single.process->alive());
    EXPECT_EQ(single.process->id().boot, before.boot);
    EXPECT_NE(single.process->id(), before);
    EXPECT_EQ(single.process->starts(), 2U);
}

TEST(Process, PidsComeBackButProcessesDoNot) {
    Single single;
    std::set<std::uint64_t> pids;
    std::set<ProcessId> processes;
    for (int i = 0; i < 100; ++i) {
        pids.insert(single.process->id().pid);
        EXPECT_TRUE(processes.insert(single.process->id()).second) << "start " << i;
        single.process->crash();
        single.process->restart();
    }
    EXPECT_LT(pids.size(), 40U);
}

TEST(Process, AfterARebootNothingIsProvenOfTheFormerBoot) {
    Single single;
    const ProcessId before = single.process->id();
    single.node->power_off();
    EXPECT_FALSE(single.process->alive());
    single.node->power_on();
    single.process->restart();
    EXPECT_NE(single.process->id().boot, before.boot);
    EXPECT_EQ(single.runtime().host().watch(before, [] {}), nullptr);
}

TEST(Process, OfAProcessOnAnotherNodeNothingIsProven) {
    World world;
    Process& here = world.add_node("a").start("here", idle);
    Process& there = world.add_node("b").start("there", idle);
    EXPECT_EQ(here.runtime().host().watch(there.id(), [] {}), nullptr);
}

TEST(Process, WhileItIsPausedNothingRunsAndTimersAreLateAfterwards) {
    Single single;
    std::vector<Duration> fired;
    const TimePoint start = single.runtime().now();
    const auto note = [&] { fired.push_back(single.runtime().now() - start); };
    const auto first = single.runtime().at(start + 1s, note);
    const auto second = single.runtime().at(start + 2s, note);
    const auto third = single.runtime().at(start + 9s, note);

    single.process->pause();
    single.world.run_for(5s);
    EXPECT_TRUE(fired.empty());

    single.process->resume();
    single.world.run_for(5s);
    ASSERT_EQ(fired.size(), 3U);
    EXPECT_GE(fired[0], 5s);
    EXPECT_GE(fired[1], 5s);
    EXPECT_LT(fired[1], 5s + 1ms);
    EXPECT_GE(fired[2], 9s);
    EXPECT_LT(fired[2], 9s + 1ms);
}

// A lease timer is due, and the renewal came in time: a resumed process sees either of them first.
TEST(Process, AfterAPauseTimersAndBytesComeInAnyOrder) {
    std::set<std::string> orders;
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        Pair pair({.seed = seed});
        std::string order;
        pair.near().end->on_received = [&] { order += 'b'; };
        Runtime& runtime = pair.client->runtime();
        const auto timer = runtime.at(runtime.now() + 1s, [&] { order += 't'; });
        pair.client->pause();
        pair.server->runtime().post([&] { pair.far()->connection->send(as_bytes("x")); });
        pair.world.run_for(5s);
        pair.client->resume();
        pair.world.run_for(1s);
        orders.insert(order);
    }
    EXPECT_EQ(orders, (std::set<std::string>{"bt", "tb"}));
}

TEST(Process, AfterAPauseEachSourceKeepsItsOwnOrder) {
    Single single;
    std::string order;
    std::vector<std::unique_ptr<Timer>> timers;
    for (int i = 0; i < 9; ++i) {
        timers.push_back(single.runtime().at(single.runtime().now() + (1 + i) * 10ms,
                                             [&order, i] { order += static_cast<char>('0' + i); }));
    }
    single.process->pause();
    single.world.run_for(1s);
    single.process->resume();
    single.world.run_for(1s);
    EXPECT_EQ(order, "012345678");
}

TEST(Process, AJobWaitsForTheEndOfAPause) {
    Single single;
    bool ran = false;
    bool done = false;
    single.in_job([&](Disk&) { ran = true; }, [&] { done = true; });
    single.world.run_until([] { return false; }, single.world.now() + 5us);
    single.process->pause();
    single.world.run_for(1s);
    EXPECT_FALSE(done);
    single.process->resume();
    single.world.run_for(1s);
    EXPECT_TRUE(ran);
    EXPECT_TRUE(done);
}

TEST(Process, StopFromWithinATurnComesAfterIt) {
    Single single;
    bool turn_ended = false;
    single.runtime().post([&] {
        single.process->stop();
        EXPECT_TRUE(single.process->alive());
        turn_ended = true;
    });
    single.world.run_for(1s);
    EXPECT_TRUE(turn_ended);
    EXPECT_FALSE(single.process->alive());
}

TEST(Process, ACrashAtADiskCallLeavesTheDiskAsItWasAndTellsNobody) {
    Single single;
    std::vector<bool> went_well;
    bool done = false;
    single.process->crash_at_disk_call(4);
    single.in_job(
        [&](Disk& disk) {
            auto file = disk.open("/a", Disk::Open::create);
            went_well.push_back(static_cast<bool>(file));
            went_well.push_back(static_cast<bool>((*file)->write_at(0, as_bytes("kept"))));
            went_well.push_back(static_cast<bool>((*file)->sync()));
            went_well.push_back(static_cast<bool>(disk.sync_directory("/")));
            went_well.push_back(static_cast<bool>(disk.open("/b", Disk::Open::create)));
            const auto late = (*file)->write_at(0, as_bytes("lost"));
            EXPECT_EQ(late.error().code, Errc::disk_failed);
        },
        [&] { done = true; });
    single.world.run_for(1s);

    EXPECT_EQ(went_well, (std::vector<bool>{true, true, true, false, false}));
    EXPECT_FALSE(single.process->alive());
    EXPECT_FALSE(done);
    EXPECT_FALSE(single.node->disk().exists("/b"));
    const auto left = single.node->disk().contents("/a");
    EXPECT_EQ(left ? as_text(*left) : "kept",
              "kept");  // The name was not synced, so it may be gone.
}

TEST(Process, ACrashPointSetOnADeadProcessHitsItsNextStart) {
    World world;
    Process& process = world.add_node("a").start("program", [](Runtime& runtime, Log&) {
        (void)runtime.disk().make_directory("/x");
        return std::make_unique<Idle>();
    });
    process.crash();
    process.crash_at_disk_call(1);
    process.restart();
    EXPECT_FALSE(process.alive());
    process.restart();
    EXPECT_TRUE(process.alive());
}

TEST(Process, BlockingTheLoopOnTheDiskIsRefused) {
    Single single;
    single.runtime().post([&] { (void)single.runtime().disk().list("/"); });
    EXPECT_DEATH(single.world.run_for(1s), "meter");
}

TEST(Process, AConnectionThatIsNotStartedInItsTurnIsRefused) {
    Single single;
    std::unique_ptr<Connection> kept;
    auto listener = single.runtime().network().listen(
        {"", 80}, {},
        [&](std::unique_ptr<Connection> connection) { kept = std::move(connection); });
    ASSERT_TRUE(listener);
    const auto attempt = single.runtime().network().connect({"a", 80}, {}, 1s, [](auto) {});
    EXPECT_DEATH(single.world.run_for(1s), "unstarted_");
}

TEST(Process, AClockThatRunsFastReachesItsDeadlineEarly) {
    Single single;
    single.process->set_drift(LocalClock::drift_ppm_max);
    const TimePoint start = single.runtime().now();
    TimePoint world_then;
    const auto timer = single.runtime().at(start + 1s, [&] { world_then = single.world.now(); });
    const TimePoint world_start = single.world.now();
    single.world.run_for(2s);
    EXPECT_NEAR(static_cast<double>((world_then - world_start).count()), 1e9 / 1.02, 1e6);
    EXPECT_EQ(single.runtime().now() - start, 2040ms);
}

TEST(Process, NodesMonotonicClocksNeedNotAgree) {
    WorldOptions options{.seed = 4};
    options.clock.offset_max = 10'000s;
    World world(options);
    Process& a = world.add_node("a").start("a", idle);
    Process& b = world.add_node("b").start("b", idle);
    EXPECT_NE(a.runtime().now(), b.runtime().now());
}

TEST(Process, AJumpOfTheWallClockMovesNothingElse) {
    Single single;
    const std::uint64_t wall = single.runtime().host().wall_ms();
    const TimePoint now = single.runtime().now();
    single.node->jump_wall(-3'600'000);
    EXPECT_EQ(single.runtime().host().wall_ms(), wall - 3'600'000);
    EXPECT_EQ(single.runtime().now(), now);
}

TEST(Process, ASlowProcessTakesItsTime) {
    Single single;
    single.process->slow_down(100ms);
    int turns = 0;
    for (int i = 0; i < 100; ++i) single.runtime().post([&] { ++turns; });
    single.world.run_for(1s);
    EXPECT_GE(turns, 9);
    EXPECT_LE(turns, 11);
}

TEST(Process, ABusyLoopFallsBehindItsTimers) {
    Single single;
    single.process->slow_down(50ms);
    for (int i = 0; i < 20; ++i) single.runtime().post([] {});
    Duration late{};
    const TimePoint due = single.runtime().now() + 10ms;
    const auto timer = single.runtime().at(due, [&] { late = single.runtime().now() - due; });
    single.world.run_for(5s);
    EXPECT_GT(late, 800ms);
}

}  // namespace
}  // namespace understudy::sim
