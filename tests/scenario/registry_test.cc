// The registry is away, returns, or is replaced: what runs goes on (docs/protocols/roles.md).

#include <gtest/gtest.h>

#include "tests/scenario/old_backup.h"

namespace understudy::scenario {
namespace {

using Lines = std::vector<std::string>;

/// Counts the outcomes of many members.
struct Extras final : client::MemberObserver {
    void role_changed(Role, Epoch) override {}
    void registered(std::uint64_t) override { ++registrations; }
    void refused(const Error& reason) override {
        refused_no_space += reason.code == Errc::no_space ? 1 : 0;
    }
    void call(client::CallToken, std::string_view, Bytes, TimePoint) override {}
    void call_abandoned(client::CallToken) override {}
    void subscriptions_changed(std::string_view, std::size_t, std::size_t) override {}
    void clients_changed(std::size_t) override {}
    std::optional<Error> permit(std::string_view, std::string_view) override { return {}; }
    std::size_t registrations = 0;
    std::size_t refused_no_space = 0;
};

struct Trio {
    Trio() {
        registry = &stage.start_registry();
        for (const char* name : {"Bar1", "Bar2", "Bar3"}) {
            members.push_back(&stage.start_member(std::string("n") + name, name));
            EXPECT_TRUE(stage.until([&] { return stage.line().size() == members.size(); }));
        }
        client = &stage.start_client("c", "client");
        EXPECT_TRUE(stage.until([&] { return seen().mirror.in_sync(); }));
    }
    ClientApp& seen() { return client->app<ClientApp>(); }
    MemberApp& member(std::size_t i) { return members[i]->app<MemberApp>(); }
    bool all_back() {
        return stage.until(
            [&] {
                if (!stage.registry().serving) return false;
                for (auto* process : members) {
                    if (process->alive() && !process->app<MemberApp>().agent->registry_up()) {
                        return false;
                    }
                }
                return seen().agent->registry_up();
            },
            10s);
    }

