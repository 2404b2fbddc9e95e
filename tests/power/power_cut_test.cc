// The power fails: on a real file system, what was acknowledged is there when it is back.
//
// Method: a process appends to a journal on a separate ext4 and prints what was acknowledged. The
// file system is cut off without a flush of its log, and the process is killed. The contents that
// the next process finds are compared. UNDERSTUDY_POWER_ROUNDS is the number of rounds; needs root.

#include <cstdlib>
#include <memory>

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/random.h"
#include "tests/power/file_system.h"
#include "tests/process/process.h"

namespace understudy::power {

using process::Process;
using process::TemporaryDirectory;
using namespace std::chrono_literals;

namespace {

[[nodiscard]] int rounds() {
    const char* const wanted = std::getenv("UNDERSTUDY_POWER_ROUNDS");
    return wanted == nullptr ? 12 : std::atoi(wanted);
}

class PowerCut : public testing::TestWithParam<const char*> {
protected:
    void SetUp() override {
        disk = std::make_unique<FileSystem>(directory / "image", directory / "disk", 64);
        if (!disk->problem().empty()) GTEST_SKIP() << "skipped: " << disk->problem();
    }

    std::unique_ptr<Process> start(const std::string& window) {
        return start(window, disk->place());
    }
    std::unique_ptr<Process> start(const std::string& window, const std::string& place) {
        return std::make_unique<Process>(
            "journal",
            process::Command{.arguments = {JOURNAL_PROGRAM, "--kind", GetParam(), "--directory",
                                           place + "/journal", "--window", window}},
            directory / "errors");
    }

    /// The last acknowledged entry; `found` if there was none.
    [[nodiscard]] static std::uint64_t acknowledged(const Process& journal, std::uint64_t found) {
        const auto lines = journal.lines("acked");
        return lines.empty() ? found : lines.back().number("count");
    }

    TemporaryDirectory directory;
    std::unique_ptr<FileSystem> disk;
    Random random{20261120};
};

}  // namespace

TEST_P(PowerCut, LosesNothingThatWasAcknowledged) {
    std::uint64_t acked = 0;
    std::uint64_t epoch = 0;
    for (int round = 0; round < rounds(); ++round) {
        SCOPED_TRACE("round " + std::to_string(round));
        auto journal = start(round % 3 == 0 ? "1" : "64");
        const process::Line found = journal->expect("recovered");
        ASSERT_GE(found.number("count"), acked);
        ASSERT_GT(found.number("epoch"), epoch);
        epoch = found.number("epoch");

        // Sometimes directly after an acknowledgement, sometimes anywhere.
        const std::uint64_t first = random.below(400);
        for (std::uint64_t i = 0; i <= first; ++i) journal->expect("acked");
        if (round % 2 == 0) {
            std::this_thread::sleep_for(std::chrono::microseconds(random.below(20'000)));
        }
        disk->cut();
        journal->kill();
        (void)journal->wait();
        acked = acknowledged(*journal, found.number("count"));
        disk->restore();
    }
    auto journal = start("1");
    EXPECT_GE(journal->expect("recovered").number("count"), acked);
    EXPECT_GT(acked, 1'000U);
    journal->kill();
    (void)journal->wait();
}

// The disk below the file system is full: writes succeed, and a sync fails once; after that the
// kernel considers the lost pages clean. What was acknowledged before is there afterwards.
TEST_P(PowerCut, AndASyncThatFailsEndsTheTenureWithNothingLost) {
    const std::string memory = directory / "memory";
    ASSERT_EQ(::mkdir(memory.c_str(), 0700), 0);
    if (::mount("none", memory.c_str(), "tmpfs", 0, "size=8m") != 0) {
        GTEST_SKIP() << "skipped: a tmpfs cannot be mounted here";
    }
    {
        FileSystem thin(memory + "/image", directory / "thin",
                        256);  // Sparse: 8 MiB cannot hold it.
        ASSERT_EQ(thin.problem(), "");
        auto journal = start("64", thin.place());
        const std::uint64_t found = journal->expect("recovered").number("count");
        EXPECT_EQ(journal->wait().code, 5);
        const std::uint64_t acked = acknowledged(*journal, found);
        EXPECT_GT(acked, 100U);

        ASSERT_EQ(::mount("none", memory.c_str(), "tmpfs", MS_REMOUNT, "size=512m"), 0);
        thin.cut();
        thin.restore();
        auto next = start("64", thin.place());
        EXPECT_GE(next->expect("recovered").number("count"), acked);
        next->expect("acked");
        next->kill();
        (void)next->wait();
    }
    EXPECT_EQ(::umount(memory.c_str()), 0);
}

INSTANTIATE_TEST_SUITE_P(Journals, PowerCut, testing::Values("local", "shared"),
                         [](const auto& kind) { return std::string(kind.param); });

}  // namespace understudy::power
