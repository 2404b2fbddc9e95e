#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "base/random.h"
#include "registry/state/definition.h"
#include "registry/state/journal_election.h"
#include "registry/state/story_test.h"
#include "wire/definition.h"

namespace understudy::registry {
namespace {

/// The story of a registry with one journaled service.
class JournaledStory final : public StateStory {
public:
    JournaledStory() : StateStory("server") {}

    Outcome define(const std::function<void(pb::DefineAsk&)>& with = {}) {
        pb::RegistryCommand command;
        pb::DefineAsk& define = *command.mutable_definition()->mutable_define();
        define.set_family("server");
        define.set_kind(1);
        define.set_journal(1);
        define.set_directory("/logs");
        if (with) with(define);
        return apply(command);
    }
    Outcome add(std::uint32_t number) {
        pb::RegistryCommand command;
        command.mutable_definition()->mutable_add()->set_family("server");
        command.mutable_definition()->mutable_add()->set_number(number);
        return apply(command);
    }
    Outcome remove(std::uint32_t number) {
        pb::RegistryCommand command;
        command.mutable_definition()->mutable_remove()->set_family("server");
        command.mutable_definition()->mutable_remove()->set_number(number);
        return apply(command);
    }
    Outcome undefine() {
        pb::RegistryCommand command;
        command.mutable_definition()->mutable_undefine()->set_family("server");
        return apply(command);
    }
    /// Defines the service of the tests, with three copies.
    void define_three() {
        define();
        add(1);
        add(2);
    }

    struct Knows {
        std::uint64_t epoch = 0;  ///< Under which it is active.
        bool has_checkpoint = false;
        Redundancy redundancy = Redundancy::journaled;
        std::uint64_t replaces = 0;
        role::Checkpointer checkpointer = role::Checkpointer::dedicated;
    };
    Outcome start(const std::string& member, std::uint64_t incarnation) {
        return start(member, incarnation, Knows{});
    }
    Outcome start(const std::string& member, std::uint64_t incarnation, const Knows& knows) {
        pb::RegistryCommand command;
        pb::AddMember& add = *command.mutable_add();
        pb::Register& wanted = *add.mutable_wanted();
        wanted.mutable_config()->set_family("server");
        wanted.mutable_config()->set_redundancy(static_cast<std::uint32_t>(knows.redundancy));
        wanted.mutable_config()->set_lease_ms(700);
        wanted.mutable_config()->set_checkpointer(
            knows.checkpointer == role::Checkpointer::shared ? 1 : 0);
        wanted.set_member(member);
        wanted.mutable_endpoint()->set_host("127.0.0.1");
        wanted.mutable_endpoint()->set_port(7000);
        wanted.set_known_epoch(knows.epoch);
        wanted.set_holds_role(knows.epoch != 0);
        wanted.set_has_checkpoint(knows.has_checkpoint);
        add.set_agent(member + "-agent");
        add.set_incarnation(incarnation);
        add.set_replaces(knows.replaces);
        incarnations[member] = incarnation;
        return apply(command);
    }
    Outcome start(std::uint32_t replica) {
        return start(wire::replica_member(replica), ++incarnation_last);
    }

    Outcome stop(const std::string& member, Cause cause = Cause::process_gone) {
        pb::RegistryCommand command;
        pb::RemoveMember& remove = *command.mutable_remove();
        remove.set_family("server");
        remove.set_member(member);
        remove.set_incarnation(incarnations.at(member));
        remove.set_cause(static_cast<std::uint32_t>(cause));
        remove.set_evidence("process 9 has ended");
        remove.set_noticed_us(1234);
        return apply(command);
    }
    Outcome stop(std::uint32_t replica) { return stop(wire::replica_member(replica)); }

    Outcome report(const std::string& member, Role role, std::uint64_t epoch,
                   bool has_checkpoint = false) {
        pb::RegistryCommand command;
        pb::MemberReported& reported = *command.mutable_report();
        reported.set_family("server");
        reported.set_member(member);
        reported.set_incarnation(incarnations.at(member));
        reported.set_role(static_cast<std::uint32_t>(role));
        reported.set_epoch(epoch);
        reported.set_has_checkpoint(has_checkpoint);
        return apply(command);
    }
    Outcome report(std::uint32_t replica, Role role, std::uint64_t epoch,
                   bool has_checkpoint = false) {
        return report(wire::replica_member(replica), role, epoch, has_checkpoint);
    }

