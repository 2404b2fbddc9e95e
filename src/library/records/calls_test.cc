// Calls from clients to the active member, on real sockets.

#include <algorithm>
#include <atomic>
#include <thread>

#include "library/platform_test.h"

namespace understudy::library {
namespace {

class Calls : public PlatformTest, public ::testing::WithParamInterface<RunOn> {
protected:
    Calls() { service_.wait_registered().value_or_throw(); }

    Agent server_ = open_agent("server");
    Agent client_ = open_agent("client");
    Service service_ =
        server_.create_service({.family = "Foo", .member = "Bar"}).value_or_throw();
    Proxy proxy_ = client_.proxy("Foo").value_or_throw();
};

TEST_P(Calls, EachOutcomeIsToldWithItsEffect) {
    service_
        .publish_rpc(
            "work",
            [](const Arguments& arguments) -> Result<CallResult> {
                const auto how = arguments.text("how");
                if (how == "refuse") return Error{.code = Errc::refused, .detail = "not today"};
                if (how == "fail") {
                    return Error{.code = Errc::failed, .effect = Effect::unknown, .detail = "half"};
                }
                if (how == "throw") throw std::runtime_error("thrown");
                return CallResult(Value("done"));
            },
            GetParam())
        .value_or_throw();
    const auto refused = proxy_.call("work", {{"how", "refuse"}});
    EXPECT_EQ(refused.error().code, Errc::refused);
    EXPECT_EQ(refused.error().effect, Effect::none);
    EXPECT_EQ(refused.error().detail, "not today");
    const auto failed = proxy_.call("work", {{"how", "fail"}});
    EXPECT_EQ(failed.error().code, Errc::failed);
    EXPECT_EQ(failed.error().effect, Effect::unknown);
    const auto thrown = proxy_.call("work", {{"how", "throw"}});
    EXPECT_EQ(thrown.error().code, Errc::failed);
    EXPECT_EQ(thrown.error().effect, Effect::unknown);
    EXPECT_EQ(thrown.error().detail, "thrown");
    const auto absent = proxy_.call("sleep");
    EXPECT_EQ(absent.error().code, Errc::not_found);
    EXPECT_EQ(absent.error().effect, Effect::none);
    EXPECT_EQ(proxy_.call("work").value_or_throw().text(), "done");
}

TEST_P(Calls, ArgumentsAndResultsAreTypedOrJson) {
    service_
        .publish_rpc(
            "sum",
            [](const Arguments& arguments) -> Result<CallResult> {
                return CallResult(Value(arguments.integer("a").value_or(0) +
                                        arguments.integer("b").value_or(0)));
            },
            GetParam())
        .value_or_throw();
    service_
        .publish_rpc(
            "echo",
            [](const Arguments& arguments) { return CallResult::from_json(arguments.json()); },
            GetParam())
        .value_or_throw();
    EXPECT_EQ(proxy_.call("sum", {{"a", 2}, {"b", 40}}).value_or_throw().integer(), 42);
    const char* rich = R"({"a":[1,2.5,null],"b":{"c":true},"d":"x"})";
    const Arguments arguments = Arguments::from_json(rich).value_or_throw();
    EXPECT_EQ(proxy_.call("echo", arguments).value_or_throw().json(), rich);
}

TEST_P(Calls, ManyThreadsMayCallAtOnce) {
    service_
        .publish_rpc(
            "echo",
            [](const Arguments& arguments) -> Result<CallResult> {
                return CallResult(Value(arguments.integer("n").value_or(-1)));
            },
            GetParam())
        .value_or_throw();
    std::vector<std::thread> threads;
    std::atomic<int> right{0};
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 100; ++i) {
                const int n = 1000 * t + i;
                const auto result = proxy_.call("echo", {{"n", n}});
                if (result && result->integer() == n) ++right;
            }
        });
    }
    for (std::thread& each : threads) each.join();
    EXPECT_EQ(right, 400);
}

TEST_P(Calls, WithoutWaitingTheOutcomeComesOnTheCallbackThreadOnce) {
    Heard<std::int64_t> ran;
    service_
        .publish_rpc(
            "note",
            [ran](const Arguments& arguments) -> Result<CallResult> {
                ran.add(arguments.integer("n").value_or(-1));
                return CallResult(Value(1));
            },
            GetParam())
        .value_or_throw();
    Heard<bool> done;
    for (int n = 0; n < 20; ++n) {
        proxy_.call_async("note", {{"n", n}}, {}, [done](Result<CallResult> outcome) {
            done.add(outcome && outcome->integer() == 1);
        });
        proxy_.send("note", {{"n", 100 + n}}).value_or_throw();
    }
    EXPECT_EQ(done.wait_for(20), std::vector<bool>(20, true));
    const auto all = ran.wait_for(40);
    EXPECT_EQ(all.front(), 0);
    EXPECT_EQ(all.back(), 119);
    EXPECT_TRUE(done.so_far().size() == 20);
}

INSTANTIATE_TEST_SUITE_P(OnBothThreads, Calls,
                         ::testing::Values(RunOn::callback_thread, RunOn::loop_thread),
                         [](const auto& each) {
                             return each.param == RunOn::loop_thread ? "LoopThread"
                                                                     : "CallbackThread";
                         });

