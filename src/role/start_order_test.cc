#include "role/start_order.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"

namespace understudy::role {
namespace {

/// The members that run, in the order of starting: "A=active+ B=checkpointer+ C=standby". A + means
/// the duty of taking checkpoints. A - means that the member is not electable, although its role
/// would allow it.
class Service {
public:
    explicit Service(StartOrder::Options options, const std::string& copies = "ABC")
        : order(options) {
        for (const char copy : copies) order.added(std::string(1, copy));
    }

    /// "+A": A starts; "-A": A stops; "aA": A is registered; "rA": A is removed; "eA": the journal
    /// has elected A; "w": it has waited.
    std::string play(const std::string& story) {
        for (std::size_t at = 0; at < story.size(); ++at) {
            const char what = story[at];
            if (what == ' ') continue;
            if (what == 'w') {
                order.waited();
                continue;
            }
            const std::string member(1, story[++at]);
            if (what == '+') order.started(member);
            if (what == '-') order.stopped(member);
            if (what == 'a') order.added(member);
            if (what == 'r') order.removed(member);
            if (what == '?') order.caught_up(member, false);
            if (what == '!') order.caught_up(member, true);
            if (what == 'e') order.elected(member);
        }
        return state();
    }

    [[nodiscard]] std::string state() const {
        std::string text;
        for (const char member : std::string("ABCD")) {
            const Designation* found = order.find(std::string(1, member));
            if (found == nullptr) continue;
            if (!text.empty()) text += ' ';
            text += std::string(1, member) + '=' + std::string(name(found->role));
            if (found->takes_checkpoints) text += '+';
        }
        return text;
    }

