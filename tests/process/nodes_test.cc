// A registry of three real processes: the active one is killed, hangs, or is stopped in order; all
// are killed; one loses its disk.

#include <filesystem>
#include <list>
#include <optional>
#include <thread>

#include "platform/free_port.h"
#include "tests/process/descriptors.h"
#include "tests/process/stage.h"

namespace understudy::process {

namespace {

class Nodes : public Stage {
protected:
    void start_nodes(std::size_t count = 3) {
        choose_addresses(count);
        for (std::size_t i = 0; i < count; ++i) start_node(i);
        (void)leading();
    }
    void choose_addresses(std::size_t count = 3) {
        std::string peers;
        std::string all;
        for (std::size_t i = 0; i <= count; ++i) {  // One more, for a node that is added.
            addresses_.push_back(platform::free_address());
            if (i == count) break;
            peers += (i == 0 ? "" : ",") + name_of(i) + "=" + addresses_[i];
            all += (i == 0 ? "" : ",") + addresses_[i];
        }
        peers_ = peers;
        nodes_.resize(count + 1);
        directories_.resize(count + 1);
        for (std::size_t i = 0; i <= count; ++i) directories_[i] = directory() / name_of(i);
        set_registry_address(all);
    }
    Process& start_node(std::size_t i, const Options& more = {}) {
        Command command{.arguments = {UNDERSTUDY_PROGRAM, "registry", "--name", name_of(i),
                                      "--peers", peers_, "--data", directories_[i]}};
        command.arguments.insert(command.arguments.end(), more.begin(), more.end());
        nodes_[i] = &spawn(name_of(i), std::move(command));
        nodes_[i]->expect("registry ready on");
        return *nodes_[i];
    }
    [[nodiscard]] static std::string name_of(std::size_t i) { return "r" + std::to_string(i + 1); }
    Process& node(std::size_t i) { return *nodes_[i]; }

    [[nodiscard]] Finished status() { return understudy({"registry", "status", "-o", "json"}); }
    /// True if the active node reports that all nodes are connected.
    [[nodiscard]] bool all_connected() {
        const std::string said = status().output;
        return said.find("\"active_node\"") != std::string::npos &&
               said.find("\"connected\":false") == std::string::npos;
    }
    /// The active node, as soon as there is one.
    std::size_t leading() {
        const auto found = eventually([&]() -> std::optional<std::size_t> {
            const std::string said = status().output;
            for (std::size_t i = 0; i < nodes_.size(); ++i) {
                if (said.find("\"active_node\":\"" + name_of(i) + '"') != std::string::npos &&
                    said.find("\"node\":\"" + name_of(i) + '"') != std::string::npos) {
                    return i;
                }
            }
            return std::nullopt;
        });
        if (!found) throw Broken("no node of the registry leads");
        return *found;
    }
    void kill(std::size_t i) {
        node(i).kill();
        (void)node(i).wait();
    }
    /// Three members in line and a client that calls.
    void start_service() {
        members_.push_back(&start_member_as("active", "m1"));
        members_.push_back(&start_member_as("standby", "m2"));
        members_.push_back(&start_member_as("standby", "m3"));
        client_ = &start_client("client", {"--calls", "5"});
        client_->expect("delta Ticks from=m1");
    }
    void expect_all_up() {
        for (Process* const member : members_) member->expect("registry up");
        client_->expect("registry up");
    }
    /// No member changed its role, no client had to start again, no call failed.
    void expect_undisturbed() {
        const Finished shown = understudy({"service", "show", "Foo", "-o", "csv"});
        const auto rows = split(shown.output, '\n');
        ASSERT_EQ(rows.size(), 4U) << shown.output << shown.errors;
        for (std::size_t place = 1; place <= 3; ++place) {
            EXPECT_NE(rows[place].find("m" + std::to_string(place)), std::string::npos)
                << rows[place];
        }
        client_->skip();
        client_->expect("delta Ticks from=m1");
        client_->expect("done m1");
        end(*client_);
        for (const Process* const member : members_) {
            EXPECT_EQ(member->lines("role").size(), 1U) << member->name() << " changed its role";
        }
        EXPECT_EQ(client_->lines("image Ticks").size(), 1U) << "the client had to start again";
        for (const Line& line : client_->lines("error")) ADD_FAILURE() << line.text;
        check_ticks(*client_);
        check_calls(*client_);
    }

