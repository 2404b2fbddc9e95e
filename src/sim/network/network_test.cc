#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "sim/test_programs.h"
#include "sim/world.h"

namespace understudy::sim {
namespace {

// The promises of a healthy network are tested in tests/contract. Faults are tested here.

bool is_prefix(const std::string& text, const std::string& of) {
    return of.compare(0, text.size(), text) == 0;
}

TEST(Network, WhatMeetsACutArrivesAfterItHeals) {
    Pair pair;
    pair.world.cut("a", "b");
    pair.near().send("through the cut");
    pair.world.run_for(5s);
    EXPECT_EQ(pair.far()->text, "");
    EXPECT_FALSE(pair.near().end->ended);

    pair.world.heal("a", "b");
    pair.world.run_for(2s);
    EXPECT_EQ(pair.far()->text, "through the cut");
}

TEST(Network, BytesUnderWayWhenACutBeginsComeBeforeThoseSentLater) {
    Pair pair;
    for (int i = 0; i < 50; ++i) {
        pair.near().send(std::string(1, static_cast<char>('a' + i % 26)));
        pair.world.run_for(20us);
        if (i == 20) pair.world.cut("a", "b");
        if (i == 40) pair.world.heal("a", "b");
    }
    pair.world.run_for(5s);
    ASSERT_EQ(pair.far()->text.size(), 50U);
    for (std::size_t i = 0; i < 50; ++i) {
        EXPECT_EQ(pair.far()->text[i], static_cast<char>('a' + i % 26)) << i;
    }
}

TEST(Network, AOneWayCutLetsTheOtherWayThrough) {
    Pair pair;
    pair.world.cut_one_way("b", "a");
    pair.near().send("lost for now");
    pair.far()->connection->send(as_bytes("heard"));
    pair.world.run_for(5s);
    EXPECT_EQ(pair.far()->text, "");
    EXPECT_EQ(pair.near().end->text, "heard");
}

// The sender's kernel gives up; the other end stays half-open until it sends.
TEST(Network, ALongCutBreaksTheSendersEndAndLeavesTheOtherHalfOpen) {
    Pair pair;
    pair.world.cut("a", "b");
    pair.near().send("x");
    pair.world.run_for(60s);
    ASSERT_TRUE(pair.near().end->ended);
    EXPECT_EQ(pair.near().end->ended->code, Errc::unavailable);
    EXPECT_FALSE(pair.far()->ended);

    pair.world.heal_network();
    pair.world.run_for(60s);
    EXPECT_FALSE(pair.far()->ended);

    pair.far()->connection->send(as_bytes("anybody there?"));
    pair.world.run_for(1s);
    ASSERT_TRUE(pair.far()->ended);
    EXPECT_EQ(pair.far()->ended->code, Errc::unavailable);
}

TEST(Network, BytesThatArriveButAreNotAcknowledgedBreakTheSenderToo) {
    Pair pair;
    pair.world.cut_one_way("a", "b");
    pair.near().send("heard, not acknowledged");
    pair.world.run_for(60s);
    EXPECT_EQ(pair.far()->text, "heard, not acknowledged");
    EXPECT_TRUE(pair.near().end->ended);
}

TEST(Network, AnIdleConnectionSurvivesAnyCut) {
    Pair pair;
    pair.world.cut("a", "b");
    pair.world.run_for(3600s);
    pair.world.heal("a", "b");
    pair.near().send("still here");
    pair.world.run_for(1s);
    EXPECT_EQ(pair.far()->text, "still here");
}

// Over many seeds: an orderly end or a reset, all bytes or fewer, but always a prefix.
TEST(Network, AKilledProcessLeavesAPrefixOfWhatItSent) {
    const std::string sent(5000, 'x');
    std::set<Errc> reasons;
    std::set<bool> whole;
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        Pair pair({.seed = seed});
        pair.near().send(sent);
        pair.world.run_for(3us);
        pair.client->crash();
        pair.world.run_for(1s);
        ASSERT_TRUE(pair.far()->ended) << "seed " << seed;
        ASSERT_TRUE(is_prefix(pair.far()->text, sent)) << "seed " << seed;
        reasons.insert(pair.far()->ended->code);
        whole.insert(pair.far()->text == sent);
    }
    EXPECT_EQ(reasons, (std::set<Errc>{Errc::closed, Errc::unavailable}));
    EXPECT_EQ(whole, (std::set<bool>{false, true}));
}

TEST(Network, ANodeWithoutPowerSaysNothingUntilItIsBack) {
    Pair pair;
    pair.world.node("a").power_off();
    pair.world.run_for(10s);
    EXPECT_FALSE(pair.near().end->ended);

    pair.near().send("hello?");
    pair.world.run_for(5s);
    EXPECT_FALSE(pair.near().end->ended);

    pair.world.node("a").power_on();
    pair.world.run_for(5s);
    ASSERT_TRUE(pair.near().end->ended);
    EXPECT_EQ(pair.near().end->ended->code, Errc::unavailable);
}

TEST(Network, AResetIsHeardByBothEnds) {
    Pair pair;
    pair.near().send(std::string(3000, 'x'));
    pair.world.run_for(10us);
    EXPECT_EQ(pair.world.reset_connections("a", "b"), 1U);
    pair.world.run_for(1s);
    ASSERT_TRUE(pair.near().end->ended);
    ASSERT_TRUE(pair.far()->ended);
    EXPECT_EQ(pair.near().end->ended->code, Errc::unavailable);
    EXPECT_EQ(pair.far()->ended->code, Errc::unavailable);
    EXPECT_TRUE(is_prefix(pair.far()->text, std::string(3000, 'x')));
}

TEST(Network, AKernelAcceptsForAPausedProcess) {
    World world;
    world.add_node("a").start(
        "server", [](Runtime& runtime, Log&) { return std::make_unique<Server>(runtime); });
    world.node("a").process("server").pause();
    Process& client = world.add_node("b").start(
        "client", [](Runtime& runtime, Log&) { return std::make_unique<Client>(runtime, "a"); });
    ASSERT_TRUE(world.run_until([&] { return client.app<Client>().end != nullptr; }, 1s));
    client.app<Client>().send("waiting");
    world.run_for(5s);

    Process& server = world.node("a").process("server");
    EXPECT_TRUE(server.app<Server>().ends.empty());
    server.resume();
    world.run_for(1s);
    ASSERT_EQ(server.app<Server>().ends.size(), 1U);
    EXPECT_EQ(server.app<Server>().ends[0]->text, "waiting");
}

TEST(Network, BeyondItsAcceptQueueAPausedProcessIsNotReached) {
    World world;
    Process& server = world.add_node("a").start(
        "server", [](Runtime& runtime, Log&) { return std::make_unique<Server>(runtime); });
    server.pause();
    Runtime& runtime = world.add_node("b").start("clients", idle).runtime();
    std::vector<std::unique_ptr<Client>> clients;
    for (std::size_t i = 0; i < Fabric::accept_queue_max + 10; ++i) {
        clients.push_back(std::make_unique<Client>(runtime, "a", 5s));
    }
    world.run_for(20s);
    const auto connected = std::count_if(clients.begin(), clients.end(),
                                         [](const auto& client) { return client->end != nullptr; });
    EXPECT_EQ(static_cast<std::size_t>(connected), Fabric::accept_queue_max);
    for (const auto& client : clients) {
        EXPECT_TRUE(client->end || client->failure->code == Errc::timed_out);
    }
    clients.clear();
}

TEST(Network, APortNobodyListensOnRefusesAndACutSaysNothing) {
    World world;
    world.add_node("a");
    Runtime& runtime = world.add_node("b").start("client", idle).runtime();
    Client refused(runtime, "a");
    world.run_for(100ms);
    ASSERT_TRUE(refused.failure);
    EXPECT_EQ(refused.failure->code, Errc::unavailable);
    EXPECT_EQ(refused.failure->effect, Effect::none);

    world.cut("a", "b");
    Client silent(runtime, "a", 3s);
    world.run_for(2900ms);
    EXPECT_FALSE(silent.failure);
    world.run_for(200ms);
    ASSERT_TRUE(silent.failure);
    EXPECT_EQ(silent.failure->code, Errc::timed_out);
}

TEST(Network, AnUnknownNameIsUnavailable) {
    World world;
    Runtime& runtime = world.add_node("b").start("client", idle).runtime();
    Client client(runtime, "nowhere");
    EXPECT_FALSE(client.failure);  // It is never called within the call.
    world.run_for(10ms);
    ASSERT_TRUE(client.failure);
    EXPECT_EQ(client.failure->code, Errc::unavailable);
}

TEST(Network, ALostRequestToConnectIsSentAgain) {
    World world;
    Process& server = world.add_node("a").start(
        "server", [](Runtime& runtime, Log&) { return std::make_unique<Server>(runtime); });
    world.add_node("b");
    world.cut("a", "b");
    Client client(world.node("b").start("client", idle).runtime(), "a", 10s);
    world.run_for(2s);
    world.heal("a", "b");
    EXPECT_TRUE(world.run_until([&] { return client.end != nullptr; }, 3s));
    EXPECT_TRUE(world.run_until([&] { return !server.app<Server>().ends.empty(); }, 3s));
    client.end.reset();
}

TEST(Network, TlsOnOneSideOnlyIsDenied) {
    const TlsOptions tls{"/tls/b.pem", "/tls/b.key", "/tls/ca.pem"};
    World world;
    world.add_node("a").start(
        "server", [](Runtime& runtime, Log&) { return std::make_unique<Server>(runtime); });
    Client client(world.add_node("b").start("client", idle).runtime(), "a", 5s, tls);
    world.run_for(1s);
    ASSERT_TRUE(client.failure);
    EXPECT_EQ(client.failure->code, Errc::denied);
}

TEST(Network, WithTlsEachEndKnowsTheNameOfTheOther) {
    const TlsOptions near{"/tls/near.pem", "", ""};
    const TlsOptions far{"/tls/far.pem", "", ""};
    World world;
    Process& server = world.add_node("a").start("server", [far](Runtime& runtime, Log&) {
        return std::make_unique<Server>(runtime, "", far);
    });
    Client client(world.add_node("b").start("client", idle).runtime(), "a", 5s, near);
    world.run_for(1s);
    ASSERT_TRUE(client.end);
    EXPECT_EQ(client.end->connection->peer_identity(), "far");
    EXPECT_EQ(server.app<Server>().ends.at(0)->connection->peer_identity(), "near");
    client.end.reset();
}

TEST(Network, WithTlsAPausedProcessIsNotConnectedTo) {
    const TlsOptions tls{"/tls/x.pem", "", ""};
    World world;
    Process& server = world.add_node("a").start("server", [tls](Runtime& runtime, Log&) {
        return std::make_unique<Server>(runtime, "", tls);
    });
    server.pause();
    Client client(world.add_node("b").start("client", idle).runtime(), "a", 2s, tls);
    world.run_for(3s);
    ASSERT_TRUE(client.failure);
    EXPECT_EQ(client.failure->code, Errc::timed_out);

    server.resume();
    Client late(world.node("b").process("client").runtime(), "a", 2s, tls);
    EXPECT_TRUE(world.run_until([&] { return late.end != nullptr; }, 1s));
    world.run_for(1s);
    EXPECT_EQ(server.app<Server>().ends.size(), 1U);
    EXPECT_EQ(world.fabric().stream_count(), 1U);  // Nothing is left of the first attempt.
    late.end.reset();
}

TEST(Network, AListenerOnLoopbackIsThereForItsOwnNodeOnly) {
    World world;
    Node& a = world.add_node("a");
    a.start("server",
            [](Runtime& runtime, Log&) { return std::make_unique<Server>(runtime, "127.0.0.1"); });
    Client local(a.start("local", idle).runtime(), "localhost");
    Client remote(world.add_node("b").start("remote", idle).runtime(), "a");
    world.run_for(1s);
    EXPECT_TRUE(local.end);
    EXPECT_TRUE(remote.failure);
    local.end.reset();
}

TEST(Network, ListeningOnAnotherNodesAddressIsRefused) {
    World world;
    world.add_node("a");
    Runtime& runtime = world.add_node("b").start("server", idle).runtime();
    const auto listener = runtime.network().listen({"a", 0}, {}, [](auto) {});
    ASSERT_FALSE(listener);
    EXPECT_EQ(listener.error().code, Errc::bad_config);
}

TEST(Network, ACrashedProcessFreesItsPort) {
    World world;
    Process& server = world.add_node("a").start(
        "server", [](Runtime& runtime, Log&) { return std::make_unique<Server>(runtime); });
    server.crash();
    server.restart();
    EXPECT_TRUE(server.alive());
}

TEST(Network, NamesAreResolvedAnewByEachConnect) {
    World world;
    for (const char* name : {"a1", "a2"}) {
        world.add_node(name).start(
            "server", [](Runtime& runtime, Log&) { return std::make_unique<Server>(runtime); });
    }
    Runtime& runtime = world.add_node("b").start("client", idle).runtime();
    world.set_name("service", "a1");
    Client first(runtime, "service");
    world.run_for(1s);
    world.set_name("service", "a2");
    Client second(runtime, "service");
    world.run_for(1s);
    EXPECT_EQ(world.node("a1").process("server").app<Server>().ends.size(), 1U);
    EXPECT_EQ(world.node("a2").process("server").app<Server>().ends.size(), 1U);
    first.end.reset();
    second.end.reset();
}

TEST(Network, ReadsEndAtArbitraryBytes) {
    WorldOptions options{.seed = 2};
    options.network.split_rate = 500'000;
    Pair pair(options);
    for (int i = 0; i < 100; ++i) {
        pair.near().send(std::string(100, 'x'));
        pair.world.run_for(1ms);
    }
    const std::vector<std::size_t>& pieces = pair.far()->pieces;
    EXPECT_EQ(pair.far()->text.size(), 10'000U);
    EXPECT_GT(pieces.size(), 120U);
    EXPECT_GT(std::set<std::size_t>(pieces.begin(), pieces.end()).size(), 20U);
}

TEST(Network, AllSendsOfOneTurnLeaveInOneWrite) {
    WorldOptions options;
    options.network.split_rate = 0;
    Pair pair(options);
    pair.client->runtime().post([&] {
        for (int i = 0; i < 10; ++i) pair.near().send("0123456789");
    });
    pair.world.run_for(1s);
    EXPECT_EQ(pair.far()->pieces, (std::vector<std::size_t>{100}));
}

TEST(Network, ConnectionsOvertakeEachOtherButNoneItself) {
    WorldOptions options{.seed = 6};
    options.network.tail_rate = 200'000;
    options.network.tail_max = 50ms;
    Pair pair(options);
    Client other(pair.client->runtime(), "a");
    ASSERT_TRUE(pair.world.run_until([&] { return other.end != nullptr; }, 1s));
    std::string order;
    auto& ends = pair.server->app<Server>().ends;
    ASSERT_TRUE(pair.world.run_until([&] { return ends.size() == 2; }, 1s));
    for (const auto& end : ends) {
        end->on_received = [&] { order += end == ends[0] ? '0' : '1'; };
    }
    for (int i = 0; i < 50; ++i) {
        pair.near().send(std::string(1, static_cast<char>(i)));
        other.send(std::string(1, static_cast<char>(i)));
        pair.world.run_for(1ms);
    }
    pair.world.run_for(1s);
    for (const auto& end : ends) {
        ASSERT_EQ(end->text.size(), 50U);
        EXPECT_TRUE(std::is_sorted(end->text.begin(), end->text.end()));
    }
    EXPECT_NE(order.find("00"), std::string::npos);
    EXPECT_NE(order.find("11"), std::string::npos);
    other.end.reset();
}

TEST(Network, ExtraDelayIsFelt) {
    Pair pair;
    pair.world.set_extra_delay("a", "b", 300ms);
    pair.near().send("slow");
    pair.world.run_for(299ms);
    EXPECT_EQ(pair.far()->text, "");
    pair.world.run_for(10ms);
    EXPECT_EQ(pair.far()->text, "slow");
}

TEST(Network, StreamsThatAreOverLeaveNothingBehind) {
    World world;
    start_gossip(world, 2);
    for (int i = 0; i < 20; ++i) {
        world.run_for(1s);
        world.node("g1").process("gossip").crash();
        world.node("g1").process("gossip").restart();
    }
    world.run_for(5s);
    EXPECT_LE(world.fabric().stream_count(), 2U);
}

}  // namespace
}  // namespace understudy::sim
