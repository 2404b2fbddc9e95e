#include "registry/agents/node_changes.h"

#include "registry/tenure/parts_test.h"

namespace understudy::registry {
namespace {

[[nodiscard]] pb::NodesAsk transfer(const std::string& to) {
    pb::NodesAsk ask;
    ask.mutable_transfer()->set_to(to);
    return ask;
}

class NodeChangesAlone : public testing::Test {
protected:
    NodeChangesAlone() { changes.set_nodes(turn, {{"a", {"host", 1}}, {"b", {"host", 2}}}); }
    [[nodiscard]] std::optional<pb::Answer> answer() const {
        return Parts::sent<pb::Answer>(turn, session, MessageType::answer);
    }

    Parts parts;
    NodeChanges changes{"a", parts.sessions};
    Turn turn = parts.turn();
    const SessionId session{1};
};

TEST_F(NodeChangesAlone, AgentsHearTheNewsAndNothingElse) {
    const SessionId id = parts.connect(1);
    changes.set_nodes(turn, {{"a", {"host", 1}}, {"b", {"host", 2}}});
    EXPECT_TRUE(turn.out.empty());
    changes.set_nodes(turn, {{"a", {"host", 1}}});
    const auto told = Parts::sent<pb::RegistryNodes>(turn, id, MessageType::registry_nodes);
    ASSERT_TRUE(told);
    EXPECT_EQ(told->nodes_size(), 1);
    EXPECT_EQ(changes.nodes().size(), 1u);
}

TEST_F(NodeChangesAlone, AChangeIsAnsweredWhenItIsDone) {
    ASSERT_TRUE(changes.ask(turn, session, 5, transfer("b")));
    EXPECT_FALSE(answer());
    const std::uint64_t token = std::get<ChangeNodes>(turn.out.at(0)).token;
    changes.changed(turn, token, Error{.code = Errc::unavailable});
    EXPECT_EQ(answer()->failure().code(), static_cast<std::uint32_t>(Errc::unavailable));
}

TEST_F(NodeChangesAlone, ATransferToWhoIsActiveIsDone) {
    ASSERT_TRUE(changes.ask(turn, session, 5, transfer("a")));
    EXPECT_FALSE(answer()->has_failure());
    EXPECT_EQ(Parts::count<ChangeNodes>(turn), 0u);
}

TEST_F(NodeChangesAlone, OnlyWhoAskedForTheEndOfTheTenureHasIt) {
    ASSERT_TRUE(changes.ask(turn, session, 5, transfer("")));
    ASSERT_TRUE(changes.ask(turn, SessionId{2}, 6, transfer("b")));
    changes.retire(turn, {.code = Errc::not_active});
    EXPECT_FALSE(answer()->has_failure());
    EXPECT_TRUE(Parts::sent<pb::Answer>(turn, SessionId{2}, MessageType::answer)->has_failure());
}

TEST_F(NodeChangesAlone, WhatCannotBeIsRefused) {
    const auto code = [&](const pb::NodesAsk& ask) {
        return changes.ask(turn, session, 5, ask).error().code;
    };
    EXPECT_EQ(code({}), Errc::bad_config);
    EXPECT_EQ(code(transfer("no/name")), Errc::bad_config);
    pb::NodesAsk add;
    add.mutable_add()->set_name("c");
    EXPECT_EQ(code(add), Errc::bad_config) << "it has no address";
    for (std::size_t i = 0; i < NodeChanges::changes_max; ++i) {
        ASSERT_TRUE(changes.ask(turn, session, 5, transfer("b")));
    }
    EXPECT_EQ(code(transfer("b")), Errc::limit_exceeded);
    changes.set_nodes(turn, {});
    EXPECT_EQ(code(transfer("b")), Errc::refused) << "it runs alone";
}

}  // namespace
}  // namespace understudy::registry
