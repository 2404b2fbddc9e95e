// Members whose journal elects: the registry designates them and believes their reports
// (docs/protocols/roles.md, "Services with a journal").

#include <functional>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/scenario/stage.h"
#include "wire/definition.h"

namespace understudy::scenario {
namespace {

using Lines = std::vector<std::string>;

/// A member that follows its designation. There is no journal; the test acts in its place.
class CopyApp final : public client::AgentObserver, public client::JournaledObserver {
public:
    CopyApp(Runtime& runtime, Log& log, const std::string& host, std::uint32_t replica) {
        client::AgentOptions options;
        options.name = fmt::format("agent-{}", replica);
        options.registry = {{"r", 22222}};
        options.listen = {host, 0};
        auto opened = client::Agent::open(runtime, log, std::move(options), *this);
        US_ASSERT(opened);
        agent = *std::move(opened);
        auto created = agent->create_journaled({.family = "server",
                                                .member = wire::replica_member(replica),
                                                .endpoint = {host, 5000},
                                                .node = {host, 5001},
                                                .lease = 1s},
                                               *this);
        US_ASSERT(created);
        member = *created;
    }

    void is(Role role, std::uint64_t epoch, std::uint64_t applied = 0) {
        member->report({.role = role,
                        .epoch = Epoch{epoch},
                        .has_checkpoint = true,
                        .applied = Index{applied},
                        .committed = Index{applied}});
    }

    Lines heard;
    std::unique_ptr<client::Agent> agent;
    client::JournaledMember* member = nullptr;

private:
    void registry_changed(bool, const std::string&) override {}
    void service_changed(const std::string&) override {}
    void designated(const role::Designation& what, Epoch) override {
        heard.push_back(fmt::format("{}{}", name(what.role), what.takes_checkpoints ? "+" : ""));
    }
    void registered(std::uint64_t) override {}
    void refused(const Error& reason) override {
        heard.push_back(fmt::format("refused {}", name(reason.code)));
    }
};

struct Copies {
    Copies() { registry = &stage.start_registry(); }

    CopyApp& start(std::uint32_t replica) {
        const std::string host = fmt::format("n{}", replica);
        processes[replica] =
            &stage.world.add_node(host).start("copy", [host, replica](Runtime& runtime, Log& log) {
                return std::make_unique<CopyApp>(runtime, log, host, replica);
            });
        EXPECT_TRUE(stage.until([&] { return !app(replica).heard.empty(); }));
        return app(replica);
    }
    CopyApp& app(std::uint32_t replica) { return processes.at(replica)->app<CopyApp>(); }
    bool until_active(const std::string& member) {
        return stage.until([&] { return stage.active("server") == member; });
    }

