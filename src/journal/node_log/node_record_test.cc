#include "journal/node_log/node_record.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "journal/node_log/node_index.h"
#include "wire/worked_example_test.h"

namespace understudy::journal {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t identity = 0x1122334455667788;

NodeRecord entry_record(RecordWhat what, std::uint64_t group, std::uint64_t index,
                        std::uint64_t term, std::uint8_t kind, std::string_view body) {
    return {.what = what,
            .group = {group},
            .index = {index},
            .term = {term},
            .kind = kind,
            .checksum = entry_checksum({group}, {index}, {term}, kind, as_bytes(body)),
            .body = as_bytes(body)};
}

std::vector<NodeRecord> example_records() {
    return {{.what = RecordWhat::identity, .number = identity},
            {.what = RecordWhat::state, .group = {5}, .body = as_bytes("t3")},
            entry_record(RecordWhat::entry, 5, 1, 3, 1, "hi"),
            entry_record(RecordWhat::entry, 5, 2, 3, 1, ""),
            entry_record(RecordWhat::entry, 300, 1, 200, 2, "x"),
            {.what = RecordWhat::cut, .group = {5}, .index = {2}},
            entry_record(RecordWhat::copy, 5, 1, 3, 1, "hi"),
            {.what = RecordWhat::trim, .group = {5}, .index = {2}},
            {.what = RecordWhat::restart, .group = {300}, .index = {1000}},
            {.what = RecordWhat::forget, .group = {300}}};
}

TEST(NodeRecord, IsWrittenAndReadAsDocumented) {
    Buffer written;
    for (const NodeRecord& record : example_records()) encode(record, written);
    const Buffer documented = wire::worked_example("node-log.md", "records");
    EXPECT_EQ(written, documented);

    ByteReader reader(documented);
    for (const NodeRecord& expected : example_records()) {
        const auto found = decode_record(reader);
        ASSERT_TRUE(found);
        EXPECT_EQ(found->what, expected.what);
        EXPECT_EQ(found->group, expected.group);
        EXPECT_EQ(found->index, expected.index);
        EXPECT_EQ(found->term, expected.term);
        EXPECT_EQ(found->kind, expected.kind);
        EXPECT_EQ(found->checksum, expected.checksum);
        EXPECT_EQ(found->number, expected.number);
        EXPECT_EQ(as_text(found->body), as_text(expected.body));
    }
    EXPECT_TRUE(reader.done());
}

TEST(NodeRecord, TheDocumentedRecordsLeaveWhatTheySay) {
    NodeIndex index;
    ASSERT_TRUE(index.apply_all(wire::worked_example("node-log.md", "records"), 1, 104));
    EXPECT_EQ(index.identity(), identity);
    ASSERT_EQ(index.groups().size(), 1U);
    const GroupIndex& group = index.groups().at({5});
    EXPECT_EQ(as_text(group.state), "t3");
    EXPECT_EQ(group.first, Index{2});
    EXPECT_EQ(group.last(), Index{1});
}

TEST(NodeRecord, TheDocumentedCheckpointIsAnIndex) {
    const Buffer state = wire::worked_example("node-log.md", "checkpoint");
    ByteReader reader(state);
    EXPECT_EQ(reader.fixed<std::uint32_t>(), state.size() - 4);
    NodeIndex index;
    ASSERT_TRUE(index.apply_all(reader.rest(), 0, 0));
    EXPECT_EQ(index.identity(), identity);
    const IndexedEntry* const entry = index.groups().at({5}).find({1});
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry->segment, 1U);
    EXPECT_EQ(entry->offset, 169U);
    EXPECT_EQ(entry->body_bytes, 2U);
    EXPECT_EQ(entry->checksum, entry_checksum({5}, {1}, {3}, 1, as_bytes("hi")));
}

TEST(NodeRecord, EveryPrefixOfARecordIsNone) {
    for (const NodeRecord& record : example_records()) {
        Buffer whole;
        encode(record, whole);
        for (std::size_t size = 0; size < whole.size(); ++size) {
            ByteReader reader(Bytes(whole).first(size));
            EXPECT_FALSE(decode_record(reader)) << static_cast<int>(record.what) << " " << size;
        }
    }
}