    Stage stage;
    sim::Process* registry;
    std::vector<sim::Process*> members;
    sim::Process* client;
};

// I2: order, epoch and active member do not change; no member is demoted, no client loses its
// connection.
TEST(I2RegistryRestart, ChangesNothing) {
    Trio trio;
    const Lines statuses = trio.seen().statuses;
    for (int round = 0; round < 5; ++round) {
        trio.registry->crash();
        trio.stage.world.run_for(500ms);
        trio.registry->restart();
        ASSERT_TRUE(trio.all_back()) << "round " << round;
        trio.stage.world.run_for(3s);
        EXPECT_EQ(trio.stage.line(), (Lines{"Bar1", "Bar2", "Bar3"})) << "round " << round;
    }
    EXPECT_EQ(trio.stage.active(), "Bar1");
    EXPECT_EQ(trio.stage.service().epoch, Epoch{1});
    EXPECT_EQ(trio.member(0).heard, Lines{"active 1"});
    EXPECT_EQ(trio.member(1).heard, Lines{"standby 1"});
    EXPECT_EQ(trio.seen().statuses, statuses);
    EXPECT_EQ(trio.seen().shown, Lines{"Bar1"});
}

TEST(RegistryAway, RecordsAndCallsGoOn) {
    Trio trio;
    trio.registry->crash();
    trio.stage.world.run_for(10s);
    trio.member(0).publish(42);
    trio.seen().call(1s);
    ASSERT_TRUE(trio.stage.until([&] { return trio.seen().outcomes.size() == 1; }));
    EXPECT_TRUE(trio.seen().outcomes[0]);
    EXPECT_EQ(trio.seen().mirror.image().integer("n"), 42);
}

// The active member dies while the registry is away: another is promoted when the registry is back
// and the lease has expired.
TEST(RegistryAway, ADeathMeanwhileIsNoticedAfterTheReturn) {
    Trio trio;
    trio.registry->crash();
    trio.stage.world.run_for(200ms);
    trio.members[0]->crash();
    trio.stage.world.run_for(200ms);
    trio.registry->restart();
    ASSERT_TRUE(trio.stage.until([&] { return trio.seen().shown.back() == "Bar2"; }));
    EXPECT_EQ(trio.stage.service().epoch, Epoch{2});
}

// The client's link to the registry is cut, and a failover happens: a member redirects the client.
TEST(RegistryAway, AClientCutOffFromTheRegistryFollowsAFailover) {
    Trio trio;
    trio.stage.world.cut("c", "r");
    trio.stage.world.run_for(3s);
    trio.members[0]->crash();
    ASSERT_TRUE(trio.stage.until([&] { return trio.seen().shown.back() == "Bar2"; }));
    EXPECT_EQ(trio.seen().shown, (Lines{"Bar1", "Bar2"}));
}

// The holder cannot reach the registry and is replaced; a client that has met both members tells
// it.
TEST(HigherEpoch, AMemberThatHearsOfASuccessorFromAClientStepsDown) {
    Trio trio;
    trio.stage.world.cut("c", "r");
    trio.stage.world.cut("nBar1", "r");
    ASSERT_TRUE(trio.stage.until([&] { return trio.stage.active() == "Bar2"; }));
    EXPECT_EQ(trio.seen().status.member, "Bar1");  // Neither has heard of the failover: keep.
    trio.stage.world.cut("c", "nBar1");
    (void)trio.stage.world.reset_connections("c", "nBar1");
    ASSERT_TRUE(trio.stage.until([&] { return trio.seen().shown.back() == "Bar2"; }));
    EXPECT_EQ(trio.member(0).role(), Role::active);

    trio.stage.world.heal("c", "nBar1");
    trio.members[1]->crash();  // The client looks for another member and also asks Bar1.

    ASSERT_TRUE(trio.stage.until([&] { return trio.member(0).role() == Role::standby; }));
    EXPECT_EQ(trio.member(0).heard, (Lines{"active 1", "standby 2"}));
}

TEST(RegistryEmptied, NoEpochIsGrantedTwiceAndTheActiveStaysActive) {
    Trio trio;
    trio.members[0]->crash();
    ASSERT_TRUE(trio.stage.until([&] { return trio.seen().shown.back() == "Bar2"; }));
    trio.registry->crash();
    trio.stage.directory = "/new";
    trio.registry->restart();
    ASSERT_TRUE(trio.stage.until(
        [&] { return trio.stage.registry().serving && trio.stage.line().size() == 2; }));
    trio.stage.world.run_for(5s);

    EXPECT_EQ(trio.stage.active(), "Bar2");
    EXPECT_EQ(trio.stage.line(), (Lines{"Bar2", "Bar3"}));
    EXPECT_GE(trio.stage.service().epoch, Epoch{2});
    EXPECT_EQ(trio.member(1).role(), Role::active);
    EXPECT_EQ(trio.member(2).heard, Lines{"standby 1"});
}

TEST(OldBackupRestored, WhoHasTheRoleKeepsIt) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        OldBackup old(seed, seed % 2 == 0);
        old.registry->restart();
        ASSERT_TRUE(old.stage.until([&] {
            return old.stage.registry().serving && old.stage.line().size() == 2 &&
                   !old.stage.active().empty();
        })) << seed;
        old.stage.world.run_for(5s);
        EXPECT_EQ(old.stage.active(), "Bar2") << seed;
        EXPECT_EQ(old.stage.service().epoch, Epoch{2}) << seed;
        EXPECT_EQ(old.stage.line(), (Lines{"Bar2", "Bar1"})) << seed;
        EXPECT_EQ(old.bar2->app<MemberApp>().heard, (Lines{"standby 1", "active 2"})) << seed;
        EXPECT_EQ(old.bar1->app<MemberApp>().heard, (Lines{"active 1", "standby 2"})) << seed;
        if (old.client != nullptr) {
            EXPECT_EQ(old.client->app<ClientApp>().status.member, "Bar2") << seed;
        }
    }
}

