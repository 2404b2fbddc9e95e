// Two processes on one directory, and clients of both. An owner is stopped at an exact point of an
// append and continues after it was replaced, or is killed, or has no room.

#include <cerrno>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/process/descriptors.h"
#include "tests/process/journal_stage.h"

namespace understudy::process {

namespace {

/// For tests in which a hung owner must be replaced.
constexpr const char* short_lease_ms = "400";
/// For tests in which an owner must keep its place on a busy machine.
constexpr auto kept_lease = 3s;

class I3Shared : public JournalStage {
protected:
    void add_pair(const std::string& place, const std::string& lease_ms = short_lease_ms) {
        for (const char* const name : {"m1", "m2"}) {
            add_member(name, {"--lease", lease_ms}).directory = place;
        }
    }
    void TearDown() override {
        JournalStage::TearDown();
        if (!mounted.empty()) (void)::umount2(mounted.c_str(), MNT_DETACH);
    }
    void start_pair() {
        start_all();
        begin_clients();
    }
    /// Files in this directory tell the preloaded library about a member.
    void preload() {
        for (std::size_t i = 0; i < members(); ++i) {
            member(i).environment = {"LD_PRELOAD=" JOURNAL_SHIM,
                                     "JOURNAL_SHIM_DIRECTORY=" + points(i),
                                     // The sanitizer's library is linked, and therefore not the
                                     // first now.
                                     "ASAN_OPTIONS=verify_asan_link_order=0"};
            std::filesystem::create_directory(points(i));
        }
    }
    [[nodiscard]] std::string points(std::size_t i) { return directory() / member(i).name; }

    std::string mounted;
};

class I3Stopped : public I3Shared, public testing::WithParamInterface<const char*> {};

bool stands_still(pid_t pid) {
    const std::string stat = contents("/proc/" + std::to_string(pid) + "/stat");
    const std::size_t at = stat.rfind(") ");
    return at != std::string::npos && stat.at(at + 2) == 'T';
}

}  // namespace

// Whichever write was interrupted, the entry is there once or not at all, and its writer, which
// continues after the takeover, acknowledges nothing.
TEST_P(I3Stopped, AnOwnerThatGoesOnAfterItWasReplacedAcknowledgesNothing) {
    add_pair(directory() / "shared");
    preload();
    start_pair();
    for (int turn = 0; turn < 3; ++turn) {
        SCOPED_TRACE(turn);
        const std::size_t old = active();
        recorder().fault(std::string("stop ") + GetParam(), member(old).name);
        std::ofstream(points(old) + "/" + GetParam()).close();
        ASSERT_TRUE(eventually([&] { return stands_still(member(old).process->pid()); }))
            << "that point is never reached";
        (void)active_other_than(old);
        recorder().await_service();
        member(old).process->resume();
        await_role(old, "standby");
        run_for(200ms);
    }
    finish();
}

INSTANTIATE_TEST_SUITE_P(Between, I3Stopped,
                         testing::Values("before-write", "after-write", "after-sync"),
                         [](const auto& point) {
                             std::string name = point.param;
                             std::erase(name, '-');
                             return name;
                         });

TEST_F(I3Shared, AnOwnerWhosePortHasTakenAllDescriptorsGoesOn) {
    add_pair(directory() / "shared");
    start_pair();
    const std::size_t owner = active();
    const std::string epoch = status(owner, "epoch");
    recorder().fault("no descriptors", member(owner).name);
    {
        NoDescriptorsLeft gone(*member(owner).process);
        for (int turn = 0; turn < 4; ++turn) {
            recorder().await_service();
            run_for(500ms);
        }
        EXPECT_TRUE(member(owner).process->running());
        EXPECT_EQ(times_in_errors(*member(owner).process, "network.accept_paused"), 1U);
    }
    recorder().fault("heal", member(owner).name);
    recorder().await_service();
    EXPECT_EQ(active(), owner);
    EXPECT_EQ(status(owner, "epoch"), epoch) << "nobody took over";
    finish();
}

TEST_F(I3Shared, OwnersAreKilledInTurnAndNothingAcknowledgedIsLost) {
    add_pair(directory() / "shared");
    start_pair();
    for (int turn = 0; turn < 6; ++turn) {
        const std::size_t victim = active();
        recorder().fault("kill", member(victim).name);
        kill(victim);
        recorder().await_service();
        start(victim);
        run_for(100ms);
    }
    finish();
}

TEST_F(I3Shared, AnOwnerWhoseSyncFailsIsReplaced) {
    add_pair(directory() / "shared");
    preload();
    start_pair();
    const std::size_t old = active();
    recorder().fault("sync fails", member(old).name);
    const std::string failing = points(old) + "/fail-sync";
    std::ofstream(failing).close();
    expect_failed(old, "disk_failed");
    EXPECT_NE(active(), old);
    run_for(200ms);
    std::filesystem::remove(failing);
    start(old);
    run_for(200ms);
    finish();
}

TEST_F(I3Shared, OnAFullDiskChangesAreRefusedReadsGoOnAndAllGoesOnWhenThereIsRoom) {
    if (::geteuid() != 0) GTEST_SKIP() << "skipped: needs root to mount a file system";
    const std::string place = directory() / "disk";
    (void)::mkdir(place.c_str(), 0700);
    if (::mount("none", place.c_str(), "tmpfs", 0, "size=400m") != 0) {
        GTEST_SKIP() << "skipped: a tmpfs cannot be mounted here";
    }
    mounted = place;
    add_pair(place + "/shared", std::to_string(kept_lease / 1ms));
    start_pair();
    const std::size_t owner = active();
    const std::string epoch = status(owner, "epoch");

    {
        const Descriptor file(
            ::open((place + "/ballast").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
        const std::string block(4096, 'x');
        while (::write(file.get(), block.data(), block.size()) > 0) {
        }
        EXPECT_EQ(errno, ENOSPC);
    }
    recorder().fault("the disk is full", member(owner).name);
    const auto session = ask(owner, "session");
    ASSERT_EQ(session.kind, Caller::Kind::ok) << session.text;
    Caller::Answer told;
    for (int number = 1; number < 400; ++number) {
        told = ask(owner, "submit " + session.text + ' ' + std::to_string(number) + " pad 500000");
        if (told.kind != Caller::Kind::ok) break;
    }
    EXPECT_EQ(told.kind, Caller::Kind::refused);
    EXPECT_TRUE(told.text.starts_with("no_space none")) << told.text;

    // Reads are served and the lease is kept: three leases pass, and no member takes over.
    std::this_thread::sleep_for(3 * kept_lease);
    EXPECT_EQ(ask(owner, "read r0").kind, Caller::Kind::ok);
    EXPECT_EQ(status(owner, "full"), "1");
    EXPECT_EQ(active(), owner);
    EXPECT_EQ(status(owner, "epoch"), epoch);

    (void)::unlink((place + "/ballast").c_str());
    recorder().fault("heal", member(owner).name);
    EXPECT_TRUE(eventually([&] { return status(owner, "full") == "0"; }));
    finish();
}

}  // namespace understudy::process
