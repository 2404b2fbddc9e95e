#include "registry/tenure/waits.h"

#include "registry/tenure/parts_test.h"

namespace understudy::registry {
namespace {

class WaitsAlone : public testing::Test {
protected:
    [[nodiscard]] Turn tick_after(Duration time) {
        parts.now += time;
        Turn turn = parts.turn();
        waits.tick(turn);
        return turn;
    }
    /// A service with a known epoch and an unknown holder.
    void unsettled() {
        pb::RegistryCommand command;
        command.mutable_raise()->set_family("Foo");
        command.mutable_raise()->set_epoch(7);
        command.mutable_raise()->set_reporter("client");
        (void)parts.apply(command);
    }

    Parts parts;
    Waits waits{parts.state, parts.log, 3s};
};

TEST_F(WaitsAlone, AHolderHasOneLeaseFromTheFirstMemberOn) {
    unsettled();
    waits.arm(parts.now, "Foo");
    EXPECT_TRUE(tick_after(5s).out.empty()) << "there is nobody to be promoted";
    parts.join("Foo", "Bar", 1);
    waits.arm(parts.now, "Foo");
    waits.arm(parts.now + 500ms, "Foo");
    EXPECT_TRUE(tick_after(900ms).out.empty());
    const pb::StopWaiting stop = Parts::proposed(tick_after(100ms)).stop_waiting();
    EXPECT_EQ(stop.family(), "Foo");
    EXPECT_EQ(stop.epoch(), 7u);
    EXPECT_TRUE(tick_after(5s).out.empty()) << "once";
}

TEST_F(WaitsAlone, ARefusedEndOfWaitingBeginsAnew) {
    unsettled();
    parts.join("Foo", "Bar", 1);
    waits.arm(parts.now, "Foo");
    (void)tick_after(1s);
    waits.refused({.kind = Proposal::Kind::stop_waiting, .family = "Foo"}, parts.now);
    EXPECT_TRUE(tick_after(900ms).out.empty());
    EXPECT_EQ(Parts::proposed(tick_after(100ms)).stop_waiting().family(), "Foo");
}

TEST_F(WaitsAlone, WhenItIsSettledNobodyIsWaitedFor) {
    unsettled();
    parts.join("Foo", "Bar", 1);
    waits.arm(parts.now, "Foo");
    pb::RegistryCommand stop;
    stop.mutable_stop_waiting()->set_family("Foo");
    stop.mutable_stop_waiting()->set_epoch(7);
    (void)parts.apply(stop);
    waits.arm(parts.now, "Foo");
    EXPECT_TRUE(tick_after(5s).out.empty());
}

TEST_F(WaitsAlone, ALastResortIsForACheckpointerThatIsAlone) {
    parts.join("server", "a", 1, Redundancy::journaled, true);
    parts.join("server", "b", 2, Redundancy::journaled, true);
    pb::RegistryCommand report;
    report.mutable_report()->set_family("server");
    report.mutable_report()->set_member("a");
    report.mutable_report()->set_incarnation(1);
    report.mutable_report()->set_has_checkpoint(true);
    (void)parts.apply(report);
    waits.arm(parts.now, "server");
    EXPECT_TRUE(tick_after(5s).out.empty()) << "a may be active";
    for (const auto& [member, incarnation] : {std::pair{"a", 1U}, std::pair{"b", 2U}}) {
        pb::RegistryCommand remove;
        remove.mutable_remove()->set_family("server");
        remove.mutable_remove()->set_member(member);
        remove.mutable_remove()->set_incarnation(incarnation);
        (void)parts.apply(remove);
    }
    parts.join("server", "a", 3, Redundancy::journaled, true);
    waits.arm(parts.now, "server");
    EXPECT_TRUE(tick_after(2900ms).out.empty());
    EXPECT_EQ(Parts::proposed(tick_after(100ms)).last_resort().family(), "server");
}

}  // namespace
}  // namespace understudy::registry
