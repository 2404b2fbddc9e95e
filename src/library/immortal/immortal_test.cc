// The public immortals over real threads, files and sockets.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/eventually_test.h"
#include "base/scratch_test.h"
#include "platform/free_port.h"
#include "understudy/immortal_client.h"
#include "understudy/immortal_member.h"

namespace understudy {
namespace {

class Server final : public Immortal {
public:
    std::int64_t greet(const std::string& name) { return ++greetings[name]; }
    void refuse() { throw std::runtime_error("not today"); }
    std::string who() { return std::string(caller()); }

    template <class F>
    void fields(F& f) {
        f(greetings);
    }
    template <class H>
    static void handlers(H& h) {
        h("greet", &Server::greet);
        h("refuse", &Server::refuse);
        h("who", &Server::who);
    }
    std::map<std::string, std::int64_t> greetings;
};

class Server2 final : public Immortal {
public:
    static constexpr std::uint32_t version = 2;
    std::int64_t greet(const std::string& name) { return greetings[name] += 1000; }
    template <class F>
    void fields(F& f) {
        f(greetings);
    }
    template <class H>
    static void handlers(H& h) {
        h("greet", &Server2::greet);
    }
    std::map<std::string, std::int64_t> greetings;
};

/// Greets the server this many times, one after the other, and counts the answers.
class Client final : public Immortal {
public:
    void begin(std::int64_t many) {
        left += many;
        next();
    }
    void next() {
        if (left == 0) return;
        --left;
        call<&Server::greet>("server", "client").then<&Client::greeted>();
    }
    void greeted(const Result<std::int64_t>& count) {
        ++answers;
        if (!count || *count != answers) ++wrong;
        next();
    }
    template <class F>
    void fields(F& f) {
        f(left, answers, wrong);
    }
    template <class H>
    static void handlers(H& h) {
        h("begin", &Client::begin);
        h("greeted", &Client::greeted);
    }
    std::int64_t left = 0;
    std::int64_t answers = 0;
    std::int64_t wrong = 0;
};

/// Addresses of a server and a client that do not exist yet.
struct Stage {
    std::string server_a = platform::free_address();
    std::string server_b = platform::free_address();
    std::string client = platform::free_address();
    Scratch scratch;

