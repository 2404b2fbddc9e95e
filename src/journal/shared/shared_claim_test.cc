#include "journal/shared/shared_claim.h"

#include <gtest/gtest.h>

namespace understudy::journal {
namespace {

using Verdict = ClaimMachine::Verdict;

constexpr Duration lease = 600ms;
constexpr Duration step = lease / ClaimMachine::looks_per_lease;

ClaimMachine::Sighting held(std::uint64_t stamp, std::uint64_t epoch = 3) {
    return {.epoch = {epoch}, .tenure = 77, .stamp = stamp, .held = true};
}

TEST(ClaimMachine, AnEpochThatNobodyEverHadIsClaimedAtOnce) {
    ClaimMachine machine(lease);
    EXPECT_EQ(machine.saw(TimePoint{}, {}), Verdict::claim);
}

TEST(ClaimMachine, AFreeLockIsClaimedAtOnce) {
    ClaimMachine machine(lease);
    auto sighting = held(1);
    EXPECT_EQ(machine.saw(TimePoint{}, sighting), Verdict::wait);
    sighting.held = false;
    EXPECT_EQ(machine.saw(TimePoint{} + step, sighting), Verdict::claim);
}

TEST(ClaimMachine, AStampThatStandsStillForALeaseIsAHungOwner) {
    ClaimMachine machine(lease);
    TimePoint now{};
    for (int look = 0; look < ClaimMachine::looks_per_lease; ++look) {
        EXPECT_EQ(machine.saw(now, held(1)), Verdict::wait) << look;
        now = machine.next_look(now);
    }
    EXPECT_EQ(machine.saw(now, held(1)), Verdict::claim);
}

TEST(ClaimMachine, AStampThatMovesKeepsTheOwnerForEver) {
    ClaimMachine machine(lease);
    TimePoint now{};
    for (std::uint64_t look = 0; look < 1000; ++look) {
        EXPECT_EQ(machine.saw(now, held(look / 3)), Verdict::wait) << look;
        now += step;
    }
}

// The standby was stopped for an hour. The owner may have run meanwhile, or was stopped too.
TEST(ClaimMachine, OnesOwnPauseIsNotHeldAgainstTheOwner) {
    ClaimMachine machine(lease);
    TimePoint now{};
    EXPECT_EQ(machine.saw(now, held(1)), Verdict::wait);
    now += 3600s;
    for (int look = 2; look < ClaimMachine::looks_min; ++look) {
        EXPECT_EQ(machine.saw(now, held(1)), Verdict::wait) << look;
        now += step;
    }
    EXPECT_EQ(machine.saw(now, held(1)), Verdict::claim);
}

TEST(ClaimMachine, AfterALookThatFailedTheLeaseBeginsAgain) {
    ClaimMachine machine(lease);
    TimePoint now{};
    for (int look = 0; look < 5; ++look, now += step) {
        EXPECT_EQ(machine.saw(now, held(1)), Verdict::wait);
    }
    machine.missed();
    for (int look = 0; look < ClaimMachine::looks_per_lease; ++look, now += step) {
        EXPECT_EQ(machine.saw(now, held(1)), Verdict::wait) << look;
    }
    EXPECT_EQ(machine.saw(now, held(1)), Verdict::claim);
}

TEST(ClaimMachine, ANewOwnerGetsAWholeLease) {
    ClaimMachine machine(lease);
    TimePoint now{};
    for (int look = 0; look < 6; ++look, now += step) {
        EXPECT_EQ(machine.saw(now, held(1)), Verdict::wait);
    }
    for (int look = 0; look < 6; ++look, now += step) {
        EXPECT_EQ(machine.saw(now, held(1, 4)), Verdict::wait) << look;
    }
    EXPECT_EQ(machine.saw(now, held(1, 4)), Verdict::claim);
}

TEST(ClaimMachine, WhoStandsBackLeavesTheFreeLockToOthersForAWhile) {
    ClaimMachine machine(lease);
    auto free = held(1);
    free.held = false;
    machine.stand_back(TimePoint{} + 3 * step);
    EXPECT_EQ(machine.saw(TimePoint{}, free), Verdict::wait);
    EXPECT_EQ(machine.saw(TimePoint{} + step, free), Verdict::wait);
    EXPECT_EQ(machine.saw(TimePoint{} + 3 * step, free), Verdict::claim);
}

TEST(ClaimMachine, WhoStandsBackActsAtOnceWhenTheNextOwnerIsGone) {
    ClaimMachine machine(lease);
    machine.stand_back(TimePoint{} + 3600s);
    EXPECT_EQ(machine.saw(TimePoint{}, held(1, 4)), Verdict::wait);
    EXPECT_EQ(machine.saw(TimePoint{} + step, held(1, 5)), Verdict::wait);
    auto gone = held(2, 5);
    gone.held = false;
    EXPECT_EQ(machine.saw(TimePoint{} + 2 * step, gone), Verdict::claim);
}

}  // namespace
}  // namespace understudy::journal
