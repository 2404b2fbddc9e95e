// Agents that share their threads, and listeners on the loop, on real sockets.

#include <thread>

#include "library/platform_test.h"
#include "library/threads/clock.h"

namespace understudy::library {
namespace {

class SharedThreads : public PlatformTest {
protected:
    Agent open_sharing(std::string name) {
        return Agent::open({.name = std::move(name), .registry = {registry_.address()},
                            .log = quiet(), .threads = threads_})
            .value_or_throw();
    }
    /// A call that waits at the door, on the callback thread.
    static void publish_wait(Service& service, const Door& door, const Heard<int>& entered) {
        service
            .publish_rpc("wait",
                         [door, entered](const Arguments&) {
                             entered.add(1);
                             door.pass();
                             return CallResult();
                         })
            .value_or_throw();
    }

    /// A listener there destroys both agents and the threads that they share.
    void destroy_all_on(RunOn where) {
        auto one = std::make_unique<Agent>(open_sharing("one"));
        auto two = std::make_unique<Agent>(open_sharing("two"));
        Service service = open_greeter(*one, "Bar1");
        Proxy proxy = two->proxy("Foo").value_or_throw();
        Heard<int> over;
        proxy
            .on_record("greeting",
                       [&](const RecordImage&, const RecordChange&) {
                           one.reset();
                           two.reset();
                           threads_.reset();
                           over.add(1);
                       },
                       {.where = where})
            .value_or_throw();
        over.wait_for(1);
        EXPECT_EQ(proxy.call("x", {}, {.deadline = patience}).error().code, Errc::closed);
        EXPECT_EQ(service.record("x").error().code, Errc::closed);
    }

