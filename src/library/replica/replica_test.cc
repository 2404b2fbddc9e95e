// The public replica over real threads, files and sockets, on each kind of journal.

#include "understudy/replica.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/eventually_test.h"
#include "base/scratch_test.h"
#include "library/engine.h"
#include "library/replica/sum_test.h"
#include "platform/free_port.h"

namespace understudy {
namespace {

using library::Sum;

/// One member and its state machine.
struct Member {
    Member(std::string name, std::variant<LocalDirectory, SharedDirectory, ReplicatedGroup> journal)
        : sum(std::make_shared<Sum>()),
          replica(Replica::open({.service = "sum",
                                 .member = std::move(name),
                                 .journal = std::move(journal),
                                 .log = [](std::string_view) {}},
                                sum)
                      .value_or_throw()) {}

    std::string add(const std::string& number) {
        const auto reply = replica.submit(as_bytes(number));
        return reply ? std::string(as_text(*reply)) : to_string(reply.error());
    }
    std::uint64_t total() {
        std::uint64_t found = 0;
        const auto read = replica.read([&] { found = sum->total; });
        EXPECT_TRUE(read) << to_string(read.error());
        return found;
    }

    std::shared_ptr<Sum> sum;
    Replica replica;
};

TEST(PublicReplica, SaysWhatIsWrongWithItsOptions) {
    const auto sum = std::make_shared<Sum>();
    const auto code = [&](ReplicaOptions options) {
        const auto opened = Replica::open(std::move(options), sum);
        return opened ? Errc{} : opened.error().code;
    };
    const LocalDirectory here{"/nowhere"};
    EXPECT_EQ(code({.service = "", .member = "A", .journal = here}), Errc::bad_config);
    EXPECT_EQ(code({.service = "a/b", .member = "A", .journal = here}), Errc::bad_config);
    EXPECT_EQ(code({.service = "sum", .member = "", .journal = here}), Errc::bad_config);
    EXPECT_EQ(code({.service = "sum", .member = "A", .journal = LocalDirectory{}}),
              Errc::bad_config);
    EXPECT_EQ(code({.service = "sum", .member = "A", .journal = SharedDirectory{"/x", 1ms}}),
              Errc::bad_config);
    ReplicatedGroup group{.directory = "/x", .nodes = {{"B", "127.0.0.1:7000"}}};
    EXPECT_EQ(code({.service = "sum", .member = "A", .journal = group}), Errc::bad_config);
    group.nodes = {{"A", "0.0.0.0:7000"}};
    EXPECT_EQ(code({.service = "sum", .member = "A", .journal = group}), Errc::bad_config);
    group.nodes = {{"A", "127.0.0.1:7000"}, {"A", "127.0.0.1:7001"}};
    EXPECT_EQ(code({.service = "sum", .member = "A", .journal = group}), Errc::bad_config);
}

TEST(PublicReplica, WhyAJournalIsNotOpenedIsTold) {
    const Scratch scratch;
    Member first("A", LocalDirectory{scratch.path + "/journal"});
    ASSERT_TRUE(first.replica.wait_open());
    Member second("B", LocalDirectory{scratch.path + "/journal"});
    const auto opened = second.replica.wait_open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::in_use);
    const auto refused = second.replica.submit(as_bytes("1"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().effect, Effect::none);
    EXPECT_EQ(second.replica.status().failed->code, Errc::in_use);
}

TEST(PublicReplica, KeepsItsStateOverRestarts) {
    const Scratch scratch;
    for (std::uint64_t life = 0; life < 3; ++life) {
        Member member("A", LocalDirectory{scratch.path + "/journal"});
        ASSERT_TRUE(member.replica.wait_active());
        EXPECT_EQ(member.total(), life * 5);
        EXPECT_EQ(member.add("2"), std::to_string(life * 5 + 2));
        EXPECT_EQ(member.add("3"), std::to_string(life * 5 + 5));
        const ReplicaStatus status = member.replica.status();
        EXPECT_EQ(status.role, Role::active);
        EXPECT_EQ(status.epoch, Epoch{life + 1});
        EXPECT_EQ(status.durability, "disk");
    }
}

TEST(PublicReplica, ARequestIsCarriedOutOnceOverRestartsToo) {
    const Scratch scratch;
    Request request;
    {
        Member member("A", LocalDirectory{scratch.path + "/journal"});
        ASSERT_TRUE(member.replica.wait_active());
        request = {.session = member.replica.open_session().value_or_throw(), .number = {1}};
        EXPECT_EQ(as_text(member.replica.submit(request, as_bytes("4")).value_or_throw()), "4");
    }
    Member member("A", LocalDirectory{scratch.path + "/journal"});
    ASSERT_TRUE(member.replica.wait_active());
    EXPECT_EQ(as_text(member.replica.submit(request, as_bytes("4")).value_or_throw()), "4");
    EXPECT_EQ(member.total(), 4U);
    const auto known = member.replica.outcome(request).value_or_throw();
    EXPECT_EQ(known.fate, RequestFate::applied);
    EXPECT_EQ(as_text(known.reply), "4");
    request.number = {2};
    EXPECT_EQ(member.replica.outcome(request).value_or_throw().fate, RequestFate::not_applied);
    EXPECT_EQ(member.replica.submit(request, as_bytes("4")).error().code, Errc::refused);
}

TEST(PublicReplica, AnswersComeInOrderFromManyThreads) {
    constexpr int threads = 4;
    constexpr std::uint64_t each = 20'000;
    const Scratch scratch;
    Member member("A", LocalDirectory{scratch.path + "/journal"});
    ASSERT_TRUE(member.replica.wait_active());
    std::atomic<std::uint64_t> answered{0};
    std::uint64_t last = 0;
    std::vector<std::thread> submitters;
    for (int i = 0; i < threads; ++i) {
        submitters.emplace_back([&] {
            for (std::uint64_t n = 0; n < each; ++n) {
                member.replica.submit(as_bytes("1"), [&](const Result<Buffer>& reply) {
                    const std::uint64_t total = std::stoull(std::string(as_text(*reply)));
                    EXPECT_EQ(total, last + 1);
                    last = total;
                    ++answered;
                });
            }
        });
    }
    for (std::thread& submitter : submitters) submitter.join();
    ASSERT_TRUE(eventually([&] { return answered == threads * each; }));
    EXPECT_EQ(member.total(), threads * each);
}

TEST(PublicReplica, AFloodWaitsForRoomAndIsAnsweredInFull) {
    constexpr std::uint64_t commands = 60'000;
    const Scratch scratch;
    Member member("A", LocalDirectory{scratch.path + "/journal"});
    ASSERT_TRUE(member.replica.wait_active());
    const std::string one = std::string(1023, '0') + "1";
    static_assert(commands * 1024 > 3 * Replica::outstanding_bytes_max);
    std::atomic<std::uint64_t> answered{0};
    std::atomic<std::uint64_t> refused{0};
    for (std::uint64_t n = 0; n < commands; ++n) {
        member.replica.submit(as_bytes(one), [&](const Result<Buffer>& reply) {
            reply ? ++answered : ++refused;
        });
    }
    ASSERT_TRUE(eventually([&] { return answered + refused == commands; }));
    EXPECT_EQ(refused, 0U);
    EXPECT_EQ(member.total(), commands);
}

TEST(PublicReplica, ACallbackMayNotWaitButMaySubmit) {
    const Scratch scratch;
    Member member("A", LocalDirectory{scratch.path + "/journal"});
    ASSERT_TRUE(member.replica.wait_active());
    std::atomic<int> seen{0};
    member.replica.submit(as_bytes("1"), [&](const Result<Buffer>&) {
        EXPECT_EQ(member.replica.submit(as_bytes("1")).error().code, Errc::bad_config);
        EXPECT_EQ(member.replica.wait_active().error().code, Errc::bad_config);
        member.replica.submit(as_bytes("1"), [&](const Result<Buffer>& reply) {
            EXPECT_EQ(as_text(*reply), "2");
            seen = 2;
        });
    });
    EXPECT_TRUE(eventually([&] { return seen == 2; }));
}

TEST(PublicReplica, WhatWasTakenBeforeTheCloseIsAnswered) {
    const Scratch scratch;
    std::atomic<int> done{0};
    std::atomic<int> refused{0};
    Member member("A", LocalDirectory{scratch.path + "/journal"});
    ASSERT_TRUE(member.replica.wait_active());
    for (int i = 0; i < 1000; ++i) {
        member.replica.submit(as_bytes("1"), [&](const Result<Buffer>& reply) {
            reply ? ++done : ++refused;
        });
    }
    member.replica.close();
    EXPECT_EQ(done, 1000);
    EXPECT_EQ(refused, 0);
    EXPECT_EQ(member.replica.submit(as_bytes("1")).error().code, Errc::closed);
    EXPECT_EQ(member.replica.status().commands, 0U) << "no loop, no figures";
}

TEST(PublicReplica, MayBeDestroyedInACallback) {
    const Scratch scratch;
    auto member = std::make_unique<Member>("A", LocalDirectory{scratch.path + "/journal"});
    ASSERT_TRUE(member->replica.wait_active());
    std::atomic<bool> destroyed{false};
    member->replica.submit(as_bytes("1"), [&](const Result<Buffer>&) {
        member.reset();
        destroyed = true;
    });
    EXPECT_TRUE(eventually([&] { return destroyed.load(); }));
}

TEST(PublicReplica, OnASharedDirectoryTheSecondTakesOverWithTheState) {
    const Scratch scratch;
    const SharedDirectory where{.path = scratch.path + "/shared", .lease = 20s};
    auto first = std::make_unique<Member>("A", where);
    ASSERT_TRUE(first->replica.wait_active());
    Request request{.session = first->replica.open_session().value_or_throw(), .number = {1}};
    ASSERT_TRUE(first->replica.submit(request, as_bytes("7")));
    const Epoch epoch = first->replica.status().epoch;

    Member second("B", where);
    std::vector<Role> roles;
    std::mutex mutex;
    second.replica.on_role([&](const ReplicaStatus& now) {
        const std::lock_guard lock(mutex);
        if (roles.empty() || roles.back() != now.role) roles.push_back(now.role);
    });
    ASSERT_TRUE(second.replica.wait_open());
    const auto refused = second.replica.submit(as_bytes("1"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::not_active);
    EXPECT_EQ(refused.error().effect, Effect::none);

    first.reset();
    ASSERT_TRUE(second.replica.wait_active());
    EXPECT_GT(second.replica.status().epoch, epoch);
    EXPECT_EQ(as_text(second.replica.submit(request, as_bytes("7")).value_or_throw()), "7");
    EXPECT_EQ(second.total(), 7U);
    EXPECT_EQ(second.add("1"), "8");
    ASSERT_TRUE(eventually([&] {
        const std::lock_guard lock(mutex);
        return !roles.empty() && roles.back() == Role::active;
    }));
    const std::lock_guard lock(mutex);
    const auto standby = std::find(roles.begin(), roles.end(), Role::standby);
    ASSERT_NE(standby, roles.end()) << "standby before active";
}

TEST(PublicReplica, ThreeMembersKeepTheStateWithoutSharedStorage) {
    if (library::engine() == nullptr) GTEST_SKIP() << "this build has no replicated journal";
    const Scratch scratch;
    std::vector<ReplicatedGroup::Node> nodes;
    for (const char* name : {"A", "B", "C"}) {
        nodes.push_back({name, platform::free_address()});
    }
    std::map<std::string, std::unique_ptr<Member>> members;
    for (const auto& node : nodes) {
        members[node.name] = std::make_unique<Member>(
            node.name,
            ReplicatedGroup{.directory = scratch.path + "/" + node.name, .nodes = nodes});
    }
    const auto active = [&]() -> std::string {
        for (const auto& [name, member] : members) {
            if (member->replica.status().role == Role::active) return name;
        }
        return "";
    };
    ASSERT_TRUE(eventually([&] { return !active().empty(); }));
    std::string leader = active();
    EXPECT_EQ(members[leader]->add("5"), "5");
    members.erase(leader);
    ASSERT_TRUE(eventually([&] { return !active().empty(); }));
    leader = active();
    EXPECT_EQ(members[leader]->add("1"), "6");
    EXPECT_EQ(members[leader]->total(), 6U);
}

}  // namespace
}  // namespace understudy