TEST(OldBackupRestored, AStandbyThatReturnsLongBeforeTheHolderWaitsForIt) {
    OldBackup old(1, true);
    old.stage.world.cut("n2", "r");
    old.registry->restart();
    ASSERT_TRUE(old.stage.until([&] { return old.stage.registry().serving; }));
    ASSERT_TRUE(old.stage.until([&] { return old.stage.service().awaited == "Bar2"; }));
    EXPECT_EQ(old.stage.active(), "");
    ASSERT_TRUE(old.stage.until([&] { return old.stage.active() == "Bar1"; }));
    EXPECT_EQ(old.stage.service().epoch, Epoch{3});
    EXPECT_EQ(old.stage.service().story.back().previous(), "Bar2");
    old.stage.world.heal("n2", "r");
    ASSERT_TRUE(old.stage.until(
        [&] { return old.bar2->app<MemberApp>().role() == Role::standby; }));
}

TEST(OldBackupRestored, AHolderThatIsGoneIsSucceededByWhoIsThere) {
    OldBackup old(1, false);
    old.bar2->crash();
    old.registry->restart();
    ASSERT_TRUE(old.stage.until([&] { return old.stage.active() == "Bar1"; }));
    EXPECT_EQ(old.stage.service().epoch, Epoch{3});
    EXPECT_EQ(old.stage.service().story.back().previous(), "Bar2");
    EXPECT_TRUE(old.stage.until(
        [&] { return old.bar1->app<MemberApp>().heard.back() == "active 3"; }));
}

TEST(SecondRegistry, OnTheSameDirectoryIsRefused) {
    Stage stage;
    stage.start_registry();
    sim::Process& second = stage.world.node("r").start("second", [&](Runtime& runtime, Log& log) {
        return std::make_unique<RegistryApp>(runtime, log, stage.directory);
    });
    ASSERT_TRUE(stage.until([&] { return second.app<RegistryApp>().refusal.has_value(); }));
    EXPECT_EQ(second.app<RegistryApp>().refusal->code, Errc::in_use);
    EXPECT_NE(second.app<RegistryApp>().refusal->detail.find(stage.directory), std::string::npos);
}

// The disk is full: no new member joins; everything else goes on, promotions included.
TEST(FullDisk, ChangesAreRefusedAndPromotionsStillWork) {
    Trio trio;
    sim::DiskStore& disk = trio.stage.world.node("r").disk();
    disk.set_capacity(disk.used_bytes());
    // Ordinary changes use up the room that is not kept for promotions.
    Extras extras;
    client::Agent& agent = *trio.seen().agent;
    for (int i = 0; i < 3000; ++i) {
        ASSERT_TRUE(agent.create_member(
            {.family = "Other", .member = "Extra" + std::to_string(i), .role = {}}, extras));
    }
    ASSERT_TRUE(trio.stage.until([&] { return extras.refused_no_space > 0; }));
    EXPECT_GT(extras.registrations, 0u);
    trio.member(0).publish(7);

    trio.members[0]->crash();

    ASSERT_TRUE(trio.stage.until([&] { return trio.seen().shown.back() == "Bar2"; }));
    EXPECT_EQ(trio.stage.service().epoch, Epoch{2});
    disk.set_capacity(GiB);
    MemberPlan plan{.member = "Late", .family = "Other"};
    sim::Process& late = trio.stage.start_member("y", plan);
    ASSERT_TRUE(trio.stage.until(
        [&] {
            return late.app<MemberApp>().heard.size() > 0 &&
                   late.app<MemberApp>().heard.back().starts_with("standby");
        },
        30s));
}

}  // namespace
}  // namespace understudy::scenario