    Stage stage;
    sim::Process* registry;
    std::map<std::uint32_t, sim::Process*> processes;
};

TEST(JournaledMember, TheSeedsStory) {
    Copies copies;
    EXPECT_EQ(copies.start(0).heard, Lines{"active+"});
    copies.app(0).is(Role::active, 1);
    ASSERT_TRUE(copies.until_active("replica-0"));
    EXPECT_EQ(copies.start(1).heard, Lines{"checkpointer+"});
    EXPECT_EQ(copies.start(2).heard, Lines{"standby"});

    copies.processes.at(0)->crash();
    ASSERT_TRUE(copies.stage.until([&] { return copies.app(2).heard.back() == "active"; }));
    EXPECT_EQ(copies.stage.active("server"), "") << "it has not said so yet";
    copies.app(2).is(Role::active, 2);
    ASSERT_TRUE(copies.until_active("replica-2"));

    copies.processes.at(2)->crash();
    copies.stage.world.run_for(3s);
    EXPECT_EQ(copies.app(1).heard, Lines{"checkpointer+"}) << "it stays what it is";
    EXPECT_EQ(copies.stage.active("server"), "");
}

TEST(JournaledMember, OthersFindTheActiveOneInTheirDirectory) {
    Copies copies;
    copies.start(0);
    copies.start(1);
    copies.app(0).is(Role::active, 7);
    const auto seen = [&] { return copies.app(1).agent->directory().active("server"); };
    ASSERT_TRUE(copies.stage.until([&] { return seen() != nullptr; }));
    EXPECT_EQ(seen()->member(), "replica-0");
    EXPECT_EQ(seen()->epoch(), 7u);
    EXPECT_EQ(seen()->endpoint().host(), "n0");
    EXPECT_EQ(seen()->endpoint().port(), 5000u);
    EXPECT_EQ(seen()->node().port(), 5001u);
    copies.processes.at(0)->crash();
    EXPECT_TRUE(copies.stage.until([&] { return seen() == nullptr; }));
}

TEST(JournaledMember, ARegistryThatComesBackHearsAllOfItAgain) {
    Copies copies;
    copies.start(0);
    copies.start(1);
    copies.app(0).is(Role::active, 3, 10);
    ASSERT_TRUE(copies.until_active("replica-0"));
    copies.registry->crash();
    copies.stage.world.run_for(300ms);
    copies.app(0).is(Role::active, 4, 20);  // No other copy is told.
    copies.registry->restart();
    ASSERT_TRUE(copies.stage.until([&] {
        return copies.stage.registry().serving &&
               copies.stage.service("server").epoch == Epoch{4};
    }));
    EXPECT_EQ(copies.stage.active("server"), "replica-0");
    EXPECT_EQ(copies.stage.service("server").promotions, 2u);
}

TEST(JournaledMember, AHungMemberIsCountedAsStoppedAndComesBackAsAStandby) {
    Copies copies;
    copies.start(0);
    copies.start(1);
    copies.start(2);
    copies.app(0).is(Role::active, 1);
    ASSERT_TRUE(copies.until_active("replica-0"));
    copies.processes.at(0)->pause();
    ASSERT_TRUE(copies.stage.until([&] { return copies.app(2).heard.back() == "active"; }, 3s));
    copies.app(2).is(Role::active, 2);
    ASSERT_TRUE(copies.until_active("replica-2"));
    copies.processes.at(0)->resume();
    ASSERT_TRUE(copies.stage.until([&] { return copies.app(0).heard.back() == "standby"; }, 3s));
    EXPECT_EQ(copies.stage.active("server"), "replica-2");
}

TEST(JournaledMember, PositionsComeOnceInASecondAndRolesAtOnce) {
    Copies copies;
    copies.start(0);
    copies.app(0).is(Role::active, 1);
    ASSERT_TRUE(copies.until_active("replica-0"));
    const auto applied = [&] {
        std::optional<std::uint64_t> found;
        copies.app(0).agent->look_up("server", false, 1s, [&](Result<wire::pb::LookupAnswer> said) {
            found = said ? said->services(0).members(0).position().applied() : 0;
        });
        EXPECT_TRUE(copies.stage.until([&] { return found.has_value(); }, 1s));
        return *found;
    };
    copies.stage.world.run_for(1100ms);
    copies.app(0).is(Role::active, 1, 5);
    EXPECT_EQ(applied(), 5u);
    copies.app(0).is(Role::active, 1, 6);
    EXPECT_EQ(applied(), 5u) << "not yet";
    copies.stage.world.run_for(1100ms);
    EXPECT_EQ(applied(), 6u);
    copies.app(0).is(Role::standby, 1, 7);
    EXPECT_TRUE(copies.until_active(""));
}

TEST(JournaledMember, ACopyThatIsTakenOutIsRefusedUntilItIsAddedAgain) {
    Copies copies;
    auto& operator_ = copies.stage.start_client("c", "operator").app<ClientApp>();
    const auto ask = [&](const std::function<void(wire::pb::DefinitionAsk&)>& fill) {
        ASSERT_TRUE(copies.stage.until([&] { return operator_.agent->registry_up(); }));
        wire::pb::Ask question;
        fill(*question.mutable_definition());
        operator_.answer.reset();
        operator_.agent->ask(question, 1s, [&](Result<wire::pb::Answer> answer) {
            operator_.answer = std::move(answer);
        });
        ASSERT_TRUE(copies.stage.until([&] { return operator_.answer.has_value(); }));
        ASSERT_TRUE(*operator_.answer) << operator_.answer->error().detail;
    };
    const auto add = [](wire::pb::DefinitionAsk& asked) {
        asked.mutable_add()->set_family("server");
        asked.mutable_add()->set_number(1);
    };
    ask([](wire::pb::DefinitionAsk& asked) {
        asked.mutable_define()->set_family("server");
        asked.mutable_define()->set_kind(1);
        asked.mutable_define()->set_journal(2);
    });
    EXPECT_EQ(copies.start(1).heard, Lines{"refused not_found"});
    ask(add);
    ASSERT_TRUE(copies.stage.until([&] { return copies.app(1).heard.back() == "active+"; }));
    copies.start(0);

    ask([](wire::pb::DefinitionAsk& asked) {
        asked.mutable_remove()->set_family("server");
        asked.mutable_remove()->set_number(1);
    });

    ASSERT_TRUE(
        copies.stage.until([&] { return copies.app(1).heard.back() == "refused not_found"; }));
    EXPECT_EQ(copies.stage.line("server"), Lines{"replica-0"});
    ask(add);
    EXPECT_TRUE(copies.stage.until([&] { return copies.stage.line("server").size() == 2; }));
}

TEST(JournaledMember, WhoLeavesIsNotAwaited) {
    Copies copies;
    copies.start(0);
    copies.start(1);
    copies.app(0).is(Role::active, 1);
    ASSERT_TRUE(copies.until_active("replica-0"));
    bool done = false;
    copies.app(0).agent->close(1s, [&] { done = true; });
    ASSERT_TRUE(copies.stage.until([&] { return done; }, 1s));
    EXPECT_EQ(copies.stage.line("server"), Lines{"replica-1"});
}

}  // namespace
}  // namespace understudy::scenario
