// The registry dies, is away, returns, returns with old data, or returns twice.

#include <filesystem>
#include <random>
#include <thread>

#include "tests/process/stage.h"

namespace understudy::process {

namespace {

class RegistryRestart : public Stage {};
class RegistryRestore : public RegistryRestart {};
class RegistryProgram : public RegistryRestart {};
class I1Epochs : public RegistryRestart {};
class I2Restart : public RegistryRestart {};
class I29RegistryLoss : public RegistryRestart {};

}  // namespace

// Five kills under load. No role changes, no order changes, no client loses its connection.
TEST_F(I2Restart, ARegistryKilledUnderLoadChangesNothingThatRuns) {
    start_registry();
    Process& m1 = start_member_as("active", "m1");
    Process& m2 = start_member_as("standby", "m2");
    Process& m3 = start_member_as("standby", "m3");
    Process& watcher = start_watcher();
    const std::uint64_t epoch = watcher.expect("service line=m1,m2,m3").number("epoch");
    Process& client = start_client("client", {"--calls", "5"});
    client.expect("delta Ticks from=m1");

    for (int turn = 1; turn <= 5; ++turn) {
        SCOPED_TRACE(turn);
        kill_registry();
        m1.expect("registry down");
        m3.expect("registry down");
        client.expect("registry down");
        // While it is away: changes arrive and calls are answered.
        client.skip();
        client.expect("delta Ticks from=m1");
        client.expect("done m1");
        start_registry();
        m1.expect("registry up");
        m2.expect("registry up");
        m3.expect("registry up");
        client.expect("registry up");
    }

    watcher.expect("registry up");
    const Finished shown = understudy({"service", "show", "Foo", "-o", "csv"});
    const auto rows = split(shown.output, '\n');
    ASSERT_EQ(rows.size(), 4U) << shown.output;
    for (std::size_t place = 1; place <= 3; ++place) {
        EXPECT_NE(rows[place].find("m" + std::to_string(place)), std::string::npos) << rows[place];
    }
    end(client);
    for (const Process* const member : {&m1, &m2, &m3}) {
        EXPECT_EQ(member->lines("role").size(), 1U) << member->name() << " changed its role";
    }
    EXPECT_EQ(client.lines("image Ticks").size(), 1U) << "the client had to start again";
    EXPECT_TRUE(client.lines("status disconnected member=m1").empty());
    for (const Line& line : client.lines("error")) ADD_FAILURE() << line.text;
    for (const Line& line : watcher.lines("service")) EXPECT_LE(line.number("epoch"), epoch);
    check_ticks(client);
    check_calls(client);
}

// It is killed repeatedly while it recovers, at different moments.
TEST_F(I2Restart, ARegistryKilledWhileItRecoversLosesNothing) {
    start_registry();
    Process& m1 = start_member_as("active", "m1");
    Process& m2 = start_member_as("standby", "m2");
    Process& client = start_client("client", {"--calls", "10"});
    client.expect("delta Ticks from=m1");

    std::mt19937 moment(11);  // NOLINT: the same moments in each run.
    for (int turn = 1; turn <= 15; ++turn) {
        kill_registry();
        (void)spawn_registry();
        std::this_thread::sleep_for(std::chrono::milliseconds(moment() % 120));
    }
    kill_registry();
    m1.skip();
    m2.skip();
    client.skip();
    start_registry();
    m1.expect("registry up");
    m2.expect("registry up");
    client.expect("registry up");
    client.expect("done m1");

    const Finished shown = understudy({"service", "show", "Foo"});
    EXPECT_NE(shown.output.find("active: m1   next in line: m2"), std::string::npos)
        << shown.output;
    end(client);
    EXPECT_EQ(m1.lines("role").size(), 1U);
    EXPECT_EQ(m2.lines("role").size(), 1U);
    EXPECT_EQ(client.lines("image Ticks").size(), 1U);
    for (const Line& line : client.lines("error")) ADD_FAILURE() << line.text;
    check_ticks(client);
    check_calls(client);
}

// All processes die at once. Epochs go on from where they were.
TEST_F(I1Epochs, AfterEverythingDiedTheNextActiveHasAHigherEpoch) {
    start_registry();
    Process* m1 = &start_member_as("active", "m1", long_lease);
    Process* m2 = &start_member_as("standby", "m2", long_lease);
    std::uint64_t epoch = m1->lines("role").at(0).number("epoch");
    Process& client = start_client("client");
    client.expect("delta Ticks from=m1");

    for (int turn = 1; turn <= 3; ++turn) {
        for (Process* const one : {&registry(), m1, m2}) one->kill();
        for (Process* const one : {&registry(), m1, m2}) (void)one->wait();
        start_registry();
        m1 = &start_member("m1", long_lease);
        const std::uint64_t next = m1->expect("role Foo m1 active", at_once).number("epoch");
        EXPECT_GT(next, epoch);
        epoch = next;
        m2 = &start_member_as("standby", "m2", long_lease);
        client.expect("image Ticks from=m1 epoch=" + std::to_string(epoch));
        client.expect("delta Ticks from=m1");
    }
    // A client that is faster than the member's first publication gets an empty image before.
    EXPECT_EQ(client.lines("image Ticks from=m1").size(), 4U);
    check_ticks(client);
}

// A registry that was paused has received nothing, and knows that this proves nothing.
TEST_F(I29RegistryLoss, AStoppedRegistryDemotesNobodyWhenItResumes) {
    start_registry();
    Process& m1 = start_member_as("active", "m1", short_lease);
    Process& m2 = start_member_as("standby", "m2", short_lease);
    Process& client = start_client("client", {"--calls", "10"});
    client.expect("delta Ticks from=m1");

    for (int turn = 1; turn <= 3; ++turn) {
        registry().stop();
        client.skip();
        const auto until = Clock::now() + turn * lease_time * 3 / 4;
        while (client.expect("delta Ticks from=m1").when < until) {
        }
        registry().resume();
        EXPECT_EQ(understudy({"service", "show", "Foo"}).ending.code, 0);
    }
    const auto until = Clock::now() + 2 * lease_time;
    while (client.expect("delta Ticks from=m1").when < until) {
    }

    end(client);
    EXPECT_EQ(m1.lines("role").size(), 1U);
    EXPECT_EQ(m2.lines("role").size(), 1U);
    EXPECT_EQ(client.lines("image Ticks").size(), 1U);
    for (const Line& line : client.lines("error")) ADD_FAILURE() << line.text;
    check_ticks(client);
    check_calls(client);
}

// The death could not be acted on while the registry was away. It is proven as soon as the registry
// is back, long before any lease ends.
TEST_F(RegistryRestart, AnActiveThatDiedMeanwhileIsReplacedByProofOfDeath) {
    start_registry();
    Process& m1 = start_member_as("active", "m1", long_lease);
    Process& m2 = start_member_as("standby", "m2", long_lease);
    Process& client = start_client("client", {"--calls", "10"});
    client.expect("delta Ticks from=m1");

    kill_registry();
    m2.expect("registry down");
    m1.kill();
    (void)m1.wait();
    client.ever("freshness Ticks stale");
    EXPECT_EQ(m2.lines("role").size(), 1U) << "no promotion is possible while the registry is away";
    start_registry();

    m2.expect("role Foo m2 active", at_once);
    client.expect("image Ticks from=m2", at_once);
    client.expect("done m2", at_once);
    const Finished story = understudy({"service", "explain", "Foo"});
    EXPECT_NE(story.output.find("process_gone"), std::string::npos) << story.output;
    end(client);
    check_ticks(client);
    check_calls(client);
}

// With `step_down` a member does not answer rather than answer beside another active one.
TEST_F(I29RegistryLoss, AMemberToldToStepDownAnswersNobodyUntilTheRegistryIsBack) {
    start_registry();
    Process& m1 =
        start_member_as("active", "m1", with(short_lease, {"--on-registry-loss", "step_down"}));
    Process& client = start_client("client");
    client.expect("delta Ticks from=m1");

    kill_registry();
    m1.expect("registry down");
    // The last change arrives, then no more: the lease bounds the time.
    while (client.await("delta Ticks", 2 * lease_time)) {
        ASSERT_LT(client.lines().size(), 1000U) << "it goes on publishing";
    }
    client.say("call refused append 300");
    const Line refused = client.expect("error refused");
    EXPECT_EQ(refused.word(3), "none") << refused.text;
    EXPECT_TRUE(appended().empty());

    start_registry();
    client.expect("the ticks go on", [](const Line& line) { return line.value("from") == "m1"; });
    client.say("call answered append 200000");
    client.expect("done answered m1");
    check_ticks(client);
}

// The client was stopped when the role moved, and the registry is gone when it resumes. The member
// that it knew is alive and knows the active one.
TEST_F(I29RegistryLoss, AClientThatMissedASwitchoverIsRedirectedWithoutTheRegistry) {
    start_registry();
    Process& m1 = start_member_as("active", "m1", long_lease);
    Process& m2 = start_member_as("standby", "m2", long_lease);
    Process& client = start_client("client");
    client.expect("delta Ticks from=m1");

    client.stop();
    EXPECT_EQ(understudy({"service", "switchover", "Foo"}).ending.code, 0);
    m2.expect("role Foo m2 active");
    m1.expect("role Foo m1 standby");
    kill_registry();
    m1.expect("registry down");
    m2.expect("registry down");
    client.resume();

    client.expect("image Ticks from=m2");
    client.expect("delta Ticks from=m2");
    client.say("call one append 200000");
    client.expect("done one m2");
    check_ticks(client);
}

// The same with the old active member dead: the client must ask the other members that it knows of.
TEST_F(I29RegistryLoss, AClientThatMissedAFailoverFindsTheNewActiveWithoutTheRegistry) {
    start_registry();
    Process& m1 = start_member_as("active", "m1", long_lease);
    Process& m2 = start_member_as("standby", "m2", long_lease);
    Process& m3 = start_member_as("standby", "m3", long_lease);
    Process& client = start_client("client");
    client.expect("delta Ticks from=m1");

    client.stop();
    m1.kill();
    m2.expect("role Foo m2 active", at_once);
    kill_registry();
    m3.expect("registry down");
    client.resume();

    client.expect("image Ticks from=m2");
    client.expect("delta Ticks from=m2");
    client.say("call one append 200000");
    client.expect("done one m2");
    check_ticks(client);
}

TEST_F(RegistryRestart, AgentsThatAreThereBeforeTheirRegistryJoinWhenItComes) {
    start_registry();
    kill_registry();
    Process& m1 = start_member("m1");
    Process& client = start_client("client");
    m1.expect_error("event=agent.registry_down");
    client.expect_error("event=agent.registry_down");
    EXPECT_TRUE(m1.lines("registry up").empty());

    start_registry();
    m1.expect("role Foo m1 active");
    client.expect("delta Ticks from=m1");
    check_ticks(client);
}

TEST_F(RegistryProgram, ASecondOneOnTheSameDirectoryIsRefusedWithAReason) {
    start_registry();
    Process& m1 = start_member_as("active", "m1");

    const Finished second =
        understudy_alone({"registry", "--data", data(), "--listen", "127.0.0.1:0"});

    EXPECT_EQ(second.ending.code, 1);
    EXPECT_TRUE(second.output.empty()) << second.output;
    EXPECT_NE(second.errors.find("[in_use]"), std::string::npos) << second.errors;
    EXPECT_NE(second.errors.find(data()), std::string::npos) << second.errors;
    EXPECT_NE(second.errors.find("try:"), std::string::npos) << second.errors;
    EXPECT_EQ(understudy({"registry", "status"}).ending.code, 0);
    EXPECT_EQ(m1.lines("registry up").size(), 1U);
}

TEST_F(RegistryProgram, OneThatIsAskedToEndEndsCleanlyAndKnowsItAllAgain) {
    start_registry();
    Process& m1 = start_member_as("active", "m1");
    Process& m2 = start_member_as("standby", "m2");
    Process& client = start_client("client");
    client.expect("delta Ticks from=m1");

    registry().signal(SIGTERM);
    EXPECT_EQ(registry().wait().code, 0) << registry().errors();
    m1.expect("registry down");
    start_registry();
    m1.expect("registry up");
    m2.expect("registry up");
    client.expect("registry up");
    client.skip();
    client.expect("delta Ticks from=m1");

    EXPECT_EQ(m1.lines("role").size(), 1U);
    EXPECT_EQ(m2.lines("role").size(), 1U);
    EXPECT_EQ(client.lines("image Ticks").size(), 1U);
    check_ticks(client);
}

// 24,000 changes, almost none of which matters any more.
TEST_F(RegistryProgram, ItsJournalIsTrimmed) {
    start_registry();
    start_member_as("active", "m1");
    for (int turn = 1; turn <= 6; ++turn) {
        Process& crowd = start_member("crowd", with(long_lease, {"--families", "2000"}));
        crowd.expect("registered 2000");
        end(crowd);
    }
    std::uintmax_t bytes = 0;
    for (const auto& file : std::filesystem::recursive_directory_iterator(data())) {
        if (file.is_regular_file()) bytes += file.file_size();
    }
    EXPECT_LE(bytes, 12U << 20);
    RecordProperty("journal_kib", std::to_string(bytes / 1024));

    kill_registry();
    start_registry();
    const Finished shown = understudy({"service", "show", "Foo"});
    EXPECT_NE(shown.output.find("active: m1"), std::string::npos) << shown.output;
}

// The backup is older than the last failover: it names the wrong active member with an old epoch.
TEST_F(RegistryRestore, AnOldBackupNeverGivesAnEpochTwiceNorDemotesTheActive) {
    start_registry();
    Process* m1 = &start_member_as("active", "m1");
    Process& m2 = start_member_as("standby", "m2");
    Process& m3 = start_member_as("standby", "m3");
    const std::string backup = directory() / "backup";
    const Finished saved = understudy({"registry", "backup", "--to", backup});
    ASSERT_EQ(saved.ending.code, 0) << saved.errors;
    m1->kill();
    const std::uint64_t granted = m2.expect("role Foo m2 active", at_once).number("epoch");
    m1 = &start_member_as("standby", "m1");
    Process& client = start_client("client", {"--calls", "10"});
    client.expect("delta Ticks from=m2");

    kill_registry();
    m2.expect("registry down");
    set_data(directory() / "restored");
    const Finished restored =
        understudy_alone({"registry", "restore", "--from", backup, "--data", data()});
    ASSERT_EQ(restored.ending.code, 0) << restored.errors;
    start_registry();
    m2.expect("registry up");
    Process& watcher = start_watcher();
    watcher.expect("all three in line behind m2", [&](const Line& line) {
        const auto members = split(line.value("line"), ',');
        return line.matches("service active=m2") && members.size() == 3 &&
               line.number("epoch") >= granted;
    });
    client.skip();
    client.expect("delta Ticks from=m2");
    client.expect("done m2");
    EXPECT_TRUE(m2.lines("role Foo m2 standby").size() == 1U) << "the active was demoted";
    EXPECT_TRUE(m1->lines("role Foo m1 active").empty());
    EXPECT_TRUE(m3.lines("role Foo m3 active").empty());

    m2.kill();
    (void)m2.wait();
    const Line image = client.expect(
        "an image of another member",
        [](const Line& line) { return line.matches("image Ticks") && line.value("from") != "m2"; },
        at_once);
    EXPECT_GT(image.number("epoch"), granted);
    end(client);
    EXPECT_EQ(client.lines("image Ticks").size(), 2U);
    check_ticks(client);
    check_calls(client);
    check_services(watcher);
}

// The order of an operator's actions: the role was moved after the backup, and the member that the
// backup names must not get it back.
TEST_F(RegistryRestore, AnOldBackupDoesNotTakeTheRoleFromWhoHasIt) {
    for (int round = 0; round < 4; ++round) {
        const std::string suffix = std::to_string(round);
        set_data(directory() / ("data" + suffix));
        start_registry();
        Process& bar1 = start_member_as("active", "Bar1");
        Process* const client = round % 2 == 0 ? nullptr : &start_client("client" + suffix);
        if (client != nullptr) client->expect("image Ticks from=Bar1");
        const std::string backup = directory() / ("backup" + suffix);
        ASSERT_EQ(understudy({"registry", "backup", "--to", backup}).ending.code, 0);
        Process& bar2 = start_member_as("standby", "Bar2");
        const Finished moved = understudy({"service", "switchover", "Foo"});
        ASSERT_EQ(moved.ending.code, 0) << moved.errors;
        const std::uint64_t epoch = bar2.expect("role Foo Bar2 active").number("epoch");
        bar1.expect("role Foo Bar1 standby");
        if (client != nullptr) client->expect("image Ticks from=Bar2");

        kill_registry();
        bar1.expect("registry down");
        bar2.expect("registry down");
        set_data(directory() / ("restored" + suffix));
        const Finished restored =
            understudy_alone({"registry", "restore", "--from", backup, "--data", data()});
        ASSERT_EQ(restored.ending.code, 0) << restored.errors;
        start_registry();
        Process& watcher = start_watcher("Foo");
        watcher.expect("both in line, Bar2 active", [&](const Line& line) {
            return line.matches("service active=Bar2") && line.value("line") == "Bar2,Bar1" &&
                   line.number("epoch") == epoch;
        });
        EXPECT_EQ(bar2.lines("role").size(), 2U) << "standby, then active: nothing else";
        EXPECT_EQ(bar1.lines("role").size(), 2U) << "active, then standby: nothing else";
        const Finished story = understudy({"service", "explain", "Foo"});
        EXPECT_NE(story.output.find("reported"), std::string::npos) << story.output;
        EXPECT_EQ(story.output.find("higher_epoch"), std::string::npos) << story.output;
        EXPECT_EQ(story.output.find("client"), std::string::npos) << story.output;
        if (client != nullptr) {
            EXPECT_EQ(client->lines("image Ticks").size(), 2U) << "it had to start again";
            end(*client);
            check_ticks(*client);
        }
        for (Process* const each : {&bar1, &bar2, &watcher}) {
            each->kill();
            (void)each->wait();
        }
        kill_registry();
    }
}

// The holder is gone for good: a present member takes over when the lease of the holder has
// expired.
TEST_F(RegistryRestore, AHolderThatIsGoneIsSucceededAndNamed) {
    start_registry();
    Process& bar1 = start_member_as("active", "Bar1", short_lease);
    const std::string backup = directory() / "backup";
    ASSERT_EQ(understudy({"registry", "backup", "--to", backup}).ending.code, 0);
    Process& bar2 = start_member_as("standby", "Bar2", short_lease);
    ASSERT_EQ(understudy({"service", "switchover", "Foo"}).ending.code, 0);
    const std::uint64_t epoch = bar2.expect("role Foo Bar2 active").number("epoch");
    kill_registry();
    bar2.kill();
    (void)bar2.wait();
    set_data(directory() / "restored");
    ASSERT_EQ(understudy_alone({"registry", "restore", "--from", backup, "--data", data()})
                  .ending.code,
              0);
    start_registry();
    EXPECT_GT(bar1.expect("role Foo Bar1 active", patience).number("epoch"), epoch);
    const Finished story = understudy({"service", "explain", "Foo"});
    EXPECT_NE(story.output.find("Bar2"), std::string::npos) << story.output;
    EXPECT_NE(story.output.find("never_returned"), std::string::npos) << story.output;
}

// All data is lost; running members and clients restore it.
TEST_F(I1Epochs, ARegistryThatLostItsDirectoryNeverGivesAnEpochTwice) {
    start_registry();
    Process* m1 = &start_member_as("active", "m1");
    Process& m2 = start_member_as("standby", "m2");
    m1->kill();
    m2.expect("role Foo m2 active", at_once);
    m1 = &start_member_as("standby", "m1");
    m2.kill();
    const std::uint64_t granted = m1->expect("role Foo m1 active", at_once).number("epoch");
    Process& m3 = start_member_as("standby", "m3");
    Process& client = start_client("client", {"--calls", "10"});
    client.expect("delta Ticks from=m1");
    EXPECT_GE(granted, 3U);

    kill_registry();
    m1->expect("registry down");
    std::filesystem::remove_all(data());
    start_registry();
    m1->expect("registry up");
    m3.expect("registry up");
    Process& watcher = start_watcher();
    watcher.expect("both in line, m1 active", [&](const Line& line) {
        return line.matches("service active=m1") && line.number("epoch") >= granted &&
               split(line.value("line"), ',').size() == 2;
    });
    client.skip();
    client.expect("delta Ticks from=m1");
    client.expect("done m1");
    EXPECT_EQ(m1->lines("role").size(), 2U) << "the active was told another role";
    EXPECT_EQ(m3.lines("role").size(), 1U);

    m1->kill();
    (void)m1->wait();
    EXPECT_GT(m3.expect("role Foo m3 active", at_once).number("epoch"), granted);
    client.expect("image Ticks from=m3", at_once);
    client.expect("done m3");
    end(client);
    EXPECT_EQ(client.lines("image Ticks").size(), 2U);
    check_ticks(client);
    check_calls(client);
    check_services(watcher);
}

}  // namespace understudy::process
