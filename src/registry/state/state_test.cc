#include "registry/state/state.h"

#include <gtest/gtest.h>

#include "registry/state/story_test.h"

namespace understudy::registry {
namespace {

class Story final : public StateStory {
public:
    Story() : StateStory("Foo") {}

    struct Join {
        Redundancy redundancy = Redundancy::fault_tolerant;
        std::uint64_t replaces = 0;
        std::uint64_t known_epoch = 0;
        std::uint64_t known_order = 0;
        std::uint64_t known_registry = 0;
        bool holds_role = false;
        const char* known_active = "";
        const char* unconfirmed = "";
    };

    Outcome join(const std::string& member, std::uint64_t incarnation) {
        return join(member, incarnation, Join{});
    }
    Outcome join(const std::string& member, std::uint64_t incarnation, const Join& how) {
        pb::RegistryCommand command;
        pb::AddMember& add = *command.mutable_add();
        pb::Register& wanted = *add.mutable_wanted();
        wanted.mutable_config()->set_family("Foo");
        wanted.mutable_config()->set_redundancy(static_cast<std::uint32_t>(how.redundancy));
        wanted.mutable_config()->set_lease_ms(1000);
        wanted.mutable_config()->set_on_registry_loss(1);
        wanted.set_member(member);
        wanted.mutable_endpoint()->set_host("127.0.0.1");
        wanted.mutable_endpoint()->set_port(7000);
        wanted.set_known_epoch(how.known_epoch);
        wanted.set_known_order(how.known_order);
        wanted.set_known_registry(how.known_registry);
        wanted.set_holds_role(how.holds_role);
        wanted.set_known_active(how.known_active);
        add.set_agent(member + "-agent");
        add.set_incarnation(incarnation);
        add.set_replaces(how.replaces);
        add.set_unconfirmed(how.unconfirmed);
        return apply(command);
    }

    Outcome raise(std::uint64_t epoch, const std::string& reporter,
                  const std::string& unconfirmed = {}) {
        pb::RegistryCommand command;
        command.mutable_raise()->set_family("Foo");
        command.mutable_raise()->set_epoch(epoch);
        command.mutable_raise()->set_reporter(reporter);
        command.mutable_raise()->set_unconfirmed(unconfirmed);
        return apply(command);
    }
    Outcome stop_waiting() {
        pb::RegistryCommand command;
        command.mutable_stop_waiting()->set_family("Foo");
        command.mutable_stop_waiting()->set_epoch(epoch());
        return apply(command);
    }
    /// Replaces the registry by another one that is made from a backup of this one.
    void restore_backup(const Buffer& backup) {
        state = State();
        state.go_live();
        pb::RegistryCommand command;
        ASSERT_TRUE(command.mutable_restore()->ParseFromArray(backup.data(),
                                                              static_cast<int>(backup.size())));
        command.mutable_restore()->set_restored(true);
        (void)apply(command);
    }
    [[nodiscard]] Buffer backup() const {
        Buffer image;
        state.snapshot(image);
        return image;
    }
    [[nodiscard]] const pb::Promotion& told_last() const { return service().story.back(); }

    Outcome leave(const std::string& member, std::uint64_t incarnation, Cause cause,
                  std::vector<std::string> suspects = {}) {
        pb::RegistryCommand command;
        pb::RemoveMember& remove = *command.mutable_remove();
        remove.set_family("Foo");
        remove.set_member(member);
        remove.set_incarnation(incarnation);
        remove.set_cause(static_cast<std::uint32_t>(cause));
        remove.set_evidence("test");
        for (const std::string& suspect : suspects) remove.add_suspects(suspect);
        return apply(command);
    }

