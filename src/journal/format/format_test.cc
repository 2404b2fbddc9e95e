// The worked examples of docs/formats/journal.md in both directions: the code writes what the
// document says, and reads it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "journal/fakes/session_test.h"
#include "journal/format/checkpoint_file.h"
#include "wire/worked_example_test.h"

namespace understudy::journal {
namespace {

using ::testing::ElementsAre;

constexpr std::uint64_t example_generation = first_generation(0x2a);
constexpr std::uint64_t example_size_bytes = 64 * KiB;

Buffer example(const std::string& name) { return wire::worked_example("journal.md", name); }

TEST(JournalFormat, ASegmentIsWrittenAsDocumented) {
    const std::uint32_t seed = checksum_seed(example_generation);
    Buffer written;
    encode(SegmentHeader{.generation = example_generation,
                         .size_bytes = example_size_bytes,
                         .first = {1},
                         .previous = 0},
           written);
    std::uint32_t previous = 0;
    Index index;
    for (const EntryType type : {EntryType::tenure, EntryType::command, EntryType::mark}) {
        const Link link{.previous = previous, .synced = index};
        index = index.next();
        previous = encode({.index = index,
                           .epoch = {1},
                           .type = type,
                           .body = as_bytes(type == EntryType::command ? "hi" : "")},
                          link, seed, written);
    }
    EXPECT_EQ(written, example("segment"));
    EXPECT_EQ(segment_name(example_generation), "0000002a00000001.seg");
}

TEST(JournalFormat, AReserveIsWrittenAndReadAsDocumented) {
    const ReserveHeader header{.generation = example_generation + 1,
                               .size_bytes = example_size_bytes,
                               .durable = {3}};
    Buffer written;
    encode(header, written);
    EXPECT_EQ(written, example("reserve"));
    const auto read = decode_reserve_header(written, example_generation + 1);
    ASSERT_TRUE(read && *read);
    EXPECT_EQ(**read, header);
    EXPECT_FALSE(*decode_segment_header(written, example_generation + 1)) << "it is not begun";
}

TEST(JournalFormat, ACheckpointIsWrittenAndReadAsDocumented) {
    const Buffer file = example("checkpoint");
    const auto read = decode_checkpoint_header(file);
    ASSERT_TRUE(read) << to_string(read.error());
    EXPECT_EQ(read->checkpoint.journal, 0x2aU);
    EXPECT_EQ(read->checkpoint.at, Index{2});

    FakeDisk disk(1);
    ASSERT_TRUE(disk.make_directory(directory));
    CheckpointFile written(disk, directory, read->checkpoint);
    ASSERT_TRUE(written.write(as_bytes("[h")));
    ASSERT_TRUE(written.write(as_bytes("i]")));
    ASSERT_TRUE(written.finish());
    EXPECT_EQ(disk.contents(path_in(directory, checkpoint_name({2}))), file);
    EXPECT_EQ(checkpoint_name({2}), "0000000000000002.ckpt");
}

TEST(JournalFormat, TheDocumentedFilesAreOpenedAsAJournal) {
    for (const bool with_checkpoint : {false, true}) {
        FakeDisk disk(1);
        ASSERT_TRUE(disk.make_directory(directory));
        Buffer segment = example("segment");
        segment.resize(example_size_bytes);
        disk.put(path_in(directory, segment_name(example_generation)), segment);
        if (with_checkpoint) {
            disk.put(path_in(directory, checkpoint_name({2})), example("checkpoint"));
        }
        Session session(disk);
        session.opened();
        ASSERT_TRUE(session.journal) << to_string(*session.error);
        EXPECT_EQ(session.journal->epoch(), Epoch{2});
        EXPECT_EQ(session.journal->committed(), Index{4});
        if (with_checkpoint) {
            EXPECT_EQ(session.recorder.restored, "[hi]");
            EXPECT_EQ(session.recorder.restored_at, Index{2});
            EXPECT_EQ(session.recorder.heard.front().index, Index{3});
        } else {
            EXPECT_THAT(session.recorder.commands(), ElementsAre("hi"));
        }
    }
}

}  // namespace
}  // namespace understudy::journal