TEST_F(Calls, WhatCannotBeSentIsRefusedAtOnce) {
    EXPECT_EQ(proxy_.call("a/b").error().code, Errc::bad_config);
    EXPECT_EQ(proxy_.call("x", {{"a", "\xff"}}).error().code, Errc::bad_config);
    EXPECT_EQ(proxy_.call("x", {{"a", std::string(arguments_size_max, 'x')}}).error().code,
              Errc::limit_exceeded);
    const auto late = proxy_.call("x", {}, {.deadline = Duration::zero()});
    EXPECT_EQ(late.error().code, Errc::timed_out);
    EXPECT_EQ(late.error().effect, Effect::none);
    EXPECT_FALSE(proxy_.send("a/b"));
    Heard<Errc> heard;
    proxy_.call_async("a/b", {}, {}, [heard](Result<CallResult> outcome) {
        heard.add(outcome.error().code);
    });
    EXPECT_EQ(heard.wait_for(1).front(), Errc::bad_config);
    EXPECT_FALSE(service_.publish_rpc("x", nullptr));
    EXPECT_FALSE(service_.publish_rpc("a/b", [](const Arguments&) { return CallResult(); }));
    service_.publish_rpc("x", [](const Arguments&) { return CallResult(); }).value_or_throw();
    EXPECT_EQ(
        service_.publish_rpc("x", [](const Arguments&) { return CallResult(); }).error().code,
        Errc::already_exists);
}

TEST_F(Calls, ADeadlineEndsACallWhoseOutcomeIsUnknownOrThatWasNeverSent) {
    Door door;
    const Heard<int> entered;
    service_
        .publish_rpc("slow",
                     [door, entered](const Arguments&) {
                         entered.add(1);
                         door.pass();
                         return CallResult();
                     })
        .value_or_throw();
    // On a busy machine a short deadline may pass before the call is sent; then a longer one is
    // tried.
    for (Duration deadline = 50ms; entered.so_far().empty(); deadline *= 2) {
        ASSERT_LT(deadline, Duration(patience));
        const auto late = proxy_.call("slow", {}, {.deadline = deadline});
        EXPECT_EQ(late.error().code, Errc::timed_out);
        const Effect wanted = entered.so_far().empty() ? late.error().effect : Effect::unknown;
        EXPECT_EQ(late.error().effect, wanted);
    }
    door.open();
    Proxy nobody = client_.proxy("Nobody").value_or_throw();
    const auto none = nobody.call("x", {}, {.deadline = 20ms});
    EXPECT_EQ(none.error().code, Errc::timed_out);
    EXPECT_EQ(none.error().effect, Effect::none);
}

TEST_F(Calls, ACallbackMayCallAnotherProcessButNotItself) {
    Proxy own = server_.proxy("Foo").value_or_throw();
    service_.publish_rpc("ping", [](const Arguments&) { return CallResult(Value(1)); })
        .value_or_throw();
    service_
        .publish_rpc("quick", [](const Arguments&) { return CallResult(Value(2)); },
                     RunOn::loop_thread)
        .value_or_throw();
    ASSERT_EQ(own.call("ping").value_or_throw().integer(), 1);

    Heard<std::string> said;
    server_.on_registry([own, said](bool) mutable {
        const auto to_itself = own.call("ping");
        said.add(to_itself ? "answered" : std::string(name(to_itself.error().code)));
        const auto on_loop = own.call("quick");
        said.add(on_loop ? "answered" : std::string(name(on_loop.error().code)));
    });
    client_.on_registry([proxy = proxy_, said](bool) mutable {
        said.add(proxy.call("ping") ? "answered" : "not answered");
    });
    const auto all = said.wait_for(3);
    EXPECT_EQ(std::count(all.begin(), all.end(), "bad_config"), 1);
    EXPECT_EQ(std::count(all.begin(), all.end(), "answered"), 2);
}

TEST_F(Calls, AHandlerOnTheLoopMayPublishButNotWait) {
    Record record = service_.record("r").value_or_throw();
    Proxy own = server_.proxy("Foo").value_or_throw();
    Heard<Errc> refusals;
    service_
        .publish_rpc(
            "tick",
            [=, this](const Arguments&) mutable -> Result<CallResult> {
                refusals.add(own.call("tick").error().code);
                refusals.add(own.get("r").error().code);
                refusals.add(server_.wait_for_service("Foo").error().code);
                record.put("n", record.image().integer("n", 0) + 1).value_or_throw();
                service_.publish(record).value_or_throw();
                return CallResult();
            },
            RunOn::loop_thread)
        .value_or_throw();
    Heard<std::int64_t> seen;
    const auto subscription =
        proxy_
            .subscribe("r", [seen](const RecordImage& image,
                                   const RecordChange&) { seen.add(image.integer("n", 0)); })
            .value_or_throw();
    for (int i = 0; i < 3; ++i) proxy_.call("tick").value_or_throw();
    seen.wait_for_last(3);
    for (const Errc code : refusals.so_far()) EXPECT_EQ(code, Errc::bad_config);
}

}  // namespace
}  // namespace understudy::library
