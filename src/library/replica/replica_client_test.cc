// Replicas of a platform and their clients, over real threads, files and sockets.

#include "understudy/replica_client.h"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/eventually_test.h"
#include "library/engine.h"
#include "library/platform_test.h"
#include "library/registry/admin.h"
#include "library/replica/sum_test.h"
#include "platform/free_port.h"
#include "wire/control.h"

namespace understudy::library {
namespace {

std::string text_of(const Result<Buffer>& reply) {
    return reply ? std::string(as_text(*reply)) : to_string(reply.error());
}

class ReplicaPlatform : public PlatformTest {
protected:
    struct Copy {
        std::shared_ptr<Sum> machine;
        Replica replica;
        Heard<Role> roles;
    };
    std::unique_ptr<Copy> open_copy(ReplicaOptions options) {
        options.registry = {registry_.address()};
        options.log = quiet();
        auto machine = std::make_shared<Sum>();
        auto copy = std::make_unique<Copy>(
            Copy{machine, Replica::open(std::move(options), machine).value_or_throw(), {}});
        copy->replica.on_role(
            [roles = copy->roles](const ReplicaStatus& now) mutable { roles.add(now.role); });
        EXPECT_TRUE(copy->replica.wait_open());
        return copy;
    }
    std::unique_ptr<Copy> open_shared(const std::string& name) {
        return open_copy(
            {.service = "sum",
             .member = name,
             .journal = SharedDirectory{.path = directory_.path + "/journal", .lease = 500ms}});
    }
    Result<void> switch_over(const std::string& service, const std::string& to) {
        Agent agent = open_agent("operator");
        wire::pb::Ask question;
        question.mutable_switchover()->set_family(service);
        question.mutable_switchover()->set_to(to);
        const auto answer = ask(agent, question, 30s);
        if (!answer) return answer.error();
        if (answer->has_failure()) return wire::from_failure(answer->failure());
        return {};
    }
    ReplicaClient open_client(const std::string& service = "sum") {
        return ReplicaClient::open(
                   {.service = service, .registry = {registry_.address()}, .log = quiet()})
            .value_or_throw();
    }
};

TEST_F(ReplicaPlatform, TwoCopiesAreAPairThatFailsOver) {
    auto a = open_shared("A");
    a->roles.wait_for_last(Role::active);
    auto b = open_shared("B");
    b->roles.wait_for_last(Role::standby);
    auto client = open_client();
    EXPECT_EQ(text_of(client.submit(as_bytes("3"))), "3");
    a.reset();
    EXPECT_EQ(text_of(client.submit(as_bytes("4"))), "7");
    EXPECT_EQ(b->replica.status().role, Role::active);
    a = open_shared("A");
    a->roles.wait_for_last(Role::standby);
    b.reset();
    EXPECT_EQ(text_of(client.submit(as_bytes("5"))), "12");
}

TEST_F(ReplicaPlatform, ASwitchoverUnderLoadLosesAndDoublesNothing) {
    auto a = open_shared("A");
    a->roles.wait_for_last(Role::active);
    auto b = open_shared("B");
    b->roles.wait_for_last(Role::standby);
    auto client = open_client();
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> submitted{0};
    std::atomic<std::uint64_t> answered{0};
    std::atomic<std::uint64_t> refused{0};
    std::thread load([&] {
        while (!stop) {
            ++submitted;
            client.submit(as_bytes("1"),
                          [&](const Result<Buffer>& reply) { reply ? ++answered : ++refused; });
            if (submitted % 64 == 0) {
                (void)eventually([&] { return submitted - answered - refused < 64; });
            }
        }
    });
    (void)eventually([&] { return answered > 100; });
    for (int round = 0; round < 4; ++round) {
        const bool to_b = round % 2 == 0;
        // On a busy machine the successor may need longer than a switchover may take.
        Copy& to = to_b ? *b : *a;
        EXPECT_TRUE(eventually([&] {
            return switch_over("sum", to_b ? "B" : "A") || to.replica.status().role == Role::active;
        }));
        to.roles.wait_for_last(Role::active);
        const std::uint64_t before = answered;
        EXPECT_TRUE(eventually([&] { return answered > before + 100; }));
    }
    stop = true;
    load.join();
    EXPECT_TRUE(eventually([&] { return answered + refused == submitted; }));
    EXPECT_EQ(refused, 0U);
    EXPECT_EQ(text_of(client.submit(as_bytes("0"))), std::to_string(submitted));
}

TEST_F(ReplicaPlatform, AClientGoesOnWithItsSessionAfterItsOwnRestart) {
    auto a = open_shared("A");
    a->roles.wait_for_last(Role::active);
    SessionId session;
    {
        auto client = open_client();
        session = client.session().value_or_throw();
        EXPECT_EQ(client.next_number().value_or_throw(), RequestNo{1});
        EXPECT_EQ(text_of(client.submit(as_bytes("3"))), "3");
    }
    auto client = ReplicaClient::open({.service = "sum",
                                       .members = {a->replica.status().address},
                                       .session = session,
                                       .next = {3},
                                       .log = quiet()})
                      .value_or_throw();
    const auto first = client.outcome({1}).value_or_throw();
    EXPECT_EQ(first.fate, RequestFate::applied);
    EXPECT_EQ(as_text(first.reply), "3");
    EXPECT_EQ(client.outcome({2}).value_or_throw().fate, RequestFate::not_applied);
    EXPECT_EQ(text_of(client.submit(as_bytes("4"))), "7");
    ASSERT_TRUE(client.end_session());
    EXPECT_TRUE(eventually([&] { return a->replica.status().sessions == 0; }));
    EXPECT_EQ(client.submit(as_bytes("4")).error().code, Errc::closed);
}

TEST_F(ReplicaPlatform, ClientsAreToldWhatIsWrong) {
    EXPECT_EQ(ReplicaClient::open({.service = "sum"}).error().code, Errc::bad_config);
    EXPECT_EQ(ReplicaClient::open({.service = "a/b", .members = {"127.0.0.1:1"}}).error().code,
              Errc::bad_config);
    EXPECT_EQ(ReplicaClient::open({.service = "sum", .members = {"127.0.0.1"}}).error().code,
              Errc::bad_config);
    auto a = open_shared("A");
    a->roles.wait_for_last(Role::active);
    auto client = open_client();
    const std::string long_one(ReplicaClient::command_bytes_max + 1, '1');
    const auto refused = client.submit(as_bytes(long_one));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::limit_exceeded);
    EXPECT_EQ(refused.error().effect, Effect::none);
    // A session that was never opened.
    auto stranger =
        ReplicaClient::open(
            {.service = "sum", .registry = {registry_.address()}, .session = {999}, .log = quiet()})
            .value_or_throw();
    const auto expired = stranger.submit(as_bytes("1"));
    ASSERT_FALSE(expired);
    EXPECT_EQ(expired.error().code, Errc::session_expired);
    EXPECT_EQ(expired.error().effect, Effect::unknown);
}

TEST_F(ReplicaPlatform, ReplicasOfOneProcessShareANode) {
    if (engine() == nullptr) GTEST_SKIP() << "no replicated journal in this build";
    const std::vector<std::string> nodes{"n1", "n2", "n3"};
    std::vector<std::string> addresses;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        addresses.push_back(platform::free_address());
    }
    std::vector<Threads> threads;
    std::vector<std::unique_ptr<Copy>> copies;
    for (std::size_t i = 0; i < nodes.size(); ++i) threads.emplace_back(quiet());
    const auto open_on = [&](std::size_t i, const std::string& service) {
        ReplicatedGroup group{.directory = directory_.path + "/" + nodes[i], .nodes = {}};
        for (std::size_t j = 0; j < nodes.size(); ++j) {
            group.nodes.push_back(
                {.name = nodes[j], .address = addresses[j], .member = service + "-" + nodes[j]});
        }
        group.node = nodes[i];
        ReplicaOptions options{.service = service,
                               .member = service + "-" + nodes[i],
                               .journal = std::move(group),
                               .registry = {registry_.address()},
                               .threads = threads[i],
                               .log = quiet()};
        auto machine = std::make_shared<Sum>();
        copies.push_back(std::make_unique<Copy>(
            Copy{machine, Replica::open(std::move(options), machine).value_or_throw(), {}}));
        copies.back()->replica.on_role(
            [roles = copies.back()->roles](const ReplicaStatus& now) mutable {
                roles.add(now.role);
            });
    };
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        open_on(i, "first");
        open_on(i, "second");
    }
    for (const auto& copy : copies) ASSERT_TRUE(copy->replica.wait_open());
    auto first = open_client("first");
    auto second = open_client("second");
    EXPECT_EQ(text_of(first.submit(as_bytes("3"))), "3");
    EXPECT_EQ(text_of(second.submit(as_bytes("5"))), "5");
    // The status names the active member, and not its node.
    const std::string active = copies[0]->replica.status().active;
    EXPECT_TRUE(active.starts_with("first-n")) << active;

    const std::string other = active == "first-n2" ? "first-n3" : "first-n2";
    EXPECT_TRUE(eventually([&] {
        return switch_over("first", other) || copies[0]->replica.status().active == other;
    }));
    EXPECT_EQ(text_of(first.submit(as_bytes("4"))), "7");
    EXPECT_TRUE(eventually([&] { return copies[0]->replica.status().active == other; }));

    // A replica that ends leaves the node to the others.
    copies[0].reset();
    EXPECT_EQ(text_of(second.submit(as_bytes("5"))), "10");
    // The same node with another name is an error.
    ReplicatedGroup wrong{.directory = directory_.path + "/n1",
                          .nodes = {{"m1", addresses[0]}, {"n2", addresses[1]}}};
    wrong.node = "m1";
    auto third = Replica::open({.service = "third",
                                .member = "m1",
                                .journal = wrong,
                                .threads = threads[0],
                                .log = quiet()},
                               std::make_shared<Sum>())
                     .value_or_throw();
    const auto opened = third.wait_open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::bad_config);
}

}  // namespace
}  // namespace understudy::library
