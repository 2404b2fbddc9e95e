// Members and clients of immortals in the simulator, with an application whose calls say what it
// does (immortal/fake_application_test.h).

#include "node/immortal/immortal_member.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "hosting/submitter.h"
#include "immortal/fake_application_test.h"
#include "journal/local/local_journal.h"
#include "journal/shared/shared_journal.h"
#include "node/immortal/immortal_client.h"
#include "sim/world.h"

namespace understudy::node {
namespace {

constexpr std::uint16_t port = 7800;
using Places = std::map<std::string, std::vector<hosting::Locator::Place>>;

hosting::Locator::Place at(const std::string& host) {
    return {.member = host, .address = {.host = host, .port = port}, .epoch = {}};
}

struct MemberApp {
    struct Spec {
        std::string service = {};
        std::string host = {};
        Places places = {};
        bool immediate = true;
        bool shared = false;
        std::size_t outbox_bytes_max = 64 * MiB;
        std::size_t lag_bytes_max = 64 * MiB;
    };

    MemberApp(Runtime& its_runtime, Log& log, const Spec& spec)
        : runtime(its_runtime), application(spec.immediate), locator(its_runtime) {
        for (const auto& [service, places] : spec.places) locator.set(service, places);
        journal::Open journal = [this, &log](journal::Observer& observer, journal::Opened opened) {
            return journal::LocalJournal::open(
                runtime, log, {.directory = "/var/lib/it", .segment_size_bytes = 4 * MiB}, observer,
                std::move(opened));
        };
        if (spec.shared) {
            journal = journal::SharedJournal::opener(
                runtime, log,
                {.directory = "/mnt/share/" + spec.service,
                 .member = spec.host,
                 .election = journal::SharedJournal::Election::autonomous,
                 .lease = 300ms});
        }
        opening = ImmortalMember::open(
            runtime, log,
            {.service = spec.service,
             .member = spec.host,
             .listen = {.host = spec.host, .port = port},
             .outbox_bytes_max = spec.outbox_bytes_max,
             .lag_bytes_max = spec.lag_bytes_max},
            journal, application, locator,
            [this](Result<std::unique_ptr<ImmortalMember>> opened) {
                if (opened) {
                    member = *std::move(opened);
                } else {
                    error = opened.error();
                }
            });
        if (!spec.immediate) work();
    }
    ~MemberApp() {
        opening.reset();
        member.reset();
    }
    /// A lagging application works at intervals.
    void work() {
        if (!hangs) application.work(3);
        timer = runtime.at(runtime.now() + 2ms, [this] { work(); });
    }
    void impulse(const std::string& handler, const std::string& body) {
        member->impulse(handler, as_bytes(body), [this](Result<Bytes> reply) {
            answers.push_back(reply ? std::string(as_text(*reply)) : to_string(reply.error()));
        });
    }
    [[nodiscard]] bool serves() const {
        return member && member->replica().active() && member->machine().started();
    }

    Runtime& runtime;
    immortal::FakeApplication application;
    bool hangs = false;
    hosting::StaticLocator locator;
    std::optional<Error> error;
    std::vector<std::string> answers;
    std::unique_ptr<Timer> timer;
    std::unique_ptr<journal::Opening> opening;
    std::unique_ptr<ImmortalMember> member;
};

struct ClientApp {
    ClientApp(Runtime& runtime, Log& log, const std::string& service, const Places& places,
              std::uint64_t session = 0,
              ImmortalClient::Answers keep = ImmortalClient::Answers::until_told)
        : locator(runtime) {
        for (const auto& [name, where] : places) locator.set(name, where);
        client = ImmortalClient::make(
            runtime, log, {.service = service, .session = session, .answers = keep}, locator);
    }
    std::uint64_t call(const std::string& handler, const std::string& body) {
        return client->call(handler, as_bytes(body), [this](Result<Bytes> reply) { hear(reply); });
    }
    void hear(const Result<Bytes>& reply) {
        answers.push_back(reply ? std::string(as_text(*reply)) : to_string(reply.error()));
    }

