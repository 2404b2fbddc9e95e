#include "registry/tenure/tenure.h"

#include <gtest/gtest.h>

#include "registry/tenure/stage_test.h"

namespace understudy::registry {
namespace {

class TenureStage final : public RegistryStage {
public:
    TenureStage() : RegistryStage("Foo") {}

    void join(SessionId from, const std::string& member, std::uint64_t lease_ms = 1000) {
        pb::Register wanted;
        wanted.set_request(++request_last);
        wanted.mutable_config()->set_family(family);
        wanted.mutable_config()->set_redundancy(1);
        wanted.mutable_config()->set_lease_ms(lease_ms);
        wanted.mutable_config()->set_on_registry_loss(1);
        wanted.set_member(member);
        wanted.mutable_endpoint()->set_host("127.0.0.1");
        wanted.mutable_endpoint()->set_port(7000);
        say(from, MessageType::register_member, wanted);
    }
};

TEST(Evidence, ProofOfDeathTakesTheRoleAtOnce) {
    TenureStage stage;
    const SessionId a = stage.connect(1);
    const SessionId b = stage.connect(2);
    stage.join(a, "Bar1");
    stage.join(b, "Bar2");
    stage.commit();
    ASSERT_EQ(stage.active(), "Bar1");
    ASSERT_EQ(stage.watched.size(), 2u);

    stage.take(stage.tenure->process_gone(stage.now, 0, Incarnation{1}));
    stage.commit();

    EXPECT_EQ(stage.active(), "Bar2");
    const auto grant = stage.last<pb::RoleGrant>(b, MessageType::role_grant);
    ASSERT_TRUE(grant);
    EXPECT_EQ(grant->epoch(), 2u);
    EXPECT_EQ(static_cast<Role>(grant->role()), Role::active);
}

// No member is told of a grant before it is durable: after a crash the registry would not know it.
TEST(Evidence, NothingIsToldBeforeItIsDurable) {
    TenureStage stage;
    const SessionId a = stage.connect(1);
    const SessionId b = stage.connect(2);
    stage.join(a, "Bar1");
    stage.join(b, "Bar2");
    stage.commit();
    stage.take(stage.tenure->process_gone(stage.now, 0, Incarnation{1}));
    ASSERT_EQ(stage.proposals.size(), 1u);
    EXPECT_FALSE(stage.last<pb::RoleGrant>(b, MessageType::role_grant));
}

// A closed connection alone proves nothing: the member keeps its role for its lease.
TEST(Evidence, ALostConnectionIsNoProof) {
    TenureStage stage;
    const SessionId a = stage.connect(1);
    const SessionId b = stage.connect(2);
    stage.join(a, "Bar1");
    stage.join(b, "Bar2");
    stage.commit();

    stage.take(stage.tenure->closed(stage.now, a));
    stage.pass(900ms, {b});
    EXPECT_EQ(stage.active(), "Bar1");

    stage.pass(200ms, {b});
    EXPECT_EQ(stage.active(), "Bar2");
}

TEST(Evidence, AReconnectInTimeKeepsRoleEpochAndOrder) {
    TenureStage stage;
    const SessionId a = stage.connect(1);
    const SessionId b = stage.connect(2);
    stage.join(a, "Bar1");
    stage.join(b, "Bar2");
    stage.commit();
    stage.take(stage.tenure->closed(stage.now, a));
    stage.pass(500ms, {b});

    const SessionId again = stage.connect(1);
    stage.join(again, "Bar1");
    EXPECT_TRUE(stage.proposals.empty());  // Nothing changed, so nothing is written.
    stage.pass(2s, {again, b});

    EXPECT_EQ(stage.active(), "Bar1");
    EXPECT_EQ(stage.state.find("Foo")->epoch, Epoch{1});
}

TEST(Evidence, SilenceOnAnOpenConnectionCostsTheRoleAfterTheLease) {
    TenureStage stage;
    const SessionId a = stage.connect(1);
    const SessionId b = stage.connect(2);
    stage.join(a, "Bar1");
    stage.join(b, "Bar2");
    stage.commit();

    stage.pass(1100ms, {b});

    EXPECT_EQ(stage.active(), "Bar2");
    EXPECT_TRUE(stage.last<pb::Revoked>(a, MessageType::revoked));
}

TEST(Evidence, ARestartedRegistryGivesEveryHolderOneFullLease) {
    TenureStage stage;
    const SessionId a = stage.connect(1);
    const SessionId b = stage.connect(2);
    stage.join(a, "Bar1");
    stage.join(b, "Bar2");
    stage.commit();
    stage.now += 60s;

    stage.restart();
    stage.pass(900ms);
    EXPECT_EQ(stage.active(), "Bar1");
    const SessionId back = stage.connect(2);
    stage.join(back, "Bar2");
    stage.pass(300ms, {back});

    EXPECT_EQ(stage.active(), "Bar2");
}

TEST(Evidence, TheRegistrysOwnPauseCostsNobodyTheRole) {
    TenureStage stage;
    const SessionId a = stage.connect(1);
    const SessionId b = stage.connect(2);
    stage.join(a, "Bar1");
    stage.join(b, "Bar2");
    stage.commit();
    stage.now += 30s;
    stage.take(stage.tenure->tick(stage.now, 0));
    EXPECT_TRUE(stage.proposals.empty());
}

// The data directory was replaced by an old copy of it, without the restore command.
TEST(OldDirectory, WhoSaysThatItIsNotActiveAnyMoreDoesNotGetTheRoleBack) {
    TenureStage stage;
    SessionId a = stage.connect(1);
    stage.join(a, "Bar1");
    stage.commit();
    ASSERT_EQ(stage.active(), "Bar1");
    stage.restart();
    const auto returns = [&](SessionId from, const std::string& member, bool holds) {
        pb::Register wanted;
        wanted.set_request(++stage.request_last);
        wanted.mutable_config()->set_family(stage.family);
        wanted.mutable_config()->set_redundancy(1);
        wanted.mutable_config()->set_lease_ms(1000);
        wanted.set_member(member);
        wanted.mutable_endpoint()->set_host("127.0.0.1");
        wanted.mutable_endpoint()->set_port(7000);
        wanted.set_known_epoch(2);
        wanted.set_known_registry(77);
        wanted.set_known_active("Bar2");
        wanted.set_holds_role(holds);
        stage.say(from, MessageType::register_member, wanted);
        stage.commit();
    };
    a = stage.connect(1);
    returns(a, "Bar1", false);
    EXPECT_EQ(stage.active(), "");
    const SessionId b = stage.connect(2);
    returns(b, "Bar2", true);
    EXPECT_EQ(stage.active(), "Bar2");
    EXPECT_EQ(stage.state.find("Foo")->epoch, Epoch{2});
    stage.pass(3s, {a, b});
    EXPECT_EQ(stage.active(), "Bar2");
}

TEST(OldDirectory, AHolderThatIsNotBackIsGivenUpAfterALease) {
    TenureStage stage;
    SessionId a = stage.connect(1);
    stage.join(a, "Bar1");
    stage.commit();
    stage.restart();
    const SessionId client = stage.connect(9);
    pb::Watch watch;
    watch.set_watch(1);
    watch.set_family("Foo");
    watch.add_known()->set_family("Foo");
    watch.mutable_known(0)->set_epoch(7);
    stage.say(client, MessageType::watch, watch);
    stage.commit();
    EXPECT_EQ(stage.active(), "") << "Bar1 has not said that it is active";
    a = stage.connect(1);
    stage.join(a, "Bar1");
    stage.commit();
    EXPECT_EQ(stage.active(), "");
    stage.pass(1200ms, {a, client});
    EXPECT_EQ(stage.active(), "Bar1");
    EXPECT_EQ(stage.state.find("Foo")->epoch, Epoch{8});
}

TEST(Names, ASecondProcessWithALiveMembersNameIsRefused) {
    TenureStage stage;
    const SessionId a = stage.connect(1);
    stage.join(a, "Bar1");
    stage.commit();
    const SessionId second = stage.connect(9);

    stage.join(second, "Bar1");
    stage.commit();

    const auto answer = stage.last<pb::Registered>(second, MessageType::registered);
    ASSERT_TRUE(answer);
    ASSERT_TRUE(answer->has_failure());
    EXPECT_EQ(static_cast<Errc>(answer->failure().code()), Errc::already_exists);
}

// The process is on the same host and lives, but its connection is closed: it is not dead and may
// reconnect.
TEST(Names, ALiveProcessKeepsItsNameThroughALostConnection) {
    TenureStage stage;
    const SessionId a = stage.connect(1);
    stage.join(a, "Bar1");
    stage.commit();
    stage.take(stage.tenure->closed(stage.now, a));
    const SessionId second = stage.connect(9);
    stage.join(second, "Bar1");
    EXPECT_TRUE(stage.last<pb::Registered>(second, MessageType::registered)->has_failure());
}

// An agent had two members. The first was refused, and the second was not told of its promotion.
TEST(Names, AMemberHearsItsRoleAlthoughAnotherOfItsAgentWasRefused) {
    TenureStage stage;
    const SessionId a = stage.connect(1);
    const SessionId b = stage.connect(2);
    stage.join(a, "Bar1");
    stage.commit();
    pb::Register other;
    other.mutable_config()->set_family("Foo");
    other.mutable_config()->set_redundancy(2);
    other.mutable_config()->set_lease_ms(1000);
    other.set_member("Odd");
    other.mutable_endpoint()->set_host("127.0.0.1");
    other.mutable_endpoint()->set_port(7000);
    stage.say(b, MessageType::register_member, other);
    stage.join(b, "Bar2");
    stage.commit();
    EXPECT_FALSE(stage.last<pb::Registered>(b, MessageType::registered)->has_failure());

    stage.take(stage.tenure->process_gone(stage.now, 0, Incarnation{1}));
    stage.commit();

    EXPECT_EQ(stage.active(), "Bar2");
    EXPECT_TRUE(stage.last<pb::RoleGrant>(b, MessageType::role_grant));
}

// The process is on another host, so nothing can be proven, and the new incarnation is believed.
TEST(Names, ANewIncarnationProvesTheOldOneGone) {
    TenureStage stage;
    stage.provable = false;
    const SessionId a = stage.connect(1);
    const SessionId b = stage.connect(2);
    stage.join(a, "Bar1");
    stage.join(b, "Bar2");
    stage.commit();
    stage.take(stage.tenure->closed(stage.now, a));

    const SessionId restarted = stage.connect(11);
    stage.join(restarted, "Bar1");
    stage.commit();

    EXPECT_EQ(stage.active(), "Bar2");
    const auto answer = stage.last<pb::Registered>(restarted, MessageType::registered);
    ASSERT_TRUE(answer);
    EXPECT_EQ(static_cast<Role>(answer->role()), Role::standby);
}

TEST(Names, BadRequestsAreRefusedBeforeAnythingIsWritten) {
    TenureStage stage;
    const SessionId a = stage.connect(1);
    for (const char* name : {"", ".hidden", "a/b", "a b"}) {
        stage.join(a, name);
        EXPECT_TRUE(stage.proposals.empty()) << name;
    }
    stage.join(a, "Bar1", 5);  // A lease of 5 ms.
    EXPECT_TRUE(stage.proposals.empty());
}

TEST(Watching, ImageFirstThenChangesByRevisionWithoutAGap) {
    TenureStage stage;
    const SessionId watcher = stage.connect(50);
    pb::Watch watch;
    watch.set_watch(3);
    watch.set_family("Foo");
    stage.say(watcher, MessageType::watch, watch);
    const auto image = stage.last<pb::WatchImage>(watcher, MessageType::watch_image);
    ASSERT_TRUE(image);
    std::uint64_t revision = 0;

    const SessionId a = stage.connect(1);
    const SessionId b = stage.connect(2);
    stage.join(a, "Bar1");
    stage.join(b, "Bar2");
    stage.commit();
    stage.take(stage.tenure->process_gone(stage.now, 0, Incarnation{1}));
    stage.commit();

    std::size_t changes = 0;
    for (const Send& row : stage.sent) {
        if (row.to != watcher || row.type != MessageType::watch_change) continue;
        const auto change = *wire::decode_as<pb::WatchChange>(row.body);
        EXPECT_EQ(change.watch(), 3u);
        EXPECT_EQ(change.previous(), revision);
        revision = change.revision();
        ++changes;
    }
    EXPECT_EQ(changes, 3u);
    EXPECT_EQ(revision, stage.state.revision().value);
}

TEST(Switchover, DrainsThenHandsOverThenAnswers) {
    TenureStage stage;
    const SessionId a = stage.connect(1);
    const SessionId b = stage.connect(2);
    const SessionId operator_session = stage.connect(60);
    stage.join(a, "Bar1");
    stage.join(b, "Bar2");
    stage.commit();
    pb::Ask ask;
    ask.set_request(5);
    ask.mutable_switchover()->set_family("Foo");
    stage.say(operator_session, MessageType::ask, ask);
    const auto drain = stage.last<pb::Drain>(a, MessageType::drain);
    ASSERT_TRUE(drain);
    EXPECT_EQ(drain->successor(), "Bar2");
    EXPECT_TRUE(stage.proposals.empty());

    pb::Drained drained;
    drained.set_family("Foo");
    drained.set_member("Bar1");
    drained.set_epoch(1);
    stage.say(a, MessageType::drained, drained);
    stage.commit();

    EXPECT_EQ(stage.active(), "Bar2");
    const auto answer = stage.last<pb::Answer>(operator_session, MessageType::answer);
    ASSERT_TRUE(answer);
    EXPECT_FALSE(answer->has_failure());
    EXPECT_EQ(answer->member(), "Bar2");
}

TEST(Switchover, AnActiveThatDoesNotDrainKeepsItsRole) {
    TenureStage stage;
    const SessionId a = stage.connect(1);
    const SessionId b = stage.connect(2);
    stage.join(a, "Bar1");
    stage.join(b, "Bar2");
    stage.commit();
    pb::Ask ask;
    ask.mutable_switchover()->set_family("Foo");
    stage.say(b, MessageType::ask, ask);

    stage.pass(3s, {a, b});

    EXPECT_EQ(stage.active(), "Bar1");
    const auto answer = stage.last<pb::Answer>(b, MessageType::answer);
    ASSERT_TRUE(answer);
    EXPECT_EQ(static_cast<Errc>(answer->failure().code()), Errc::timed_out);
    // The active member is told that it keeps its role, so that it takes calls again.
    EXPECT_TRUE(stage.last<pb::RoleGrant>(a, MessageType::role_grant));
}

TEST(Switchover, AFailureDuringTheDrainIsAFailoverAndSaidSo) {
    TenureStage stage;
    const SessionId a = stage.connect(1);
    const SessionId b = stage.connect(2);
    stage.join(a, "Bar1");
    stage.join(b, "Bar2");
    stage.commit();
    pb::Ask ask;
    ask.mutable_switchover()->set_family("Foo");
    stage.say(b, MessageType::ask, ask);
    stage.take(stage.tenure->process_gone(stage.now, 0, Incarnation{1}));
    stage.commit();
    EXPECT_EQ(stage.active(), "Bar2");
    const auto answer = stage.last<pb::Answer>(b, MessageType::answer);
    ASSERT_TRUE(answer);
    EXPECT_TRUE(answer->has_failure());
}

TEST(Switchover, WhatCannotBeIsRefusedWithAReason) {
    TenureStage stage;
    const SessionId a = stage.connect(1);
    stage.join(a, "Bar1");
    stage.commit();
    for (const char* family : {"Foo", "Nobody"}) {
        pb::Ask ask;
        ask.mutable_switchover()->set_family(family);
        stage.say(a, MessageType::ask, ask);
        const auto answer = stage.last<pb::Answer>(a, MessageType::answer);
        ASSERT_TRUE(answer) << family;
        EXPECT_FALSE(answer->failure().detail().empty()) << family;
    }
}

// A full disk refuses a new member with a clear error; heartbeats and watches go on.
TEST(FullDisk, AJoinIsRefusedAndNothingElseStops) {
    TenureStage stage;
    const SessionId a = stage.connect(1);
    stage.join(a, "Bar1");
    stage.commit();
    const SessionId b = stage.connect(2);
    stage.join(b, "Bar2");
    ASSERT_EQ(stage.proposals.size(), 1u);
    EXPECT_FALSE(stage.proposals.front().urgent);

    stage.refuse(Errc::no_space);

    const auto answer = stage.last<pb::Registered>(b, MessageType::registered);
    ASSERT_TRUE(answer);
    EXPECT_EQ(static_cast<Errc>(answer->failure().code()), Errc::no_space);
    EXPECT_EQ(answer->failure().effect(), 0u);
    stage.beat(a);
    EXPECT_GE(stage.count(a, MessageType::heartbeat_ack), 1u);
}

TEST(FullDisk, APromotionThatFoundNoRoomIsTriedAgain) {
    TenureStage stage;
    const SessionId a = stage.connect(1);
    const SessionId b = stage.connect(2);
    stage.join(a, "Bar1");
    stage.join(b, "Bar2");
    stage.commit();
    stage.take(stage.tenure->process_gone(stage.now, 0, Incarnation{1}));
    ASSERT_EQ(stage.proposals.size(), 1u);
    EXPECT_TRUE(stage.proposals.front().urgent);
    stage.refuse(Errc::no_space);

    stage.pass(1200ms, {b});

    EXPECT_EQ(stage.active(), "Bar2");
}

// A removal that promotes no member must not use the room that is kept for promotions.
TEST(FullDisk, OnlyRemovalsThatPromoteAreUrgent) {
    TenureStage stage;
    const SessionId a = stage.connect(1);
    const SessionId b = stage.connect(2);
    const SessionId c = stage.connect(3);
    stage.join(a, "Bar1");
    stage.join(b, "Bar2");
    stage.join(c, "Bar3");
    stage.commit();
    stage.take(stage.tenure->process_gone(stage.now, 0, Incarnation{3}));
    stage.take(stage.tenure->process_gone(stage.now, 0, Incarnation{1}));
    ASSERT_EQ(stage.proposals.size(), 2u);
    EXPECT_FALSE(stage.proposals[0].urgent);
    EXPECT_TRUE(stage.proposals[1].urgent);

    // A proposal that was refused for lack of room is not repeated at every tick.
    stage.refuse(Errc::no_space);
    stage.commit();
    EXPECT_EQ(stage.active(), "Bar2");
    std::size_t offered = 0;
    for (int tick = 0; tick < 100; ++tick) {
        stage.now += 20ms;
        stage.beat(b);
        stage.take(stage.tenure->tick(stage.now, 0));
        offered += stage.proposals.size();
        while (!stage.proposals.empty()) stage.refuse(Errc::no_space);
    }
    EXPECT_GE(offered, 1u);
    EXPECT_LE(offered, 4u);
    stage.pass(1s, {b});
    EXPECT_EQ(stage.state.find("Foo")->line.size(), 1u);
}

TEST(Garbage, AMessageThatDoesNotParseEndsTheSession) {
    TenureStage stage;
    const SessionId a = stage.connect(1);
    EXPECT_FALSE(stage.tenure->received(stage.now, 0, a, MessageType::register_member,
                                        as_bytes("\xff\xff")));
    EXPECT_FALSE(stage.tenure->received(stage.now, 0, a, MessageType::image, {}));
}

TEST(Leaving, AnUnregisteredMemberIsGoneAtOnce) {
    TenureStage stage;
    const SessionId a = stage.connect(1);
    const SessionId b = stage.connect(2);
    stage.join(a, "Bar1");
    stage.join(b, "Bar2");
    stage.commit();
    pb::Unregister leave;
    leave.set_request(9);
    leave.set_family("Foo");
    leave.set_member("Bar1");
    stage.say(a, MessageType::unregister_member, leave);
    stage.commit();
    EXPECT_EQ(stage.active(), "Bar2");
    EXPECT_TRUE(stage.last<pb::Answer>(a, MessageType::answer));
}

// --- Of several nodes ----------------------------------------------------------------------------

[[nodiscard]] pb::Ask lookup_of(const std::string& family, std::uint64_t request) {
    pb::Ask ask;
    ask.set_request(request);
    ask.mutable_lookup()->set_family(family);
    return ask;
}

// A node that was replaced and does not know it yet must not answer from its old state.
TEST(Lookup, IsAnsweredOnceItIsCertainThatThisNodeIsStillActive) {
    TenureStage stage;
    const SessionId a = stage.connect(1);
    stage.join(a, "Bar1");
    stage.commit();
    stage.say(a, MessageType::ask, lookup_of("Foo", 7));
    ASSERT_EQ(stage.confirms.size(), 1u);
    EXPECT_FALSE(stage.last<pb::Answer>(a, MessageType::answer));

    stage.take(stage.tenure->confirmed(stage.now, stage.confirms[0], {}));

    const auto answer = stage.last<pb::Answer>(a, MessageType::answer);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->request(), 7u);
    ASSERT_EQ(answer->lookup().services_size(), 1);
    EXPECT_EQ(answer->lookup().services(0).active(), "Bar1");
    EXPECT_FALSE(answer->lookup().cached());
}

TEST(Lookup, OfANodeThatIsNotActiveAnyMoreFailsAndMayBeRepeated) {
    TenureStage stage;
    const SessionId a = stage.connect(1);
    stage.say(a, MessageType::ask, lookup_of("", 7));

    stage.take(
        stage.tenure->confirmed(stage.now, stage.confirms[0], Error{.code = Errc::not_active}));

    const auto answer = stage.last<pb::Answer>(a, MessageType::answer);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->failure().code(), static_cast<std::uint32_t>(Errc::not_active));
    EXPECT_EQ(answer->failure().effect(), 0u);
}

