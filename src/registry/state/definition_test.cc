#include "registry/state/definition.h"

#include <gtest/gtest.h>

namespace understudy::registry {
namespace {

namespace pb = wire::pb;

[[nodiscard]] pb::DefineAsk shared(const std::string& directory = "/logs") {
    pb::DefineAsk ask;
    ask.set_family("server");
    ask.set_kind(1);
    ask.set_journal(1);
    ask.set_directory(directory);
    return ask;
}

[[nodiscard]] Errc refusal(const std::function<void(pb::DefineAsk&)>& spoil) {
    pb::DefinitionAsk ask;
    *ask.mutable_define() = shared();
    spoil(*ask.mutable_define());
    const auto valid = check(ask);
    return valid ? Errc{} : valid.error().code;
}

TEST(Definition, WhatIsNotWellFormedIsRefused) {
    const auto spoilt = [](pb::DefineAsk&) {};
    EXPECT_EQ(refusal(spoilt), Errc{});
    EXPECT_EQ(refusal([](auto& ask) { ask.set_family("../x"); }), Errc::bad_config);
    EXPECT_EQ(refusal([](auto& ask) { ask.set_kind(2); }), Errc::bad_config);
    EXPECT_EQ(refusal([](auto& ask) { ask.set_journal(3); }), Errc::bad_config);
    EXPECT_EQ(refusal([](auto& ask) { ask.set_last_resort(2); }), Errc::bad_config);
    EXPECT_EQ(refusal([](auto& ask) { ask.set_checkpointer(2); }), Errc::bad_config);
    EXPECT_EQ(refusal([](auto& ask) { ask.set_directory("logs"); }), Errc::bad_config);
    EXPECT_EQ(refusal([](auto& ask) { ask.set_directory("/a\nb"); }), Errc::bad_config);
    EXPECT_EQ(refusal([](auto& ask) { ask.set_directory('/' + std::string(1024, 'a')); }),
              Errc::limit_exceeded);
    EXPECT_EQ(refusal([](auto& ask) { ask.mutable_first()->set_port(65'536); }), Errc::bad_config);
    EXPECT_EQ(refusal([](auto& ask) {
                  ask.mutable_first()->set_port(7);
                  ask.mutable_first()->set_app_port(7);
              }),
              Errc::bad_config);
    EXPECT_EQ(refusal([](auto& ask) { ask.mutable_first()->mutable_node()->set_port(7); }),
              Errc::bad_config);
    EXPECT_FALSE(check(pb::DefinitionAsk{}));
    pb::DefinitionAsk add;
    add.mutable_add()->set_family("server");
    add.mutable_add()->set_number(1000);
    EXPECT_EQ(check(add).error().code, Errc::bad_config);
}

TEST(Definition, OtherOptionsNeedUpdateAndNothingElseIsReset) {
    pb::DefineAsk first = shared();
    first.mutable_first()->set_port(2000);
    first.mutable_first()->set_app_port(1000);
    first.set_version(3);
    const Definition old = *define(nullptr, first);

    pb::DefineAsk other;
    other.set_family("server");
    other.set_kind(1);
    other.mutable_first()->set_port(2001);
    const auto refused = define(&old, other);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::already_exists);
    EXPECT_EQ(refused.error().detail, "service server is registered with port 2000, not 2001");

    other.set_update(true);
    const Definition now = *define(&old, other);
    EXPECT_EQ(now.rows.replicas(0).port(), 2001u);
    EXPECT_EQ(now.rows.replicas(0).app_port(), 1000u);
    EXPECT_EQ(now.rows.directory(), "/logs");
    EXPECT_EQ(now.rows.version(), 3u);
}

TEST(Definition, AnotherCheckpointerNeedsUpdate) {
    const Definition old = *define(nullptr, shared());
    EXPECT_EQ(old.checkpointer, role::Checkpointer::dedicated);
    pb::DefineAsk other = shared();
    other.set_checkpointer(1);
    const auto refused = define(&old, other);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().detail,
              "service server is registered with checkpointer dedicated, not shared");
    other.set_update(true);
    EXPECT_EQ(define(&old, other)->checkpointer, role::Checkpointer::shared);
}

TEST(Definition, VersionsOnlyGrow) {
    pb::DefineAsk ask = shared();
    ask.set_version(3);
    const Definition old = *define(nullptr, ask);
    ask.set_update(true);
    ask.set_version(2);
    EXPECT_EQ(define(&old, ask).error().code, Errc::bad_config);
    ask.set_version(4);
    EXPECT_EQ(define(&old, ask)->rows.version(), 4u);
}

TEST(Definition, AJournalIsWanted) {
    pb::DefineAsk ask;
    ask.set_family("server");
    ask.set_kind(1);
    EXPECT_EQ(define(nullptr, ask).error().code, Errc::bad_config);
    ask.set_journal(1);
    EXPECT_EQ(define(nullptr, ask).error().code, Errc::bad_config);
    ask.set_journal(2);
    EXPECT_TRUE(define(nullptr, ask));
}

TEST(Definition, ReplicasStandByNumberAndShareTheDirectory) {
    pb::Definition now = define(nullptr, shared())->rows;
    for (const std::uint32_t number : {7U, 2U, 5U}) {
        pb::AddReplicaAsk ask;
        ask.set_family("server");
        ask.set_number(number);
        now = *add_replica(now, ask);
    }
    std::string numbers;
    for (const auto& replica : now.replicas()) {
        numbers += std::to_string(replica.number()) + ' ';
        EXPECT_EQ(replica.directory(), "/logs");
    }
    EXPECT_EQ(numbers, "0 2 5 7 ");
    pb::AddReplicaAsk elsewhere;
    elsewhere.set_family("server");
    elsewhere.set_number(9);
    elsewhere.mutable_options()->set_directory("/other");
    EXPECT_EQ(add_replica(now, elsewhere).error().code, Errc::bad_config);
}

TEST(Definition, ANumberThatIsTakenOtherwiseIsRefused) {
    pb::AddReplicaAsk ask;
    ask.set_family("server");
    ask.set_number(1);
    ask.mutable_options()->set_port(7);
    const pb::Definition old = *add_replica(define(nullptr, shared())->rows, ask);
    EXPECT_TRUE(add_replica(old, ask));
    ask.mutable_options()->set_port(8);
    EXPECT_EQ(add_replica(old, ask).error().code, Errc::already_exists);
    ask.set_update(true);
    EXPECT_EQ(add_replica(old, ask)->replicas(1).port(), 8u);
}

TEST(Definition, ReplicasAreBounded) {
    pb::Definition now = define(nullptr, shared())->rows;
    pb::AddReplicaAsk ask;
    ask.set_family("server");
    for (std::uint32_t number = 1; number < replicas_max; ++number) {
        ask.set_number(number);
        now = *add_replica(now, ask);
    }
    ask.set_number(replicas_max);
    EXPECT_EQ(add_replica(now, ask).error().code, Errc::limit_exceeded);
}

TEST(Definition, OfAReplicatedJournalEachReplicaHasItsOwnLog) {
    pb::DefineAsk ask;
    ask.set_family("server");
    ask.set_kind(1);
    ask.set_journal(2);
    ask.mutable_first()->set_directory("/a");
    const Definition old = *define(nullptr, ask);
    pb::AddReplicaAsk add;
    add.set_family("server");
    add.set_number(1);
    add.mutable_options()->set_directory("/b");
    const pb::Definition now = *add_replica(old.rows, add);
    EXPECT_EQ(now.replicas(0).directory(), "/a");
    EXPECT_EQ(now.replicas(1).directory(), "/b");
    EXPECT_TRUE(now.directory().empty());
    EXPECT_FALSE(moves_journal(old.rows, now));
}

}  // namespace
}  // namespace understudy::registry
