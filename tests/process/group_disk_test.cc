// The disk of a replicated group's leader is full or fails, or all members lose their power. Needs
// root for separate file systems.

#include <cerrno>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/power/file_system.h"
#include "tests/process/journal_stage.h"

namespace understudy::process {

namespace {

using power::FileSystem;

class I3GroupDisk : public JournalStage {
protected:
    void SetUp() override {
        for (std::size_t i = 0; i < 3; ++i) {
            const std::string name = "disk" + std::to_string(i);
            disks.push_back(std::make_unique<FileSystem>(directory() / (name + ".image"),
                                                         directory() / name, 512));
            if (!disks[i]->problem().empty()) GTEST_SKIP() << "skipped: " << disks[i]->problem();
        }
        add_group(3);
        for (std::size_t i = 0; i < 3; ++i) member(i).directory = disks[i]->place() + "/journal";
        start_all();
        begin_clients();
    }
    void TearDown() override {
        JournalStage::TearDown();
        disks.clear();
    }

    std::vector<std::unique_ptr<FileSystem>> disks;
};

/// Uses up all room of a file system.
class FullDisk {
public:
    explicit FullDisk(std::string path) : path_(std::move(path)) {
        const Descriptor file(::open(path_.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
        // Allocated and not written; otherwise the next sync would wait for half a gigabyte.
        off_t at = 0;
        for (off_t size = 64 << 20; size >= 4096;) {
            if (::fallocate(file.get(), 0, at, size) == 0) {
                at += size;
            } else {
                EXPECT_EQ(errno, ENOSPC);
                size /= 2;
            }
        }
    }
    ~FullDisk() { (void)::unlink(path_.c_str()); }
    FullDisk(const FullDisk&) = delete;
    FullDisk& operator=(const FullDisk&) = delete;

private:
    const std::string path_;
};

}  // namespace

TEST_F(I3GroupDisk, PowerThatGoesEverywhereAtOnceTakesNothingAcknowledged) {
    for (int turn = 0; turn < 3; ++turn) {
        run_for(300ms);
        recorder().fault("power", "n1,n2,n3");
        for (const auto& disk : disks) disk->cut();
        for (std::size_t i = 0; i < 3; ++i) kill(i);
        for (const auto& disk : disks) disk->restore();
        start_all();
        run_for(100ms);
    }
    finish();
}

TEST_F(I3GroupDisk, ALeaderWhoseDiskFailsIsReplacedAndComesBack) {
    const std::size_t leader = active();
    recorder().fault("the disk fails", member(leader).name);
    disks[leader]->cut();
    expect_failed(leader, "disk_failed");
    (void)active_other_than(leader);
    run_for(300ms);
    disks[leader]->restore();
    start(leader);
    run_for(300ms);
    finish();
}

TEST_F(I3GroupDisk, ALeaderWhoseDiskIsFullHandsOnAndCatchesUpWhenThereIsRoom) {
    const std::size_t leader = active();
    {
        const FullDisk ballast(disks[leader]->place() + "/ballast");
        recorder().fault("the disk is full", member(leader).name);
        // The reserve is used up, until there is no room for changes. On a busy machine the lead
        // may have moved before; then the next leader sends it the rest.
        Caller caller;
        const auto socket = [this] {
            const auto& now = member(active());
            return MemberSocket{.name = now.name, .path = now.socket};
        };
        const auto session = caller.ask(socket(), "session", patience);
        ASSERT_EQ(session.kind, Caller::Kind::ok) << session.text;
        bool full = false;
        for (int number = 1; number < 400 && !full; ++number) {
            (void)caller.ask(socket(),
                             "submit " + session.text + ' ' + std::to_string(number) +
                                 " pad 500000",
                             patience);
            full = status(leader, "full") == "1";
        }
        EXPECT_TRUE(full) << "the disk was never full";
        (void)active_other_than(leader);
        run_for(1s);
        EXPECT_TRUE(eventually([&] { return status(leader, "full") == "1"; }));
        EXPECT_TRUE(member(leader).process->running());
    }
    recorder().fault("heal", member(leader).name);
    EXPECT_TRUE(eventually([&] { return status(leader, "full") == "0"; }));
    finish();
}

}  // namespace understudy::process