    std::vector<std::string> addresses_;
    std::string peers_;
    std::vector<std::string> directories_;
    std::vector<Process*> nodes_;
    std::vector<Process*> members_;
    Process* client_ = nullptr;
};

}  // namespace

TEST_F(Nodes, TheLeadingOneKilledUnderLoadChangesNothingThatRuns) {
    start_nodes();
    start_service();
    for (int turn = 1; turn <= 4; ++turn) {
        SCOPED_TRACE(turn);
        const std::size_t killed = leading();
        for (Process* const member : members_) member->skip();
        client_->skip();
        const auto began = Clock::now();
        kill(killed);
        expect_all_up();
        const auto registered = Clock::now();
        const Finished found = understudy({"service", "show", "Foo"});
        EXPECT_EQ(found.ending.code, 0) << found.errors;
        const auto ms = [&](auto when) {
            return std::chrono::duration_cast<std::chrono::milliseconds>(when - began).count();
        };
        std::cout << "[ MEASURED ] all agents back after " << ms(registered)
                  << " ms, a lookup answered after " << ms(Clock::now()) << " ms\n";
        start_node(killed);
    }
    expect_undisturbed();
}

TEST_F(Nodes, WithoutADescriptorAtAnyOfThemTheRegistryGoesOn) {
    start_nodes();
    start_service();
    const std::size_t leader = leading();
    {
        std::list<NoDescriptorsLeft> gone;
        for (std::size_t i = 0; i < 3; ++i) gone.emplace_back(node(i));
        std::this_thread::sleep_for(2s);
        for (const NoDescriptorsLeft& one : gone) EXPECT_LT(one.load(), 0.5) << "it spins";
        const Finished shown = understudy({"service", "show", "Foo", "--timeout", "25s"});
        EXPECT_EQ(shown.ending.code, 0) << shown.errors;
        for (std::size_t i = 0; i < 3; ++i) {
            EXPECT_EQ(times_in_errors(node(i), "network.accept_paused"), 1U);
        }
    }
    EXPECT_EQ(leading(), leader) << "nobody had to be chosen";
    expect_undisturbed();
}

TEST_F(Nodes, AMemberKilledTogetherWithTheLeadingOneIsReplacedOnce) {
    start_nodes();
    start_service();
    const std::size_t killed = leading();
    members_[0]->kill();
    kill(killed);
    EXPECT_GT(members_[1]->expect("role Foo m2 active").number("epoch"), 1U);
    client_->expect("image Ticks from=m2");
    client_->expect("done m2");
    start_node(killed);
    (void)leading();
    end(*client_);
    EXPECT_EQ(members_[1]->lines("role").size(), 2U);
    EXPECT_EQ(members_[2]->lines("role").size(), 1U);
    check_ticks(*client_);
    check_calls(*client_);
}

TEST_F(Nodes, AHungLeadingOneIsReplacedAndDoesNoHarmWhenItResumes) {
    start_nodes();
    start_service();
    const std::size_t hung = leading();
    for (Process* const member : members_) member->skip();
    client_->skip();
    node(hung).stop();
    expect_all_up();
    EXPECT_NE(leading(), hung);
    node(hung).resume();
    ASSERT_TRUE(eventually([&] { return all_connected(); })) << status().output;
    (void)leading();
    expect_undisturbed();
}

TEST_F(Nodes, ARollingRestartIsNotSeenByAnyService) {
    start_nodes();
    start_service();
    for (std::size_t i = 0; i < 3; ++i) {
        SCOPED_TRACE(name_of(i));
        node(i).signal(SIGTERM);
        EXPECT_EQ(node(i).wait().code, 0);
        (void)leading();
        start_node(i);
        ASSERT_TRUE(eventually([&] { return all_connected(); })) << status().output;
    }
    expect_undisturbed();
}

TEST_F(Nodes, AllKilledAndStartedAgainTheyKnowWhatTheyKnew) {
    start_nodes();
    start_service();
    for (std::size_t i = 0; i < 3; ++i) node(i).kill();
    for (std::size_t i = 0; i < 3; ++i) (void)node(i).wait();
    for (Process* const member : members_) member->expect("registry down");
    client_->skip();
    client_->expect("done m1");
    for (Process* const member : members_) member->skip();
    for (std::size_t i = 0; i < 3; ++i) start_node(i);
    expect_all_up();
    expect_undisturbed();
}

TEST_F(Nodes, OneWithAnEmptyDiskIsReplacedAndCounts) {
    start_nodes();
    start_service();
    const std::size_t lead = leading();
    const std::size_t lost = (lead + 1) % 3;
    kill(lost);
    std::filesystem::remove_all(directories_[lost]);
    start_node(lost);
    const Finished added =
        understudy({"registry", "add", name_of(lost) + "=" + addresses_[lost], "--timeout", "60s"});
    ASSERT_EQ(added.ending.code, 0) << added.errors;
    for (Process* const member : members_) member->skip();
    client_->skip();
    kill((lead + 2) % 3);  // Now it needs the new node for a majority.
    EXPECT_EQ(understudy({"service", "show", "Foo"}).ending.code, 0);
    start_node((lead + 2) % 3);
    expect_undisturbed();
}

TEST_F(Nodes, ANodeIsAddedTakesTheLeadAndAnotherGoes) {
    start_nodes();
    start_service();
    start_node(3, {"--advertise", addresses_[3]});
    const Finished added =
        understudy({"registry", "add", "r4=" + addresses_[3], "--timeout", "60s"});
    ASSERT_EQ(added.ending.code, 0) << added.errors;
    const Finished moved = understudy({"registry", "transfer", "r4"});
    ASSERT_EQ(moved.ending.code, 0) << moved.errors;
    EXPECT_EQ(leading(), 3U);
    const Finished removed = understudy({"registry", "remove", "r1"});
    ASSERT_EQ(removed.ending.code, 0) << removed.errors;
    EXPECT_EQ(status().output.find("\"node\":\"r1\""), std::string::npos) << status().output;
    expect_undisturbed();
}

TEST_F(Nodes, WithoutAMajorityCachedLookupsAreAnsweredAndOthersAreNot) {
    start_nodes();
    start_service();
    const std::size_t lead = leading();
    kill(lead);
    kill((lead + 1) % 3);
    const Finished cached = understudy({"service", "show", "Foo", "--consistency", "cached"});
    EXPECT_EQ(cached.ending.code, 0) << cached.errors;
    EXPECT_NE(cached.output.find("active: m1"), std::string::npos) << cached.output;
    EXPECT_NE(cached.errors.find("from " + name_of((lead + 2) % 3)), std::string::npos)
        << cached.errors;
    EXPECT_EQ(understudy({"service", "show", "Foo", "--timeout", "1s"}).ending.code, 75);
    const Finished shown = status();
    EXPECT_EQ(shown.ending.code, 1) << shown.output;
    start_node(lead);
    start_node((lead + 1) % 3);
    for (Process* const member : members_) member->skip();
    client_->skip();
    (void)leading();
    expect_undisturbed();
}

// Each command says what the problem is, and none says that no registry answers.
TEST_F(Nodes, AFirstStartWithOneMissingSaysWhoIsMissing) {
    choose_addresses();
    start_node(0);
    start_node(1);
    const std::string why = "r1 and r2 answer; r3 has never been there: all 3 must be up once";
    Finished shown;
    const auto limit = Clock::now() + patience;
    do {
        shown = understudy({"registry", "status"});
    } while (shown.errors.find(why) == std::string::npos && Clock::now() < limit);
    EXPECT_NE(shown.errors.find(why), std::string::npos) << shown.errors;
    EXPECT_EQ(shown.ending.code, 1);
    for (const Options& command :
         {Options{"service", "list"}, Options{"registry", "backup", "--to", directory() / "b"},
          Options{"call", "Foo", "append"}}) {
        const Finished refused = understudy(command);
        EXPECT_EQ(refused.ending.code, 75) << refused.errors;
        EXPECT_NE(refused.errors.find(why), std::string::npos) << refused.errors;
    }
    node(0).expect_error("missing=r3");
    node(1).expect_error("registry.no_active_node");
    start_node(2);
    (void)leading();
    EXPECT_EQ(understudy({"service", "list"}).ending.code, 0);
}

TEST_F(Nodes, AddingOneThatIsNotThereSaysSoAndAddsNothing) {
    start_nodes();
    const Finished added = understudy({"registry", "add", "r4=" + addresses_[3]});
    EXPECT_EQ(added.ending.code, 75) << added.errors;
    EXPECT_NE(
        added.errors.find("r4 was not added: node r4 at " + addresses_[3] + " is not reached"),
        std::string::npos)
        << added.errors;
    EXPECT_NE(added.errors.find("refused"), std::string::npos) << added.errors;
    EXPECT_EQ(status().output.find("\"r4\""), std::string::npos);
    start_node(3, {"--advertise", addresses_[3]});
    const Finished again =
        understudy({"registry", "add", "r4=" + addresses_[3], "--timeout", "40s"});
    EXPECT_EQ(again.ending.code, 0) << again.errors;
}

TEST_F(Nodes, OneThatWasRemovedWhileItWasAwayIsToldSo) {
    start_nodes();
    const std::size_t away = (leading() + 1) % 3;
    kill(away);
    const Finished removed = understudy({"registry", "remove", name_of(away)});
    ASSERT_EQ(removed.ending.code, 0) << removed.errors;
    start_node(away);
    node(away).expect_error("replicated.removed");
    const std::string why = name_of(away) + " is no node of this registry any more";
    node(away).expect_error(why);
    // A client that asks it is redirected to the others, and gets the reason if they do not answer.
    set_registry_address(addresses_[away]);
    const Finished sent_on = status();
    EXPECT_EQ(sent_on.ending.code, 0) << sent_on.errors;
    EXPECT_EQ(sent_on.output.find('"' + name_of(away) + '"'), std::string::npos) << sent_on.output;
    for (std::size_t i = 0; i < 3; ++i) {
        if (i != away) kill(i);
    }
    Finished shown;
    const auto limit = Clock::now() + patience;
    do {
        shown = understudy({"registry", "status"});
    } while (shown.errors.find(why) == std::string::npos && Clock::now() < limit);
    EXPECT_EQ(shown.ending.code, 1);
    EXPECT_NE(shown.errors.find(why), std::string::npos) << shown.errors;
}

TEST_F(Nodes, WrongPeersAreRefusedWithAReason) {
    const auto refused = [&](const Options& options, const std::string& words) {
        std::vector<std::string> arguments{"registry", "--data", directory() / "none"};
        arguments.insert(arguments.end(), options.begin(), options.end());
        const Finished ended = understudy_alone(arguments);
        EXPECT_EQ(ended.ending.code, 2) << ended.errors;
        EXPECT_NE(ended.errors.find(words), std::string::npos) << ended.errors;
    };
    refused({"--peers", "r1"}, "NAME=HOST:PORT");
    refused({"--name", "r4", "--peers", "r1=127.0.0.1:1,r2=127.0.0.1:2"}, "advertise");
    refused({"--name", "r1", "--peers", "r1=127.0.0.1:1"}, "there is no other node");
    refused({"--name", "r1", "--peers", "r1=127.0.0.1:1,r1=127.0.0.1:2"}, "twice");
    refused({"--name", "r1", "--peers", "r1=10.1.1.1:1,r2=10.1.1.2:2"}, "without TLS");
    refused({"--advertise", "127.0.0.1:1"}, "--peers");
}

}  // namespace understudy::process
