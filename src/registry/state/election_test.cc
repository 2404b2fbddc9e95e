#include "registry/state/election.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace understudy::registry {
namespace {

namespace pb = wire::pb;
using role::Cause;

[[nodiscard]] pb::ServiceConfig config_of(Redundancy redundancy) {
    pb::ServiceConfig config;
    config.set_family("Foo");
    config.set_redundancy(static_cast<std::uint32_t>(redundancy));
    return config;
}

/// One service of a kind, without the rest of the state.
class ElectionStage {
public:
    explicit ElectionStage(Redundancy redundancy) : service(config_of(redundancy)) {}

    Change join(const std::string& name, std::uint64_t known_epoch = 0, bool holds_role = false) {
        const JoinOrder order = service.next_order;
        service.next_order = order.next();
        Member& member = service.line
                             .emplace(order, Member{.name = name,
                                                    .agent = name,
                                                    .incarnation = {order.value},
                                                    .endpoint = {},
                                                    .order = order,
                                                    .role = service.election().first_role(),
                                                    .epoch = {},
                                                    .process = {}})
                             .first->second;
        pb::AddMember add;
        add.mutable_wanted()->set_member(name);
        add.mutable_wanted()->set_known_epoch(known_epoch);
        add.mutable_wanted()->set_holds_role(holds_role);
        Change change{.service = service};
        service.election().joined(change, {.registry_id = 77}, add, member);
        check();
        return change;
    }
    Change leave(const std::string& name, const std::vector<std::string>& suspects = {}) {
        Change change{.service = service};
        service.election().left(
            change, service.find(name)->order,
            {.cause = Cause::process_gone, .evidence = "it ended", .previous = name}, suspects);
        check();
        return change;
    }
    Change report(const std::string& name, Role role, std::uint64_t epoch) {
        pb::MemberReported reported;
        reported.set_role(static_cast<std::uint32_t>(role));
        reported.set_epoch(epoch);
        Change change{.service = service};
        service.election().reported(change, service.line.at(service.find(name)->order), reported);
        check();
        return change;
    }
    Result<void> switch_over(const std::string& from, const std::string& to) {
        pb::Switchover wanted;
        wanted.set_from(from);
        wanted.set_to(to);
        wanted.set_epoch(service.epoch.value);
        Change change{.service = service};
        auto switched = service.election().switched(change, wanted);
        check();
        return switched;
    }
    [[nodiscard]] std::string active() const {
        return service.active_member() == nullptr ? "" : service.active_member()->name;
    }
    void check() const { service.election().check_invariants(service); }

