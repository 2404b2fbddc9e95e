#include "hosting/tenure_driver.h"

#include <charconv>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "hosting/session_server.h"
#include "link/dial.h"
#include "replica/local_test.h"
#include "replica/replica.h"
#include "replica/state_machine.h"
#include "replica/tenure.h"
#include "sim/world.h"

namespace understudy::hosting {
namespace {

using wire::MessageType;

constexpr std::uint16_t counter_port = 7000;
const Error moved{.code = Errc::not_active, .detail = "not active any more"};

Buffer buffer_of(std::string_view text) {
    const Bytes bytes = as_bytes(text);
    return {bytes.begin(), bytes.end()};
}

/// Counts its commands.
class CounterState final : public replica::SmallStateMachine {
public:
    void apply(const replica::Command&, Buffer& reply) override {
        reply = buffer_of(std::to_string(++value));
    }
    void snapshot(Buffer& out) const override { out = buffer_of(std::to_string(value)); }
    Result<void> restore(Bytes state) override {
        const std::string_view text = as_text(state);
        (void)std::from_chars(text.data(), text.data() + text.size(), value);
        return {};
    }

    std::uint64_t value = 0;
};

/// Adds one for each session that says "add", and tells it the value.
class CounterTenure {
public:
    struct Hello {
        std::string name;
    };
    struct Welcome {
        std::string text;
    };
    struct Applied {
        std::string value;
        static Result<Applied> from(Index, Bytes reply) {
            return Applied{std::string(as_text(reply))};
        }
    };
    struct Shout {
        std::string text;
    };
    using Effect =
        std::variant<replica::Send, replica::Close, replica::Propose, replica::Confirm, Shout>;
    using Effects = std::vector<Effect>;

    CounterTenure(const CounterState& state, std::vector<std::string>& story)
        : state_(state), story_(story) {}

    Effects start(TimePoint now, std::uint64_t, std::uint64_t) {
        tick_at_ = now + 10ms;
        story_.emplace_back("start");
        return {};
    }
    Result<Welcome> welcome(const Hello& hello) const {
        if (hello.name == "nobody") return Error{.code = Errc::denied, .detail = "not you"};
        return Welcome{"hello " + hello.name};
    }
    Effects opened(TimePoint, LinkId session, const Hello& hello) {
        story_.push_back("opened " + hello.name);
        names_[session] = hello.name;
        return {};
    }
    Result<Effects> received(TimePoint, std::uint64_t, LinkId session, MessageType, Bytes body) {
        const std::string_view said = as_text(body);
        Effects effects;
        if (said == "add") {
            asked_[++token_] = session;
            effects.push_back(
                replica::Propose{.token = token_, .command = buffer_of("x"), .urgent = false});
        } else if (said == "value") {
            asked_[++token_] = session;
            effects.push_back(replica::Confirm{token_});
        } else if (said == "bye") {
            effects.push_back(replica::Close{session});
        } else if (said == "shout") {
            effects.push_back(Shout{names_.at(session)});
        } else if (said == "flood") {
            const std::string much(1 * MiB, 'x');
            for (int i = 0; i < 3; ++i) effects.push_back(answer(session, much));
        } else {
            return Error{.code = Errc::corrupt, .detail = "what is that"};
        }
        return effects;
    }
    Effects closed(TimePoint, LinkId session) {
        story_.push_back("closed " + names_.at(session));
        names_.erase(session);
        return {};
    }
    Effects committed(TimePoint, std::uint64_t, std::uint64_t token,
                      const Result<Applied>& applied) {
        story_.emplace_back("committed");
        return {answer(asked_.at(token), applied ? applied->value : "failed")};
    }
    Effects confirmed(TimePoint, std::uint64_t token, const Result<void>& result) {
        return {answer(asked_.at(token), result ? std::to_string(state_.value) : "failed")};
    }
    Effects tick(TimePoint now, std::uint64_t) {
        ++ticks;
        tick_at_ = now + 10ms;
        return {};
    }
    Effects retire(TimePoint) {
        story_.emplace_back("retire");
        Effects effects;
        for (const auto& [session, name] : names_) effects.push_back(answer(session, "so long"));
        return effects;
    }
    TimePoint next_deadline(TimePoint) const { return tick_at_; }

    int ticks = 0;

private:
    static replica::Send answer(LinkId to, const std::string& text) {
        return {.to = to, .type = MessageType::answer, .body = buffer_of(text)};
    }