TEST(Lookup, CachedIsAnsweredAtOnce) {
    TenureStage stage;
    const SessionId a = stage.connect(1);
    pb::Ask ask = lookup_of("", 7);
    ask.mutable_lookup()->set_cached(true);
    stage.say(a, MessageType::ask, ask);
    EXPECT_TRUE(stage.confirms.empty());
    ASSERT_TRUE(stage.last<pb::Answer>(a, MessageType::answer));
    EXPECT_TRUE(stage.last<pb::Answer>(a, MessageType::answer)->lookup().cached());
}

// Its registration was under way when the tenure ended. It is not refused, and it asks the next
// node.
TEST(TenureEnds, AMemberWhoseJoiningWasUnderWayIsNotRefused) {
    TenureStage stage;
    const SessionId a = stage.connect(1);
    stage.join(a, "Bar1");

    stage.refuse(Errc::not_active);
    stage.take(stage.tenure->retire(stage.now));

    EXPECT_EQ(stage.count(a, MessageType::registered), 0u);
    EXPECT_EQ(stage.closed, std::vector<SessionId>{a});
}

TEST(TenureEnds, WhoAskedHearsWhatMayHaveHappened) {
    TenureStage stage;
    const SessionId a = stage.connect(1);
    const SessionId b = stage.connect(2);
    const SessionId c = stage.connect(3);
    stage.join(a, "Bar1");
    stage.join(b, "Bar2");
    stage.commit();
    pb::Ask switchover;
    switchover.set_request(8);
    switchover.mutable_switchover()->set_family("Foo");
    stage.say(c, MessageType::ask, switchover);  // Bar1 is draining: nothing is proposed yet.

    stage.take(stage.tenure->retire(stage.now));

    const auto answer = stage.last<pb::Answer>(c, MessageType::answer);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->failure().code(), static_cast<std::uint32_t>(Errc::not_active));
    EXPECT_EQ(answer->failure().effect(), 0u);
    EXPECT_EQ(stage.closed.size(), 3u);
}

