#include "replicated/messages.h"

#include <gtest/gtest.h>

#include "replicated/entry_body.h"
#include "replicated/group/group_state.h"

namespace understudy::replicated {
namespace {

Buffer joined(std::span<const Bytes> parts) {
    Buffer all;
    for (const Bytes part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
}

journal::GroupEntry entry(Epoch term, std::string_view body, bool urgent = false) {
    const auto owner = std::make_shared<const Buffer>(as_bytes(body).begin(), as_bytes(body).end());
    return {.term = term,
            .kind = stored_kind(consensus::EntryKind::command, urgent),
            .owner = owner,
            .body = *owner};
}

Members members() {
    return Members({{.id = {7}, .member = {"n1", {"h1", 1}, MemberKind::data}},
                    {.id = {3}, .member = {"w", {"h2", 2}, MemberKind::witness}},
                    {.id = {9}, .member = {"c", {"", 0}, MemberKind::checkpointer}}});
}

const Hello greeting{.platform = "p",
                     .name = "n1",
                     .address = {"h", 7},
                     .identity = 5,
                     .process = {.boot = "b", .pid_namespace = 1, .pid = 2, .start_ticks = 3}};

TEST(NodeMessages, EntriesArriveAsTheyWereSentWithTheirUrgency) {
    ConsensusEncoder encoder;
    const std::vector<journal::GroupEntry> entries = {entry({2}, "one"), entry({3}, "", true),
                                                      entry({3}, std::string(3000, 'x'))};
    const consensus::AppendRequest request{.term = {4},
                                           .prev_index = {8},
                                           .prev_term = {2},
                                           .leader_commit = {7},
                                           .count = 99,
                                           .entries = {}};
    const Buffer sent = joined(encoder.encode(GroupId{5}, request, entries));
    const auto decoded = decode_consensus(sent);
    ASSERT_TRUE(decoded) << to_string(decoded.error());
    EXPECT_EQ(decoded->group, GroupId{5});
    EXPECT_EQ(decoded->urgent, (std::vector<bool>{false, true, false}));
    const auto& got = std::get<consensus::AppendRequest>(decoded->message);
    EXPECT_EQ(got.prev_index, Index{8});
    EXPECT_EQ(got.count, 3u);
    ASSERT_EQ(got.entries.size(), 3u);
    EXPECT_EQ(as_text(got.entries[0].body.bytes), "one");
    EXPECT_EQ(got.entries[2].body.bytes.size(), 3000u);
    EXPECT_EQ(got.entries[0].body.owner, got.entries[2].body.owner) << "one copy for all";
}

TEST(NodeMessages, WhatIsCutOffIsCorrupt) {
    ConsensusEncoder encoder;
    const std::vector<journal::GroupEntry> entries = {entry({2}, "one"), entry({2}, "two")};
    const consensus::AppendRequest request{.term = {4},
                                           .prev_index = {8},
                                           .prev_term = {2},
                                           .leader_commit = {7},
                                           .count = 2,
                                           .entries = {}};
    const Buffer sent = joined(encoder.encode(GroupId{5}, request, entries));
    for (std::size_t size = 0; size < sent.size(); ++size) {
        EXPECT_FALSE(decode_consensus(Bytes(sent).first(size))) << size;
    }
    Buffer more = sent;
    more.push_back({});
    EXPECT_FALSE(decode_consensus(more));
}

TEST(NodeMessages, PlainMessagesArrive) {
    ConsensusEncoder encoder;
    const Buffer sent = joined(encoder.encode(
        GroupId{5},
        consensus::AppendResult{.term = {4}, .rejected = {}, .last_index = {12}, .capacity = 3}));
    const auto decoded = decode_consensus(sent);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(std::get<consensus::AppendResult>(decoded->message).last_index, Index{12});
}

TEST(NodeMessages, AHelloIsOfOneVersionAndOfANode) {
    const Buffer sent = encode(greeting);
    const auto decoded = decode_hello(sent);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(*decoded, greeting);
    for (std::size_t size = 0; size < sent.size(); ++size) {
        EXPECT_FALSE(decode_hello(Bytes(sent).first(size))) << size;
    }
    Buffer other = sent;
    other[4] = std::byte{2};
    EXPECT_EQ(decode_hello(other).error().code, Errc::refused);
    EXPECT_EQ(decode_hello(as_bytes("GET / HTTP/1.1")).error().code, Errc::refused);
}

TEST(NodeMessages, TheOthersComeThrough) {
    const Founded founded{.group = {5}, .members = members()};
    EXPECT_EQ(decode_founded(encode(founded))->members, members());
    EXPECT_EQ(decode_founded(encode(Founded{.group = {5}, .members = {}}))->members, std::nullopt);
    EXPECT_EQ(decode_found(encode(Found{.group = {5}, .service = "s"}))->service, "s");
    EXPECT_EQ(decode_join(encode(Join{.group = {5}, .member = members().rows()[1].member}))->member,
              members().rows()[1].member);
    const auto fetch =
        decode_fetch(encode(Fetch{.group = {5}, .index = {6}, .offset = 7, .beyond = {8}}));
    EXPECT_EQ(fetch->offset, 7u);
    EXPECT_EQ(fetch->beyond, Index{8});
    EXPECT_EQ(
        decode_chunk_taken(encode(ChunkTaken{.group = {5}, .index = {6}, .offset = 7}))->index,
        Index{6});
    consensus::SnapshotRef snapshot{.index = {6},
                                    .term = {2},
                                    .configuration = members().configuration(),
                                    .configuration_index = {1},
                                    .reference = encode_reference(members())};
    Buffer chunk = encode_head({.group = {5},
                                .index = {6},
                                .offset = 0,
                                .place = Chunk::Place::last,
                                .checksum = 8,
                                .snapshot = snapshot,
                                .bytes = {}});
    chunk.push_back(std::byte{42});
    const auto got = decode_chunk(chunk);
    ASSERT_TRUE(got);
    EXPECT_EQ(got->bytes.size(), 1u);
    EXPECT_EQ(got->snapshot->configuration, snapshot.configuration);
    EXPECT_EQ(*decode_reference(got->snapshot->reference), members());
}

TEST(NodeMessages, AGroupsStateComesThrough) {
    GroupState state{.service = "s", .hard = {.term = {4}, .vote = {3}}, .snapshot = {}};
    auto got = decode_group_state(encode(state));
    ASSERT_TRUE(got);
    EXPECT_EQ(got->service, "s");
    EXPECT_EQ(got->hard, state.hard);
    EXPECT_FALSE(got->snapshot);
    const Buffer bytes = encode(state);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_FALSE(decode_group_state(Bytes(bytes).first(size))) << size;
    }
}

TEST(EntryBody, OnlyCommandsThatBeginWithTheEscapeByteGrow) {
    const Buffer plain = {std::byte{1}, std::byte{0xf5}};
    EXPECT_EQ(encode_body(BodyKind::command, plain), plain);
    EXPECT_EQ(encode_body(BodyKind::command, {}), Buffer{});
    const Buffer escaped = {std::byte{0xf5}, std::byte{1}};
    const Buffer encoded = encode_body(BodyKind::command, escaped);
    EXPECT_EQ(encoded.size(), 4u);
    const auto decoded = decode_body(encoded);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->kind, BodyKind::command);
    EXPECT_EQ(Buffer(decoded->content.begin(), decoded->content.end()), escaped);
    EXPECT_EQ(decode_body(encode_body(BodyKind::members, plain))->kind, BodyKind::members);
    EXPECT_FALSE(decode_body(Bytes(escaped).first(1)));
    EXPECT_FALSE(decode_body(Buffer{std::byte{0xf5}, std::byte{3}}));
}

TEST(Members, ACheckpointerVotesUnlessThereAreTwo) {
    EXPECT_EQ(members().voters(), 3u);
    const Members two = members().without("w");
    EXPECT_EQ(two.voters(), 1u);
    const auto configuration = two.configuration();
    ASSERT_EQ(configuration.servers.size(), 2u);
    EXPECT_EQ(configuration.servers[0].id, ServerId{7}) << "by ascending id";
    EXPECT_EQ(configuration.servers[1].membership, consensus::Membership::observer);
}

TEST(Members, ANewDiskTakesThePlaceInTheLine) {
    MemberRow again = members().rows()[0];
    again.id = ServerId{100};
    const Members now = members().with(again);
    EXPECT_EQ(now.rows().size(), 3u);
    EXPECT_EQ(now.rows()[0].id, ServerId{100});
}

TEST(Members, AreBounded) {
    std::vector<MemberRow> rows;
    for (std::size_t i = 0; i <= Members::rows_max; ++i) {
        rows.push_back({.id = {i + 1}, .member = {"n" + std::to_string(i), {"h", 1}, {}}});
    }
    EXPECT_FALSE(Members(rows).check());
    rows.pop_back();
    EXPECT_TRUE(Members(rows).check());
    for (auto& row : rows) row.member.address.host = std::string(250, 'h');
    EXPECT_EQ(Members(rows).check().error().code, Errc::limit_exceeded);
}

TEST(Members, TwiceTheSameIsCorrupt) {
    const Members twice({{.id = {7}, .member = {"n1", {"h1", 1}, MemberKind::data}},
                         {.id = {8}, .member = {"n1", {"h1", 1}, MemberKind::data}}});
    Buffer encoded;
    twice.encode(encoded);
    EXPECT_FALSE(Members::decode(encoded));
}

}  // namespace
}  // namespace understudy::replicated