    const CounterState& state_;
    std::vector<std::string>& story_;
    std::map<LinkId, std::string> names_;
    std::map<std::uint64_t, LinkId> asked_;
    std::uint64_t token_ = 0;
    TimePoint tick_at_;
};

static_assert(replica::Tenure<CounterTenure>);

/// A copy of the counter that is active when the test says so.
class CounterApp final : private TenureDriver<CounterTenure>::Binding,
                         private SessionServer::Desk {
public:
    CounterApp(Runtime& runtime, Log& log)
        : sessions(runtime, log, {.links_max = 10, .refused_event = "counter.peer_refused"}),
          driver(runtime, sessions, *this) {
        US_ASSERT(sessions.listen({"", counter_port}, {}));
        sessions.serve(*this);
        opening_ = replica::Replica::open(
            runtime, log, replica::every(0),
            replica::local(runtime, log, {.directory = "/counter", .segment_size_bytes = 64 * KiB}),
            state, [this](Result<std::unique_ptr<replica::Replica>> opened) {
                replica = *std::move(opened);
            });
    }
    void begin() {
        sessions.end_sessions(moved);
        driver.begin(*replica, state, story);
        sessions.serve(driver);
    }
    void end() {
        driver.end(moved);
        sessions.serve(*this);
    }

    CounterState state;
    std::vector<std::string> story;
    std::unique_ptr<replica::Replica> replica;
    SessionServer sessions;
    TenureDriver<CounterTenure> driver;

private:
    Result<CounterTenure::Hello> read_hello(Bytes opaque) override {
        if (opaque.empty()) return Error{.code = Errc::corrupt, .detail = "no name"};
        return CounterTenure::Hello{std::string(as_text(opaque))};
    }
    Buffer write_welcome(const CounterTenure::Welcome& welcome) override {
        return buffer_of(welcome.text);
    }
    void carry_out(CounterTenure::Effect& effect) override {
        story.push_back("shout " + std::get<CounterTenure::Shout>(effect).text);
    }
    void after_commit(const Result<void>&) override { story.emplace_back("after commit"); }

    void session_hello(LinkId session, Bytes) override {
        sessions.send_away(session, as_bytes("not here"), moved);
    }
    void session_message(LinkId, MessageType, Bytes) override { FAIL(); }
    void session_closed(LinkId) override {}

    std::unique_ptr<journal::Opening> opening_;
};

class Caller final : private link::Link::Observer {
public:
    Caller(Runtime& runtime, const std::string& name)
        : dial_(
              runtime, {.address = {"counter", counter_port}, .tls = {}},
              [name] { return buffer_of(name); },
              [this](Result<link::Dial::Welcomed> result) {
                  if (!result) {
                      ended = result.error();
                      return;
                  }
                  welcome = as_text(result->opaque);
                  link_ = std::move(result->link);
                  link_->observe(*this);
              }) {}
    void say(std::string_view text) { (void)link_->send(MessageType::ask, as_bytes(text)); }

    std::string welcome;
    std::vector<std::string> heard;
    std::optional<Error> ended;

private:
    void link_hello(link::Link&, Bytes) override { FAIL(); }
    void link_welcome(link::Link&, Bytes) override { FAIL(); }
    void link_message(link::Link&, MessageType, Bytes body) override {
        heard.emplace_back(as_text(body));
    }
    void link_drained(link::Link&) override {}
    void link_closed(link::Link&, const Error& reason) override { ended = reason; }

    link::Dial dial_;
    std::unique_ptr<link::Link> link_;
};

class TenureDriverTest : public ::testing::Test {
protected:
    TenureDriverTest() {
        world.add_node("counter");
        world.add_node("out");
        app_ = &world.node("counter").start("counter", [](Runtime& runtime, Log& log) {
            return std::make_unique<CounterApp>(runtime, log);
        });
        EXPECT_TRUE(world.run_until([this] { return app().replica != nullptr; }, 5s));
    }
    [[nodiscard]] CounterApp& app() { return app_->app<CounterApp>(); }
    /// Runs a task on the loop, as a callback of the program would.
    void act(const std::function<void()>& task) {
        app_->runtime().post(task);
        world.run_for(5ms);
    }
    void begin() {
        act([this] { app().begin(); });
    }
    sim::Process& call(const std::string& name) {
        sim::Process& caller = world.node("out").start(name, [name](Runtime& runtime, Log&) {
            return std::make_unique<Caller>(runtime, name);
        });
        world.run_for(5ms);
        return caller;
    }
    static Caller& in(sim::Process& process) { return process.app<Caller>(); }
    void say(sim::Process& caller, std::string_view text) {
        caller.runtime().post([&] { in(caller).say(text); });
        world.run_for(5ms);
    }

