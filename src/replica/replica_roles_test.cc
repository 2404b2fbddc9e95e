// What a replica does when the active member of its journal changes, step by step. The journal does
// only what the test says.

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "journal/fakes/fake_runtime_test.h"
#include "replica/fake_journal_test.h"
#include "replica/list_machine_test.h"
#include "replica/replica.h"

namespace understudy::replica {
namespace {

using journal::EntryType;
using journal::FakeDisk;
using journal::FakeRuntime;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class HostedRole {
public:
    explicit HostedRole(Replica::Options options = {}, Role role = Role::active)
        : runtime(disk, 1) {
        opening = Replica::open(
            runtime, log, options,
            FakeJournal::open(world, [this, role] { world.stand(role, 1, "A"); }), machine,
            [this](Result<std::unique_ptr<Replica>> opened) {
                if (opened) {
                    replica = *std::move(opened);
                } else {
                    error = opened.error();
                }
            });
        runtime.settle();
    }

    Answered note() {
        return [this](const Result<Reply>& reply) {
            told.push_back(reply ? std::string(as_text(reply->bytes)) : to_short(reply.error()));
        };
    }
    static std::string to_short(const Error& error) {
        return std::string(name(error.code)) +
               (error.effect == Effect::none ? " none" : " unknown");
    }
    void submit(std::string_view command) { replica->submit(as_bytes(command), note()); }
    void submit(const Request& request, std::string_view command) {
        replica->submit(request, as_bytes(command), note());
    }
    void commit() {
        runtime.settle();
        world.commit_all();
        runtime.settle();
    }
    SessionId session() {
        SessionId id;
        replica->open_session([&](Result<SessionId> opened) { id = *opened; });
        commit();
        return id;
    }

    FakeDisk disk{1};
    NullLog log;
    FakeRuntime runtime;
    FakeJournal::World world;
    ListMachine machine;
    std::vector<std::string> told;
    std::unique_ptr<journal::Opening> opening;
    std::unique_ptr<Replica> replica;
    std::optional<Error> error;
};

TEST(ReplicaRoles, AStandbyRefusesCommandsAndSaysWhoIsActive) {
    HostedRole hosted({}, Role::standby);
    std::string detail;
    hosted.replica->submit(as_bytes("x"),
                           [&](const Result<Reply>& reply) { detail = reply.error().detail; });
    EXPECT_EQ(detail, "") << "never within the call";
    hosted.submit("y");
    hosted.runtime.settle();
    EXPECT_EQ(detail, "A is active");
    EXPECT_THAT(hosted.told, ElementsAre("not_active none"));
    EXPECT_TRUE(hosted.world.appends.empty());
}

TEST(ReplicaRoles, CommandsOfOneTurnShareAnEntryAndPromotionsGoFirst) {
    HostedRole hosted;
    hosted.submit("a");
    hosted.submit("b");
    hosted.replica->submit(as_bytes("urgent"), Urgency::promotion, hosted.note());
    hosted.runtime.settle();
    ASSERT_EQ(hosted.world.appends.size(), 2U);
    EXPECT_EQ(hosted.world.appends.front().urgency, Urgency::promotion);
    hosted.commit();
    EXPECT_THAT(hosted.machine.commands, ElementsAre("urgent", "a", "b"));
    EXPECT_THAT(hosted.told, ElementsAre("1", "2", "3"));
}

TEST(ReplicaRoles, WhatWasUnderWayWhenTheTenureEndedIsUnknownAndWhatWasNotIsNot) {
    HostedRole hosted;
    hosted.submit("under way");
    hosted.runtime.settle();
    hosted.submit("not yet");
    hosted.world.fail_next({.code = Errc::not_active, .effect = Effect::unknown});
    hosted.world.stand(Role::standby, 2, "B");
    hosted.runtime.settle();
    EXPECT_THAT(hosted.told, ElementsAre("not_active unknown", "not_active none"));
    EXPECT_TRUE(hosted.world.appends.empty());
}

TEST(ReplicaRoles, AnEntryThatCameThroughAllTheSameIsAppliedAndAnswersNobodyElse) {
    HostedRole hosted;
    hosted.submit("first");
    hosted.runtime.settle();
    Buffer body = hosted.world.appends.front().drafts.front().body;
    hosted.world.fail_next({.code = Errc::not_active, .effect = Effect::unknown});
    hosted.world.stand(Role::standby, 2, "B");
    hosted.world.commit(EntryType::commands, std::move(body));
    hosted.world.stand(Role::active, 3, "A");
    hosted.submit("second");
    hosted.commit();
    EXPECT_THAT(hosted.machine.commands, ElementsAre("first", "second"));
    EXPECT_THAT(hosted.told, ElementsAre("not_active unknown", "2"));
}

TEST(ReplicaRoles, EveryChangeOfStandingIsHeardInOrder) {
    HostedRole hosted({}, Role::standby);
    std::vector<std::string> heard;
    hosted.replica->on_standing([&](const Standing& standing) {
        heard.push_back(std::string(name(standing.role)) + std::to_string(standing.epoch.value));
    });
    hosted.world.stand(Role::active, 2, "A");
    hosted.world.stand(Role::standby, 3, "B");
    EXPECT_THAT(heard, ElementsAre("active2", "standby3"));
}

TEST(ReplicaRoles, ReadsShareAConfirmationAndLaterOnesWaitForTheNext) {
    HostedRole hosted;
    std::vector<int> done;
    const auto read = [&](int number) {
        hosted.replica->read([&done, number](const Result<void>& result) {
            done.push_back(result ? number : -number);
        });
    };
    read(1);
    read(2);
    hosted.runtime.settle();
    EXPECT_EQ(hosted.world.confirms.size(), 1U);
    read(3);
    hosted.runtime.settle();
    EXPECT_EQ(hosted.world.confirms.size(), 1U) << "one at a time";
    hosted.world.confirm_next();
    hosted.runtime.settle();
    EXPECT_THAT(done, ElementsAre(1, 2));
    hosted.world.confirm_next(Error{.code = Errc::not_active});
    hosted.runtime.settle();
    EXPECT_THAT(done, ElementsAre(1, 2, -3));
    hosted.world.stand(Role::standby, 2, "B");
    read(4);
    hosted.runtime.settle();
    EXPECT_THAT(done, ElementsAre(1, 2, -3, -4));
    EXPECT_TRUE(hosted.world.confirms.empty());
}

TEST(ReplicaRoles, ARequestThatComesTwiceIsCarriedOutOnceEvenWhileItIsUnderWay) {
    HostedRole hosted;
    const Request request{.session = hosted.session(), .number = {1}};
    hosted.submit(request, "x");
    hosted.runtime.settle();
    hosted.submit(request, "x");
    hosted.commit();
    hosted.submit(request, "x");
    hosted.runtime.settle();
    EXPECT_TRUE(hosted.world.appends.empty()) << "the reply is there";
    EXPECT_THAT(hosted.told, ElementsAre("1", "1", "1"));
    EXPECT_THAT(hosted.machine.commands, ElementsAre("x"));
    EXPECT_EQ(hosted.replica->counters().repeated, 2U);
}

TEST(ReplicaRoles, AStandbyAnswersWhatItKnowsAndRefusesWhatItDoesNot) {
    HostedRole hosted;
    const SessionId session = hosted.session();
    hosted.submit({.session = session, .number = {1}}, "x");
    hosted.commit();
    hosted.world.stand(Role::standby, 2, "B");
    hosted.submit({.session = session, .number = {1}}, "x");
    hosted.submit({.session = session, .number = {2}}, "y");
    hosted.submit({.session = {99}, .number = {1}}, "z");
    hosted.runtime.settle();
    EXPECT_THAT(hosted.told, ElementsAre("1", "1", "not_active none", "not_active none"));
}

TEST(ReplicaRoles, TheActiveKnowsThatASessionHasEnded) {
    HostedRole hosted;
    const SessionId session = hosted.session();
    hosted.replica->close_session(session, {});
    hosted.submit({.session = session, .number = {1}}, "behind the end");
    hosted.commit();
    hosted.submit({.session = session, .number = {1}}, "later");
    hosted.runtime.settle();
    EXPECT_THAT(hosted.told, ElementsAre("session_expired unknown", "session_expired unknown"));
    EXPECT_THAT(hosted.machine.commands, IsEmpty());
}

TEST(ReplicaRoles, AnOutcomeIsFinal) {
    HostedRole hosted;
    const SessionId session = hosted.session();
    std::vector<RequestFate> fates;
    std::string reply;
    const auto ask = [&](std::uint64_t number) {
        hosted.replica->outcome({.session = session, .number = {number}},
                                [&](const Result<Replica::Outcome>& outcome) {
                                    fates.push_back(outcome->fate);
                                    reply = as_text(outcome->reply);
                                });
        hosted.commit();
    };
    hosted.submit({.session = session, .number = {1}}, "x");
    hosted.commit();
    ask(1);
    EXPECT_EQ(reply, "1");
    ask(2);
    hosted.submit({.session = session, .number = {2}}, "too late");
    hosted.commit();
    hosted.submit({.session = session, .number = {3}, .answered = {1}}, "y");
    hosted.commit();
    ask(1);
    EXPECT_THAT(fates, ElementsAre(RequestFate::applied, RequestFate::not_applied,
                                   RequestFate::unknown));
    EXPECT_THAT(hosted.told, ElementsAre("1", "refused none", "2"));
}

TEST(ReplicaRoles, LogTimeGrowsWithTheTenureAndStandsStillBetween) {
    HostedRole hosted;
    hosted.runtime.advance(1500ms);
    hosted.submit("a");
    hosted.commit();
    EXPECT_EQ(hosted.machine.time, 1500ms);
    hosted.world.stand(Role::standby, 2, "B");
    hosted.runtime.advance(10s);
    hosted.world.stand(Role::active, 3, "A");
    hosted.runtime.advance(20ms);
    hosted.submit("b");
    hosted.commit();
    EXPECT_EQ(hosted.machine.time, 1520ms);
}

TEST(ReplicaRoles, AnEntryThatNobodyUnderstandsStopsTheMemberBeforeIt) {
    HostedRole hosted;
    std::optional<Error> failed;
    hosted.replica->on_failed([&](const Error& error) { failed = error; });
    hosted.world.commit(EntryType::commands, Buffer{std::byte{0}, std::byte{7}});
    hosted.world.commit(EntryType::command, Buffer{std::byte{'x'}});
    hosted.submit("more");
    hosted.runtime.settle();
    ASSERT_TRUE(failed);
    EXPECT_EQ(failed->code, Errc::corrupt);
    EXPECT_THAT(hosted.machine.commands, IsEmpty());
    EXPECT_THAT(hosted.told, ElementsAre("corrupt none"));
}

TEST(ReplicaRoles, AWitnessAppliesNothing) {
    HostedRole hosted({.checkpoints = {.every_commands = 1}, .witness = true}, Role::standby);
    hosted.world.commit(EntryType::command, Buffer{std::byte{'x'}});
    hosted.world.commit(EntryType::commands, Buffer{std::byte{0}, std::byte{7}});
    hosted.runtime.settle();
    EXPECT_THAT(hosted.machine.commands, IsEmpty());
    EXPECT_EQ(hosted.replica->applied(), Index{2});
    EXPECT_FALSE(hosted.world.writing);
}

// --- Checkpoints ---------------------------------------------------------------------------------

constexpr Replica::Options by_standbys = {
    .checkpoints = {.every_commands = 2, .every_bytes = 0, .slice_bytes = 16},
    .checkpoint_duty = CheckpointDuty::standbys};

void commit_commands(HostedRole& hosted, int count) {
    for (int i = 0; i < count; ++i) {
        Buffer body;
        encode({.kind = ItemKind::command, .body = as_bytes("a command of 24 bytes...")}, {}, body);
        hosted.world.commit(EntryType::command, std::move(body));
    }
    hosted.runtime.settle();
}

TEST(ReplicaRoles, AStandbyTakesTheCheckpointsAndTheActiveOnlyIfNobodyDoes) {
    HostedRole standby(by_standbys, Role::standby);
    commit_commands(standby, 2);
    EXPECT_TRUE(standby.world.writing);
    HostedRole active(by_standbys, Role::active);
    commit_commands(active, 3);
    EXPECT_FALSE(active.world.writing);
    active.world.checkpoint = {3};  // Another member has taken one.
    commit_commands(active, 3);
    EXPECT_FALSE(active.world.writing);
    commit_commands(active, 4);
    EXPECT_TRUE(active.world.writing);
}

TEST(ReplicaRoles, APromotionDropsACheckpointInProgress) {
    HostedRole hosted(by_standbys, Role::standby);
    commit_commands(hosted, 2);
    ASSERT_TRUE(hosted.world.writing);
    hosted.world.stand(Role::active, 2, "A");
    EXPECT_FALSE(hosted.world.writing);
    EXPECT_EQ(hosted.replica->checkpoint_counters().dropped, 1U);
}

TEST(ReplicaRoles, ADutyThatIsGivenAndTakenIsObeyed) {
    HostedRole hosted(by_standbys, Role::active);
    hosted.replica->set_checkpoint_duty(true);
    commit_commands(hosted, 2);
    EXPECT_TRUE(hosted.world.writing);
    hosted.replica->set_checkpoint_duty(false);
    EXPECT_FALSE(hosted.world.writing);
    commit_commands(hosted, 20);
    EXPECT_FALSE(hosted.world.writing);
}

// The state is that of the moment at which the checkpoint was begun, whatever is applied while it
// is written. Another member restores it, wherever the journal cuts it into slices.
TEST(ReplicaRoles, ACheckpointTakenWhileCommandsGoOnRestoresThatMoment) {
    HostedRole hosted({.checkpoints = {.every_bytes = 0, .slice_bytes = 16}});
    const SessionId session = hosted.session();
    for (std::uint64_t i = 1; i <= 5; ++i) {
        hosted.submit({.session = session, .number = {i}}, "command");
        hosted.commit();
    }
    const std::uint64_t hash = hosted.replica->hash();
    const Index at = hosted.replica->applied();
    Index taken;
    hosted.replica->checkpoint_now([&](const Result<Index>& result) { taken = *result; });
    hosted.runtime.settle();
    int slices = 0;
    for (; !hosted.world.writes.empty(); ++slices) {
        hosted.submit({.session = session, .number = {100 + static_cast<std::uint64_t>(slices)}},
                      "meanwhile");
        hosted.commit();
        hosted.world.write_next();
        hosted.runtime.settle();
    }
    EXPECT_GE(slices, 5);
    EXPECT_EQ(taken, at);

    for (const std::size_t cut : {1U, 3U, 7U, 1000U}) {
        HostedRole other({}, Role::standby);
        const Bytes whole = hosted.world.checkpoint_bytes;
        for (std::size_t from = 0; from < whole.size(); from += cut) {
            const Bytes slice = whole.subspan(from, std::min(cut, whole.size() - from));
            ASSERT_TRUE(other.world.observer->restore({.at = at,
                                                       .bytes = slice,
                                                       .first = from == 0,
                                                       .last = from + slice.size() ==
                                                               whole.size()}));
        }
        EXPECT_EQ(other.replica->applied(), at);
        EXPECT_EQ(other.replica->hash(), hash) << "in slices of " << cut;
    }
}

// A replay from any checkpoint or from the beginning gives the same state and the same replies.
TEST(ReplicaRoles, ReplayFromEveryCheckpointEqualsTheOriginal) {
    HostedRole hosted;
    struct Kept {
        Index at;
        Buffer bytes;
    };
    std::vector<Kept> kept;
    Random random(7);
    std::vector<SessionId> sessions = {hosted.session()};
    for (int step = 0; step < 120; ++step) {
        const Request request{.session = sessions[random.below(sessions.size())],
                              .number = {1 + random.below(20)},
                              .answered = {random.chance(1, 10) ? random.below(5) : 0}};
        hosted.runtime.advance(random.between(Duration(0s), Duration(2min)));
        switch (random.below(6)) {
            case 0:
                sessions.push_back(hosted.session());
                break;
            case 1:
                hosted.submit("anonymous " + std::to_string(step));
                break;
            case 2:
                hosted.replica->outcome(request, [](const Result<Replica::Outcome>&) {});
                break;
            default:
                hosted.submit(request, "command " + std::to_string(step));
        }
        hosted.commit();
        if (step % 20 != 0) continue;
        hosted.replica->checkpoint_now([](const Result<Index>&) {});
        hosted.runtime.settle();
        while (!hosted.world.writes.empty()) {
            hosted.world.write_next();
            hosted.runtime.settle();
        }
        kept.push_back({hosted.world.checkpoint, hosted.world.checkpoint_bytes});
    }
    const std::uint64_t hash = hosted.replica->hash();
    kept.push_back({{}, {}});
    for (const Kept& from : kept) {
        HostedRole other({}, Role::standby);
        if (from.at != Index{}) {
            ASSERT_TRUE(other.world.observer->restore(
                {.at = from.at, .bytes = from.bytes, .first = true, .last = true}));
            other.world.committed = from.at;
        }
        for (std::size_t i = from.at.value; i < hosted.world.bodies.size(); ++i) {
            other.world.commit(hosted.world.types[i], hosted.world.bodies[i]);
        }
        EXPECT_EQ(other.replica->hash(), hash) << "from " << from.at.value;
        EXPECT_EQ(other.machine.commands, hosted.machine.commands);
    }
}

TEST(ReplicaRoles, ABentCheckpointIsRefusedOrHarmless) {
    HostedRole hosted;
    const SessionId session = hosted.session();
    hosted.submit({.session = session, .number = {1}}, "x");
    hosted.commit();
    hosted.replica->checkpoint_now([](const Result<Index>&) {});
    hosted.runtime.settle();
    while (!hosted.world.writes.empty()) {
        hosted.world.write_next();
        hosted.runtime.settle();
    }
    const Buffer whole = hosted.world.checkpoint_bytes;
    for (std::size_t length = 0; length < whole.size(); ++length) {
        HostedRole other({}, Role::standby);
        EXPECT_FALSE(other.world.observer->restore({.at = {2},
                                                    .bytes = Bytes(whole).first(length),
                                                    .first = true,
                                                    .last = true}))
            << length;
    }
    for (std::size_t at = 0; at < whole.size(); ++at) {
        HostedRole other({}, Role::standby);
        Buffer bent = whole;
        bent[at] ^= std::byte{0xff};
        (void)other.world.observer->restore(
            {.at = {2}, .bytes = bent, .first = true, .last = true});
    }
}

}  // namespace
}  // namespace understudy::replica
