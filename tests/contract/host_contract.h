#pragma once

#include <memory>

#include "tests/contract/harness.h"

namespace understudy::contract {

/// Evidence of the death of a process.
class HostContract : public ContractTest {
protected:
    [[nodiscard]] std::unique_ptr<ProcessWatch> watch(const ProcessId& process) {
        std::unique_ptr<ProcessWatch> watching;
        on_loop(0, [&] {
            watching = node().host().watch(process, [this] { ++gone_; });
            EXPECT_EQ(gone_, 0);  // It is never called within the call.
        });
        return watching;
    }

    int gone_ = 0;
};

TEST_P(HostContract, AProcessKnowsWhoItIs) {
    const ProcessId self = node().host().self();

    EXPECT_FALSE(self.boot.empty());
    EXPECT_NE(self.pid_namespace, 0u);
    EXPECT_NE(self.pid, 0u);
    EXPECT_EQ(self, node().host().self());
}

TEST_P(HostContract, TheDeathOfAKilledProcessIsReportedOnce) {
    const ProcessId process = harness_->start_process();
    const auto watching = watch(process);
    ASSERT_NE(watching, nullptr);
    run_for(settle);
    EXPECT_EQ(gone_, 0);

    harness_->kill_process(process);

    EXPECT_TRUE(run_until([&] { return gone_ > 0; }));
    run_for(settle);
    EXPECT_EQ(gone_, 1);
}

TEST_P(HostContract, AProcessThatIsDeadAlreadyIsReportedToo) {
    const ProcessId process = harness_->start_process();
    harness_->kill_process(process);

    const auto watching = watch(process);

    ASSERT_NE(watching, nullptr);
    EXPECT_TRUE(run_until([&] { return gone_ == 1; }));
}

// The pid is in use by a process with another start time.
TEST_P(HostContract, APidThatIsSomebodyElsesNowProvesTheDeath) {
    ProcessId process = harness_->start_process();
    const ProcessId alive = process;
    process.start_ticks -= 1;

    const auto watching = watch(process);

    ASSERT_NE(watching, nullptr);
    EXPECT_TRUE(run_until([&] { return gone_ == 1; }));
    harness_->kill_process(alive);
}

TEST_P(HostContract, NothingCanBeProvenOfAnotherBootOrNamespace) {
    const ProcessId self = node().host().self();
    ProcessId other_boot = self;
    other_boot.boot = "00000000-0000-4000-8000-000000000000";
    ProcessId other_namespace = self;
    other_namespace.pid_namespace += 1;
    ProcessId unknown = self;
    unknown.boot.clear();

    EXPECT_EQ(watch(other_boot), nullptr);
    EXPECT_EQ(watch(other_namespace), nullptr);
    EXPECT_EQ(watch(unknown), nullptr);
    run_for(settle);
    EXPECT_EQ(gone_, 0);
}

TEST_P(HostContract, ADestroyedWatchReportsNothing) {
    const ProcessId process = harness_->start_process();
    auto watching = watch(process);
    ASSERT_NE(watching, nullptr);

    on_loop(0, [&] { watching.reset(); });
    harness_->kill_process(process);

    run_for(settle);
    EXPECT_EQ(gone_, 0);
}

TEST_P(HostContract, AWatchMayBeDestroyedByItsOwnReport) {
    const ProcessId process = harness_->start_process();
    std::unique_ptr<ProcessWatch> watching;
    const auto kept = std::make_shared<int>(7);
    on_loop(0, [&] {
        watching = node().host().watch(process, [this, &watching, kept] {
            watching.reset();
            gone_ = *kept;
        });
    });

    harness_->kill_process(process);

    EXPECT_TRUE(run_until([&] { return gone_ == 7; }));
}

/// What happens to a directory while it is held open.
class WatchContract : public ContractTest {
protected:
    WatchContract() : directory_(harness_->directory(0) + "/watched") {
        in_job([this](Disk& disk) {
            ASSERT_TRUE(disk.make_directory(directory_));
            for (const char* const name : {"lock", "segment"}) {
                ASSERT_TRUE(disk.open(directory_ + "/" + name, Disk::Open::create));
            }
        });
        on_loop(0, [&] {
            watch_ = node().host().watch_directory(directory_, {"lock"}, [this] { ++changed_; });
        });
    }
    ~WatchContract() override {
        on_loop(0, [&] { watch_.reset(); });
    }

    void in_job(const std::function<void(Disk&)>& body) {
        bool done = false;
        on_loop(0, [&] {
            node().worker("contract").submit([&] { body(node().disk()); }, [&] { done = true; });
        });
        ASSERT_TRUE(run_until([&] { return done; }));
    }

    const std::string directory_;
    std::unique_ptr<DirectoryWatch> watch_;
    int changed_ = 0;
};

TEST_P(WatchContract, TheRemovalOfANamedFileIsTold) {
    ASSERT_NE(watch_, nullptr);
    in_job([this](Disk& disk) { EXPECT_TRUE(disk.remove(directory_ + "/lock")); });
    EXPECT_TRUE(run_until([&] { return changed_ > 0; }));
}

TEST_P(WatchContract, AFileThatTakesTheNameOfANamedOneIsTold) {
    in_job([this](Disk& disk) {
        EXPECT_TRUE(disk.rename(directory_ + "/segment", directory_ + "/lock"));
    });
    EXPECT_TRUE(run_until([&] { return changed_ > 0; }));
}

TEST_P(WatchContract, TheMoveOfTheDirectoryIsTold) {
    in_job([this](Disk& disk) { EXPECT_TRUE(disk.rename(directory_, directory_ + ".away")); });
    EXPECT_TRUE(run_until([&] { return changed_ > 0; }));
}

TEST_P(WatchContract, OtherFilesComeAndGoWithoutAWord) {
    in_job([this](Disk& disk) {
        EXPECT_TRUE(disk.open(directory_ + "/another", Disk::Open::create));
        EXPECT_TRUE(disk.rename(directory_ + "/another", directory_ + "/third"));
        EXPECT_TRUE(disk.remove(directory_ + "/segment"));
    });
    run_for(settle);
    EXPECT_EQ(changed_, 0);
}

TEST_P(WatchContract, AWatchThatIsDestroyedTellsNothing) {
    on_loop(0, [&] { watch_.reset(); });
    in_job([this](Disk& disk) { EXPECT_TRUE(disk.remove(directory_ + "/lock")); });
    run_for(settle);
    EXPECT_EQ(changed_, 0);
}

}  // namespace understudy::contract
