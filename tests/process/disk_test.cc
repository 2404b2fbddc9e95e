// The registry's disk is full. Changes that can wait are refused before any write; everything that
// needs no write goes on; promotions are written to the reserve. Needs root for a separate file
// system.

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/process/stage.h"

namespace understudy::process {

namespace {

class I29FullDisk : public Stage {
protected:
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "skipped: needs root to mount a file system";
        place = directory() / "disk";
        (void)::mkdir(place.c_str(), 0700);
        if (::mount("none", place.c_str(), "tmpfs", 0, "size=4m") != 0) {
            place.clear();
            GTEST_SKIP() << "skipped: a tmpfs cannot be mounted here";
        }
        set_data(place + "/registry");
    }
    void TearDown() override {
        if (!place.empty() && registry_started) {
            (void)registry().signal(SIGKILL);
            (void)registry().wait();
        }
        Stage::TearDown();
        if (!place.empty()) (void)::umount2(place.c_str(), MNT_DETACH);
    }
    void start() {
        start_registry(small_segments);
        registry_started = true;
    }
    void fill() const {
        const Descriptor file(::open(ballast().c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
        const std::string block(4096, 'x');
        while (::write(file.get(), block.data(), block.size()) > 0) {
        }
        ASSERT_EQ(errno, ENOSPC);
    }
    /// Every byte of the registry's directory.
    [[nodiscard]] std::map<std::string, std::string> bytes() const {
        std::map<std::string, std::string> out;
        for (const auto& file : std::filesystem::directory_iterator(data())) {
            if (file.is_regular_file()) out[file.path()] = contents(file.path());
        }
        return out;
    }
    void empty() const { (void)::unlink(ballast().c_str()); }
    [[nodiscard]] std::string ballast() const { return place + "/ballast"; }

    /// Registers services until one is refused, so that the remaining room is used up.
    Process& join_until_refused() {
        Process& crowd = start_member("late", with(long_lease, {"--families", "2000"}));
        const Line refused = crowd.expect("refused");
        EXPECT_TRUE(refused.matches("refused no_space none")) << refused.text;
        for (const std::string words : {"KiB free, 64 KiB wanted for a segment",
                                        "what room is left is kept for promotions"}) {
            EXPECT_NE(refused.text.find(words), std::string::npos) << refused.text;
        }
        return crowd;
    }

    const Options small_segments{"--segment-size", "64KiB"};
    std::string place;
    bool registry_started = false;
};

}  // namespace

TEST_F(I29FullDisk, ChangesAreRefusedWhileLookupsHeartbeatsAndPromotionsGoOn) {
    start();
    const Options& lease = short_lease;
    Process& m1 = start_member_as("active", "m1", lease);
    Process& m2 = start_member_as("standby", "m2", lease);
    Process& m3 = start_member_as("standby", "m3", lease);
    Process& watcher = start_watcher();
    watcher.expect("service active=m1 line=m1,m2,m3");
    Process& client = start_client("client", {"--calls", "10"});
    client.expect("delta Ticks from=m1");

    fill();
    (void)join_until_refused();

    // Lookups and questions.
    EXPECT_EQ(understudy({"service", "show", "Foo"}).ending.code, 0);
    const Finished status = understudy({"registry", "status"});
    EXPECT_EQ(status.ending.code, 1) << "not healthy has to show: " << status.output;
    // Watches: a new one gets its image.
    Process& second = start_watcher();
    second.expect("service active=m1 line=m1,m2,m3");
    // Heartbeats: three leases pass, and no member counts as silent.
    client.skip();
    const auto until = Clock::now() + 3 * lease_time;
    while (client.expect("delta Ticks from=m1").when < until) {
    }
    EXPECT_EQ(m1.lines("role").size(), 1U);
    EXPECT_EQ(m2.lines("role").size(), 1U);

    // A promotion is written to the reserve.
    m1.kill();
    (void)m1.wait();
    m2.expect("role Foo m2 active", at_once);
    client.expect("image Ticks from=m2", at_once);
    client.expect("done m2");
    // A switchover can wait: it is refused, and the active member does not change.
    const Finished planned = understudy({"service", "switchover", "Foo"});
    EXPECT_EQ(planned.ending.code, 1);
    EXPECT_NE(planned.errors.find("[no_space]"), std::string::npos) << planned.errors;
    client.skip();
    client.expect("delta Ticks from=m2");
    client.expect("done m2");
    EXPECT_EQ(m2.lines("role").size(), 2U);

    // The refused member joins by itself once there is room.
    const auto before = bytes();
    Process& back = start_member("m1", lease);
    EXPECT_TRUE(back.expect("refused Foo m1").matches("refused no_space")) << "m1 was let in";
    EXPECT_TRUE(bytes() == before) << "refused, and written all the same";
    empty();
    back.expect("role Foo m1 standby");
    watcher.expect("service active=m2 line=m2,m3,m1");
    const Finished switched = understudy({"service", "switchover", "Foo"});
    EXPECT_EQ(switched.ending.code, 0) << switched.errors;
    m3.expect("role Foo m3 active");
    EXPECT_EQ(understudy({"registry", "status"}).ending.code, 0);
    end(client);
    check_ticks(client);
    check_services(watcher);
}

// Six hundred members die, and none of the deaths promotes another: they can wait for room.
TEST_F(I29FullDisk, DeathsThatPromoteNobodyDoNotUseUpTheReserve) {
    start();
    const Options& lease = long_lease;
    Process& m1 = start_member_as("active", "m1", lease);
    Process& m2 = start_member_as("standby", "m2", lease);
    fill();
    Process& crowd = join_until_refused();
    crowd.kill();
    (void)crowd.wait();
    registry().expect_error("event=registry.process_gone agent=agent-late");
    // This comes after everything that the death caused.
    const Finished asked = understudy({"registry", "status"});
    EXPECT_EQ(asked.ending.code, 1) << asked.errors;

    m1.kill();
    m2.expect("role Foo m2 active", at_once);
    empty();
    start_member_as("standby", "m1", lease);
    const auto complaints = split(registry().errors(), '\n');
    EXPECT_LT(std::count_if(complaints.begin(), complaints.end(),
                            [](const std::string& line) {
                                return line.find("registry.change_refused") != std::string::npos;
                            }),
              2000)
        << "a line for each attempt, not for each change";
}

TEST_F(I29FullDisk, ARegistryRestartedOnItServesWhatItKnows) {
    start();
    const Options& lease = long_lease;
    Process& m1 = start_member_as("active", "m1", lease);
    Process& m2 = start_member_as("standby", "m2", lease);
    Process& client = start_client("client", {"--calls", "10"});
    client.expect("delta Ticks from=m1");
    fill();
    (void)join_until_refused();

    kill_registry();
    m1.expect("registry down");
    m2.expect("registry down");
    Process& again = spawn_registry(small_segments);
    if (!again.await("registry ready on", patience)) {
        // It may refuse to start, if it says so; it starts once there is room.
        EXPECT_EQ(again.wait().code, 1);
        EXPECT_NE(again.errors().find("[no_space]"), std::string::npos) << again.errors();
        empty();
        start_registry(small_segments);
        fill();
    }
    m1.expect("registry up");
    m2.expect("registry up");
    client.expect("registry up");
    EXPECT_EQ(understudy({"service", "show", "Foo"}).ending.code, 0);
    EXPECT_EQ(m1.lines("role").size(), 1U);
    EXPECT_EQ(m2.lines("role").size(), 1U);

    m1.kill();
    (void)m1.wait();
    m2.expect("role Foo m2 active", at_once);
    client.expect("image Ticks from=m2", at_once);
    empty();
    start_member_as("standby", "m1", lease);
    end(client);
    check_ticks(client);
}

}  // namespace understudy::process
