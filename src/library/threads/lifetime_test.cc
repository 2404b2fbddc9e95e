// How agents, services and proxies end, on real sockets.

#include <thread>

#include "library/platform_test.h"
#include "library/threads/clock.h"

namespace understudy::library {
namespace {

class Lifetime : public PlatformTest {};

TEST_F(Lifetime, APortThatIsTakenAndARegistryWithoutADirectoryAreRefused) {
    Agent agent = open_agent("first");
    const auto taken = Agent::open({.name = "second", .registry = {registry_.address()},
                                    .listen = agent.address(), .log = quiet()});
    EXPECT_EQ(taken.error().code, Errc::in_use);
    EXPECT_EQ(Registry::open({.listen = "127.0.0.1:0", .data = "", .log = quiet()}).error().code,
              Errc::bad_config);
    Scratch other;
    EXPECT_EQ(Registry::open({.listen = registry_.address(), .data = other.path,
                              .log = quiet()})
                  .error()
                  .code,
              Errc::in_use);
    EXPECT_EQ(Registry::open({.listen = "127.0.0.1:0", .data = directory_.path,
                              .log = quiet()})
                  .error()
                  .code,
              Errc::in_use);
}

TEST_F(Lifetime, WhatCameFromAClosedAgentFailsWithClosed) {
    std::optional<Agent> agent = open_agent("agent");
    Service service = open_greeter(*agent, "Bar1");
    Record record = service.record("greeting").value_or_throw();
    Proxy proxy = agent->proxy("Foo").value_or_throw();
    Heard<int> images;
    Subscription subscription =
        proxy
            .subscribe("greeting",
                       [images](const RecordImage&, const RecordChange&) { images.add(1); })
            .value_or_throw();
    images.wait_for(1);
    agent->close();
    EXPECT_EQ(agent->create_service({.family = "X", .member = "Y"}).error().code, Errc::closed);
    EXPECT_EQ(agent->proxy("Foo").error().code, Errc::closed);
    EXPECT_EQ(agent->wait_for_service("Foo").error().code, Errc::closed);
    agent.reset();

    EXPECT_EQ(service.publish(record).error().code, Errc::closed);
    EXPECT_EQ(service.record("x").error().code, Errc::closed);
    EXPECT_EQ(service.publish_rpc("x", [](const Arguments&) { return CallResult(); }).error().code,
              Errc::closed);
    EXPECT_EQ(service.wait_registered().error().code, Errc::closed);
    EXPECT_TRUE(record.put("from", "nobody"));
    EXPECT_EQ(record.image().text("from"), "nobody");
    EXPECT_EQ(proxy.call("x").error().code, Errc::closed);
    EXPECT_EQ(proxy.send("x").error().code, Errc::closed);
    EXPECT_EQ(proxy.get("greeting").error().code, Errc::closed);
    EXPECT_EQ(proxy.subscribe("x", [](const RecordImage&, const RecordChange&) {}).error().code,
              Errc::closed);
    EXPECT_EQ(subscription.status(), RecordStatus::stale);
    EXPECT_EQ(subscription.image().text("from"), "Bar1");
    EXPECT_FALSE(proxy.status().connected);
    service.close();
    proxy.close();
}

TEST_F(Lifetime, AnAgentMayBeDestroyedInACallback) {
    auto agent = std::make_unique<Agent>(open_agent("agent"));
    Service service = open_greeter(*agent, "Bar1");
    Proxy proxy = agent->proxy("Foo").value_or_throw();
    Heard<int> over;
    proxy
        .on_record("greeting",
                   [&](const RecordImage&, const RecordChange&) {
                       agent.reset();
                       over.add(1);
                   })
        .value_or_throw();
    over.wait_for(1);
    EXPECT_EQ(proxy.call("x").error().code, Errc::closed);
}

TEST_F(Lifetime, AnAgentMayBeClosedByAHandlerOnItsLoop) {
    Agent server = open_agent("server");
    Agent client = open_agent("client");
    Service service = open_greeter(server, "Bar1");
    service
        .publish_rpc("leave",
                     [&](const Arguments&) {
                         service.close();
                         server.close();
                         return CallResult();
                     },
                     RunOn::loop_thread)
        .value_or_throw();
    Proxy proxy = client.proxy("Foo").value_or_throw();
    (void)proxy.call("leave", {}, {.deadline = 2s});
    server.wait();
    EXPECT_EQ(service.record("x").error().code, Errc::closed);
}

TEST_F(Lifetime, CallsThatAreOutstandingEndWithTheirAgent) {
    Agent server = open_agent("server");
    Door door;
    Service service = open_greeter(server, "Bar1");
    service
        .publish_rpc("wait",
                     [door](const Arguments&) {
                         door.pass();
                         return CallResult();
                     })
        .value_or_throw();
    auto client = std::make_unique<Agent>(open_agent("client"));
    Proxy proxy = client->proxy("Foo").value_or_throw();
    Heard<Errc> outcomes;
    proxy.call_async("wait", {}, {.deadline = 1h}, [outcomes](Result<CallResult> outcome) {
        outcomes.add(outcome ? Errc::failed : outcome.error().code);
    });
    std::thread caller([&] {
        const auto outcome = proxy.call("wait", {}, {.deadline = 1h});
        outcomes.add(outcome ? Errc::failed : outcome.error().code);
    });
    Proxy nobody = client->proxy("Nobody").value_or_throw();
    std::thread reader([&] {
        const auto image = nobody.get("x", 1h);
        outcomes.add(image ? Errc::failed : image.error().code);
    });
    client.reset();
    EXPECT_EQ(outcomes.wait_for(3), (std::vector<Errc>(3, Errc::closed)));
    caller.join();
    reader.join();
    door.open();
}

TEST_F(Lifetime, AStuckCallbackDoesNotKeepTheDestructorForLong) {
    const Door door;
    const Heard<int> entered;
    auto agent = std::make_unique<Agent>(open_agent("agent"));
    agent->on_registry([door, entered](bool) {
        entered.add(1);
        door.pass();
        entered.add(2);
    });
    entered.wait_for(1);
    const TimePoint begin = clock_now();
    agent.reset();
    EXPECT_LT(clock_now() - begin, Duration(patience) / 2) << "it waited for the callback";
    door.open();
    entered.wait_for(2);
}

TEST_F(Lifetime, WaitReturnsWhenTheAgentOrTheRegistryIsClosed) {
    Agent agent = open_agent("agent");
    Heard<int> returned;
    std::thread waiting([&] {
        agent.wait();
        returned.add(1);
    });
    agent.close();
    returned.wait_for(1);
    waiting.join();
    std::thread other([&] {
        registry_.wait();
        returned.add(2);
    });
    registry_.close();
    returned.wait_for(2);
    other.join();
}

TEST_F(Lifetime, WhatWasPublishedAndSentLastStillArrives) {
    Agent server = open_agent("server");
    Agent client = open_agent("client");
    Service service = open_greeter(server, "Bar1");
    Heard<std::int64_t> received;
    service
        .publish_rpc("note",
                     [received](const Arguments& arguments) {
                         received.add(arguments.integer("n").value_or(0));
                         return CallResult();
                     },
                     RunOn::loop_thread)
        .value_or_throw();
    {
        Proxy proxy = client.proxy("Foo").value_or_throw();
        proxy.call("note", {{"n", 1}}).value_or_throw();
        for (int n = 2; n <= 1000; ++n) proxy.send("note", {{"n", n}}).value_or_throw();
        client.close();
    }
    received.wait_for_last(1000);
}

TEST_F(Lifetime, AClosedProxyIsReplacedByANewOne) {
    Agent agent = open_agent("agent");
    Service service = open_greeter(agent, "Bar1");
    Proxy proxy = agent.proxy("Foo").value_or_throw();
    Proxy same = agent.proxy("Foo").value_or_throw();
    proxy.get("greeting").value_or_throw();
    proxy.close();
    EXPECT_EQ(same.get("greeting").error().code, Errc::closed);
    Proxy fresh = agent.proxy("Foo").value_or_throw();
    EXPECT_EQ(fresh.get("greeting").value_or_throw().text("from"), "Bar1");
}

TEST_F(Lifetime, AgentsMayBeMovedAndAssigned) {
    Agent one = open_agent("one");
    Agent two = open_agent("two");
    one = std::move(two);
    EXPECT_EQ(one.name(), "two");
    Agent three = std::move(one);
    EXPECT_EQ(three.name(), "two");
    Service service = open_greeter(three, "Bar1");
    EXPECT_EQ(service.family(), "Foo");
    EXPECT_EQ(service.member(), "Bar1");
}

TEST_F(Lifetime, TheLogSinkHearsEventsAndMayThrow) {
    Heard<std::string> lines;
    Agent agent = Agent::open({.name = "agent", .registry = {registry_.address()},
                               .log = [lines](std::string_view line) {
                                   lines.add(std::string(line));
                                   throw std::runtime_error("no");
                               }})
                      .value_or_throw();
    const auto all = lines.wait([](const std::vector<std::string>& said) {
        return !said.empty() && said.back().find("agent.registry_up") != std::string::npos;
    });
    EXPECT_EQ(all.back().find('\n'), std::string::npos);
    agent.close();
}

}  // namespace
}  // namespace understudy::library