    std::optional<Threads> threads_{std::in_place, quiet()};
};

TEST_F(SharedThreads, AMemberAndItsClientsNeedNoMoreThanTheirTwo) {
    Agent server = open_sharing("server");
    Service service = open_greeter(server, "Bar1");
    service
        .publish_rpc("who", [](const Arguments&) { return CallResult(std::string("Bar1")); },
                     RunOn::loop_thread)
        .value_or_throw();
    std::vector<Agent> clients;
    Heard<std::thread::id> heard;
    for (int i = 0; i < 10; ++i) {
        clients.push_back(open_sharing("client" + std::to_string(i)));
        Proxy proxy = clients.back().proxy("Foo").value_or_throw();
        proxy
            .on_record("greeting",
                       [heard](const RecordImage&, const RecordChange&) {
                           heard.add(std::this_thread::get_id());
                       })
            .value_or_throw();
        EXPECT_EQ(proxy.call("who").value_or_throw().text(), "Bar1");
    }
    for (const std::thread::id each : heard.wait_for(10)) EXPECT_EQ(each, heard.so_far().front());
}

TEST_F(SharedThreads, OneThatIsClosedLeavesTheOthersAlone) {
    Agent server = open_sharing("server");
    Service service = open_greeter(server, "Bar1");
    Agent stays = open_sharing("stays");
    Proxy proxy = stays.proxy("Foo").value_or_throw();
    EXPECT_EQ(proxy.get("greeting").value_or_throw().text("from"), "Bar1");
    {
        Agent goes = open_sharing("goes");
        Service standby = open_greeter(goes, "Bar2");
        EXPECT_EQ(goes.proxy("Foo").value_or_throw().get("greeting").value_or_throw().text("from"),
                  "Bar1");
        goes.close();
        EXPECT_EQ(goes.proxy("Foo").error().code, Errc::closed);
        EXPECT_EQ(standby.record("x").error().code, Errc::closed);
    }
    EXPECT_EQ(proxy.get("greeting").value_or_throw().text("from"), "Bar1");
    EXPECT_TRUE(open_sharing("comes").wait_for_service("Foo"));
}

TEST_F(SharedThreads, TheyOutliveTheirOwnersHandleAndMayBeMovedAway) {
    Agent agent = open_sharing("agent");
    Threads moved = *std::move(threads_);
    EXPECT_EQ(Agent::open({.registry = {registry_.address()}, .threads = threads_}).error().code,
              Errc::bad_config);
    moved = Threads(quiet());
    threads_.reset();
    Service service = open_greeter(agent, "Bar1");
    EXPECT_TRUE(agent.wait_for_service("Foo"));
}

TEST_F(SharedThreads, AnAgentThatCannotBeOpenedLeavesThem) {
    Agent agent = open_sharing("agent");
    EXPECT_EQ(Agent::open({.name = "second", .registry = {registry_.address()},
                           .listen = agent.address(), .log = quiet(), .threads = threads_})
                  .error()
                  .code,
              Errc::in_use);
    Service service = open_greeter(agent, "Bar1");
    EXPECT_TRUE(agent.wait_for_service("Foo"));
}

TEST_F(SharedThreads, AgentsAndTheThreadsThemselvesMayBeDestroyedInACallback) {
    destroy_all_on(RunOn::callback_thread);
}

TEST_F(SharedThreads, AgentsAndTheThreadsThemselvesMayBeDestroyedOnTheLoop) {
    destroy_all_on(RunOn::loop_thread);
}

TEST_F(SharedThreads, AStuckCallbackOfAnotherKeepsTheDestructorNoLongerThanItsOwn) {
    Agent other = open_sharing("other");
    auto agent = std::make_unique<Agent>(open_sharing("agent"));
    const Door door;
    const Heard<int> entered;
    other.on_registry([door, entered](bool) {
        entered.add(1);
        door.pass();
    });
    entered.wait_for(1);
    Heard<int> late;
    agent->on_registry([late](bool) { late.add(1); });
    const TimePoint begin = clock_now();
    agent.reset();
    EXPECT_LT(clock_now() - begin, Duration(patience) / 2) << "it waited for the callback";
    door.open();
    Heard<int> after;
    other.on_registry([after](bool) { after.add(1); });
    after.wait_for(1);
    EXPECT_TRUE(late.so_far().empty());  // It was dropped with its agent.
}

TEST_F(SharedThreads, ACallbackMayNotWaitForAHandlerOfItsNeighbour) {
    Agent server = open_sharing("server");
    Agent client = open_sharing("client");
    Service service = open_greeter(server, "Bar1");
    Door open;
    open.open();
    publish_wait(service, open, {});
    Proxy proxy = client.proxy("Foo").value_or_throw();
    proxy.call("wait").value_or_throw();
    Heard<Errc> outcome;
    client.on_registry([&, outcome](bool) {
        const auto answer = proxy.call("wait");
        outcome.add(answer ? Errc::failed : answer.error().code);
    });
    EXPECT_EQ(outcome.wait_for(1).front(), Errc::bad_config);
}

class LoopListener : public PlatformTest {
protected:
    Agent server_ = open_agent("server");
    Agent client_ = open_agent("client");
    Service service_ = open_greeter(server_, "Bar1");
    Record record_ = service_.record("greeting").value_or_throw();
    Proxy proxy_ = client_.proxy("Foo").value_or_throw();
};

TEST_F(LoopListener, HearsTheImageThenEachChangeAndNothingIsCoalesced) {
    Heard<std::int64_t> numbers;
    const Subscription subscription =
        proxy_
            .subscribe("greeting",
                       [numbers](const RecordImage& image, const RecordChange&) {
                           numbers.add(image.integer("n", 0));
                       },
                       {.where = RunOn::loop_thread})
            .value_or_throw();
    numbers.wait_for(1);
    for (int n = 1; n <= 1000; ++n) {
        record_.put("n", n).value_or_throw();
        service_.publish(record_).value_or_throw();
    }
    const auto all = numbers.wait_for_last(1000);
    for (std::size_t i = 0; i < all.size(); ++i) {
        ASSERT_EQ(all[i], static_cast<std::int64_t>(i));
    }
    EXPECT_EQ(subscription.coalesced(), 0U);
    EXPECT_EQ(subscription.image().integer("n"), 1000);
}

TEST_F(LoopListener, MayNotWaitMayPublishAndMayEndItsSubscription) {
    Heard<Errc> refusals;
    Heard<int> heard;
    Record echo = service_.record("echo").value_or_throw();
    Subscription subscription;
    Heard<int> set;
    subscription =
        proxy_
            .subscribe("greeting",
                       [&, refusals, heard](const RecordImage&, const RecordChange&) {
                           set.wait_for(1);
                           const auto read = proxy_.get("greeting");
                           refusals.add(read ? Errc::failed : read.error().code);
                           echo.put("n", 1).value_or_throw();
                           service_.publish(echo).value_or_throw();
                           subscription.end();
                           heard.add(1);
                       },
                       {.where = RunOn::loop_thread})
            .value_or_throw();
    set.add(1);
    heard.wait_for(1);
    EXPECT_EQ(refusals.so_far().front(), Errc::bad_config);
    EXPECT_EQ(proxy_.get("echo").value_or_throw().integer("n"), 1);
    record_.put("n", 2).value_or_throw();
    service_.publish(record_).value_or_throw();
    EXPECT_EQ(proxy_.get("greeting").value_or_throw().integer("n"), 2);
    EXPECT_EQ(heard.so_far().size(), 1U);
}

TEST_F(LoopListener, HearsOfItsStatusThereAndFollowsAFailover) {
    Agent second = open_agent("second");
    Service standby = open_greeter(second, "Bar2");
    Heard<std::string> from;
    Heard<RecordStatus> status;
    Heard<std::thread::id> threads;
    const Subscription subscription =
        proxy_
            .subscribe("greeting",
                       [from, threads](const RecordImage& image, const RecordChange& change) {
                           EXPECT_TRUE(change.is_image);
                           from.add(image.text("from", "-"));
                           threads.add(std::this_thread::get_id());
                       },
                       {.where = RunOn::loop_thread})
            .value_or_throw();
    proxy_.on_record_status(subscription, [status, threads](RecordStatus now) {
        status.add(now);
        threads.add(std::this_thread::get_id());
    });
    from.wait_for_last("Bar1");
    status.wait_for_last(RecordStatus::connected);
    server_.close();
    from.wait_for_last("Bar2");
    const auto all = status.wait_for_last(RecordStatus::connected);
    ASSERT_GE(all.size(), 3U);
    EXPECT_EQ(all[all.size() - 2], RecordStatus::stale);
    for (const auto each : threads.so_far()) EXPECT_EQ(each, threads.so_far().front());
}

TEST_F(LoopListener, WhatItThrowsIsLoggedAndTheNextChangeComes) {
    Heard<int> heard;
    proxy_
        .on_record("greeting",
                   [heard](const RecordImage&, const RecordChange&) {
                       heard.add(1);
                       throw std::runtime_error("no");
                   },
                   {.where = RunOn::loop_thread})
        .value_or_throw();
    heard.wait_for(1);
    record_.put("n", 1).value_or_throw();
    service_.publish(record_).value_or_throw();
    heard.wait_for(2);
}

TEST_F(LoopListener, OneThatIsRefusedSaysSoAndOneWithoutARecordToo) {
    service_.set_permission_filter(
        [](std::string_view, std::string_view token) { return token == "secret"; });
    Heard<int> heard;
    const auto count = [heard](const RecordImage&, const RecordChange&) { heard.add(1); };
    const auto refused =
        proxy_.subscribe("greeting", count, {.where = RunOn::loop_thread}).value_or_throw();
    const auto absent =
        proxy_.subscribe("none", count, {.token = "secret", .where = RunOn::loop_thread})
            .value_or_throw();
    Heard<RecordStatus> said;
    proxy_.on_record_status(refused, [said](RecordStatus now) { said.add(now); });
    said.wait_for_last(RecordStatus::refused);
    Heard<RecordStatus> other;
    proxy_.on_record_status(absent, [other](RecordStatus now) { other.add(now); });
    other.wait_for_last(RecordStatus::absent);
    EXPECT_TRUE(heard.so_far().empty());
}

TEST_F(LoopListener, OneOnTheCallbackThreadOfTheSameAgentHearsTheSame) {
    Heard<std::int64_t> there;
    Heard<std::int64_t> here;
    const auto to = [](Heard<std::int64_t>& which) {
        return [which](const RecordImage& image, const RecordChange&) {
            which.add(image.integer("n", 0));
        };
    };
    proxy_.on_record("greeting", to(there), {.where = RunOn::loop_thread}).value_or_throw();
    proxy_.on_record("greeting", to(here)).value_or_throw();
    record_.put("n", 7).value_or_throw();
    service_.publish(record_).value_or_throw();
    there.wait_for_last(7);
    here.wait_for_last(7);
}

}  // namespace
}  // namespace understudy::library