    /// "0=active 1=checkpointer+ 2=standby": the designation of each copy; + takes checkpoints.
    [[nodiscard]] std::string designated() const {
        std::string text;
        for (const std::uint32_t number : {0U, 1U, 2U, 3U}) {
            const Member* member = service().find(wire::replica_member(number));
            if (member == nullptr) continue;
            const role::Designation& what = *member->designation;
            EXPECT_EQ(what.electable, what.role != Role::checkpointer);
            if (!text.empty()) text += ' ';
            text += std::to_string(number) + '=' + std::string(name(what.role));
            if (what.takes_checkpoints) text += '+';
        }
        return text;
    }

    std::map<std::string, std::uint64_t> incarnations;
    std::uint64_t incarnation_last = 0;
};

[[nodiscard]] std::set<std::string> told(const Outcome& outcome) {
    std::set<std::string> names;
    for (const Grant& grant : outcome.grants) names.insert(grant.member.name);
    return names;
}

// --- Start order and reports ---------------------------------------------------------------------

TEST(JournaledService, AReportOfALowerEpochMakesNobodyActive) {
    JournaledStory story;
    story.define_three();
    story.start(0u);
    story.start(1u);
    story.start(2u);
    story.report(0u, Role::active, 5);
    const Revision before = story.state.revision();

    const Outcome outcome = story.report(2u, Role::active, 4);

    EXPECT_FALSE(outcome.change);
    EXPECT_EQ(story.state.revision(), before);
    EXPECT_EQ(story.active(), "replica-0");
    EXPECT_EQ(story.service().epoch, Epoch{5});
}

TEST(JournaledService, AnEpochHasOneHolder) {
    JournaledStory story;
    story.define_three();
    story.start(0u);
    story.start(2u);
    story.report(0u, Role::active, 5);
    story.stop(0u);

    story.report(2u, Role::active, 5);

    EXPECT_EQ(story.active(), "");
    story.report(2u, Role::active, 6);
    EXPECT_EQ(story.active(), "replica-2");
}

TEST(JournaledService, WhenTheActiveDiesNobodyIsActiveUntilAHigherEpochIsReported) {
    JournaledStory story;
    story.define_three();
    story.start(0u);
    story.start(1u);
    story.start(2u);
    story.report(0u, Role::active, 1, true);
    EXPECT_EQ(story.designated(), "0=active 1=checkpointer+ 2=standby");

    const Outcome outcome = story.stop(0u);

    EXPECT_EQ(story.active(), "");
    EXPECT_EQ(story.designated(), "1=checkpointer+ 2=active");
    EXPECT_EQ(told(outcome), std::set<std::string>{"replica-2"});
    EXPECT_EQ(story.service().promotions, 1u);

    story.report(2u, Role::active, 2);

    EXPECT_EQ(story.active(), "replica-2");
    const pb::Promotion& last = story.service().story.back();
    EXPECT_EQ(last.member(), "replica-2");
    EXPECT_EQ(last.previous(), "replica-0");
    EXPECT_EQ(last.epoch(), 2u);
    EXPECT_EQ(static_cast<Cause>(last.cause()), Cause::process_gone);
    EXPECT_EQ(last.noticed_us(), 1234u);
    EXPECT_NE(last.evidence().find("process 9 has ended"), std::string::npos);
    EXPECT_EQ(last.revision(), story.state.revision().value);
}

TEST(JournaledService, TheActiveRoleGoesToAndFro) {
    JournaledStory story;
    story.define_three();
    story.start(0u);
    story.start(1u);
    story.start(2u);
    std::uint64_t epoch = 0;
    story.report(0u, Role::active, ++epoch, true);
    for (int round = 0; round < 5; ++round) {
        story.stop(0u);
        story.report(2u, Role::active, ++epoch);
        story.start(0u);
        EXPECT_EQ(story.designated(), "0=standby 1=checkpointer+ 2=active");
        story.stop(2u);
        story.report(0u, Role::active, ++epoch);
        story.start(2u);
        EXPECT_EQ(story.designated(), "0=active 1=checkpointer+ 2=standby");
    }
    EXPECT_EQ(story.service().promotions, 11u);
}

TEST(JournaledService, AfterAFullStopAndARestartOfTheRegistryTheFirstIsTheCheckpointer) {
    JournaledStory story;
    story.define_three();
    story.start(0u);
    story.start(1u);
    story.report(0u, Role::active, 1, true);
    story.stop(1u);
    story.stop(0u);
    story.restart();

    story.start(2u);
    EXPECT_EQ(story.designated(), "2=checkpointer+");
    story.start(0u);
    story.restart();
    story.start(1u);
    EXPECT_EQ(story.designated(), "0=active 1=standby 2=checkpointer+");
}

TEST(JournaledService, WithoutACheckpointAFullStartIsTheFirst) {
    JournaledStory story;
    story.define_three();
    story.start(0u);
    story.stop(0u);
    story.restart();
    story.start(1u);
    EXPECT_EQ(story.designated(), "1=active+");
}

TEST(JournaledService, ASingleRegisteredCopyIsActiveAfterAFullStop) {
    JournaledStory story;
    story.define();
    story.start(0u);
    story.report(0u, Role::active, 1, true);
    story.stop(0u);
    story.start(0u);
    EXPECT_EQ(story.designated(), "0=active+");
}

TEST(JournaledService, WhomTheJournalElectedIsDesignatedSo) {
    JournaledStory story;
    story.define_three();
    story.start(0u);
    story.start(1u);
    story.start(2u);

    const Outcome outcome = story.report(2u, Role::active, 3);

    EXPECT_EQ(story.active(), "replica-2");
    EXPECT_EQ(story.designated(), "0=standby 1=checkpointer+ 2=active");
    EXPECT_EQ(told(outcome), (std::set<std::string>{"replica-0", "replica-2"}));
    EXPECT_EQ(static_cast<Cause>(story.service().story.back().cause()), Cause::first_member);
    story.report(0u, Role::active, 4);
    EXPECT_EQ(static_cast<Cause>(story.service().story.back().cause()), Cause::elected);
    EXPECT_EQ(story.service().story.back().previous(), "replica-2");
}

TEST(JournaledService, AStandbyThatIsDesignatedSoIsShownAsTheCheckpointer) {
    JournaledStory story;
    story.define_three();
    story.start(0u);
    const auto shown = [&](int place) {
        return static_cast<Role>(to_info(story.service()).members(place).role());
    };
    story.start(1u);
    EXPECT_EQ(shown(1), Role::joining) << "it has said nothing yet";
    story.report(1u, Role::standby, 0);
    EXPECT_EQ(shown(1), Role::checkpointer);
    EXPECT_FALSE(story.report(1u, Role::checkpointer, 0).change) << "it says the same";
    story.restart();
    EXPECT_EQ(shown(1), Role::checkpointer);
    EXPECT_FALSE(story.report(1u, Role::standby, 0).change);
}

TEST(JournaledService, WhoGivesTheRoleUpIsActiveNoMore) {
    JournaledStory story;
    story.define_three();
    story.start(0u);
    story.report(0u, Role::active, 3);
    story.report(0u, Role::standby, 3);
    EXPECT_EQ(story.active(), "");
    story.report(0u, Role::active, 3);
    EXPECT_EQ(story.active(), "replica-0") << "its own epoch is not over";
    EXPECT_EQ(story.service().promotions, 1u);
}

TEST(JournaledService, WhoWasCutOffTakesItsRoleUpAgainWithoutAPromotion) {
    JournaledStory story;
    story.define_three();
    story.start("replica-0", 1);
    story.report(0u, Role::active, 3);
    story.stop("replica-0", Cause::silence);
    EXPECT_EQ(story.active(), "");

    story.start("replica-0", 1, {.epoch = 3, .has_checkpoint = true});

    EXPECT_EQ(story.active(), "replica-0");
    EXPECT_EQ(story.service().promotions, 1u);
    EXPECT_FALSE(story.service().lost);
    EXPECT_TRUE(story.service().election().start_order()->founded());
}

TEST(JournaledService, ANewIncarnationOfTheActiveIsNotActive) {
    JournaledStory story;
    story.define_three();
    story.start("replica-0", 1);
    story.start(2u);
    story.report(0u, Role::active, 3);

    const Outcome outcome = story.start("replica-0", 11, {.replaces = 1});

    EXPECT_EQ(story.active(), "");
    EXPECT_EQ(outcome.removed.size(), 1u);
    EXPECT_EQ(story.service().find("replica-0")->role, Role::joining);
    EXPECT_EQ(static_cast<Cause>(story.service().lost->cause()), Cause::new_incarnation);
}

TEST(JournaledService, AReportOfAProcessThatIsGoneCountsForNothing) {
    JournaledStory story;
    story.define_three();
    story.start("replica-0", 1);
    story.start("replica-0", 11, {.replaces = 1});
    story.incarnations["replica-0"] = 1;
    EXPECT_FALSE(story.report(0u, Role::active, 3).change);
    EXPECT_EQ(story.active(), "");
}

TEST(JournaledService, ARegistryThatKnowsNothingTakesOverWhoIsActive) {
    JournaledStory story;
    story.define_three();
    story.start("replica-2", 3);
    story.start("replica-0", 1, {.epoch = 9, .has_checkpoint = true});
    story.start("replica-1", 2);
    EXPECT_EQ(story.active(), "replica-0");
    EXPECT_EQ(story.service().epoch, Epoch{9});
    EXPECT_EQ(static_cast<Role>(story.service().find("replica-0")->designation->role),
              Role::active);
}

TEST(JournaledService, HearsayRaisesNoEpoch) {
    JournaledStory story;
    story.define();
    pb::RegistryCommand command;
    command.mutable_raise()->set_family("server");
    command.mutable_raise()->set_epoch(1000);
    story.apply(command);
    story.start(0u);
    story.report(0u, Role::active, 1);
    EXPECT_EQ(story.active(), "replica-0");
}

TEST(JournaledService, ASwitchoverByTheRegistryIsRefused) {
    JournaledStory story;
    story.define_three();
    story.start(0u);
    story.start(2u);
    story.report(0u, Role::active, 1);
    pb::RegistryCommand command;
    command.mutable_switchover()->set_family("server");
    command.mutable_switchover()->set_from("replica-0");
    command.mutable_switchover()->set_to("replica-2");
    command.mutable_switchover()->set_epoch(1);
    EXPECT_EQ(story.apply(command).error->code, Errc::refused);
    EXPECT_EQ(story.active(), "replica-0");
}

// --- I19, I20 ------------------------------------------------------------------------------------

TEST(I19Checkpointer, IsNeverElectableEvenWhenItIsTheOnlyOneLeft) {
    JournaledStory story;
    story.define_three();
    story.start(0u);
    story.start(1u);
    story.start(2u);
    story.report(0u, Role::active, 1, true);
    story.stop(0u);
    story.report(2u, Role::active, 2);
    story.stop(2u);
    EXPECT_EQ(story.designated(), "1=checkpointer+");
    pb::RegistryCommand command;
    command.mutable_last_resort()->set_family("server");
    EXPECT_FALSE(story.apply(command).change);
    EXPECT_EQ(story.designated(), "1=checkpointer+");
    EXPECT_EQ(story.active(), "");
}

TEST(I19Checkpointer, AsALastResortItIsElectable) {
    JournaledStory story;
    story.define([](pb::DefineAsk& define) { define.set_last_resort(1); });
    story.add(1);
    story.start(0u);
    story.start(1u);
    story.report(0u, Role::active, 1, true);
    story.stop(0u);
    EXPECT_EQ(story.designated(), "1=active+");
}

TEST(I19Checkpointer, ALastResortAtAStartWaitsForOthers) {
    JournaledStory story;
    story.define([](pb::DefineAsk& define) { define.set_last_resort(1); });
    story.add(1);
    story.start("replica-1", 1, {.has_checkpoint = true});
    EXPECT_EQ(story.designated(), "1=checkpointer+");
    pb::RegistryCommand command;
    command.mutable_last_resort()->set_family("server");
    EXPECT_TRUE(story.apply(command).change);
    EXPECT_EQ(story.designated(), "1=active+");
}

TEST(I19Checkpointer, ItsDutyIsTakenOverByARunningStandby) {
    JournaledStory story;
    story.define_three();
    story.add(3);
    story.start(0u);
    story.start(1u);
    story.start(2u);
    story.start(3u);
    story.report(0u, Role::active, 1, true);

    const Outcome outcome = story.stop(1u);

    EXPECT_EQ(story.designated(), "0=active 2=standby 3=checkpointer+");
    EXPECT_EQ(told(outcome), std::set<std::string>{"replica-3"});
    story.stop(3u);
    EXPECT_EQ(story.designated(), "0=active 2=standby+") << "the last electable one stays so";
}

TEST(I20TwoCopies, TheDeathOfTheActivePromotesNobody) {
    JournaledStory story;
    story.define();
    story.add(1);
    story.start(0u);
    story.start(1u);
    story.report(0u, Role::active, 1, true);

    const Outcome outcome = story.stop(0u);

    EXPECT_TRUE(outcome.grants.empty());
    EXPECT_EQ(story.designated(), "1=checkpointer+");
    EXPECT_EQ(story.active(), "");
    EXPECT_EQ(story.service().promotions, 1u);
    story.start(0u);
    EXPECT_EQ(story.designated(), "0=active 1=checkpointer+");
}

// --- Without a definition ------------------------------------------------------------------------

TEST(JournaledService, WithoutADefinitionWhoRegistersIsACopy) {
    JournaledStory story;
    story.start("replica-0", 1);
    story.start("replica-1", 2);
    EXPECT_EQ(story.designated(), "0=active 1=checkpointer+");
    story.report(0u, Role::active, 1, true);
    story.stop("replica-0", Cause::left);
    story.stop("replica-1", Cause::left);
    story.restart();
    story.start("replica-0", 3);
    EXPECT_EQ(story.designated(), "0=checkpointer+") << "its other copy is not forgotten";
}

TEST(JournaledService, WithoutADefinitionItsCopiesAreBounded) {
    JournaledStory story;
    for (std::size_t i = 0; i < JournalElection::copies_max; ++i) {
        const std::string name = "m" + std::to_string(i);
        EXPECT_FALSE(story.start(name, i + 1).error);
        story.stop(name);
    }
    EXPECT_EQ(story.start("one-more", 999).error->code, Errc::limit_exceeded);
    EXPECT_FALSE(story.start("m0", 1000).error);
}

TEST(JournaledService, MembersOfAnotherRedundancyAreRefused) {
    JournaledStory story;
    story.define();
    const auto refused = story.start("replica-0", 1, {.redundancy = Redundancy::fault_tolerant});
    EXPECT_EQ(refused.error->code, Errc::bad_config);
}

TEST(JournaledService, AServiceThatWasAnotherBeginsAnew) {
    JournaledStory story;
    story.start("replica-0", 1, {.redundancy = Redundancy::fault_tolerant});
    story.stop(0u);
    story.start("replica-0", 2);
    EXPECT_EQ(story.service().epoch, Epoch{}) << "that epoch was not its journal's";
    story.stop(0u);
    story.start("replica-0", 3, {.redundancy = Redundancy::fault_tolerant});
    EXPECT_FALSE(story.service().election().start_order());
    EXPECT_EQ(story.active(), "replica-0");
}

// For any commands in any order: the epochs of a journaled service only grow, a member is active
// only if it has reported so, no member takes an epoch of another one, and all copies of the state
// stay equal (Story checks invariants and the snapshot after each command).
TEST(JournaledService, HoldsItsPromisesWhateverComes) {
    for (std::uint64_t seed = 1; seed <= 25; ++seed) {
        Random random(seed);
        JournaledStory story;
        std::map<std::uint64_t, std::string> holders;  // By epoch.
        for (int step = 0; step < 150; ++step) {
            const std::string member = "replica-" + std::to_string(random.below(4));
            const bool runs = story.state.find("server") != nullptr &&
                              story.state.find("server")->find(member) != nullptr;
            const std::uint64_t before =
                story.state.find("server") == nullptr ? 0 : story.service().epoch.value;
            std::string reporter;
            std::uint64_t reported = 0;
            switch (random.below(12)) {
                case 0:
                    story.define([&](pb::DefineAsk& define) {
                        define.set_last_resort(random.chance(1, 2) ? 1 : 0);
                        define.set_update(random.chance(1, 2));
                    });
                    break;
                case 1:
                    story.add(static_cast<std::uint32_t>(random.below(4)));
                    break;
                case 2:
                    story.remove(static_cast<std::uint32_t>(random.below(4)));
                    break;
                case 3:
                    if (story.undefine().error) break;
                    holders.clear();
                    break;
                case 4:
                case 5:
                case 6: {
                    JournaledStory::Knows knows{.has_checkpoint = random.chance(1, 4)};
                    if (random.chance(1, 4)) knows.epoch = before + random.below(3);
                    if (random.chance(1, 8)) knows.redundancy = Redundancy::fault_tolerant;
                    const std::uint64_t incarnation = ++story.incarnation_last;
                    if (runs) knows.replaces = story.service().find(member)->incarnation.value;
                    if (runs && random.chance(1, 4)) {
                        story.start(member, story.service().find(member)->incarnation.value, knows);
                    } else {
                        story.start(member, incarnation, knows);
                    }
                    reporter = member;
                    reported = knows.epoch;
                    break;
                }
                case 7:
                    if (runs) story.stop(member);
                    break;
                case 8: {
                    pb::RegistryCommand command;
                    if (random.chance(1, 2)) {
                        command.mutable_raise()->set_family("server");
                        command.mutable_raise()->set_epoch(before + random.below(3));
                    } else {
                        command.mutable_last_resort()->set_family("server");
                    }
                    story.apply(command);
                    break;
                }
                default:
                    if (!runs) break;
                    reporter = member;
                    reported = before + random.below(4) - std::min<std::uint64_t>(before, 1);
                    story.report(member, random.chance(1, 4) ? Role::standby : Role::active,
                                 reported, random.chance(1, 2));
                    break;
            }
            const Service* service = story.state.find("server");
            if (service == nullptr || service->redundancy() != Redundancy::journaled) {
                holders.clear();
                continue;
            }
            const Member* active = service->active_member();
            if (active == nullptr) continue;
            ASSERT_EQ(active->epoch, service->epoch) << "seed " << seed << ", step " << step;
            const auto [held, is_new] = holders.emplace(service->epoch.value, active->name);
            ASSERT_EQ(held->second, active->name) << "seed " << seed << ", step " << step;
            if (is_new) {
                ASSERT_EQ(active->name, reporter) << "seed " << seed << ", step " << step;
                ASSERT_EQ(service->epoch.value, reported);
                ASSERT_EQ(holders.rbegin()->first, reported) << "epochs only grow";
            }
            ASSERT_EQ(active->designation->role, Role::active);
        }
    }
}

// --- A shared checkpointer -----------------------------------------------------------------------

constexpr JournaledStory::Knows says_shared = {.checkpointer = role::Checkpointer::shared};

TEST(SharedCheckpointer, TwoCopiesAreAPairThatFailsOver) {
    JournaledStory story;
    story.start("replica-0", 1, says_shared);
    EXPECT_EQ(story.designated(), "0=active+");
    story.start("replica-1", 2, says_shared);
    story.report(0u, Role::active, 1, true);
    story.restart();
    EXPECT_EQ(story.designated(), "0=active 1=standby+");

    story.stop(0u);
    EXPECT_EQ(story.designated(), "1=active+");
    EXPECT_EQ(waiting_of(story.service()).what,
              "replica-1 is to be active: its journal has not made it so yet");
    story.report(1u, Role::active, 2);
    story.start("replica-0", 3, says_shared);

    EXPECT_EQ(story.active(), "replica-1");
    EXPECT_EQ(story.designated(), "0=standby+ 1=active");
}

TEST(SharedCheckpointer, AfterAFullStopTheFirstIsActive) {
    JournaledStory story;
    story.start("replica-0", 1, says_shared);
    story.start("replica-1", 2, says_shared);
    story.report(0u, Role::active, 1, true);
    story.stop(0u);
    story.stop(1u);
    story.restart();

    story.start("replica-1", 3, says_shared);

    EXPECT_EQ(story.designated(), "1=active+");
    EXPECT_EQ(to_info(story.service()).config().checkpointer(), 1u);
}

TEST(SharedCheckpointer, AMemberThatSaysOtherwiseIsRefused) {
    JournaledStory story;
    story.start("replica-0", 1, says_shared);

    Outcome outcome = story.start("replica-1", 2);
    ASSERT_TRUE(outcome.error);
    EXPECT_EQ(outcome.error->code, Errc::bad_config);
    EXPECT_EQ(outcome.error->detail,
              "service server has checkpointer = shared: member replica-1 says dedicated");
    EXPECT_FALSE(outcome.change);
    EXPECT_EQ(story.line(), std::vector<std::string>{"replica-0"});

    story.stop(0u);
    EXPECT_FALSE(story.start("replica-1", 2).error) << "nobody else runs";
    outcome = story.start("replica-0", 3, says_shared);
    ASSERT_TRUE(outcome.error);
    EXPECT_EQ(outcome.error->detail,
              "service server has checkpointer = dedicated: member replica-0 says shared");
}

TEST(SharedCheckpointer, OfADefinedServiceItsDefinitionSays) {
    JournaledStory story;
    story.define([](pb::DefineAsk& define) { define.set_checkpointer(1); });
    story.add(1);
    EXPECT_FALSE(story.start("replica-0", 1).error) << "it says nothing of its own";
    EXPECT_FALSE(story.start("replica-1", 2, says_shared).error);
    EXPECT_EQ(story.designated(), "0=active 1=standby+");

    const auto dedicated = [](pb::DefineAsk& define) {
        define.set_checkpointer(0);
        define.set_update(true);
    };
    EXPECT_TRUE(story.define(dedicated).change);
    EXPECT_FALSE(story.define(dedicated).change) << "asked twice";
    story.stop(1u);
    EXPECT_EQ(story.start("replica-1", 3, says_shared).error->code, Errc::bad_config);
    EXPECT_FALSE(story.start("replica-1", 3).error);
}

TEST(SharedCheckpointer, ADefinitionTurnsTheCheckpointerIntoAStandby) {
    JournaledStory story;
    story.define_three();
    story.start(0u);
    story.start(1u);
    story.start(2u);
    EXPECT_EQ(story.designated(), "0=active 1=checkpointer+ 2=standby");

    const Outcome outcome = story.define([](pb::DefineAsk& define) {
        define.set_checkpointer(1);
        define.set_update(true);
    });

    EXPECT_EQ(told(outcome), std::set<std::string>{"replica-1"});
    EXPECT_EQ(story.designated(), "0=active 1=standby+ 2=standby");
}

// --- Definitions ---------------------------------------------------------------------------------

TEST(DefinedService, IsThereBeforeItsMembersRun) {
    JournaledStory story;
    const Outcome outcome = story.define();
    ASSERT_TRUE(outcome.change);
    EXPECT_EQ(outcome.change->definition().replicas_size(), 1);
    EXPECT_TRUE(story.service().line.empty());
    EXPECT_EQ(to_info(story.service()).definition().directory(), "/logs");
    story.start(0u);
    EXPECT_EQ(story.service().config.lease_ms(), 700u);
}

TEST(DefinedService, AReplicaThatIsNotRegisteredIsRefused) {
    JournaledStory story;
    story.define();
    const Outcome outcome = story.start("replica-7", 1);
    ASSERT_TRUE(outcome.error);
    EXPECT_EQ(outcome.error->code, Errc::not_found);
    EXPECT_NE(outcome.error->detail.find("registered are replica-0"), std::string::npos);
    EXPECT_TRUE(story.service().line.empty());
}

TEST(DefinedService, ReplicasAreAddedAndRemovedWhileOthersRun) {
    JournaledStory story;
    story.define();
    story.add(1);
    story.start(0u);
    story.start(1u);
    story.report(0u, Role::active, 1, true);
    EXPECT_EQ(story.start(2u).error->code, Errc::not_found);
    EXPECT_FALSE(story.add(2).error);
    EXPECT_FALSE(story.start(2u).error);
    EXPECT_EQ(story.designated(), "0=active 1=checkpointer+ 2=standby");

    const Outcome outcome = story.remove(1);

    EXPECT_EQ(outcome.removed.size(), 1u);
    EXPECT_EQ(outcome.change->left_size(), 1);
    EXPECT_EQ(story.designated(), "0=active 2=standby+");
    EXPECT_EQ(story.remove(0).error->code, Errc::refused) << "it is active";
    story.stop(0u);
    EXPECT_FALSE(story.remove(0).error);
    EXPECT_EQ(story.remove(2).error->code, Errc::refused) << "the last one";
    EXPECT_EQ(story.remove(9).error->code, Errc::not_found);
}

TEST(DefinedService, ItsJournalDoesNotMoveWhileMembersRun) {
    JournaledStory story;
    story.define();
    story.start(0u);
    const auto moved = [](pb::DefineAsk& define) {
        define.set_directory("/elsewhere");
        define.set_update(true);
    };
    EXPECT_EQ(story.define(moved).error->code, Errc::refused);
    story.stop(0u);
    EXPECT_FALSE(story.define(moved).error);
    EXPECT_EQ(story.service().definition->replicas(0).directory(), "/elsewhere");
}

TEST(DefinedService, AskedTwiceNothingChanges) {
    JournaledStory story;
    story.define();
    story.add(1);
    const Revision before = story.state.revision();
    EXPECT_FALSE(story.define().error);
    EXPECT_FALSE(story.add(1).error);
    EXPECT_EQ(story.state.revision(), before);
}

TEST(DefinedService, IsForgottenOnlyWhenNobodyRuns) {
    JournaledStory story;
    story.define();
    story.start(0u);
    EXPECT_EQ(story.undefine().error->code, Errc::refused);
    story.stop(0u);

    const Outcome outcome = story.undefine();

    ASSERT_TRUE(outcome.change);
    EXPECT_TRUE(outcome.change->removed());
    EXPECT_EQ(story.state.find("server"), nullptr);
    EXPECT_EQ(story.undefine().error->code, Errc::not_found);
    EXPECT_EQ(story.add(1).error->code, Errc::not_found);
}

TEST(DefinedService, MembersThatRunUnregisteredStandInItsWay) {
    JournaledStory story;
    story.start("anybody", 1);
    EXPECT_EQ(story.define().error->code, Errc::refused);
    story.stop("anybody");
    EXPECT_FALSE(story.define().error);
}

TEST(DefinedService, ALastResortAllowedLaterElectsWhoIsLeft) {
    JournaledStory story;
    story.define();
    story.add(1);
    story.start(0u);
    story.start(1u);
    story.report(0u, Role::active, 1, true);
    story.stop(0u);
    const Outcome outcome = story.define([](pb::DefineAsk& define) {
        define.set_last_resort(1);
        define.set_update(true);
    });
    EXPECT_EQ(told(outcome), std::set<std::string>{"replica-1"});
    EXPECT_EQ(story.designated(), "1=active+");
}

// --- A backup ------------------------------------------------------------------------------------

/// Restores what `story` knew when `backup` was taken.
void restore_backup(JournaledStory& story, const Buffer& backup) {
    story.state = State();
    story.state.go_live();
    pb::RegistryCommand command;
    ASSERT_TRUE(
        command.mutable_restore()->ParseFromArray(backup.data(), static_cast<int>(backup.size())));
    command.mutable_restore()->set_restored(true);
    (void)story.apply(command);
}

TEST(JournaledBackup, MakesNobodyActiveAndTheJournalsWordDecides) {
    JournaledStory story;
    story.define_three();
    story.start(0u);
    story.start(1u);
    story.start(2u);
    story.report(0u, Role::active, 1, true);
    Buffer backup;
    story.state.snapshot(backup);
    restore_backup(story, backup);
    EXPECT_EQ(story.active(), "");
    // The role has moved since the backup.
    story.start("replica-0", 1);
    story.report(0u, Role::standby, 2);
    EXPECT_EQ(story.active(), "");
    story.start("replica-2", 3, {.epoch = 2, .has_checkpoint = true});
    EXPECT_EQ(story.active(), "replica-2");
    EXPECT_EQ(story.epoch(), 2U);
    EXPECT_EQ(story.service().find("replica-2")->designation->role, Role::active);
}

TEST(JournaledBackup, WhoStillHoldsItsEpochIsActiveWithoutAPromotion) {
    JournaledStory story;
    story.define_three();
    story.start(0u);
    story.start(1u);
    story.report(0u, Role::active, 1, true);
    Buffer backup;
    story.state.snapshot(backup);
    restore_backup(story, backup);
    story.start("replica-1", 2);
    EXPECT_EQ(story.active(), "");
    story.start("replica-0", 1, {.epoch = 1, .has_checkpoint = true});
    EXPECT_EQ(story.active(), "replica-0");
    EXPECT_EQ(story.service().promotions, 1U);
}

TEST(JournaledBackup, ASwitchoverThatWasUnderWayIsOver) {
    JournaledStory story;
    story.define_three();
    story.start(0u);
    story.start(1u);
    story.start(2u);
    story.report(0u, Role::active, 1, true);
    pb::RegistryCommand switchover;
    switchover.mutable_switchover()->set_family("server");
    switchover.mutable_switchover()->set_from("replica-0");
    switchover.mutable_switchover()->set_to("replica-2");
    switchover.mutable_switchover()->set_epoch(1);
    EXPECT_FALSE(story.apply(switchover).error);
    Buffer backup;
    story.state.snapshot(backup);
    restore_backup(story, backup);
    EXPECT_FALSE(story.service().election().switchover());
    EXPECT_EQ(story.designated(), "0=active 1=checkpointer+ 2=standby");
}

// --- The last resort -----------------------------------------------------------------------------

// A copy that opens its journal again because of its designation keeps that designation.
TEST(LastResort, WhoKeepsItsPlaceWhileItsJournalOpensAnewBecomesActive) {
    JournaledStory story;
    story.define([](pb::DefineAsk& define) { define.set_last_resort(1); });
    story.add(1);
    story.start(0u);
    story.start(1u);
    story.report(0u, Role::active, 1, true);
    story.report(1u, Role::standby, 1);
    const JoinOrder place = story.service().find("replica-1")->order;
    story.stop(0u);
    EXPECT_EQ(story.designated(), "1=active+");
    story.report(1u, Role::joining, 1);
    story.report(1u, Role::standby, 1);
    story.restart();
    EXPECT_EQ(story.designated(), "1=active+");
    story.report(1u, Role::active, 2);
    EXPECT_EQ(story.active(), "replica-1");
    EXPECT_EQ(story.service().find("replica-1")->order, place);
    EXPECT_EQ(static_cast<Cause>(story.service().story.back().cause()), Cause::process_gone);
}

TEST(LastResort, WhoMayNotBecomeActiveIsSaidToOperators) {
    JournaledStory story;
    story.define();
    story.add(1);
    story.start(0u);
    story.start(1u);
    EXPECT_EQ(waiting_of(story.service()).what,
              "replica-0 is to be active: its journal has not made it so yet");
    story.report(0u, Role::active, 1, true);
    EXPECT_EQ(waiting_of(story.service()).what, "");
    story.stop(0u);
    EXPECT_EQ(waiting_of(story.service()).what,
              "nobody may become active: replica-1 is the checkpointer, and last_resort = never; "
              "start replica-0");
    story.stop(1u);
    EXPECT_EQ(waiting_of(story.service()).what, "");
}

TEST(DefinedService, AnOldCheckpointOfTheRegistryStillLoads) {
    pb::RegistryState old;
    old.set_platform("test");
    old.set_registry_id(77);
    pb::ServiceState& row = *old.add_services();
    row.mutable_info()->mutable_config()->set_family("Foo");
    row.mutable_info()->mutable_config()->set_redundancy(1);
    row.set_next_order(1);
    Buffer image;
    (void)wire::encode(old, image);
    State state;
    ASSERT_TRUE(state.restore(image));
    state.check_invariants();
    EXPECT_FALSE(state.find("Foo")->election().start_order());
}

}  // namespace
}  // namespace understudy::registry