    [[nodiscard]] ImmortalOptions options(const std::string& service, const std::string& member,
                                          const std::string& listen) const {
        return {.service = service,
                .member = member,
                .journal = LocalDirectory{scratch.path + "/" + service + member},
                .listen = listen,
                .peers = {{"server", {server_a, server_b}}, {"client", {client}}},
                .log = [](std::string_view) {}};
    }
    [[nodiscard]] ImmortalOptions server() const { return options("server", "A", server_a); }
    [[nodiscard]] ImmortalMember open_server() const {
        auto member = ImmortalMember::open<Server>(server()).value_or_throw();
        member.wait_active().value_or_throw();
        return member;
    }
    [[nodiscard]] ImmortalMember open_client() const {
        auto member = ImmortalMember::open<Client>(options("client", "A", client)).value_or_throw();
        member.wait_active().value_or_throw();
        return member;
    }
    /// One of two copies on a shared directory.
    [[nodiscard]] ImmortalMember open_copy(const std::string& member) const {
        ImmortalOptions how = options("server", member, member == "A" ? server_a : server_b);
        how.journal = SharedDirectory{.path = scratch.path + "/shared", .lease = 500ms};
        return ImmortalMember::open<Server>(std::move(how)).value_or_throw();
    }
    [[nodiscard]] ImmortalClientOptions session() const {
        return {
            .service = "server", .members = {server_a, server_b}, .log = [](std::string_view) {}};
    }
};

template <class T, class Read>
[[nodiscard]] std::int64_t seen(ImmortalMember& member, Read read) {
    std::int64_t found = -1;
    const auto looked = member.look<T>([&](const T& object) { found = read(object); });
    EXPECT_TRUE(looked) << to_string(looked.error());
    return found;
}
[[nodiscard]] std::int64_t greetings(ImmortalMember& member, const std::string& name = "client") {
    return seen<Server>(member, [&](const Server& server) {
        const auto found = server.greetings.find(name);
        return found == server.greetings.end() ? 0 : found->second;
    });
}

TEST(PublicImmortal, SaysWhatIsWrongWithItsOptions) {
    const Stage stage;
    const auto code = [&](const std::function<void(ImmortalOptions&)>& change) {
        ImmortalOptions options = stage.server();
        change(options);
        const auto opened = ImmortalMember::open<Server>(options);
        return opened ? Errc{} : opened.error().code;
    };
    EXPECT_EQ(code([](auto& o) { o.service = "no name!"; }), Errc::bad_config);
    EXPECT_EQ(code([](auto& o) { o.member.clear(); }), Errc::bad_config);
    EXPECT_EQ(code([](auto& o) { o.journal = LocalDirectory{}; }), Errc::bad_config);
    EXPECT_EQ(code([](auto& o) { o.listen = "0.0.0.0:0"; }), Errc::bad_config);
    EXPECT_EQ(code([](auto& o) { o.peers["server"] = {"nowhere"}; }), Errc::bad_config);
    EXPECT_EQ(code([](auto& o) { o.registry = {":"}; }), Errc::bad_config);
    EXPECT_EQ(code([](auto& o) { o.coordinator = "here"; }), Errc::bad_config);
    EXPECT_EQ(code([](auto& o) { o.coordinator = ":1"; }), Errc::bad_config);
    EXPECT_EQ(code([](auto& o) { o.coordinator = "/" + std::string(107, 's'); }), Errc::bad_config);
    EXPECT_FALSE((ImmortalMember::open<Server, Server>(stage.server())));
    EXPECT_FALSE(ImmortalClient::open({.service = "server"}));
    EXPECT_FALSE(ImmortalClient::open({.service = "server", .members = {"nowhere"}}));
}

TEST(PublicImmortal, WhyAJournalIsNotOpenedIsTold) {
    const Stage stage;
    auto first = stage.open_server();
    ImmortalOptions options = stage.server();
    options.listen = "127.0.0.1:0";
    auto second = ImmortalMember::open<Server>(options).value_or_throw();
    const auto opened = second.wait_open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::in_use);
    EXPECT_EQ(second.impulse<&Server::greet>("x").error().code, Errc::in_use);
}

TEST(PublicImmortal, AnImpulseIsCarriedOutAndAnsweredAndKept) {
    const Stage stage;
    for (std::int64_t life = 0; life < 3; ++life) {
        auto server = stage.open_server();
        EXPECT_EQ(server.impulse<&Server::greet>("Ann").value_or_throw(), 2 * life + 1);
        EXPECT_EQ(server.impulse<&Server::greet>("Ann").value_or_throw(), 2 * life + 2);
        EXPECT_EQ(greetings(server, "Ann"), 2 * life + 2);
        const ImmortalStatus status = server.status();
        EXPECT_EQ(status.role, Role::active);
        EXPECT_EQ(status.version, 1U);
        EXPECT_EQ(status.address, stage.server_a);
        EXPECT_GT(status.inputs, 2U);
    }
}

TEST(PublicImmortal, WhatAHandlerIsRefusedWithComesBack) {
    const Stage stage;
    auto server = stage.open_server();
    const auto refused = server.impulse<&Server::refuse>();
    EXPECT_EQ(refused.error().code, Errc::failed);
    EXPECT_EQ(refused.error().detail, "not today");
    EXPECT_EQ(server.impulse("nothing", Bytes{}).error().code, Errc::not_found);
    EXPECT_EQ(server.impulse("greet", as_bytes("!")).error().code, Errc::bad_config);
    EXPECT_EQ(server.look<Client>([](const Client&) {}).error().code, Errc::bad_config);
}

TEST(PublicImmortal, ManyImpulsesAreAnsweredInTheirOrder) {
    constexpr std::int64_t many = 30'000;
    const Stage stage;
    auto server = stage.open_server();
    std::atomic<std::int64_t> answered{0};
    std::int64_t last = 0;
    for (std::int64_t i = 0; i < many; ++i) {
        server.impulse_async<&Server::greet>(
            [&](const Result<std::int64_t>& count) {
                EXPECT_EQ(*count, last + 1);
                ++last;
                ++answered;
            },
            "Ann");
    }
    ASSERT_TRUE(eventually([&] { return answered == many; }));
    EXPECT_EQ(greetings(server, "Ann"), many);
}

TEST(PublicImmortal, ACallbackMayNotWaitAndMayDestroyTheMember) {
    const Stage stage;
    auto server = std::make_unique<ImmortalMember>(stage.open_server());
    std::atomic<bool> destroyed{false};
    server->impulse_async<&Server::greet>(
        [&](const Result<std::int64_t>&) {
            EXPECT_EQ(server->impulse<&Server::greet>("x").error().code, Errc::bad_config);
            EXPECT_EQ(server->wait_active().error().code, Errc::bad_config);
            server.reset();
            destroyed = true;
        },
        "Ann");
    EXPECT_TRUE(eventually([&] { return destroyed.load(); }));
}

TEST(PublicImmortal, WhatWasTakenBeforeTheCloseIsAnswered) {
    const Stage stage;
    auto server = stage.open_server();
    std::atomic<int> done{0};
    std::atomic<int> refused{0};
    for (int i = 0; i < 1000; ++i) {
        server.impulse_async<&Server::greet>(
            [&](const Result<std::int64_t>& count) { count ? ++done : ++refused; }, "Ann");
    }
    server.close();
    EXPECT_EQ(done, 1000);
    EXPECT_EQ(refused, 0);
    EXPECT_EQ(server.impulse<&Server::greet>("Ann").error().code, Errc::closed);
}

TEST(PublicImmortal, TwoImmortalsCallEachOtherOverRestartsOfEither) {
    constexpr std::int64_t each = 300;
    const Stage stage;
    auto server = std::make_unique<ImmortalMember>(stage.open_server());
    auto client = std::make_unique<ImmortalMember>(stage.open_client());
    const auto answers = [&] {
        return seen<Client>(*client, [](const Client& c) { return c.answers; });
    };
    for (std::int64_t turn = 1; turn <= 4; ++turn) {
        ASSERT_TRUE(client->impulse<&Client::begin>(each));
        if (turn % 2 == 0) {
            server.reset();
            server = std::make_unique<ImmortalMember>(stage.open_server());
        } else {
            client.reset();
            client = std::make_unique<ImmortalMember>(stage.open_client());
        }
        ASSERT_TRUE(eventually([&] { return answers() == turn * each; }))
            << "turn " << turn << ": " << answers();
        EXPECT_EQ(greetings(*server), turn * each);
    }
    EXPECT_EQ(seen<Client>(*client, [](const Client& c) { return c.wrong; }), 0);
}

TEST(PublicImmortal, TheNextCopyGoesOnAndTheCallerNeverKnows) {
    constexpr std::int64_t each = 200;
    const Stage stage;
    std::map<std::string, std::unique_ptr<ImmortalMember>> copies;
    for (const char* name : {"A", "B"}) {
        copies[name] = std::make_unique<ImmortalMember>(stage.open_copy(name));
        ASSERT_TRUE(copies[name]->wait_open());
    }
    auto client = stage.open_client();
    const auto answers = [&] {
        return seen<Client>(client, [](const Client& c) { return c.answers; });
    };
    std::string active = "A";
    for (std::int64_t turn = 1; turn <= 4; ++turn) {
        ASSERT_TRUE(client.impulse<&Client::begin>(each));
        const std::string other = active == "A" ? "B" : "A";
        copies.erase(active);
        ASSERT_TRUE(copies[other]->wait_active());
        copies[active] = std::make_unique<ImmortalMember>(stage.open_copy(active));
        active = other;
        ASSERT_TRUE(eventually([&] { return answers() == turn * each; }))
            << "turn " << turn << ": " << answers();
        EXPECT_EQ(greetings(*copies[active]), turn * each);
    }
    EXPECT_EQ(seen<Client>(client, [](const Client& c) { return c.wrong; }), 0);
}

TEST(PublicImmortal, AnUpgradeActsAtTheNextCallAndAfterARestart) {
    const Stage stage;
    {
        auto server = ImmortalMember::open<Server2, Server>(stage.server()).value_or_throw();
        ASSERT_TRUE(server.wait_active());
        EXPECT_TRUE(eventually([&] { return server.status().version == 2; }))
            << "a new service begins with the newest";
    }
    const Stage other;
    { EXPECT_EQ(other.open_server().impulse<&Server::greet>("Ann").value_or_throw(), 1); }
    for (std::int64_t life = 1; life <= 2; ++life) {
        auto server = ImmortalMember::open<Server2, Server>(other.server()).value_or_throw();
        ASSERT_TRUE(server.wait_active());
        if (life == 1) {
            EXPECT_EQ(server.status().version, 1U);
            EXPECT_EQ(server.impulse<&Server::greet>("Ann").value_or_throw(), 2);
            ASSERT_TRUE(server.upgrade(2));
            EXPECT_EQ(server.upgrade(2).error().code, Errc::bad_config);
        }
        EXPECT_EQ(server.status().version, 2U);
        EXPECT_EQ(server.impulse<&Server2::greet>("Ann").value_or_throw(), 2 + life * 1000);
    }
    auto old = ImmortalMember::open<Server>(other.server()).value_or_throw();
    EXPECT_EQ(old.wait_open().error().code, Errc::bad_config) << "it has no code of version 2";
}

// --- Clients -------------------------------------------------------------------------------------

TEST(PublicImmortalClient, ACallIsAnsweredAndWaitsForAServiceThatIsNotThereYet) {
    const Stage stage;
    auto client = ImmortalClient::open(stage.session()).value_or_throw();
    std::atomic<std::int64_t> early{0};
    client.call_async<&Server::greet>(
        [&](const Result<std::int64_t>& count) { early = *count; }, "Ann");
    auto server = stage.open_server();
    ASSERT_TRUE(eventually([&] { return early == 1; }));
    EXPECT_EQ(client.call<&Server::greet>("Ann").value_or_throw(), 2);
    EXPECT_EQ(client.call<&Server::refuse>().error().code, Errc::failed);
    EXPECT_EQ(client.call<&Server::who>().value_or_throw().front(), '~');
    EXPECT_NE(client.session(), 0U);
}

TEST(PublicImmortalClient, WhoGivesUpWaitingIsToldThatTheCallIsStillUnderWay) {
    const Stage stage;
    ImmortalClientOptions options = stage.session();
    options.call_timeout = 50ms;
    auto client = ImmortalClient::open(options).value_or_throw();
    const auto count = client.call<&Server::greet>("Ann");
    EXPECT_EQ(count.error().code, Errc::timed_out);
    EXPECT_EQ(count.error().effect, Effect::unknown);
    auto server = stage.open_server();
    // It may be active a moment before its object has been started; then a look is refused.
    EXPECT_TRUE(eventually([&] {
        std::int64_t found = 0;
        const auto looked = server.look<Server>(
            [&](const Server& object) { found = object.greetings.count("Ann"); });
        return looked && found == 1;
    }));
    EXPECT_EQ(greetings(server, "Ann"), 1);
}

TEST(PublicImmortalClient, WhatIsUnderWayEndsAsUnknownWhenTheClientIsClosed) {
    const Stage stage;
    auto client = ImmortalClient::open(stage.session()).value_or_throw();
    std::atomic<int> unknown{0};
    for (int i = 0; i < 100; ++i) {
        client.call_async<&Server::greet>(
            [&](const Result<std::int64_t>& count) {
                if (!count && count.error().effect == Effect::unknown) ++unknown;
            },
            "Ann");
    }
    client.close();
    EXPECT_EQ(unknown, 100);
    EXPECT_EQ(client.call<&Server::greet>("Ann").error().code, Errc::closed);
}

TEST(PublicImmortalClient, EachCallIsCarriedOutOnceOverFailovers) {
    constexpr int turns = 4;
    constexpr std::int64_t each = 200;
    const Stage stage;
    std::map<std::string, std::unique_ptr<ImmortalMember>> copies;
    for (const char* name : {"A", "B"}) {
        copies[name] = std::make_unique<ImmortalMember>(stage.open_copy(name));
        ASSERT_TRUE(copies[name]->wait_open());
    }
    auto client = ImmortalClient::open(stage.session()).value_or_throw();
    std::string active = "A";
    std::atomic<std::int64_t> answered{0};
    std::int64_t wrong = 0;
    for (int turn = 1; turn <= turns; ++turn) {
        for (std::int64_t i = 0; i < each; ++i) {
            client.call_async<&Server::greet>(
                [&](const Result<std::int64_t>& count) {
                    if (!count || *count != ++answered) ++wrong;
                },
                "Ann");
        }
        const std::string other = active == "A" ? "B" : "A";
        copies.erase(active);
        ASSERT_TRUE(copies[other]->wait_active());
        copies[active] = std::make_unique<ImmortalMember>(stage.open_copy(active));
        active = other;
        ASSERT_TRUE(eventually([&] { return answered == turn * each; })) << answered;
    }
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(greetings(*copies[active], "Ann"), turns * each);
}

// The life of a client that records its calls before it makes them.
TEST(PublicImmortalClient, GoesOnAfterItsOwnRestart) {
    const Stage stage;
    auto server = stage.open_server();
    ImmortalClientOptions options = stage.session();
    options.answers = ImmortalClientOptions::Answers::until_released;
    std::uint64_t carried_out = 0;
    {
        auto client = ImmortalClient::open(options).value_or_throw();
        options.session = client.session();
        EXPECT_EQ(client.next_number().value_or_throw(), 1U);
        EXPECT_EQ(client.call<&Server::greet>("Ann").value_or_throw(), 1);
        client.release(1);
        carried_out = client.next_number().value_or_throw();
        EXPECT_EQ(client.call<&Server::greet>("Ann").value_or_throw(), 2);
    }
    options.resume = {carried_out, carried_out + 1};
    auto client = ImmortalClient::open(options).value_or_throw();
    EXPECT_EQ(client.resume<&Server::greet>(carried_out).value_or_throw(), 2);
    EXPECT_EQ(client.resume<&Server::greet>(carried_out).value_or_throw(), 2) << "may ask again";
    EXPECT_EQ(client.resume<&Server::greet>(carried_out + 1).error().code, Errc::not_found);
    EXPECT_EQ(client.resume<&Server::greet>(77).error().code, Errc::bad_config);
    EXPECT_EQ(client.next_number().value_or_throw(), carried_out + 1);
    EXPECT_EQ(client.call<&Server::greet>("Ann").value_or_throw(), 3);
    EXPECT_EQ(greetings(server, "Ann"), 3);
    EXPECT_TRUE(client.end_session());
    EXPECT_EQ(client.call<&Server::greet>("Ann").error().code, Errc::closed);
}

}  // namespace
}  // namespace understudy