    Service service;
};

[[nodiscard]] std::set<std::string> told(const Change& change) {
    std::set<std::string> names;
    for (const JoinOrder order : change.told) names.insert(change.service.line.at(order).name);
    return names;
}

TEST(RegistryElection, TheEarliestThatIsNoSuspectIsPromotedAtOnce) {
    ElectionStage stage(Redundancy::fault_tolerant);
    for (const char* name : {"a", "b", "c"}) stage.join(name);
    EXPECT_EQ(stage.active(), "a");

    const Change change = stage.leave("a", {"b"});

    EXPECT_EQ(stage.active(), "c");
    EXPECT_EQ(told(change), std::set<std::string>{"c"});
    EXPECT_EQ(change.removed.size(), 1u);
    EXPECT_EQ(stage.service.epoch, Epoch{2});
    EXPECT_EQ(stage.service.story.back().previous(), "a");
    stage.leave("c", {"b"});
    EXPECT_EQ(stage.active(), "b") << "a suspect is better than nobody";
}

TEST(RegistryElection, AHolderOfANewerEpochIsBelieved) {
    ElectionStage stage(Redundancy::fault_tolerant);
    stage.join("a");
    const Change change = stage.join("b", 9, true);
    EXPECT_EQ(stage.active(), "b");
    EXPECT_EQ(stage.service.epoch, Epoch{9});
    EXPECT_EQ(told(change), (std::set<std::string>{"a", "b"}));
}

TEST(RegistryElection, ASwitchoverIsDoneAtOnceAndTheGiverIsTheLastInLine) {
    ElectionStage stage(Redundancy::fault_tolerant);
    for (const char* name : {"a", "b", "c"}) stage.join(name);
    EXPECT_FALSE(stage.switch_over("b", "c")) << "b is not active";
    EXPECT_FALSE(stage.switch_over("a", "a"));
    ASSERT_TRUE(stage.switch_over("a", "c"));
    EXPECT_EQ(stage.active(), "c");
    EXPECT_EQ(stage.service.names(), "b, c, a");
    EXPECT_EQ(stage.service.election().switchover(), nullptr);
}

TEST(BalancedElection, AllAreActiveUnderEpochsOfTheirOwn) {
    ElectionStage stage(Redundancy::load_balanced);
    stage.join("a");
    stage.join("b");
    stage.leave("a");
    stage.join("c", 2, true);
    EXPECT_EQ(stage.active(), "");
    for (const auto& [order, member] : stage.service.line) EXPECT_EQ(member.role, Role::active);
    EXPECT_EQ(stage.service.find("b")->epoch, Epoch{2});
    EXPECT_EQ(stage.service.find("c")->epoch, Epoch{3});
    EXPECT_EQ(stage.service.promotions, 0u);
    EXPECT_EQ(waiting_of(stage.service).what, "");
}

TEST(JournalElection, NobodyIsActiveBeforeAReportSaysSo) {
    ElectionStage stage(Redundancy::journaled);
    stage.join("a");
    stage.join("b");
    EXPECT_EQ(stage.active(), "");
    EXPECT_EQ(stage.service.find("a")->designation->role, Role::active);
    EXPECT_EQ(stage.service.find("b")->designation->role, Role::checkpointer);
    EXPECT_EQ(waiting_of(stage.service).what,
              "a is to be active: its journal has not made it so yet");
    EXPECT_FALSE(waiting_of(stage.service).stuck);
    stage.report("a", Role::active, 3);
    EXPECT_EQ(stage.active(), "a");
    EXPECT_EQ(stage.service.epoch, Epoch{3});

    stage.leave("a");

    EXPECT_EQ(stage.active(), "");
    EXPECT_TRUE(waiting_of(stage.service).stuck) << "b is the checkpointer";
    EXPECT_EQ(stage.service.lost->member(), "a");
}

TEST(JournalElection, ASwitchoverIsUnderWayUntilTheJournalDecides) {
    ElectionStage stage(Redundancy::journaled);
    for (const char* name : {"a", "b", "c"}) stage.join(name);
    stage.report("a", Role::active, 1);
    EXPECT_FALSE(stage.switch_over("a", "b")) << "it is the checkpointer";
    ASSERT_TRUE(stage.switch_over("a", "c"));
    EXPECT_FALSE(stage.switch_over("a", "c")) << "one is under way";
    EXPECT_EQ(stage.active(), "a");
    ASSERT_NE(stage.service.election().switchover(), nullptr);
    EXPECT_EQ(stage.service.find("c")->designation->role, Role::active);

    stage.report("c", Role::active, 2);

    EXPECT_EQ(stage.active(), "c");
    EXPECT_EQ(static_cast<Cause>(stage.service.story.back().cause()), Cause::switchover);
    EXPECT_EQ(stage.service.election().switchover(), nullptr);
    EXPECT_EQ(stage.service.names(), "b, c, a");
}

TEST(JournalElection, ASwitchoverIsCalledOffByOneOfTheActiveMemberToItself) {
    ElectionStage stage(Redundancy::journaled);
    for (const char* name : {"a", "b", "c"}) stage.join(name);
    stage.report("a", Role::active, 1);
    ASSERT_TRUE(stage.switch_over("a", "a")) << "there is none: nothing changes";
    ASSERT_TRUE(stage.switch_over("a", "c"));
    ASSERT_TRUE(stage.switch_over("a", "a"));
    EXPECT_EQ(stage.service.election().switchover(), nullptr);
    EXPECT_EQ(stage.service.find("a")->designation->role, Role::active);
}

TEST(Service, OfAnotherKindBeginsAnew) {
    ElectionStage stage(Redundancy::fault_tolerant);
    stage.join("a");
    stage.leave("a");
    EXPECT_TRUE(stage.service.lost);
    stage.service.configure(config_of(Redundancy::load_balanced));
    EXPECT_FALSE(stage.service.lost);
    EXPECT_EQ(stage.service.epoch, Epoch{1});
    EXPECT_EQ(stage.service.election().start_order(), nullptr);
    stage.service.configure(config_of(Redundancy::journaled));
    EXPECT_EQ(stage.service.epoch, Epoch{}) << "epochs are the journal's";
    EXPECT_NE(stage.service.election().start_order(), nullptr);
}

TEST(Service, OfTheSameKindKeepsWhatItsElectionKnows) {
    ElectionStage stage(Redundancy::journaled);
    stage.join("a");
    stage.leave("a");
    stage.service.configure(config_of(Redundancy::journaled));
    EXPECT_TRUE(stage.service.election().start_order()->copies().contains("a"));
}

TEST(Change, WhoGoesToTheBackIsToldItsNewPlace) {
    ElectionStage stage(Redundancy::fault_tolerant);
    stage.join("a");
    stage.join("b");
    Change change{.service = stage.service};
    change.tell(*stage.service.find("a"));
    const Member& member = change.to_the_back(JoinOrder{1});
    EXPECT_EQ(member.order, JoinOrder{3});
    EXPECT_EQ(change.told, std::set<JoinOrder>{JoinOrder{3}}) << "the old place is nobody's";
    EXPECT_EQ(stage.service.names(), "b, a");
}

}  // namespace
}  // namespace understudy::registry