TEST(NodeRecord, WhatIsOutOfRangeIsNone) {
    const std::vector<Buffer> wrong{
        {std::byte{0}},
        {std::byte{10}, std::byte{1}},
        {std::byte{1}, std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0},
         std::byte{0}, std::byte{0}, std::byte{0}},  // No identity.
        {std::byte{8}, std::byte{0}},                // No group.
        {std::byte{3}, std::byte{1}, std::byte{0}},  // No index.
    };
    for (const Buffer& bytes : wrong) {
        ByteReader reader(bytes);
        EXPECT_FALSE(decode_record(reader));
    }
    Buffer state;
    const Buffer longer(group_state_bytes_max + 1);
    encode({.what = RecordWhat::state, .group = {1}, .body = longer}, state);
    ByteReader reader(state);
    EXPECT_FALSE(decode_record(reader)) << "a state that is too long";
}

TEST(NodeRecord, TheChecksumTiesABodyToItsEntry) {
    const Bytes body = as_bytes("body");
    const std::uint32_t right = entry_checksum({1}, {2}, {3}, 4, body);
    EXPECT_NE(entry_checksum({2}, {2}, {3}, 4, body), right);
    EXPECT_NE(entry_checksum({1}, {3}, {3}, 4, body), right);
    EXPECT_NE(entry_checksum({1}, {2}, {4}, 4, body), right);
    EXPECT_NE(entry_checksum({1}, {2}, {3}, 5, body), right);
    EXPECT_NE(entry_checksum({1}, {2}, {3}, 4, as_bytes("bodY")), right);
}

// A record whose checksum is right, but which cannot have been written here, is damage.
TEST(NodeIndex, ARecordThatDoesNotFollowIsDamage) {
    NodeIndex good;
    ASSERT_TRUE(good.apply({.what = RecordWhat::identity, .number = identity}, 1, 0));
    for (std::uint64_t i = 1; i <= 3; ++i) {
        ASSERT_TRUE(good.apply(entry_record(RecordWhat::entry, 5, i, 1, 1, "x"), 1, 100));
    }
    ASSERT_TRUE(good.apply({.what = RecordWhat::trim, .group = {5}, .index = {2}}, 1, 0));
    const std::vector<NodeRecord> wrong{
        {.what = RecordWhat::identity, .number = identity + 1},
        entry_record(RecordWhat::entry, 5, 3, 1, 1, "x"),
        entry_record(RecordWhat::entry, 5, 5, 1, 1, "x"),
        entry_record(RecordWhat::entry, 6, 2, 1, 1, "x"),
        entry_record(RecordWhat::copy, 5, 1, 1, 1, "x"),
        entry_record(RecordWhat::copy, 5, 2, 2, 1, "x"),
        entry_record(RecordWhat::copy, 5, 2, 1, 1, "y"),
        entry_record(RecordWhat::copy, 7, 1, 1, 1, "x"),
        {.what = RecordWhat::trim, .group = {5}, .index = {5}},
        {.what = RecordWhat::cut, .group = {5}, .index = {1}},
        {.what = RecordWhat::cut, .group = {5}, .index = {5}},
        {.what = RecordWhat::place, .group = {5}, .index = {4}, .segment = 1},
    };
    for (const NodeRecord& record : wrong) {
        NodeIndex index = good;
        const auto applied = index.apply(record, 1, 0);
        ASSERT_FALSE(applied) << static_cast<int>(record.what) << " " << record.index.value;
        EXPECT_EQ(applied.error().code, Errc::corrupt);
        EXPECT_THAT(applied.error().detail, HasSubstr("does not follow"));
    }
    NodeIndex restored = good;
    EXPECT_FALSE(restored.apply(entry_record(RecordWhat::entry, 5, 4, 1, 1, "x"), 0, 0))
        << "a checkpoint holds no bodies";
}

}  // namespace
}  // namespace understudy::journal
