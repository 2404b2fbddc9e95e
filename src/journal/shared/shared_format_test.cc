// The worked example of docs/formats/shared-journal.md in both directions: the code writes what the
// document says, and it reads what the document says.
#include <gtest/gtest.h>

#include "journal/format/segment.h"
#include "journal/shared/shared_epoch.h"
#include "journal/shared/shared_member_test.h"
#include "journal/shared/shared_names.h"
#include "journal/shared/shared_seal.h"
#include "wire/worked_example_test.h"

namespace understudy::journal {
namespace {

constexpr std::uint64_t old_generation = first_generation(0x2a);
constexpr std::uint64_t new_generation = first_generation(0x2b);
constexpr std::uint64_t shared_size_bytes = 64 * KiB;
const EpochRecord record{.epoch = {2}, .tenure = 0x2b00000099, .member = "Foo/Bar2"};

Buffer shared_example(const std::string& name, std::size_t size) {
    Buffer bytes = wire::worked_example("shared-journal.md", name);
    bytes.resize(size);
    return bytes;
}

struct Line {
    std::uint64_t index;
    std::uint64_t epoch;
    std::uint64_t synced;
    EntryType type;
    const char* body;
};

/// Returns the checksum of entry 2.
std::uint32_t write_segment(std::uint64_t generation, const SegmentHeader& header, const Seal& seal,
                            const std::vector<Line>& lines, Buffer& out) {
    const std::uint32_t seed = checksum_seed(generation);
    encode(header, out);
    encode(seal, seed, out);
    std::uint32_t previous = seal.checksum;
    std::uint32_t second = 0;
    for (const Line& line : lines) {
        previous = encode({.index = {line.index},
                           .epoch = {line.epoch},
                           .type = line.type,
                           .body = as_bytes(line.body)},
                          {.previous = previous, .synced = {line.synced}}, seed, out);
        if (line.index == 2) second = previous;
    }
    out.resize(shared_size_bytes);
    return second;
}

TEST(SharedFormat, SegmentsAndSealsAreWrittenAsDocumented) {
    Buffer old;
    const std::uint32_t second = write_segment(
        old_generation,
        {.generation = old_generation,
         .size_bytes = shared_size_bytes,
         .first = {1},
         .previous = 0},
        {.journal = 0x2a, .checksum = 0, .epoch = {1}, .old = {}, .at = {}, .last = {1}},
        {{1, 1, 0, EntryType::tenure, ""},
         {2, 1, 1, EntryType::command, "hi"},
         {3, 1, 2, EntryType::command, "yo"}},
        old);
    EXPECT_EQ(old, shared_example("old", shared_size_bytes));

    Buffer fresh;
    write_segment(
        new_generation,
        {.generation = new_generation,
         .size_bytes = shared_size_bytes,
         .first = {3},
         .previous = second},
        {.journal = 0x2a, .checksum = second, .epoch = {2}, .old = {1}, .at = {2}, .last = {4}},
        {{3, 1, 2, EntryType::command, "yo"}, {4, 2, 2, EntryType::tenure, ""}}, fresh);
    EXPECT_EQ(fresh, shared_example("new", shared_size_bytes));
    EXPECT_EQ(shared_segment_name({2}, new_generation), "0000000000000002-0000002b00000001.seg");
}

TEST(SharedFormat, AnEpochRecordIsWrittenAndReadAsDocumented) {
    EXPECT_EQ(encode(record), shared_example("epoch", epoch_record_bytes));
    const auto read = decode_epoch_record(shared_example("epoch", epoch_record_bytes));
    ASSERT_TRUE(read) << to_string(read.error());
    EXPECT_EQ(*read, record);
}

TEST(SharedFormat, TheDocumentedFilesAreFollowedAndTakenOver) {
    FakeDisk store(1);
    ASSERT_TRUE(store.make_directory(directory));
    const auto put = [&](std::string_view name, Buffer bytes) {
        store.put(path_in(directory, name), std::move(bytes));
    };
    put(shared_segment_name({1}, old_generation), shared_example("old", shared_size_bytes));
    put(shared_segment_name({2}, new_generation), shared_example("new", shared_size_bytes));
    put(epoch_name, shared_example("epoch", epoch_record_bytes));
    put(claim_name({2}), shared_example("epoch", epoch_record_bytes + 8));

    SharedOracle oracle;
    SharedMember member(store, oracle, "m", 1);
    member.opened();
    ASSERT_TRUE(member.journal) << to_string(*member.error);
    EXPECT_EQ(member.journal->standing(),
              (Standing{.role = Role::standby, .epoch = {2}, .active = "Foo/Bar2"}));
    EXPECT_EQ(member.history(), (std::map<Index, std::string>{{{1}, ""}}))
        << "what the seal keeps and brings is not committed by that";
    const auto taken = member.take_over();
    ASSERT_TRUE(taken && *taken);
    EXPECT_EQ(**taken, Epoch{3});
    EXPECT_EQ(member.history(), (std::map<Index, std::string>{
                                    {{1}, ""}, {{2}, "hi"}, {{3}, "yo"}, {{4}, ""}, {{5}, ""}}));
}

// If any bit is wrong, there is no record and no seal.
TEST(SharedFormat, EveryFlippedBitIsRefused) {
    const Buffer epoch = encode(record);
    for (std::size_t bit = 0; bit < epoch.size() * 8; ++bit) {
        Buffer flipped = epoch;
        flipped[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
        EXPECT_FALSE(decode_epoch_record(flipped)) << bit;
    }
    Buffer seal;
    encode({.journal = 1, .checksum = 2, .epoch = {3}, .old = {2}, .at = {7}, .last = {9}}, 5,
           seal);
    for (std::size_t bit = 0; bit < seal.size() * 8; ++bit) {
        Buffer flipped = seal;
        flipped[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
        const auto read = decode_seal(flipped, 5);
        EXPECT_TRUE(!read || !*read) << bit;
    }
    EXPECT_FALSE(*decode_seal(seal, 6)) << "of another segment";
    for (std::size_t size = 0; size < seal.size(); ++size) {
        EXPECT_FALSE(*decode_seal(Bytes(seal).first(size), 5)) << size;
    }
}

TEST(SharedFormat, NamesThatAreNotOursAreLeftOut) {
    const SharedNames names = SharedNames::of(
        {"0000000000000001-0000002a00000001.seg", "0000000000000001-0000002a00000002.seg",
         "0000000000000002-0000002a00000000.seg", "0000000000000002.claim",
         "0000000000000003.claim", "0000000000000004.ckpt", "000000000000000A.claim",
         "0000002a00000001.seg", "epoch", "x.tmp"});
    EXPECT_EQ(names.head(), Epoch{1});
    EXPECT_EQ(names.highest(), Epoch{3});
    EXPECT_EQ(names.segments.at({1}).size(), 2U);
    EXPECT_EQ(names.checkpoints, std::vector<Index>{{4}});
    EXPECT_EQ(names.temporaries.size(), 1U);
}

}  // namespace
TEST(SharedFormat, AClaimTellsItsProcessAndDamageToThatIsAsIfItDidNot) {
    const ProcessId process{
        .boot = "b0070000-0000", .pid_namespace = 7, .pid = 4711, .start_ticks = 99};
    Buffer bytes;
    encode(process, bytes);
    ASSERT_EQ(bytes.size(), process_bytes);
    EXPECT_EQ(decode_process(bytes), process);
    EXPECT_EQ(decode_process(Bytes(bytes).first(process_bytes - 1)), std::nullopt);
    for (std::size_t at = 8; at < process_bytes; ++at) {
        Buffer damaged = bytes;
        damaged[at] ^= std::byte{1};
        EXPECT_EQ(decode_process(damaged), std::nullopt) << at;
    }
    bytes.clear();
    encode(ProcessId{}, bytes);
    EXPECT_TRUE(bytes.empty());
}

TEST(SharedFormat, AClaimTellsWhatWasBegunLastAndDamageToThatIsAsIfItDidNot) {
    const LastBegun begun{.generation = 0x2b'00000001, .entry = {4}};
    Buffer bytes;
    encode(begun, bytes);
    EXPECT_EQ(bytes, wire::worked_example("shared-journal.md", "last-begun"));
    ASSERT_EQ(bytes.size(), last_begun_bytes);
    FakeDisk disk(1);
    ASSERT_TRUE(disk.make_directory("/d"));
    const auto told = [&](const Buffer& what) {
        Buffer claim(last_begun_offset);
        claim.insert(claim.end(), what.begin(), what.end());
        disk.put("/d/" + claim_name({2}), claim);
        return *read_last_begun(disk, "/d", {2});
    };
    EXPECT_EQ(told(bytes), begun);
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        Buffer damaged = bytes;
        damaged[at] ^= std::byte{1};
        EXPECT_EQ(told(damaged), std::nullopt) << at;
        EXPECT_EQ(told(Buffer(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(at))),
                  std::nullopt);
    }
    EXPECT_EQ(told(Buffer(last_begun_bytes)), std::nullopt);
    EXPECT_EQ(*read_last_begun(disk, "/d", {3}), std::nullopt) << "there is no such claim";
}

TEST(SharedFormat, AClaimTellsWhereItsMakerPromptsAndDamageToThatIsAsIfItDidNot) {
    const Address address{.host = "10.0.0.7", .port = 4711};
    Buffer bytes;
    encode(address, bytes);
    ASSERT_EQ(bytes.size(), address_bytes);
    EXPECT_EQ(decode_address(bytes), address);
    EXPECT_EQ(decode_address(Bytes(bytes).first(address_bytes - 1)), std::nullopt);
    for (std::size_t at = 0; at < address_bytes; ++at) {
        Buffer damaged = bytes;
        damaged[at] ^= std::byte{1};
        EXPECT_EQ(decode_address(damaged), std::nullopt) << at;
    }
    EXPECT_EQ(decode_address(Buffer(address_bytes)), std::nullopt);
    bytes.clear();
    encode(Address{.host = std::string(address_host_max + 1, 'h'), .port = 1}, bytes);
    encode(Address{.host = "", .port = 1}, bytes);
    EXPECT_TRUE(bytes.empty());
}

}  // namespace understudy::journal