    Outcome switchover(const std::string& from, const std::string& to, std::uint64_t epoch) {
        pb::RegistryCommand command;
        command.mutable_switchover()->set_family("Foo");
        command.mutable_switchover()->set_from(from);
        command.mutable_switchover()->set_to(to);
        command.mutable_switchover()->set_epoch(epoch);
        return apply(command);
    }
};

using Names = std::vector<std::string>;

TEST(I2JoinOrder, TheEarliestMemberIsActiveAndTheNextFollows) {
    Story story;
    story.join("Bar1", 1);
    story.join("Bar2", 2);
    story.join("Bar3", 3);
    EXPECT_EQ(story.active(), "Bar1");

    story.leave("Bar1", 1, Cause::process_gone);

    EXPECT_EQ(story.active(), "Bar2");
    EXPECT_EQ(story.epoch(), 2u);
}

TEST(I2JoinOrder, AReturningMemberIsLastAndTakesNothingBack) {
    Story story;
    story.join("Bar1", 1);
    story.join("Bar2", 2);
    story.join("Bar3", 3);
    story.leave("Bar1", 1, Cause::process_gone);

    story.join("Bar1", 11);

    EXPECT_EQ(story.line(), (Names{"Bar2", "Bar3", "Bar1"}));
    EXPECT_EQ(story.active(), "Bar2");
}

TEST(I2JoinOrder, AReconnectOfTheSameIncarnationKeepsItsPlaceAndWritesNothingNew) {
    Story story;
    story.join("Bar1", 1);
    story.join("Bar2", 2);
    const Revision before = story.state.revision();

    const Outcome again = story.join("Bar1", 1);

    EXPECT_EQ(story.line(), (Names{"Bar1", "Bar2"}));
    EXPECT_EQ(story.state.revision(), before);
    ASSERT_EQ(again.grants.size(), 1u);
    EXPECT_EQ(again.grants[0].member.role, Role::active);
    EXPECT_EQ(again.grants[0].member.epoch, Epoch{1});
}

TEST(I1OneActivePerEpoch, EachGrantRaisesTheEpoch) {
    Story story;
    story.join("Bar1", 1);
    story.join("Bar2", 2);
    std::uint64_t last = story.epoch();
    for (std::uint64_t round = 0; round < 10; ++round) {
        const std::string name = story.active();
        const auto incarnation = story.state.find("Foo")->active_member()->incarnation.value;
        story.leave(name, incarnation, Cause::process_gone);
        story.join(name, 100 + round);
        EXPECT_EQ(story.epoch(), last + 1) << "round " << round;
        last = story.epoch();
    }
}

TEST(I1OneActivePerEpoch, TheEpochOutlivesAllMembers) {
    Story story;
    story.join("Bar1", 1);
    story.leave("Bar1", 1, Cause::left);
    ASSERT_EQ(story.epoch(), 1u);
    story.join("Bar1", 2);
    EXPECT_EQ(story.epoch(), 2u);
}

// A new process proves that the old one has gone. The new one goes to the end of the line, and the
// next member in line is promoted.
TEST(Incarnations, ANewIncarnationReplacesTheOldAtTheBack) {
    Story story;
    story.join("Bar1", 1);
    story.join("Bar2", 2);

    const Outcome outcome = story.join("Bar1", 11, {.replaces = 1});

    EXPECT_FALSE(outcome.error);
    EXPECT_EQ(story.active(), "Bar2");
    EXPECT_EQ(story.line(), (Names{"Bar2", "Bar1"}));
}

TEST(Incarnations, ASecondProcessWithALiveMembersNameIsRefused) {
    Story story;
    story.join("Bar1", 1);
    const std::uint64_t before = story.state.hash();

    const Outcome outcome = story.join("Bar1", 2);

    ASSERT_TRUE(outcome.error);
    EXPECT_EQ(outcome.error->code, Errc::already_exists);
    EXPECT_EQ(story.state.hash(), before);
}

// Evidence against an old incarnation that arrives late must not remove the new incarnation.
TEST(Incarnations, LateEvidenceAgainstAPredecessorRemovesNobody) {
    Story story;
    story.join("Bar1", 1);
    story.join("Bar1", 2, {.replaces = 1});
    story.leave("Bar1", 1, Cause::silence);
    EXPECT_EQ(story.active(), "Bar1");
}

TEST(Redundancy, OneServiceIsNeverBoth) {
    Story story;
    story.join("Bar1", 1);
    const Outcome outcome = story.join("Bar2", 2, {.redundancy = Redundancy::load_balanced});
    ASSERT_TRUE(outcome.error);
    EXPECT_EQ(outcome.error->code, Errc::bad_config);
    EXPECT_EQ(story.line(), Names{"Bar1"});
}

TEST(Redundancy, AllMembersOfALoadBalancedServiceAreActiveUnderTheirOwnEpochs) {
    Story story;
    story.join("Bar1", 1, {.redundancy = Redundancy::load_balanced});
    story.join("Bar2", 2, {.redundancy = Redundancy::load_balanced});
    const Service& service = *story.state.find("Foo");
    EXPECT_EQ(service.find("Bar1")->role, Role::active);
    EXPECT_EQ(service.find("Bar2")->role, Role::active);
    EXPECT_NE(service.find("Bar1")->epoch, service.find("Bar2")->epoch);
}

TEST(Suspects, ASuspectIsSkippedWhileOthersAreThere) {
    Story story;
    story.join("Bar1", 1);
    story.join("Bar2", 2);
    story.join("Bar3", 3);
    story.leave("Bar1", 1, Cause::process_gone, {"Bar2"});
    EXPECT_EQ(story.active(), "Bar3");
    EXPECT_EQ(story.line(), (Names{"Bar2", "Bar3"}));
}

TEST(Suspects, ASuspectIsBetterThanNobody) {
    Story story;
    story.join("Bar1", 1);
    story.join("Bar2", 2);
    story.leave("Bar1", 1, Cause::process_gone, {"Bar2"});
    EXPECT_EQ(story.active(), "Bar2");
}

TEST(Switchover, TheOldActiveGoesToTheBack) {
    Story story;
    story.join("Bar1", 1);
    story.join("Bar2", 2);
    story.join("Bar3", 3);

    const Outcome outcome = story.switchover("Bar1", "Bar3", 1);

    EXPECT_FALSE(outcome.error);
    EXPECT_EQ(story.active(), "Bar3");
    EXPECT_EQ(story.line(), (Names{"Bar2", "Bar3", "Bar1"}));
    EXPECT_EQ(outcome.grants.size(), 2u);
}

TEST(Switchover, IsVoidWhenTheEpochHasMovedOn) {
    Story story;
    story.join("Bar1", 1);
    story.join("Bar2", 2);
    story.join("Bar3", 3);
    story.leave("Bar1", 1, Cause::process_gone);
    EXPECT_TRUE(story.switchover("Bar1", "Bar3", 1).error);
    EXPECT_EQ(story.active(), "Bar2");
}

// I30: every promotion has an entry that explains it. The entries are in order, and the epochs have
// no gap.
TEST(I30Explain, EveryPromotionIsInTheStory) {
    Story story;
    story.join("Bar1", 1);
    story.join("Bar2", 2);
    story.leave("Bar1", 1, Cause::silence);
    story.join("Bar1", 11);
    story.switchover("Bar2", "Bar1", 2);

    const auto& rows = story.state.find("Foo")->story;

    ASSERT_EQ(rows.size(), 3u);
    const Cause causes[] = {Cause::first_member, Cause::silence, Cause::switchover};
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(rows[i].epoch(), i + 1);
        EXPECT_EQ(static_cast<Cause>(rows[i].cause()), causes[i]);
        EXPECT_NE(rows[i].revision(), 0u);
    }
}

TEST(I30Explain, TheStoryIsBounded) {
    Story story;
    story.join("Bar1", 1);
    for (std::uint64_t i = 2; i < 2 + 3 * State::story_max; ++i) {
        story.join("Bar1", i, {.replaces = i - 1});
    }
    EXPECT_EQ(story.state.find("Foo")->story.size(), State::story_max);
}

// The registry has lost its data. The holder comes back first and keeps its role.
TEST(RestoredEmpty, AReportedHolderIsAdoptedUnderItsOwnEpoch) {
    Story story;
    story.join("Bar1", 1,
               {.known_epoch = 5,
                .known_order = 1,
                .known_registry = 3,
                .holds_role = true,
                .known_active = "Bar1"});
    EXPECT_EQ(story.active(), "Bar1");
    EXPECT_EQ(story.epoch(), 5u);
}

// The standby comes back first. It must not be promoted, because the holder may only be slower.
TEST(RestoredEmpty, AStandbyThatKnowsOfAHolderWaitsForIt) {
    Story story;
    story.join("Bar2", 2,
               {.known_epoch = 5, .known_order = 2, .known_registry = 3, .known_active = "Bar1"});
    EXPECT_EQ(story.active(), "");
    EXPECT_EQ(story.state.find("Foo")->awaited, "Bar1");

    story.join("Bar1", 1,
               {.known_epoch = 5,
                .known_order = 1,
                .known_registry = 3,
                .holds_role = true,
                .known_active = "Bar1"});

    EXPECT_EQ(story.active(), "Bar1");
    EXPECT_EQ(story.epoch(), 5u);
    EXPECT_EQ(story.line(), (Names{"Bar1", "Bar2"}));
}

TEST(RestoredEmpty, WhoNeverReturnsIsGivenUpAboveItsEpoch) {
    Story story;
    story.join("Bar2", 2,
               {.known_epoch = 5, .known_order = 2, .known_registry = 3, .known_active = "Bar1"});
    pb::RegistryCommand command;
    command.mutable_stop_waiting()->set_family("Foo");
    command.mutable_stop_waiting()->set_epoch(5);

    story.apply(command);

    EXPECT_EQ(story.active(), "Bar2");
    EXPECT_EQ(story.epoch(), 6u);
}

// A newcomer was promoted at epoch 1 before the old holder of epoch 5 came back.
TEST(RestoredEmpty, AHigherReportedHolderWinsOverAnEarlyGrant) {
    Story story;
    story.join("Bar9", 9);
    ASSERT_EQ(story.active(), "Bar9");
    story.join("Bar1", 1,
               {.known_epoch = 5, .known_registry = 3, .holds_role = true, .known_active = "Bar1"});
    EXPECT_EQ(story.active(), "Bar1");
    EXPECT_EQ(story.epoch(), 5u);
    EXPECT_EQ(story.state.find("Foo")->find("Bar9")->role, Role::standby);
}

// The same epoch was granted twice, by a registry whose data is lost and by its successor.
TEST(RestoredEmpty, TwoHoldersOfOneEpochEndInAHigherOne) {
    Story story;
    story.join("Bar2", 2);
    ASSERT_EQ(story.epoch(), 1u);
    story.join("Bar1", 1,
               {.known_epoch = 1,
                .known_order = 1,
                .known_registry = 3,
                .holds_role = true,
                .known_active = "Bar1"});
    EXPECT_EQ(story.active(), "Bar2");
    EXPECT_EQ(story.epoch(), 2u);
    EXPECT_EQ(story.state.find("Foo")->find("Bar1")->role, Role::standby);
}

TEST(RestoredEmpty, AnEpochThatOnlyAClientKnowsIsNeverGrantedAgain) {
    Story story;
    pb::RegistryCommand command;
    command.mutable_raise()->set_family("Foo");
    command.mutable_raise()->set_epoch(9);
    story.apply(command);
    story.join("Bar1", 1);
    EXPECT_EQ(story.epoch(), 10u);
}

// A member was removed for silence while it was cut off. It still reports its old place, which is
// not its place in our line.
TEST(RestoredEmpty, OurOwnFormerMemberCannotReclaimItsPlace) {
    Story story;
    story.join("Bar1", 1);
    story.join("Bar2", 2);
    story.leave("Bar1", 1, Cause::silence);
    story.join("Bar1", 1,
               {.known_epoch = 1,
                .known_order = 1,
                .known_registry = 77,
                .holds_role = true,
                .known_active = "Bar1"});
    EXPECT_EQ(story.active(), "Bar2");
    EXPECT_EQ(story.line(), (Names{"Bar2", "Bar1"}));
}

// The role has moved since the backup. The member that has it reports that, and keeps it.
class RestoredBackup : public testing::Test {
protected:
    RestoredBackup() {
        story.join("Bar1", 1);
        backup = story.backup();
        story.join("Bar2", 2);
        story.switchover("Bar1", "Bar2", 1);
        story.restore_backup(backup);
    }
    void bar1_returns() {
        story.join(
            "Bar1", 1,
            {.known_epoch = 2, .known_order = 3, .known_registry = 77, .known_active = "Bar2"});
    }
    void bar2_returns() {
        story.join("Bar2", 2,
                   {.known_epoch = 2,
                    .known_order = 2,
                    .known_registry = 77,
                    .holds_role = true,
                    .known_active = "Bar2"});
    }
    void expect_bar2() {
        EXPECT_EQ(story.active(), "Bar2");
        EXPECT_EQ(story.epoch(), 2U);
        EXPECT_EQ(story.line(), (Names{"Bar2", "Bar1"}));
        EXPECT_EQ(static_cast<Cause>(story.told_last().cause()), Cause::reported);
        EXPECT_FALSE(story.service().waits());
    }