    sim::World world;

private:
    sim::Process* app_ = nullptr;
};

TEST_F(TenureDriverTest, ACommandIsAnsweredWhenItIsApplied) {
    begin();
    sim::Process& ann = call("ann");
    EXPECT_EQ(in(ann).welcome, "hello ann");
    say(ann, "add");
    say(ann, "add");
    say(ann, "value");
    EXPECT_EQ(in(ann).heard, (std::vector<std::string>{"1", "2", "2"}));
    EXPECT_EQ(app().story,
              (std::vector<std::string>{"start", "opened ann", "committed", "after commit",
                                        "committed", "after commit"}));
}

TEST_F(TenureDriverTest, WhoComesWhileThereIsNoTenureIsSentAway) {
    EXPECT_EQ(in(call("ann")).welcome, "not here");
    EXPECT_TRUE(app().story.empty());
}

TEST_F(TenureDriverTest, WhoMayHaveNoSessionIsRefused) {
    begin();
    EXPECT_EQ(in(call("nobody")).ended->code, Errc::denied);
    EXPECT_EQ(app().story, std::vector<std::string>{"start"});
}

TEST_F(TenureDriverTest, WhatIsAnsweredAfterTheEndIsNotToldToTheNextTenure) {
    begin();
    sim::Process& ann = call("ann");
    ann.runtime().post([&] { in(ann).say("add"); });
    ASSERT_TRUE(world.run_until([this] { return app().replica->counters().packs > 0; }, 1s));
    act([this] {
        app().end();
        app().begin();
    });
    EXPECT_EQ(app().state.value, 1U);
    EXPECT_EQ(app().story,
              (std::vector<std::string>{"start", "opened ann", "retire", "start"}));
}

TEST_F(TenureDriverTest, AtTheEndSessionsHearWhatIsSaidLastAndAreClosed) {
    begin();
    sim::Process& ann = call("ann");
    act([this] { app().end(); });
    EXPECT_EQ(in(ann).heard, std::vector<std::string>{"so long"});
    world.run_for(2s);
    EXPECT_TRUE(in(ann).ended);
    EXPECT_EQ(app().sessions.sessions(), 0U);
    EXPECT_EQ(app().story.back(), "retire");
}

TEST_F(TenureDriverTest, ASessionThatDoesNotReadIsClosed) {
    begin();
    sim::Process& ann = call("ann");
    sim::Process& bob = call("bob");
    say(ann, "flood");
    EXPECT_TRUE(in(ann).ended);
    EXPECT_EQ(app().story.back(), "closed ann");
    say(bob, "add");
    EXPECT_EQ(in(bob).heard, std::vector<std::string>{"1"});
}

TEST_F(TenureDriverTest, NonsenseEndsItsSessionOnly) {
    begin();
    sim::Process& ann = call("ann");
    sim::Process& bob = call("bob");
    say(ann, "nonsense");
    EXPECT_EQ(app().story.back(), "closed ann");
    say(bob, "bye");
    EXPECT_EQ(app().story.back(), "closed bob");
    world.run_for(2s);
    EXPECT_TRUE(in(ann).ended);
    EXPECT_TRUE(in(bob).ended);
    EXPECT_EQ(app().sessions.sessions(), 0U);
}

TEST_F(TenureDriverTest, AnEffectOfItsKindIsForItsBinding) {
    begin();
    say(call("ann"), "shout");
    EXPECT_EQ(app().story.back(), "shout ann");
}

TEST_F(TenureDriverTest, TimeIsToldUntilTheEnd) {
    begin();
    world.run_for(1s);
    EXPECT_GE(app().driver.tenure()->ticks, 90);
    act([this] { app().driver.abandon(); });
    EXPECT_EQ(app().driver.tenure(), nullptr);
    world.run_for(1s);
    EXPECT_EQ(app().story, std::vector<std::string>{"start"});
}

}  // namespace
}  // namespace understudy::hosting