    hosting::StaticLocator locator;
    std::vector<std::string> answers;
    std::unique_ptr<ImmortalClient> client;
};

class ImmortalMembers : public testing::Test {
protected:
    sim::Process& start(const std::string& service, const std::string& host,
                        MemberApp::Spec more = {}) {
        more.service = service;
        more.host = host;
        more.places = places;
        sim::Node& node = world.add_node(host);
        if (more.shared) {
            if (share == nullptr) share = &world.add_disk("share");
            node.mount("/mnt/share", *share);
        }
        return node.start("member", [more](Runtime& runtime, Log& log) {
            return std::make_unique<MemberApp>(runtime, log, more);
        });
    }
    sim::Process& start_client(const std::string& service, const Places& its_places,
                               std::uint64_t session = 0,
                               ImmortalClient::Answers keep = ImmortalClient::Answers::until_told) {
        const std::string host = "client" + std::to_string(++clients);
        return world.add_node(host).start(
            "client", [service, its_places, session, keep](Runtime& runtime, Log& log) {
                return std::make_unique<ClientApp>(runtime, log, service, its_places, session,
                                                   keep);
            });
    }
    [[nodiscard]] bool until(const std::function<bool()>& reached, Duration limit = 10s) {
        return world.run_until(reached, limit);
    }
    [[nodiscard]] static MemberApp& app(sim::Process& process) { return process.app<MemberApp>(); }
    [[nodiscard]] static ClientApp& client(sim::Process& process) {
        return process.app<ClientApp>();
    }

