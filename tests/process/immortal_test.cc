// Immortals in real processes that are killed in any order; and one beside a real coordinator,
// where either is killed. The counts at the end show that every call was carried out once.

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <thread>

#include <gtest/gtest.h>

#include "base/random.h"
#include "platform/free_port.h"
#include "tests/process/descriptors.h"
#include "tests/process/immortal_parts.h"
#include "tests/process/process.h"
#include "understudy/immortal_client.h"
#include "understudy/immortal_member.h"

namespace understudy::process {
namespace {

class Immortals : public ::testing::Test {
protected:
    using Key = std::pair<std::string, std::string>;  ///< Service and member.

    void start(const std::string& service, const std::string& member) {
        copies_[{service, member}] = std::make_unique<Process>(
            service + member,
            Command{.arguments = {IMMORTAL_MEMBER_PROGRAM, service, member,
                                  directory_ / service, listen_.at({service, member}),
                                  listen_.at({"server", "A"}) + "," +
                                      listen_.at({"server", "B"}),
                                  listen_.at({"client", "A"})}},
            directory_ / (service + member + ".log"));
    }
    /// The output of the active copy of a service; empty if no copy is active.
    [[nodiscard]] std::string shown(const std::string& service) {
        for (const auto& [key, copy] : copies_) {
            if (key.first != service) continue;
            copy->skip();
            copy->say("show");
            const Line line = copy->expect("shown");
            if (line.text != "shown not") return line.text;
        }
        return {};
    }

    TemporaryDirectory directory_;
    std::map<Key, std::string> listen_{{{"server", "A"}, platform::free_address()},
                                       {{"server", "B"}, platform::free_address()},
                                       {{"client", "A"}, platform::free_address()}};
    std::map<Key, std::unique_ptr<Process>> copies_;
};

TEST_F(Immortals, KilledInAnyOrderLoseNothingAndDoNothingTwice) {
    constexpr std::size_t kills = 200;
    constexpr std::int64_t each = 100;
    start("server", "A");
    copies_.at({"server", "A"})->expect("role active");
    start("server", "B");
    start("client", "A");
    const Key client{"client", "A"};
    copies_.at(client)->expect("role active");
    Random random(16);
    std::int64_t total = 0;
    for (std::size_t killed = 0; killed < kills;) {
        copies_.at(client)->say("begin " + std::to_string(each));
        copies_.at(client)->expect("begun");
        total += each;
        std::this_thread::sleep_for(std::chrono::milliseconds(random.below(30)));
        std::vector<Key> victims;
        for (const auto& [key, copy] : copies_) {
            if (random.chance(1, 2)) victims.push_back(key);
        }
        killed += victims.size();
        for (const Key& victim : victims) copies_.at(victim)->kill();
        for (const Key& victim : victims) {
            copies_.erase(victim);
            start(victim.first, victim.second);
        }
        (void)copies_.at(client)->ever("role active");
    }
    const std::string answers = "shown answers=" + std::to_string(total) + " wrong=0 asks=0";
    EXPECT_TRUE(eventually([&] { return shown("client") == answers; }))
        << shown("client") << ", not " << answers;
    const std::string greetings = "shown greetings=" + std::to_string(total) + " touches=0";
    EXPECT_TRUE(eventually([&] { return shown("server") == greetings; }))
        << shown("server") << ", not " << greetings;
}

TEST_F(Immortals, WithoutADescriptorTheyGoOn) {
    start("server", "A");
    copies_.at({"server", "A"})->expect("role active");
    start("client", "A");
    Process& client = *copies_.at({"client", "A"});
    client.expect("role active");
    client.say("begin 100");
    EXPECT_TRUE(eventually([&] { return shown("client") == "shown answers=100 wrong=0 asks=0"; }));
    {
        const NoDescriptorsLeft at_server(*copies_.at({"server", "A"}));
        const NoDescriptorsLeft at_client(client);
        client.say("begin 2000");
        EXPECT_TRUE(
            eventually([&] { return shown("client") == "shown answers=2100 wrong=0 asks=0"; }))
            << shown("client");
    }
    start("server", "B");
    copies_.at({"server", "A"})->kill();
    copies_.at({"server", "B"})->expect("role active");
    client.say("begin 100");
    EXPECT_TRUE(eventually([&] { return shown("client") == "shown answers=2200 wrong=0 asks=0"; }));
}

// The same class beside a coordinator, which has the journal and the connections.
class Beside : public ::testing::Test {
protected:
    void start_coordinator() {
        coordinator_ = std::make_unique<Process>(
            "coordinator",
            Command{.arguments = {UNDERSTUDY_PROGRAM, "coordinator", "--instance", "server",
                                  "--log", directory_ / "logs", "--journal", "local", "--port",
                                  port_of(address_), "--app-port", port_of(applications_)}},
            directory_ / "coordinator.log");
    }
    [[nodiscard]] ImmortalMember open_member() const {
        return ImmortalMember::open<Server>({.service = "server",
                                             .coordinator = applications_,
                                             .log = [](std::string_view) {}})
            .value_or_throw();
    }
    [[nodiscard]] static std::string port_of(const std::string& address) {
        return address.substr(address.rfind(':') + 1);
    }
    static std::int64_t greetings(ImmortalMember& member) {
        std::int64_t found = -1;
        (void)member.look<Server>([&](const Server& server) { found = server.greetings; });
        return found;
    }