TEST(TenureEnds, AHandOverThatWasProposedMayHaveHappened) {
    TenureStage stage;
    const SessionId a = stage.connect(1);
    const SessionId b = stage.connect(2);
    stage.join(a, "Bar1");
    stage.join(b, "Bar2");
    stage.commit();
    pb::Ask switchover;
    switchover.set_request(8);
    switchover.mutable_switchover()->set_family("Foo");
    stage.say(b, MessageType::ask, switchover);
    pb::Drained drained;
    drained.set_family("Foo");
    drained.set_member("Bar1");
    drained.set_epoch(1);
    stage.say(a, MessageType::drained, drained);
    ASSERT_EQ(stage.proposals.size(), 1u);

    stage.take(stage.tenure->retire(stage.now));

    const auto answer = stage.last<pb::Answer>(b, MessageType::answer);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->failure().effect(), 1u);
}

// A proposal of one tenure is committed in the next one, which has proposed the same again.
TEST(NextTenure, NothingThatWasOnItsWayIsDoneTwice) {
    TenureStage stage;
    SessionId a = stage.connect(1);
    SessionId b = stage.connect(2);
    stage.join(a, "Bar1");
    stage.join(b, "Bar2");
    stage.commit();
    stage.take(stage.tenure->process_gone(stage.now, 0, Incarnation{1}));
    ASSERT_EQ(stage.proposals.size(), 1u);
    const Buffer removal = stage.proposals[0].command;
    stage.proposals.clear();
    stage.take(stage.tenure->retire(stage.now));
    const auto apply = [&] {
        Buffer reply;
        stage.index = stage.index.next();
        stage.state.apply({.index = stage.index, .body = removal}, reply);
    };
    apply();
    const Revision revision = stage.state.revision();
    const Epoch epoch = stage.state.find("Foo")->epoch;
    EXPECT_EQ(epoch, Epoch{2});
    EXPECT_EQ(stage.active(), "Bar2");

    stage.restart();
    b = stage.connect(2);
    stage.join(b, "Bar2");
    stage.commit();
    apply();

    EXPECT_EQ(stage.state.revision(), revision);
    EXPECT_EQ(stage.state.find("Foo")->epoch, epoch);
    const auto registered = stage.last<pb::Registered>(b, MessageType::registered);
    ASSERT_TRUE(registered);
    EXPECT_EQ(registered->role(), static_cast<std::uint32_t>(Role::active));
    EXPECT_EQ(registered->epoch(), epoch.value);
}