    sim::World world{{.seed = 5}};
    sim::DiskStore* share = nullptr;
    int clients = 0;
    Places places{{"a", {at("h1")}}, {"b", {at("h2")}}};
};

TEST_F(ImmortalMembers, AnImpulseIsAnsweredRefusedOrNotTaken) {
    sim::Process& a = start("a", "h1");
    ASSERT_TRUE(until([&] { return app(a).serves(); }));

    app(a).impulse("add", "5");
    app(a).impulse("refuse", "");
    app(a).impulse("add", std::string(immortal::message_size_max + 1, 'x'));
    ASSERT_TRUE(until([&] { return app(a).answers.size() == 3; }));

    // A call that is not taken is answered first.
    EXPECT_EQ(app(a).answers[0], "limit_exceeded: arguments too long (effect: none)");
    EXPECT_EQ(app(a).answers[1], "5");
    EXPECT_EQ(app(a).application.total, 5u);
    EXPECT_EQ(world.verdict(), "");
}

TEST_F(ImmortalMembers, CallsAndTimersOutliveEachProcess) {
    sim::Process& a = start("a", "h1");
    sim::Process& b = start("b", "h2");
    ASSERT_TRUE(until([&] { return app(a).serves() && app(b).serves(); }));
    b.crash();
    for (int i = 0; i < 10; ++i) app(a).impulse("ask", "b");
    app(a).impulse("wait", "500");
    ASSERT_TRUE(until([&] { return app(a).answers.size() == 11; }));
    a.crash();
    a.restart();
    b.restart();

    ASSERT_TRUE(until([&] { return app(a).application.answers == 10; }));
    ASSERT_TRUE(until([&] { return app(a).application.total == 100; }));
    world.run_for(2s);

    EXPECT_EQ(app(b).application.total, 10u);
    EXPECT_EQ(app(a).application.answers, 10u);
    EXPECT_EQ(app(a).application.total, 100u);  // The timer has fired, once.
    EXPECT_TRUE(app(a).member->machine().find("b")->out.empty());
    EXPECT_EQ(world.verdict(), "");
}

// A service whose journal was lost is a new one: it does not know what the old one had. So nothing
// is sent to it before a person confirms that.
TEST_F(ImmortalMembers, APeerThatWasMadeAnewIsRefusedUntilTheOldOneIsForgotten) {
    std::size_t warnings = 0;
    world.on_log([&](const sim::Process&, std::string_view event, const std::string&) {
        warnings += event == "immortal.peer_refused" || event == "immortal.caller_refused";
    });
    sim::Process& a = start("a", "h1");
    sim::Process& b = start("b", "h2");
    ASSERT_TRUE(until([&] { return app(a).serves() && app(b).serves(); }));
    app(a).impulse("ask", "b");
    ASSERT_TRUE(until([&] { return app(a).application.answers == 1; }));
    b.stop();
    world.node("h2").start("remover", [](Runtime& runtime, Log&) {
        const auto names = runtime.disk().list("/var/lib/it");
        for (const std::string& file : *names) {
            US_ASSERT(runtime.disk().remove("/var/lib/it/" + file));
        }
        return std::make_unique<int>(0);
    });
    b.restart();
    ASSERT_TRUE(until([&] { return app(b).serves(); }));

    app(a).impulse("ask", "b");
    world.run_for(5s);
    EXPECT_EQ(app(a).application.answers, 1u);
    EXPECT_EQ(app(b).application.total, 0u);
    EXPECT_GE(warnings, 1u);
    EXPECT_LE(warnings, 2u);  // Once at either end, however often it is tried.

    bool forgotten = false;
    app(a).member->forget("b", [&](const Result<void>& done) { forgotten = bool(done); });
    ASSERT_TRUE(until([&] { return forgotten; }));
    app(a).impulse("ask", "b");
    ASSERT_TRUE(until([&] { return app(a).application.answers == 2; }));
    EXPECT_EQ(app(b).application.total, 1u);
}

TEST_F(ImmortalMembers, AStandbySaysWhoIsActive) {
    places = {{"a", {at("h1"), at("h2")}}};
    sim::Process& first = start("a", "h1", {.shared = true});
    ASSERT_TRUE(until([&] { return app(first).serves(); }));
    sim::Process& second = start("a", "h2", {.shared = true});
    ASSERT_TRUE(until([&] { return app(second).member != nullptr; }));
    world.run_for(1s);
    ASSERT_FALSE(app(second).serves());

    sim::Process& caller = start_client("a", {{"a", {at("h2")}}});
    client(caller).call("add", "7");

    ASSERT_TRUE(until([&] { return client(caller).answers.size() == 1; }));
    EXPECT_EQ(client(caller).answers[0], "7");
    EXPECT_EQ(app(second).member->counters().links, 0u);
}

TEST_F(ImmortalMembers, AClientGoesOnAcrossAFailover) {
    places = {{"a", {at("h1"), at("h2")}}};
    sim::Process& first = start("a", "h1", {.shared = true});
    ASSERT_TRUE(until([&] { return app(first).serves(); }));
    sim::Process& second = start("a", "h2", {.shared = true});
    sim::Process& caller = start_client("a", places);
    ASSERT_TRUE(until([&] { return app(second).member != nullptr; }));
    for (int i = 0; i < 50; ++i) client(caller).call("add", "1");
    world.run_for(500us);  // Some are on their way.
    first.crash();
    for (int i = 0; i < 50; ++i) client(caller).call("add", "1");

    ASSERT_TRUE(until([&] { return client(caller).answers.size() == 100; }));
    EXPECT_EQ(client(caller).answers.back(), "100");
    EXPECT_EQ(app(second).application.total, 100u);
}

TEST_F(ImmortalMembers, AClientHearsWhatBecameOfTheCallsOfItsEarlierProcess) {
    sim::Process& a = start("a", "h1");
    constexpr std::uint64_t session = 77;
    const auto keep = ImmortalClient::Answers::until_released;
    sim::Process& caller = start_client("a", places, session, keep);
    ASSERT_TRUE(until([&] { return client(caller).client->ready(); }));
    EXPECT_EQ(client(caller).call("add", "5"), 1u);
    EXPECT_EQ(client(caller).call("add", "6"), 2u);
    ASSERT_TRUE(until([&] { return client(caller).answers.size() == 2; }));
    client(caller).client->release(1);
    world.run_for(1s);
    caller.crash();
    caller.restart();

    ClientApp& again = client(caller);
    std::map<std::uint64_t, std::string> told;
    for (const std::uint64_t number : {1u, 2u, 3u}) {
        again.client->resume(number, [&told, number](Result<Bytes> reply) {
            told[number] =
                reply ? std::string(as_text(*reply)) : std::string(name(reply.error().code));
        });
    }
    ASSERT_TRUE(until([&] { return told.size() == 3 && again.client->ready(); }));
    EXPECT_EQ(told[1], "session_expired");  // It was released.
    EXPECT_EQ(told[2], "11");
    EXPECT_EQ(told[3], "not_found");
    EXPECT_EQ(again.client->next_number(), 3u);
    EXPECT_EQ(again.call("add", "1"), 3u);
    ASSERT_TRUE(until([&] { return again.answers.size() == 1; }));
    EXPECT_EQ(again.answers[0], "12");

    bool closed = false;
    again.client->close([&] { closed = true; });
    ASSERT_TRUE(until([&] { return closed; }));
    ASSERT_TRUE(until([&] { return app(a).member->machine().peers().empty(); }));
    EXPECT_EQ(again.call("add", "1"), 0u);
    EXPECT_EQ(world.verdict(), "");
}

TEST_F(ImmortalMembers, AConnectedClientIsNotForgottenAndAnAbsentOneIs) {
    sim::Process& a = start("a", "h1");
    sim::Process& here = start_client("a", places);
    sim::Process& away = start_client("a", places);
    client(here).call("add", "1");
    client(away).call("add", "1");
    ASSERT_TRUE(until([&] {
        return client(here).answers.size() == 1 && client(away).answers.size() == 1;
    }));
    world.isolate(away.node().name());
    app(a).impulse("add", "0");
    for (int i = 0; i < 110; ++i) {
        world.run_for(60s);
        app(a).impulse("add", "0");  // Meanwhile another caller uses it.
    }
    world.heal_network();
    client(here).call("add", "1");
    client(away).call("add", "1");

    ASSERT_TRUE(until([&] {
        return client(here).answers.size() == 2 && client(away).answers.size() == 2;
    }, 60s));
    EXPECT_EQ(client(here).answers[1], "3");
    EXPECT_TRUE(client(away).answers[1].starts_with("session_expired")) << client(away).answers[1];
}

TEST_F(ImmortalMembers, WhileTooMuchWaitsForOthersClientsWaitAndOthersDoNot) {
    sim::Process& a = start("a", "h1", {.outbox_bytes_max = 2 * KiB});
    ASSERT_TRUE(until([&] { return app(a).serves(); }));
    for (int i = 0; i < 400; ++i) app(a).impulse("tell", "b");  // There is no peer yet.
    ASSERT_TRUE(until([&] { return app(a).answers.size() == 400; }));
    world.run_for(10ms);
    app(a).impulse("add", "1");
    sim::Process& caller = start_client("a", places);
    client(caller).call("add", "1");
    world.run_for(1s);
    ASSERT_EQ(app(a).answers.size(), 401u);
    EXPECT_EQ(app(a).answers.back(), "limit_exceeded: a waits for others (effect: none)");
    EXPECT_TRUE(client(caller).answers.empty());

    sim::Process& b = start("b", "h2");
    ASSERT_TRUE(until([&] { return client(caller).answers.size() == 1; }));
    EXPECT_EQ(client(caller).answers[0], "1");
    ASSERT_TRUE(until([&] { return app(b).application.total == 400; }));
}

TEST_F(ImmortalMembers, WhatComesWhileItHoldsWaitsAndGoesOn) {
    sim::Process& a = start("a", "h1");
    ASSERT_TRUE(until([&] { return app(a).serves(); }));
    sim::Process& caller = start_client("a", places);
    client(caller).call("add", "1");
    ASSERT_TRUE(until([&] { return client(caller).answers.size() == 1; }));
    app(a).impulse("wait", "100");  // A timer that becomes due meanwhile.
    app(a).impulse("add", "10");
    bool held = false;
    app(a).member->hold([&] { held = true; });
    EXPECT_FALSE(held);
    ASSERT_TRUE(until([&] { return held; }));
    EXPECT_EQ(app(a).answers.size(), 2u) << "what was under way is answered";
    const auto position = app(a).member->machine().position();
    app(a).impulse("add", "20");
    client(caller).call("add", "1");
    client(caller).call("add", "1");

    world.run_for(1s);
    EXPECT_EQ(app(a).member->machine().position(), position);
    app(a).member->release();

    ASSERT_TRUE(until([&] {
        return client(caller).answers.size() == 3 && app(a).answers.size() == 3;
    }));
    ASSERT_TRUE(until([&] { return app(a).application.total == 133; }));
    EXPECT_EQ(world.verdict(), "");
}

TEST_F(ImmortalMembers, WhatItHoldsWhenItsTenureEndsIsAskedOfWhoIsActiveNext) {
    places = {{"a", {at("h1"), at("h2")}}};
    sim::Process& first = start("a", "h1", {.shared = true});
    ASSERT_TRUE(until([&] { return app(first).serves(); }));
    sim::Process& second = start("a", "h2", {.shared = true});
    sim::Process& caller = start_client("a", places);
    ASSERT_TRUE(until([&] { return app(second).member != nullptr; }));
    client(caller).call("add", "1");
    ASSERT_TRUE(until([&] { return client(caller).answers.size() == 1; }));
    bool held = false;
    app(first).member->hold([&] { held = true; });
    ASSERT_TRUE(until([&] { return held; }));
    client(caller).call("add", "1");
    app(first).impulse("add", "20");
    world.run_for(10ms);
    first.pause();
    ASSERT_TRUE(until([&] { return app(second).serves(); }));
    first.resume();

    ASSERT_TRUE(until([&] { return client(caller).answers.size() == 2; }));
    ASSERT_TRUE(until([&] { return app(first).answers.size() == 1; }));
    EXPECT_EQ(client(caller).answers[1], "2");
    EXPECT_EQ(app(first).answers[0], "not_active: a is not active here (effect: none)");
    EXPECT_EQ(app(second).application.total, 2u);
}

TEST_F(ImmortalMembers, AnImpulseTooManyIsRefusedWhileItHolds) {
    sim::Process& a = start("a", "h1");
    ASSERT_TRUE(until([&] { return app(a).serves(); }));
    app(a).member->hold([] {});
    for (std::size_t i = 0; i <= hosting::Submitter::held_max; ++i) app(a).impulse("add", "1");
    ASSERT_TRUE(until([&] { return app(a).answers.size() == 1; }));
    EXPECT_EQ(app(a).answers[0], "limit_exceeded: a is being handed over (effect: none)");
    app(a).member->release();
    ASSERT_TRUE(until([&] { return app(a).application.total == hosting::Submitter::held_max; }));
}

TEST_F(ImmortalMembers, WhatDoesNotFitIsNotTakenAndRoomIsTold) {
    sim::Process& caller = start_client("a", places);
    ImmortalClient& its = *client(caller).client;
    const Buffer large(immortal::message_size_max);
    bool room = false;
    its.on_room([&] { room = true; });
    for (std::uint64_t number = 1; number <= 15; ++number) {
        ASSERT_EQ(its.send("nothing", large), number);
    }
    EXPECT_EQ(its.send("nothing", Buffer(immortal::message_size_max + 1)), 0u);
    EXPECT_EQ(its.send("no/name", {}), 0u);
    EXPECT_EQ(its.send("nothing", large), 0u);
    EXPECT_FALSE(its.all_durable());

    sim::Process& a = start("a", "h1");
    ASSERT_TRUE(until([&] { return its.all_durable(); }, 60s));
    EXPECT_TRUE(room);
    EXPECT_EQ(its.send("nothing", large), 16u);
    ASSERT_TRUE(until([&] { return its.all_durable(); }));
    EXPECT_EQ(app(a).member->counters().messages_received, 16u);
    EXPECT_EQ(world.verdict(), "");
}

TEST_F(ImmortalMembers, ACutEndsTheLinkAndTheStreamGoesOnBehindIt) {
    sim::Process& a = start("a", "h1");
    sim::Process& b = start("b", "h2");
    ASSERT_TRUE(until([&] { return app(a).serves() && app(b).serves(); }));
    app(a).impulse("ask", "b");
    ASSERT_TRUE(until([&] { return app(a).application.answers == 1; }));
    world.cut("h1", "h2");
    for (int i = 0; i < 20; ++i) app(a).impulse("ask", "b");
    world.run_for(6s);
    EXPECT_EQ(app(a).application.answers, 1u);
    const std::uint64_t links = app(a).member->counters().links;
    world.heal_network();

    ASSERT_TRUE(until([&] { return app(a).application.answers == 21; }));
    EXPECT_EQ(app(b).application.total, 21u);
    EXPECT_GT(app(a).member->counters().links, links);
    EXPECT_EQ(world.verdict(), "");
}

TEST_F(ImmortalMembers, AnUpgradeGoesUpOnly) {
    sim::Process& a = start("a", "h1");
    ASSERT_TRUE(until([&] { return app(a).serves(); }));
    const std::uint32_t version = app(a).member->machine().version();
    std::vector<std::string> told;
    const auto tell = [&](const Result<void>& done) {
        told.push_back(done ? "done" : std::string(name(done.error().code)));
    };
    app(a).member->upgrade(version, tell);
    app(a).member->upgrade(version + 1, tell);
    ASSERT_TRUE(until([&] { return told.size() == 2; }));
    EXPECT_EQ(told[0], "bad_config");
    EXPECT_EQ(told[1], "done");
    EXPECT_EQ(app(a).application.version_now, version + 1);
}

TEST_F(ImmortalMembers, AnUpgradeThatTheApplicationRefusesChangesNothing) {
    sim::Process& a = start("a", "h1");
    ASSERT_TRUE(until([&] { return app(a).serves(); }));
    app(a).application.version_highest = 4;
    const std::uint32_t version = app(a).member->machine().version();
    std::vector<std::string> told;
    app(a).member->upgrade(5, [&](const Result<void>& done) {
        told.push_back(done ? "done" : std::string(name(done.error().code)));
    });
    app(a).impulse("add", "1");
    ASSERT_TRUE(until([&] { return told.size() == 1 && app(a).answers.size() == 1; }));
    EXPECT_EQ(told[0], "bad_config");
    EXPECT_EQ(app(a).member->machine().version(), version);
    EXPECT_EQ(app(a).application.version_now, version);
    EXPECT_EQ(app(a).answers[0], "1");
}

// The application lags: its outputs come late, its image is requested, and a restart begins with
// the image and the later inputs.
TEST_F(ImmortalMembers, WhileItsApplicationLagsByTooMuchEverybodyWaits) {
    sim::Process& a = start("a", "h1", {.immediate = false, .lag_bytes_max = 400});
    sim::Process& b = start("b", "h2");
    ASSERT_TRUE(until([&] { return app(a).serves() && app(b).serves(); }));
    world.run_for(1s);
    app(a).hangs = true;
    for (int i = 0; i < 1000; ++i) {
        app(b).impulse("tell", "a");
        if (i % 10 == 9) world.run_for(5ms);
    }
    world.run_for(1s);
    // The calls that were under way when the bound was reached are taken; the others are not.
    EXPECT_LT(app(a).member->machine().position().value, 300u);
    EXPECT_GT(app(a).application.lag_bytes(), 400u);
    app(a).impulse("add", "1");
    sim::Process& caller = start_client("a", places);
    client(caller).call("add", "1");
    world.run_for(1s);
    ASSERT_EQ(app(a).answers.size(), 1u);
    EXPECT_EQ(app(a).answers.back(), "limit_exceeded: the application of a lags (effect: none)");
    EXPECT_TRUE(client(caller).answers.empty());

    app(a).hangs = false;
    ASSERT_TRUE(until([&] { return app(a).application.total == 1001; }, 60s));
    ASSERT_TRUE(until([&] { return client(caller).answers.size() == 1; }));
    EXPECT_EQ(world.verdict(), "");
}

TEST_F(ImmortalMembers, ALaggingApplicationIsSavedAndGoesOnWhereItWas) {
    sim::Process& a = start("a", "h1", {.immediate = false});
    sim::Process& b = start("b", "h2");
    ASSERT_TRUE(until([&] { return app(a).serves() && app(b).serves(); }));
    for (int i = 0; i < 40; ++i) app(a).impulse(i % 2 == 0 ? "ask" : "add", i % 2 == 0 ? "b" : "1");
    std::optional<Result<Index>> taken;
    app(a).member->checkpoint([&](const Result<Index>& index) { taken = index; });
    for (int i = 0; i < 40; ++i) app(a).impulse("ask", "b");
    ASSERT_TRUE(until([&] { return taken.has_value(); }));
    ASSERT_TRUE(static_cast<bool>(*taken));
    EXPECT_EQ(app(a).member->replica().checkpoint(), **taken);
    a.crash();
    a.restart();
    ASSERT_TRUE(until([&] { return app(a).application.answers == 60; }));
    world.run_for(1s);

    EXPECT_EQ(app(a).application.total, 20u);
    EXPECT_EQ(app(a).application.answers, 60u);
    EXPECT_EQ(app(b).application.total, 60u);
    EXPECT_EQ(world.verdict(), "");
}

}  // namespace
}  // namespace understudy::node