    TemporaryDirectory directory_;
    const std::string address_ = platform::free_address();
    const std::string applications_ = platform::free_address();
    std::unique_ptr<Process> coordinator_;
};

TEST_F(Beside, AClassActsForACoordinatorAndEitherMayBeKilled) {
    constexpr int turns = 4;
    constexpr std::int64_t each = 200;
    start_coordinator();
    auto member = std::make_unique<ImmortalMember>(open_member());
    ASSERT_TRUE(member->wait_active());
    auto client = ImmortalClient::open(
                      {.service = "server", .members = {address_}, .log = [](std::string_view) {}})
                      .value_or_throw();
    std::atomic<std::int64_t> answered{0};
    std::int64_t wrong = 0;
    for (int turn = 1; turn <= turns; ++turn) {
        for (std::int64_t i = 0; i < each; ++i) {
            client.call_async<&Server::greet>([&](const Result<std::int64_t>& count) {
                if (!count || *count != ++answered) ++wrong;
            });
        }
        if (turn % 2 == 0) {
            coordinator_->kill();
            start_coordinator();
        } else {
            member.reset();
            member = std::make_unique<ImmortalMember>(open_member());
        }
        ASSERT_TRUE(eventually([&] { return answered == turn * each; })) << answered;
        EXPECT_TRUE(eventually([&] { return greetings(*member) == turn * each; }));
    }
    EXPECT_EQ(wrong, 0);
}

TEST_F(Beside, ACoordinatorWithoutADescriptorGoesOn) {
    start_coordinator();
    auto member = open_member();
    ASSERT_TRUE(member.wait_active());
    auto client = ImmortalClient::open(
                      {.service = "server", .members = {address_}, .log = [](std::string_view) {}})
                      .value_or_throw();
    EXPECT_EQ(client.call<&Server::greet>().value_or_throw(), 1);
    {
        NoDescriptorsLeft gone(*coordinator_);
        for (std::int64_t i = 2; i <= 100; ++i) {
            EXPECT_EQ(client.call<&Server::greet>().value_or_throw(), i);
        }
        EXPECT_LT(gone.load(), 0.9) << "it spins";
    }
    EXPECT_EQ(client.call<&Server::greet>().value_or_throw(), 101);
}

// A reason that prevents it from serving is reported before its application connects.
TEST_F(Beside, ACoordinatorOfAnotherUserIsRefusedAtItsStart) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
    start_coordinator();
    {
        auto member = open_member();
        ASSERT_TRUE(member.wait_active());
        EXPECT_TRUE(member.impulse<&Server::note>());
    }
    coordinator_->kill();
    std::filesystem::permissions(directory_.path(), std::filesystem::perms(0755));
    const auto as_nobody = [](std::vector<std::string> command) {
        command.insert(command.begin(), {"/usr/bin/setpriv", "--reuid=65534", "--regid=65534",
                                         "--clear-groups", UNDERSTUDY_PROGRAM});
        return run({.arguments = std::move(command)});
    };
    if (as_nobody({"--version"}).ending.code != 0) GTEST_SKIP() << "nobody may run the program";
    const Finished other =
        as_nobody({"coordinator", "--instance", "server", "--log", directory_ / "logs", "--journal",
                   "local", "--port", "0", "--app-port", "0"});
    EXPECT_EQ(other.ending.code, 77) << other.output << other.errors;
    EXPECT_NE(other.errors.find("not_permitted"), std::string::npos) << other.errors;
    EXPECT_NE(other.errors.find(directory_ / "logs"), std::string::npos) << other.errors;
    EXPECT_NE(other.errors.find("\ntry: "), std::string::npos) << other.errors;
    EXPECT_EQ(other.output.find("waits for its application"), std::string::npos);
}

TEST_F(Beside, AnImpulseIsDurableAndHasNoAnswer) {
    start_coordinator();
    auto member = open_member();
    ASSERT_TRUE(member.wait_active());
    EXPECT_TRUE(member.impulse<&Server::note>());
    std::int64_t notes = 0;
    EXPECT_TRUE(eventually([&] {
        (void)member.look<Server>([&](const Server& server) { notes = server.notes; });
        return notes == 1;
    }));
    const auto refused = member.impulse<&Server::greet>();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::bad_config);
    EXPECT_EQ(refused.error().effect, Effect::none);
    EXPECT_EQ(member.forget("x").error().code, Errc::bad_config);
    EXPECT_EQ(member.status().version, 1U);
}

TEST_F(Beside, OneThatAsksForAnotherServiceIsToldSo) {
    start_coordinator();
    auto member = ImmortalMember::open<Client>({.service = "client",
                                                .coordinator = applications_,
                                                .log = [](std::string_view) {}})
                      .value_or_throw();
    EXPECT_EQ(member.wait_open().error().code, Errc::bad_config);
}

}  // namespace
}  // namespace understudy::process