    Story story;
    Buffer backup;
};

TEST_F(RestoredBackup, MakesNobodyActiveByItself) {
    EXPECT_EQ(story.active(), "");
    EXPECT_EQ(story.service().awaited, "Bar1");
    EXPECT_TRUE(story.service().waits());
}

TEST_F(RestoredBackup, WhoHasLostTheRoleSinceDoesNotGetItByReturningFirst) {
    bar1_returns();
    EXPECT_EQ(story.active(), "");
    EXPECT_EQ(story.service().awaited, "Bar2");
    bar2_returns();
    expect_bar2();
}

TEST_F(RestoredBackup, WhoHasTheRoleKeepsItWhoeverReturnsFirst) {
    bar2_returns();
    bar1_returns();
    expect_bar2();
}

TEST_F(RestoredBackup, AClientThatKnowsTheEpochChangesNothing) {
    story.raise(2, "client");
    EXPECT_EQ(story.active(), "");
    bar1_returns();
    EXPECT_EQ(story.active(), "");
    story.raise(2, "client");
    bar2_returns();
    expect_bar2();
}

TEST_F(RestoredBackup, ANewcomerIsNotPromotedBeforeTheLeaseIsUp) {
    story.join("Bar9", 9);
    EXPECT_EQ(story.active(), "");
    bar2_returns();
    EXPECT_EQ(story.active(), "Bar2");
    EXPECT_EQ(story.epoch(), 2U);
    EXPECT_EQ(story.service().find("Bar9")->role, Role::standby);
}

TEST_F(RestoredBackup, AHolderThatDoesNotReturnInALeaseIsSucceededAboveItsEpoch) {
    bar1_returns();
    story.stop_waiting();
    EXPECT_EQ(story.active(), "Bar1");
    EXPECT_EQ(story.epoch(), 3U);
    EXPECT_EQ(story.told_last().previous(), "Bar2");
    EXPECT_EQ(static_cast<Cause>(story.told_last().cause()), Cause::never_returned);
}

TEST_F(RestoredBackup, WhoHasSaidNothingIsNotPromoted) {
    story.stop_waiting();
    EXPECT_EQ(story.active(), "");
    bar1_returns();
    EXPECT_EQ(story.service().awaited, "Bar2");
    story.stop_waiting();
    EXPECT_EQ(story.active(), "Bar1");
}

// The registry aborted when an epoch was reported after that.
TEST_F(RestoredBackup, WhoIsGivenTheRoleBeforeItHasSaidAnythingKeepsItAtItsNewPlace) {
    bar2_returns();
    EXPECT_FALSE(story.switchover("Bar2", "Bar1", 2).error);
    story.join("Bar1", 1, {.known_order = 50, .known_registry = 77});
    EXPECT_EQ(story.active(), "Bar1");
    EXPECT_EQ(story.line(), (Names{"Bar2", "Bar1"}));
    story.raise(9, "client");
    EXPECT_EQ(story.active(), "Bar1");
    EXPECT_EQ(story.epoch(), 10U);
}

TEST_F(RestoredBackup, AHolderOfTheBackupThatIsGoneIsNamedAsTheReason) {
    story.join("Bar9", 9);
    story.leave("Bar1", 1, Cause::process_gone);
    EXPECT_EQ(story.active(), "") << "somebody may hold the role that the backup does not know";
    story.stop_waiting();
    EXPECT_EQ(story.active(), "Bar9");
    EXPECT_EQ(story.told_last().previous(), "Bar1");
    EXPECT_EQ(static_cast<Cause>(story.told_last().cause()), Cause::process_gone);
}

TEST_F(RestoredBackup, OfAServiceItDoesNotKnowNobodyIsPromotedAtOnceEither) {
    story.restore_backup([] {
        Story empty;
        return empty.backup();
    }());
    story.join("Bar9", 9);
    EXPECT_EQ(story.active(), "");
    bar2_returns();
    EXPECT_EQ(story.active(), "Bar2");
    EXPECT_EQ(story.epoch(), 2U);
}

TEST_F(RestoredBackup, OneThatIsUpToDateAddsNothingToTheStory) {
    Story now;
    now.join("Bar1", 1);
    now.join("Bar2", 2);
    now.restore_backup(now.backup());
    now.join("Bar2", 2,
             {.known_epoch = 1, .known_order = 2, .known_registry = 77, .known_active = "Bar1"});
    EXPECT_EQ(now.active(), "");
    now.join("Bar1", 1,
             {.known_epoch = 1,
              .known_order = 1,
              .known_registry = 77,
              .holds_role = true,
              .known_active = "Bar1"});
    EXPECT_EQ(now.active(), "Bar1");
    EXPECT_EQ(now.epoch(), 1U);
    EXPECT_EQ(now.line(), (Names{"Bar1", "Bar2"}));
    EXPECT_EQ(now.service().story.size(), 1U);
}

TEST_F(RestoredBackup, ALoadBalancedMemberKeepsTheEpochThatItHas) {
    Story many;
    many.join("Bar1", 1, {.redundancy = Redundancy::load_balanced});
    const Buffer old = many.backup();
    many.leave("Bar1", 1, Cause::silence);
    many.join("Bar2", 2, {.redundancy = Redundancy::load_balanced});
    many.join("Bar1", 1, {.redundancy = Redundancy::load_balanced});
    many.restore_backup(old);
    EXPECT_EQ(many.service().find("Bar1")->role, Role::standby) << "it has not said anything";
    const auto returns = [&](const char* name, std::uint64_t incarnation, std::uint64_t epoch) {
        many.join(name, incarnation,
                  {.redundancy = Redundancy::load_balanced,
                   .known_epoch = epoch,
                   .known_registry = 77,
                   .holds_role = true});
    };
    returns("Bar1", 1, 3);
    returns("Bar2", 2, 2);
    EXPECT_EQ(many.service().find("Bar1")->epoch, Epoch{3});
    EXPECT_EQ(many.service().find("Bar2")->epoch, Epoch{2});
    many.join("Bar3", 3, {.redundancy = Redundancy::load_balanced});
    EXPECT_EQ(many.service().find("Bar3")->epoch, Epoch{4});
}

// The directory was replaced by an old copy of it. That is no restore, but the data is as old.
TEST(OldData, WhoIsTakenForTheHolderAndSaysThatItIsNotLosesNothingForTheOther) {
    Story story;
    story.join("Bar1", 1);
    story.join("Bar1", 1,
               {.known_epoch = 2,
                .known_order = 3,
                .known_registry = 77,
                .known_active = "Bar2",
                .unconfirmed = "Bar1"});
    EXPECT_EQ(story.active(), "");
    EXPECT_EQ(story.service().awaited, "Bar2");
    story.join("Bar2", 2,
               {.known_epoch = 2,
                .known_order = 2,
                .known_registry = 77,
                .holds_role = true,
                .known_active = "Bar2"});
    EXPECT_EQ(story.active(), "Bar2");
    EXPECT_EQ(story.epoch(), 2U);
}

TEST(OldData, AReportedEpochDoesNotPromoteWhoHasSaidNothing) {
    Story story;
    story.join("Bar1", 1);
    story.raise(5, "client", "Bar1");
    EXPECT_EQ(story.active(), "");
    EXPECT_EQ(story.service().awaited, "Bar1");
    story.stop_waiting();
    EXPECT_EQ(story.active(), "Bar1");
    EXPECT_EQ(story.epoch(), 6U);
}

TEST(OldData, AnActiveMemberThatKnowsItGoesOnAboveAReportedEpoch) {
    Story story;
    story.join("Bar1", 1);
    story.raise(5, "shop-7");
    EXPECT_EQ(story.active(), "Bar1");
    EXPECT_EQ(story.epoch(), 6U);
    EXPECT_EQ(story.told_last().evidence(), "agent shop-7 reports epoch 5");
}

// A registry without its data is told of an epoch before it is told of its holder.
TEST(RestoredEmpty, AReportedEpochGivesItsHolderALeaseBeforeANewcomer) {
    Story story;
    story.raise(9, "client");
    story.join("Bar9", 9);
    EXPECT_EQ(story.active(), "");
    story.join("Bar1", 1,
               {.known_epoch = 9, .known_registry = 3, .holds_role = true, .known_active = "Bar1"});
    EXPECT_EQ(story.active(), "Bar1");
    EXPECT_EQ(story.epoch(), 9U);
}

TEST(I30Explain, WhoeverComesAfterALossIsToldWhyTheOneBeforeWasLost) {
    Story story;
    story.join("Bar1", 1);
    story.leave("Bar1", 1, Cause::silence);
    story.restart();
    story.join("Bar1", 2);
    EXPECT_EQ(static_cast<Cause>(story.told_last().cause()), Cause::silence);
    EXPECT_EQ(story.told_last().previous(), "Bar1");
    EXPECT_EQ(story.told_last().evidence(), "test; nobody else was in line");
    story.join("Bar1", 3, {.replaces = 2});
    EXPECT_EQ(static_cast<Cause>(story.told_last().cause()), Cause::new_incarnation);
    EXPECT_EQ(story.told_last().previous(), "Bar1");
}

TEST(Snapshot, RestoreGivesTheSameHashAndTheSameFuture) {
    Story story;
    story.join("Bar1", 1);
    story.join("Bar2", 2);
    story.join("Bar3", 3);
    story.leave("Bar1", 1, Cause::silence);
    story.join("Bar1", 11);
    Buffer image;
    story.state.snapshot(image);

    Story copy;
    ASSERT_TRUE(copy.state.restore(image));
    EXPECT_EQ(copy.state.hash(), story.state.hash());
    story.leave("Bar2", 2, Cause::process_gone);
    copy.leave("Bar2", 2, Cause::process_gone);
    EXPECT_EQ(copy.state.hash(), story.state.hash());
    EXPECT_EQ(copy.active(), "Bar3");
}

TEST(Snapshot, GarbageIsRefused) {
    State state;
    EXPECT_FALSE(state.restore(as_bytes("\xff\xff\xff\xff")));
}

// Every copy refuses a command that does not parse, and no copy stops because of it.
TEST(Commands, GarbageIsRefusedAndChangesNothing) {
    Story story;
    story.join("Bar1", 1);
    const std::uint64_t before = story.state.hash();
    story.index = story.index.next();
    Buffer reply;
    story.state.apply({.index = story.index, .body = as_bytes("\xff\xff\xff")}, reply);
    EXPECT_TRUE(story.state.take_outcome(Applied{.index = story.index}).error);
    EXPECT_EQ(story.state.hash(), before);
}

}  // namespace
}  // namespace understudy::registry