TEST(NextTenure, EachHolderHasOneFullLease) {
    TenureStage stage;
    const SessionId a = stage.connect(1);
    const SessionId b = stage.connect(2);
    stage.join(a, "Bar1");
    stage.join(b, "Bar2");
    stage.commit();
    stage.pass(900ms);  // No member was heard; the lease is nearly over.
    stage.take(stage.tenure->retire(stage.now));
    stage.restart();

    stage.pass(950ms);
    EXPECT_EQ(stage.active(), "Bar1");
    stage.pass(200ms);
    EXPECT_TRUE(stage.state.find("Foo")->line.empty());
}

TEST(Nodes, AgentsAreToldOfThemWhenTheyComeAndWhenThatChanges) {
    TenureStage stage;
    stage.take(stage.tenure->set_nodes({{"r1", {"h", 1}}, {"r2", {"h", 2}}}));
    const SessionId a = stage.connect(1);
    pb::Hello hello;
    hello.set_incarnation(2);
    EXPECT_EQ(stage.tenure->welcome(hello)->nodes_size(), 2);
    EXPECT_EQ(stage.count(a, MessageType::registry_nodes), 0u);

    stage.take(stage.tenure->set_nodes({{"r1", {"h", 1}}, {"r3", {"h", 3}}}));
    stage.take(stage.tenure->set_nodes({{"r1", {"h", 1}}, {"r3", {"h", 3}}}));

    ASSERT_EQ(stage.count(a, MessageType::registry_nodes), 1u);
    const auto told = stage.last<pb::RegistryNodes>(a, MessageType::registry_nodes);
    EXPECT_EQ(told->nodes(1).name(), "r3");
}

