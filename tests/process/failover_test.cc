// Members die, hang and return: which one is active then, and what clients hear.

#include <algorithm>
#include <fstream>
#include <sstream>

#include "tests/process/stage.h"

namespace understudy::process {

namespace {

class Failover : public Stage {
protected:
    /// Starts the registry, m1 as the active member, and m2 and m3 as standbys.
    void start_three(const Options& options) {
        start_registry();
        m1 = &start_member_as("active", "m1", options);
        m2 = &start_member_as("standby", "m2", options);
        m3 = &start_member_as("standby", "m3", options);
    }
    Process* m1 = nullptr;
    Process* m2 = nullptr;
    Process* m3 = nullptr;
};
class I2Order : public Failover {};
class I3Roles : public Failover {};
class I4Records : public Failover {};
class I5Records : public Failover {};
class I6Calls : public Failover {};
class I29Hang : public Failover {};
class I30Story : public Failover {};

/// Bytes that the process at this local port has not read, in all its connections.
std::size_t unread_bytes(std::uint16_t port) {
    std::ifstream table("/proc/net/tcp");
    std::string line;
    std::getline(table, line);
    std::size_t sum = 0;
    while (std::getline(table, line)) {
        // "  0: 0100007F:1F90 0100007F:C350 01 TTTTTTTT:RRRRRRRR ..."
        std::istringstream words(line);
        std::string number;
        std::string local;
        std::string remote;
        std::string state;
        std::string queues;
        words >> number >> local >> remote >> state >> queues;
        const bool established = state == "01";
        if (!established || std::stoul(local.substr(9), nullptr, 16) != port) continue;
        sum += std::stoul(queues.substr(9), nullptr, 16);
    }
    return sum;
}

}  // namespace

// A whole failover with evidence of death: the lease is far longer than it takes.
TEST_F(I2Order, AKilledActiveIsFollowedByTheNextInLineAndReturnsToTheBack) {
    start_three(long_lease);
    Process& watcher = start_watcher();
    watcher.expect("service active=m1 line=m1,m2,m3");
    Process& client = start_client("client", {"--calls", "5"});
    const std::uint64_t before = client.expect("image Ticks from=m1").number("epoch");
    client.expect("done");

    m1->kill();
    EXPECT_EQ(m1->wait().signal, SIGKILL);
    watcher.expect("service active=m2 line=m2,m3", at_once);
    const Line image = client.expect("image Ticks", at_once);
    EXPECT_EQ(image.value("from"), "m2");
    EXPECT_GT(image.number("epoch"), before);
    client.expect("delta Ticks from=m2");
    client.expect("done m2");

    start_member_as("standby", "m1", long_lease);
    watcher.expect("service active=m2 line=m2,m3,m1 roles=active,standby,standby");
    const Finished shown = understudy({"service", "show", "Foo"});
    EXPECT_EQ(shown.ending.code, 0) << shown.errors;
    EXPECT_NE(shown.output.find("active: m2   next in line: m3"), std::string::npos)
        << shown.output;

    end(client);
    EXPECT_EQ(client.lines("image Ticks").size(), 2U) << "one image per failover";
    EXPECT_TRUE(m3->lines("role Foo m3 active").empty());
    check_ticks(client);
    check_calls(client);
    check_services(watcher);
}

TEST_F(I2Order, TwentyKillsInARowNeverGiveAnEpochTwice) {
    start_registry();
    Process* active = &start_member_as("active", "m1", long_lease);
    Process* standby = &start_member_as("standby", "m2", long_lease);
    Process& watcher = start_watcher();
    Process& client = start_client("client", {"--calls", "10"});
    client.expect("image Ticks from=m1");

    std::set<std::uint64_t> epochs;
    for (int turn = 1; turn <= 20; ++turn) {
        SCOPED_TRACE(turn);
        const std::string loser = turn % 2 == 1 ? "m1" : "m2";
        const std::string winner = turn % 2 == 1 ? "m2" : "m1";
        active->kill();
        (void)active->wait();
        const Line won = standby->expect("role Foo " + winner + " active", at_once);
        EXPECT_TRUE(epochs.insert(won.number("epoch")).second) << won.text;
        EXPECT_EQ(*epochs.rbegin(), won.number("epoch")) << "not the highest: " << won.text;
        client.expect("image Ticks from=" + winner, at_once);
        active = &start_member_as("standby", loser, long_lease);
        watcher.expect("service active=" + winner + " line=" + winner + "," + loser);
        std::swap(active, standby);
    }

    client.expect("done");
    end(client);
    EXPECT_EQ(client.lines("image Ticks").size(), 21U);
    check_ticks(client);
    check_calls(client);
    check_services(watcher);
}

TEST_F(I3Roles, EveryStandbyHearsStandbyBeforeActive) {
    start_three(long_lease);

    m1->kill();
    m2->expect("role Foo m2 active", at_once);
    m2->kill();
    m3->expect("role Foo m3 active", at_once);

    EXPECT_EQ(m1->lines("role").size(), 1U);
    for (const Process* const member : {m2, m3}) {
        const auto roles = member->lines("role");
        ASSERT_EQ(roles.size(), 2U) << member->name();
        EXPECT_EQ(roles[0].word(3), "standby");
        EXPECT_EQ(roles[1].word(3), "active");
    }
}

// Each member's record has a field and a sub-map entry that the others lack.
TEST_F(I4Records, AfterAFailoverEachSubscriptionHearsOneImageAndNothingOfTheOldActive) {
    start_three(long_lease);
    std::vector<Process*> clients;
    for (const char* const name : {"c1", "c2", "c3"}) clients.push_back(&start_client(name));
    for (Process* const client : clients) client->expect("delta Ticks only-m1=1");

    m1->kill();
    for (Process* const client : clients) {
        client->expect("image Ticks from=m2 only-m2=1", at_once);
        client->expect("delta Ticks from=m2");
    }
    m2->kill();
    for (Process* const client : clients) {
        client->expect("image Ticks from=m3 only-m3=1", at_once);
        client->expect("delta Ticks from=m3");
    }

    for (Process* const client : clients) {
        EXPECT_EQ(client->lines("image Ticks").size(), 3U) << client->name();
        check_ticks(*client);
    }
}

// A client is stopped while 100 MB are published. Its member keeps none of it, and no other client
// waits. When the client resumes, in another epoch, it gets an image and goes on from there.
TEST_F(I5Records, AStoppedClientCostsNoMemoryAndGoesOnFromAnImage) {
    constexpr std::size_t blob = 200'000;
    constexpr std::uint64_t published = 500;
    const Options big = with(long_lease, {"--blob", std::to_string(blob), "--tick", "2"});
    start_registry();
    Process& old = start_member_as("active", "m1", big);
    Process& next = start_member_as("standby", "m2", big);
    Process& client = start_client("client");
    Process& stopped = start_client("stopped");
    stopped.expect("delta Ticks from=m1");
    client.expect("delta Ticks from=m1");
    const std::uint64_t n = client.expect("delta Ticks from=m1").number("n");
    const std::size_t before = old.resident_bytes();

    stopped.stop();
    client.expect("100 MB more", [&](const Line& line) {
        return line.value("from") == "m1" && line.number("n") >= n + published;
    });
    EXPECT_LE(old.resident_bytes(), before + 150 * blob) << "it keeps what cannot be sent";
    old.kill();
    next.expect("role Foo m2 active", at_once);
    client.expect("image Ticks from=m2", at_once);
    stopped.resume();

    stopped.expect("image Ticks from=m2");
    stopped.expect("delta Ticks from=m2");
    check_ticks(client);
    check_ticks(stopped);
}

// The stopped member resumes in the belief that it is active. It must not act as active: not
// towards a client that has moved on, and not towards a client that was stopped together with it.
TEST_F(I29Hang, AResumedOldActiveIsNotHeardAndGoesToTheBack) {
    const Options& lease = short_lease;
    start_registry();
    Process& old = start_member("m1", lease);
    const std::uint16_t port = port_of(old.lines("started").at(0).value("address"));
    const std::uint64_t old_epoch = old.expect("role Foo m1 active").number("epoch");
    Process& next = start_member_as("standby", "m2", lease);
    Process& watcher = start_watcher();
    Process& client = start_client("client", {"--calls", "10"});
    Process& stopped = start_client("stopped");
    client.expect("delta Ticks from=m1");
    client.expect("done m1");
    stopped.expect("delta Ticks from=m1");

    old.stop();
    // A call that waits in the old active member's socket while everything changes around it.
    stopped.say("call late append 300000");
    ASSERT_TRUE(eventually([&] { return unread_bytes(port) > 0; })) << "the call was never sent";
    stopped.stop();
    next.expect("role Foo m2 active");
    client.expect("image Ticks from=m2");
    client.expect("done m2");
    std::uint64_t last_n = 0;
    for (const Line& line : client.lines()) {
        if (line.value("from") == "m1") last_n = line.number("n");
    }

    old.resume();
    stopped.resume();
    EXPECT_GT(old.expect("role Foo m1 standby").number("epoch"), old_epoch);
    watcher.expect("service active=m2 line=m2,m1");
    stopped.expect("image Ticks from=m2");
    stopped.expect("delta Ticks from=m2");
    client.skip();
    client.expect("delta Ticks from=m2");
    end(client);
    end(stopped);

    EXPECT_EQ(outcomes(stopped).size(), 1U) << "what became of the late call?";
    EXPECT_EQ(old.lines("role").size(), 2U);
    check_ticks(client);
    check_ticks(stopped);
    check_calls(client);
    check_services(watcher);
    for (const Line& line : stopped.lines()) {
        if (line.value("from") == "m1") {
            EXPECT_LE(line.number("n"), last_n + 1) << line.text << ": published after resuming";
        }
    }
    // One handler may have been running when its process was stopped; no other began afterwards.
    bool moved = false;
    int stragglers = 0;
    for (const Appended& one : appended()) {
        EXPECT_FALSE(one.id == "late" && one.member == "m1") << "the old active took a call";
        moved = moved || one.member == "m2";
        if (moved && one.member == "m1") ++stragglers;
    }
    EXPECT_LE(stragglers, 1);
}

// The first standby hangs when the active member dies. It may get the role, but only for its own
// lease.
TEST_F(I29Hang, AStoppedStandbyIsPassedOverAndReturnsToTheBack) {
    const Options& lease = short_lease;
    start_three(lease);
    Process& watcher = start_watcher();
    watcher.expect("service line=m1,m2,m3");
    Process& client = start_client("client", {"--calls", "10"});
    client.expect("delta Ticks from=m1");

    m2->stop();
    m1->kill();
    m3->expect("role Foo m3 active");
    client.expect("image Ticks from=m3");
    client.expect("done m3");
    m2->resume();
    watcher.expect("service active=m3 line=m3,m2");

    end(client);
    // Whatever role it had while it was stopped, the last one is standby.
    EXPECT_EQ(m2->expect("role Foo m2 standby").word(3), "standby");
    EXPECT_TRUE(client.lines("image Ticks from=m2").empty());
    check_ticks(client);
    check_calls(client);
    check_services(watcher);
}

// A forked child without exec holds every connection of the dead process open. Only the process
// itself counts.
TEST_F(Failover, AChildThatInheritedTheSocketsDoesNotDelayIt) {
    start_three(long_lease);
    Process& client = start_client("client", {"--calls", "10"});
    client.expect("delta Ticks from=m1");
    m1->say("fork");
    const auto child = static_cast<pid_t>(m1->expect("forked").number("pid"));

    m1->kill();
    (void)m1->wait();
    m2->expect("role Foo m2 active", at_once);
    client.expect("image Ticks from=m2", at_once);
    client.expect("done m2", at_once);
    EXPECT_EQ(::kill(child, 0), 0) << "the child has to be alive for this to mean anything";
    (void)::kill(child, SIGKILL);

    end(client);
    check_ticks(client);
    check_calls(client);
}

// systemd restarts a dead process: the new one is there, on the same port, before the lease of the
// old one has expired. It is another process, so it gets another place.
TEST_F(I2Order, AnActiveRestartedOnItsPortWithinTheLeaseGoesToTheBack) {
    start_registry();
    Process& old = start_member("m1", long_lease);
    const std::string address = old.lines("started").at(0).value("address");
    old.expect("role Foo m1 active");
    Process& next = start_member_as("standby", "m2", long_lease);
    Process& watcher = start_watcher();
    Process& client = start_client("client", {"--calls", "10"});
    Process& direct = start_client("direct", {"--member", "m1"});
    client.expect("delta Ticks from=m1");
    const std::uint64_t first = direct.expect("status connected member=m1").number("epoch");

    old.kill();
    (void)old.wait();
    Process& again = start_member_as("standby", "m1", with(long_lease, {"--listen", address}));
    const std::uint64_t second = next.expect("role Foo m2 active", at_once).number("epoch");
    EXPECT_GT(second, first);
    watcher.expect("service active=m2 line=m2,m1", at_once);
    client.expect("image Ticks from=m2", at_once);
    client.expect("done m2", at_once);
    direct.expect("status disconnected");
    direct.expect("status connected member=m1");
    EXPECT_EQ(again.lines("started").at(0).value("address"), address);
    EXPECT_TRUE(again.lines("role Foo m1 active").empty());

    end(client);
    check_ticks(client);
    check_calls(client);
    check_services(watcher);
}

TEST_F(Failover, ASecondProcessWithALiveMembersNameIsRefused) {
    start_registry();
    Process& first = start_member_as("active", "m1");
    Process& watcher = start_watcher();
    watcher.expect("service active=m1 line=m1");
    Process& client = start_client("client");
    client.expect("image Ticks from=m1");

    Process& second = start_member("m1");
    const Line refused = second.expect("refused Foo m1 already_exists none");
    EXPECT_NE(refused.text.find(std::to_string(first.pid())), std::string::npos)
        << "the message must name the holder: " << refused.text;
    client.skip();
    client.expect("delta Ticks from=m1");
    EXPECT_EQ(first.lines("role").size(), 1U);
    EXPECT_TRUE(second.lines("role").empty());

    // The obstacle goes away: the second process gets the name without a new start.
    first.kill();
    (void)first.wait();
    second.expect("role Foo m1 active");
    client.expect("image Ticks from=m1");
    check_ticks(client);
    check_services(watcher);
}

TEST_F(Failover, AMemberThatIsAskedToEndLeavesAtOnceAndCleanly) {
    start_three(long_lease);
    Process& watcher = start_watcher();
    Process& client = start_client("client", {"--calls", "10"});
    client.expect("delta Ticks from=m1");

    m1->signal(SIGTERM);
    watcher.expect("service active=m2 line=m2,m3", at_once);
    client.expect("image Ticks from=m2", at_once);
    EXPECT_EQ(m1->wait().code, 0) << m1->errors();
    client.expect("done m2");
    const Finished story = understudy({"service", "explain", "Foo"});
    EXPECT_NE(story.output.find("unregistered"), std::string::npos) << story.output;

    end(client);
    check_ticks(client);
    check_calls(client);
    check_services(watcher);
}

TEST_F(Failover, ASwitchoverIsNotSeenAsAnErrorByAnyCall) {
    start_three(long_lease);
    Process& watcher = start_watcher();
    Process& client = start_client("client", {"--calls", "5"});
    client.expect("delta Ticks from=m1");
    client.expect("done m1");

    for (const std::string next : {"m3", "m1", "m2"}) {
        const Finished asked = understudy({"service", "switchover", "Foo", "--to", next});
        EXPECT_EQ(asked.ending.code, 0) << asked.errors;
        client.expect("done " + next);
    }
    watcher.expect("service active=m2 line=m2,m3,m1");

    end(client);
    for (const Line& line : client.lines("error")) ADD_FAILURE() << line.text;
    check_ticks(client);
    check_calls(client);
    check_services(watcher);
}

// The process is killed during a call. It cannot be known whether the call ran, so the outcome is
// unknown; it comes with the failover, not with the deadline.
TEST_F(I6Calls, ACallInProgressAtTheKillIsUnknownUnlessItMayBeRepeated) {
    start_three(long_lease);
    Process& client = start_client("client");
    client.expect("image Ticks from=m1");
    client.say("call once append 250000 200000");
    m1->expect("appending once");
    client.say("repeat twice append 250000");

    m1->kill();
    const Line once = client.expect("error once", at_once);
    EXPECT_EQ(once.word(3), "unknown") << once.text;
    EXPECT_EQ(client.expect("done twice", at_once).word(2), "m2");
    // The member is there, so a call that it does not know has certainly not run.
    client.say("call nowhere nothing 250000");
    const Line nowhere = client.expect("error nowhere");
    EXPECT_EQ(nowhere.word(2), "not_found") << nowhere.text;
    EXPECT_EQ(nowhere.word(3), "none") << nowhere.text;

    std::multiset<std::string> ids;
    for (const Appended& one : appended()) ids.insert(one.id);
    EXPECT_EQ(ids.count("once"), 0U);
    EXPECT_EQ(ids.count("twice"), 1U);
}

// All members are active, each with its own epoch: a death only moves the clients of that member.
TEST_F(Failover, ClientsOfALoadBalancedMemberThatDiesGoToAnother) {
    const Options balanced = with(long_lease, {"--balanced", "yes"});
    start_registry();
    m1 = &start_member_as("active", "m1", balanced);
    m2 = &start_member_as("active", "m2", balanced);
    Process& first = start_client("first");
    Process& second = start_client("second");
    std::map<std::string, Process*> by_member;
    for (Process* const client : {&first, &second}) {
        by_member[client->expect("image Ticks").value("from")] = client;
    }
    ASSERT_EQ(by_member.size(), 2U) << "new connections are spread";

    m1->kill();
    by_member["m1"]->expect("image Ticks from=m2", at_once);
    by_member["m1"]->expect("delta Ticks from=m2");
    EXPECT_EQ(by_member["m2"]->lines("image Ticks").size(), 1U) << "it was not concerned";
    EXPECT_EQ(m2->lines("role").size(), 1U);
}

// Ten clients die while a member writes to them. A library must not let a SIGPIPE reach its host
// process.
TEST_F(Failover, KilledClientsDoNoHarmToTheirMember) {
    start_registry();
    m1 = &start_member_as("active", "m1", {"--tick", "1", "--blob", "50000"});
    Process& client = start_client("client");
    for (int turn = 1; turn <= 10; ++turn) {
        Process& victim = start_client("victim");
        victim.expect("delta Ticks from=m1");
        victim.kill();
        (void)victim.wait();
    }
    client.skip();
    client.expect("delta Ticks from=m1");
    EXPECT_TRUE(m1->running());
    check_ticks(client);
}

TEST_F(Failover, OverIpVersion6ItIsTheSame) {
    listen_host = "[::1]";
    start_registry();
    const Options options = with(long_lease, {"--listen", "[::1]:0"});
    m1 = &start_member_as("active", "m1", options);
    m2 = &start_member_as("standby", "m2", options);
    // A client with three addresses of registries, the second of which does not exist.
    Process& client = start_client(
        "client", {"--registry", "127.0.0.1:1", "--registry", registry_address(), "--calls", "10"});
    client.expect("delta Ticks from=m1");

    m1->kill();
    m2->expect("role Foo m2 active", at_once);
    client.expect("image Ticks from=m2", at_once);
    client.expect("done m2");
    check_ticks(client);
}

TEST_F(I30Story, EveryPromotionIsExplainedByItsEvidence) {
    const Options& lease = short_lease;
    start_three(lease);
    m1->kill();
    m2->expect("role Foo m2 active", at_once);
    m2->stop();
    m3->expect("role Foo m3 active");
    m2->resume();
    m2->expect("role Foo m2 standby");
    EXPECT_EQ(understudy({"service", "switchover", "Foo"}).ending.code, 0);
    m2->expect("role Foo m2 active");

    const Finished story = understudy({"service", "explain", "Foo", "-o", "csv"});
    EXPECT_EQ(story.ending.code, 0) << story.errors;
    const auto lines = split(story.output, '\n');
    ASSERT_EQ(lines.size(), 5U) << story.output;
    const char* const wanted[][3] = {{"m1", "first_member", ""},
                                     {"m2", "process_gone", "process"},
                                     {"m3", "silence", "no sign of life for"},
                                     {"m2", "switchover", "asked for"}};
    for (std::size_t at = 0; at < 4; ++at) {
        for (const char* const word : wanted[at]) {
            EXPECT_NE(lines[at + 1].find(word), std::string::npos)
                << word << " is missing in: " << lines[at + 1];
        }
    }
    // It is in the journal, and not only in the memory of a process.
    kill_registry();
    start_registry();
    const Finished later = understudy({"service", "explain", "Foo", "-o", "csv"});
    for (const std::string& line : lines) {
        const std::string head = line.substr(0, line.find("process_gone"));
        EXPECT_NE(later.output.find(head.substr(0, head.find(','))), std::string::npos)
            << line << "\nis missing in\n"
            << later.output;
    }
    EXPECT_EQ(split(later.output, '\n').size(), 5U) << later.output;
}

}  // namespace understudy::process