    StartOrder order;
};

constexpr StartOrder::Options first_ever = {};
constexpr StartOrder::Options again = {.had_checkpoint = true};
constexpr StartOrder::Options shared = {.checkpointer = Checkpointer::shared};
constexpr StartOrder::Options shared_again = {.checkpointer = Checkpointer::shared,
                                              .had_checkpoint = true};
constexpr StartOrder::Options resort = {.last_resort = LastResort::allow, .had_checkpoint = true};

struct Case {
    const char* what;
    StartOrder::Options options;
    const char* copies;
    const char* story;
    const char* end;
};

class StartOrderStory : public testing::TestWithParam<Case> {};

TEST_P(StartOrderStory, EndsAsItShould) {
    Service service(GetParam().options, GetParam().copies);
    EXPECT_EQ(service.play(GetParam().story), GetParam().end) << GetParam().what;
}

INSTANTIATE_TEST_SUITE_P(
    All, StartOrderStory,
    testing::Values(
        Case{"first start ever: the first is active", first_ever, "ABC", "+A", "A=active+"},
        Case{"first start ever: the second is checkpointer", first_ever, "ABC", "+A +B",
             "A=active B=checkpointer+"},
        Case{"first start ever: later ones stand by", first_ever, "ABC", "+A +B +C",
             "A=active B=checkpointer+ C=standby"},
        Case{"after a full stop: the first is checkpointer", again, "ABC", "+A", "A=checkpointer+"},
        Case{"after a full stop: the second is active", again, "ABC", "+B +A",
             "A=active B=checkpointer+"},
        Case{"after a full stop: further ones stand by", again, "ABC", "+C +A +B",
             "A=active B=standby C=checkpointer+"},
        Case{"a single copy is exempt", again, "A", "+A", "A=active+"},
        Case{"the last copy left is exempt", again, "AB", "+A rB", "A=active+"},
        Case{"kill the first: the last started takes over", first_ever, "ABC", "+A +B +C -A",
             "B=checkpointer+ C=active"},
        Case{"the killed one returns as standby", first_ever, "ABC", "+A +B +C -A +A",
             "A=standby B=checkpointer+ C=active"},
        Case{"ping", first_ever, "ABC", "+A +B +C -A +A -C", "A=active B=checkpointer+"},
        Case{"pong", first_ever, "ABC", "+A +B +C -A +A -C +C -A", "B=checkpointer+ C=active"},
        Case{"with two copies the checkpointer is not promoted", first_ever, "AB", "+A +B -A",
             "B=checkpointer+"},
        Case{"the service goes on when the other returns", first_ever, "AB", "+A +B -A +A",
             "A=active B=checkpointer+"},
        Case{"not even when it is the only one left", first_ever, "ABC", "+A +B +C -A -C",
             "B=checkpointer+"},
        Case{"a last resort promotes it", resort, "AB", "+A +B -B", "A=active+"},
        Case{"a last resort is none while others stand by", resort, "ABC", "+A +B +C -B",
             "A=checkpointer+ C=active"},
        Case{"at a start a last resort waits", resort, "ABC", "+A", "A=checkpointer+"},
        Case{"and is taken when it has waited", resort, "ABC", "+A w", "A=active+"},
        Case{"without the policy waiting does nothing", again, "ABC", "+A w", "A=checkpointer+"},
        Case{"the checkpointer ends: a lone standby takes the duty and stays electable", again,
             "ABC", "+A +B +C -A", "B=active C=standby+"},
        Case{"and is promoted with it", again, "ABC", "+A +B +C -A -B", "C=active+"},
        Case{"of two standbys the last gives up electability", again, "ABCD", "+A +B +C +D -A",
             "B=active C=standby D=checkpointer+"},
        Case{"and gets it back when the other is promoted", again, "ABCD", "+A +B +C +D -A -B",
             "C=active D=standby+"},
        Case{"who has taken the duty keeps it when others come", again, "ABC", "+A +B +C -A +A",
             "A=standby B=active C=checkpointer+"},
        Case{"with nobody else the active takes its own", again, "ABC", "+A +B -A", "B=active+"},
        Case{"until somebody comes", again, "ABC", "+A +B -A +C", "B=active C=standby+"},
        Case{"a full stop starts all over", first_ever, "ABC", "+A +B +C -A -B -C +C +B",
             "B=checkpointer+ C=active"},
        Case{"who lacks entries is not promoted", again, "ABC", "+A ?B +B ?B +C -B",
             "A=checkpointer+ C=active"},
        Case{"whom the journal elects is active, the designated one stands by", again, "ABC",
             "+A +B +C eC", "A=checkpointer+ B=standby C=active"},
        Case{"a checkpointer that the journal elected has its duty no more", again, "ABC",
             "+A +B +C eA", "A=active B=standby C=checkpointer+"},
        Case{"who stood in for the checkpointer and was elected likewise", again, "ABCD",
             "+A +B +C +D -A eD", "B=standby C=checkpointer+ D=active"},
        Case{"who does not run is not elected", again, "ABC", "+A eC", "A=checkpointer+"},
        Case{"a copy that is removed while it runs ends", again, "ABC", "+A +B +C rB",
             "A=checkpointer+ C=active"},
        Case{"shared: the first is active, and a sole member takes its own checkpoints", shared,
             "ABC", "+A", "A=active+"},
        Case{"shared: the second takes them and stays a standby", shared, "ABC", "+A +B",
             "A=active B=standby+"},
        Case{"shared: who takes them keeps the duty when others come", shared, "ABC", "+A +B +C",
             "A=active B=standby+ C=standby"},
        Case{"shared: also after a full stop the first is active", shared_again, "ABC", "+C +A +B",
             "A=standby+ B=standby C=active"},
        Case{"shared: two copies are a pair", shared_again, "AB", "+A +B -A", "B=active+"},
        Case{"shared: the one that ended returns as standby", shared_again, "AB", "+A +B -A +A",
             "A=standby+ B=active"},
        Case{"shared: the pair goes to and fro", shared_again, "AB", "+A +B -A +A -B", "A=active+"},
        Case{"shared: the earliest is next, whatever its duty", shared, "ABC", "+A +B +C -A",
             "B=active C=standby+"},
        Case{"shared: the duty goes to another standby", shared, "ABC", "+A +B +C -B",
             "A=active C=standby+"},
        Case{"shared: whom the journal elects is active", shared, "ABC", "+A +B +C eB",
             "A=standby B=active C=standby+"},
        Case{"shared: who lacks entries is not promoted", shared_again, "ABC", "+A +B +C ?B -A",
             "B=standby+ C=active"}));

TEST(StartOrder, TheCheckpointerMayBecomeShared) {
    Service service(again);
    EXPECT_EQ(service.play("+A +B +C"), "A=checkpointer+ B=active C=standby");
    EXPECT_EQ(service.order.choose(Checkpointer::shared).size(), 1U) << "A is electable now";
    EXPECT_EQ(service.state(), "A=standby+ B=active C=standby");
    EXPECT_EQ(service.play("-B"), "A=active C=standby+");
}

TEST(StartOrder, AMemberThatWaitsBecomesActiveWhenTheCheckpointerBecomesShared) {
    Service service(again, "AB");
    EXPECT_EQ(service.play("+A"), "A=checkpointer+");
    service.order.choose(Checkpointer::shared);
    EXPECT_EQ(service.state(), "A=active+");
}

TEST(StartOrder, TheCheckpointerMayBecomeDedicated) {
    Service service(shared);
    EXPECT_EQ(service.play("+A +B +C"), "A=active B=standby+ C=standby");
    service.order.choose(Checkpointer::dedicated);
    EXPECT_EQ(service.state(), "A=active B=checkpointer+ C=standby");
    EXPECT_EQ(service.play("-A"), "B=standby+ C=active") << "it is the only other electable one";
}

TEST(StartOrder, AFullStopAfterTheFirstCheckpointIsNoFirstStart) {
    Service service(first_ever);
    service.play("+A +B");
    service.order.has_checkpoint();
    EXPECT_EQ(service.play("-A -B +A +B"), "A=checkpointer+ B=active");
}

TEST(StartOrder, AllowingALastResortLaterCounts) {
    Service service(first_ever, "AB");
    EXPECT_EQ(service.play("+A +B -A"), "B=checkpointer+");
    service.order.allow(LastResort::allow);
    EXPECT_EQ(service.state(), "B=active+");
}

TEST(StartOrder, WhatDoesNotFitTogetherIsNotRestored) {
    const StartOrder order = StartOrder::restored(again, {.has_checkpoint = true,
                                                          .copies = {"A", "B", "C"},
                                                          .active = "C",
                                                          .checkpointer = "C",
                                                          .stand_in = "A"},
                                                  {"A", "A", "X"});
    order.check_invariants();
    EXPECT_EQ(order.active(), "X") << "C does not run, A has a duty";
    EXPECT_EQ(order.duty(), "A");
}

TEST(StartOrder, NobodyIsPromotedWithoutAMajorityOrBeforeItIsWhole) {
    Service service(again);
    service.order.majority(false);
    EXPECT_EQ(service.play("+A +B"), "A=checkpointer+ B=standby");
    service.play("?B");
    service.order.majority(true);
    EXPECT_EQ(service.state(), "A=checkpointer+ B=standby");
    EXPECT_EQ(service.play("!B"), "A=checkpointer+ B=active");
}

TEST(StartOrder, WhoGaveItsRoleAwayIsTheLastToGetItAgain) {
    Service service(first_ever, "ABCD");
    EXPECT_EQ(service.play("+A +B +C +D eC"), "A=standby B=checkpointer+ C=active D=standby");
    service.order.to_the_back("A");
    service.order.to_the_back("Z");
    EXPECT_EQ(service.play("-C"), "A=standby B=checkpointer+ D=active");
    EXPECT_EQ(service.play("-D"), "A=active B=checkpointer+");
}

TEST(StartOrder, TellsOnlyWhatHasChanged) {
    Service service(first_ever);
    EXPECT_EQ(service.order.started("A").size(), 1U);
    EXPECT_EQ(service.order.started("A").size(), 0U);
    EXPECT_EQ(service.order.started("B").size(), 2U) << "A has lost the duty";
    EXPECT_EQ(service.order.started("C").size(), 1U);
    EXPECT_EQ(service.order.stopped("D").size(), 0U);
}

// For any members that start and stop: at most one is active, one has the duty if any runs, the
// checkpointer is never promoted, and a member is active if one could be.
TEST(StartOrder, HoldsItsPromisesUnderRandomComingsAndGoings) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        Random random(seed);
        const Checkpointer checkpointer =
            seed % 2 == 0 ? Checkpointer::shared : Checkpointer::dedicated;
        Service service({.checkpointer = checkpointer, .had_checkpoint = random.chance(1, 2)},
                        "ABCD");
        std::set<std::string> up;
        std::vector<std::string> line;  // The same, in the order of starting.
        for (int step = 0; step < 60; ++step) {
            const std::string member(1, static_cast<char>('A' + random.below(4)));
            const Designation* before = service.order.find(member);
            const bool was_checkpointer = before != nullptr && before->role == Role::checkpointer;
            if (up.contains(member) && !was_checkpointer) {
                service.order.stopped(member);
                up.erase(member);
            } else {
                service.order.started(member);
                up.insert(member);
            }
            service.order.check_invariants();
            const StartOrder::Saved saved = service.order.save();
            std::erase_if(line, [&](const std::string& each) { return !up.contains(each); });
            if (up.contains(member) && std::find(line.begin(), line.end(), member) == line.end()) {
                line.push_back(member);
            }
            const std::string before_restart = service.state();
            service.order = StartOrder::restored({.checkpointer = checkpointer}, saved, line);
            ASSERT_EQ(service.state(), before_restart) << "seed " << seed << ", step " << step;
            ASSERT_EQ(service.order.save(), saved);
            std::size_t electable = 0;
            for (const std::string& each : up) {
                electable += service.order.find(each)->electable ? 1 : 0;
            }
            ASSERT_EQ(service.order.active().empty(), electable == 0)
                << "seed " << seed << ", step " << step << ": " << service.state();
            if (checkpointer != Checkpointer::shared) continue;
            ASSERT_EQ(electable, up.size()) << "seed " << seed << ", step " << step;
        }
    }
}

}  // namespace
}  // namespace understudy::role
