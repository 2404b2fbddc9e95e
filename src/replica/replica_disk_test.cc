// The replica on real threads, files and locks. What it does when they fail is tested with fakes.

#include <gtest/gtest.h>

#include "replica/real_disk_test.h"

namespace understudy::replica {
namespace {

journal::LocalJournal::Options in(const Scratch& scratch) {
    return {.directory = scratch.path + "/a/journal", .segment_size_bytes = 256 * KiB};
}

TEST(ReplicaOnRealDisk, KeepsItsStateOverRestarts) {
    const Scratch scratch;
    std::uint64_t hash = 0;
    for (std::size_t life = 0; life < 3; ++life) {
        ListMachine machine;
        RealReplica real(machine, every(500), in(scratch));
        ASSERT_TRUE(real.replica) << to_string(*real.error);
        EXPECT_EQ(real.replica->epoch(), Epoch{life + 1});
        EXPECT_EQ(machine.commands.size(), life * 1200);
        EXPECT_TRUE(life == 0 || machine.hash() == hash);

        std::size_t done = 0;
        for (int i = 0; i < 1200; ++i) {
            const std::string command(static_cast<std::size_t>(i), 'x');
            const Bytes raw = as_bytes(command);
            real.replica->propose(Buffer(raw.begin(), raw.end()), Urgency::ordinary,
                                  [&](const Result<Index>& outcome) {
                                      EXPECT_TRUE(outcome);
                                      ++done;
                                  });
            if (i % 7 == 0) real.runtime.poll();
        }
        real.run_until([&] { return done == 1200; });
        EXPECT_GT(real.replica->checkpoint(), Index{});
        hash = machine.hash();
    }
}

TEST(ReplicaOnRealDisk, ASecondOneIsToldThatTheDirectoryIsInUse) {
    const Scratch scratch;
    ListMachine machine;
    ListMachine other;
    RealReplica first(machine, every(500), in(scratch));
    ASSERT_TRUE(first.replica);
    RealReplica second(other, every(500), in(scratch));
    ASSERT_TRUE(second.error);
    EXPECT_EQ(second.error->code, Errc::in_use);
    EXPECT_NE(second.error->detail.find(scratch.path), std::string::npos);
}

}  // namespace
}  // namespace understudy::replica