TEST(Nodes, OfARegistryThatRunsAloneAreNotChanged) {
    TenureStage stage;
    const SessionId a = stage.connect(1);
    pb::Ask ask;
    ask.set_request(3);
    ask.mutable_nodes()->mutable_remove()->set_name("r2");
    stage.say(a, MessageType::ask, ask);
    EXPECT_EQ(stage.last<pb::Answer>(a, MessageType::answer)->failure().code(),
              static_cast<std::uint32_t>(Errc::refused));
}

TEST(Nodes, AChangeIsAnsweredWhenItIsDone) {
    TenureStage stage;
    stage.take(stage.tenure->set_nodes({{"r1", {"h", 1}}, {"r2", {"h", 2}}}));
    const SessionId a = stage.connect(1);
    pb::Ask ask;
    ask.set_request(3);
    ask.mutable_nodes()->mutable_add()->set_name("r3");
    stage.say(a, MessageType::ask, ask);  // Without an address.
    EXPECT_EQ(stage.last<pb::Answer>(a, MessageType::answer)->failure().code(),
              static_cast<std::uint32_t>(Errc::bad_config));
    ask.set_request(4);
    ask.mutable_nodes()->mutable_add()->mutable_endpoint()->set_host("h");
    ask.mutable_nodes()->mutable_add()->mutable_endpoint()->set_port(3);
    stage.say(a, MessageType::ask, ask);
    ASSERT_EQ(stage.changes.size(), 1u);

    stage.take(stage.tenure->nodes_changed(stage.now, stage.changes[0].token, {}));

    const auto answer = stage.last<pb::Answer>(a, MessageType::answer);
    EXPECT_EQ(answer->request(), 4u);
    EXPECT_FALSE(answer->has_failure());
}

TEST(Nodes, ATransferIsDoneWhenTheTenureEndsAndMayBeAskedOfItsHeir) {
    TenureStage stage;
    stage.take(stage.tenure->set_nodes({{"registry", {"h", 1}}, {"r2", {"h", 2}}}));
    const SessionId a = stage.connect(1);
    pb::Ask ask;
    ask.set_request(3);
    ask.mutable_nodes()->mutable_transfer()->set_to("registry");
    stage.say(a, MessageType::ask, ask);
    EXPECT_FALSE(stage.last<pb::Answer>(a, MessageType::answer)->has_failure());
    EXPECT_TRUE(stage.changes.empty());
    ask.set_request(4);
    ask.mutable_nodes()->mutable_transfer()->clear_to();
    stage.say(a, MessageType::ask, ask);

    stage.take(stage.tenure->retire(stage.now));

    const auto answer = stage.last<pb::Answer>(a, MessageType::answer);
    EXPECT_EQ(answer->request(), 4u);
    EXPECT_FALSE(answer->has_failure());
}

}  // namespace
}  // namespace understudy::registry
