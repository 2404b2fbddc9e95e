// Data directories of real processes: opened for another use, opened by two processes at once,
// removed or replaced while they are in use.

#include <filesystem>
#include <fstream>
#include <list>
#include <map>
#include <sstream>
#include <thread>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/process/immortal_parts.h"
#include "tests/process/process.h"
#include "understudy/immortal_member.h"

namespace understudy::process {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

/// A free port.
std::string port_for_directories() {
    const Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    if (::bind(socket.get(), raw, size) != 0 || ::getsockname(socket.get(), raw, &size) != 0) {
        throw Broken("no free port");
    }
    return std::to_string(::ntohs(address.sin_port));
}

/// Every file below the directory, with its contents.
std::map<std::string, std::string> tree_of(const std::string& directory) {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(directory)) {
        std::string content;
        if (entry.is_regular_file()) content = contents(entry.path());
        files[entry.path()] = std::move(content);
    }
    return files;
}

class Directories : public ::testing::Test {
protected:
    Process& begin(const std::string& name, std::vector<std::string> arguments) {
        return processes_.emplace_back(
            name, Command{.arguments = std::move(arguments)},
            directory_ / (name + std::to_string(processes_.size()) + ".stderr"));
    }
    static std::vector<std::string> alone(const std::string& data) {
        return {UNDERSTUDY_PROGRAM, "registry", "--listen", "127.0.0.1:0", "--data", data};
    }
    std::vector<std::string> node(const std::string& name, const std::string& data) {
        return {UNDERSTUDY_PROGRAM, "registry", "--name", name, "--peers", peers_, "--data", data};
    }
    std::vector<std::string> replica(const std::string& kind, const std::string& data) {
        std::vector<std::string> arguments{JOURNAL_MEMBER_PROGRAM, "--member",    "r1",
                                           "--directory",          data,          "--socket",
                                           directory_ / "socket"};
        if (kind == "local") arguments.insert(arguments.end(), {"--alone", "yes"});
        if (kind == "shared") arguments.insert(arguments.end(), {"--lease", "400"});
        if (kind == "node") {
            std::istringstream list(peers_);
            for (std::string one; std::getline(list, one, ',');) {
                arguments.insert(arguments.end(), {"--node", one});
            }
        }
        return arguments;
    }
    std::vector<std::string> coordinator(const std::string& log,
                                         const std::vector<std::string>& more) {
        std::vector<std::string> arguments{UNDERSTUDY_PROGRAM, "coordinator",     "--instance",
                                           "server",           "--log",           log,
                                           "--port",           port_,             "--app-port",
                                           app_port_};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return arguments;
    }
    /// The application of a coordinator.
    ImmortalMember application() const {
        return ImmortalMember::open<Server>({.service = "server",
                                             .coordinator = "127.0.0.1:" + app_port_,
                                             .log = [](std::string_view) {}})
            .value_or_throw();
    }
    static void kill_and_wait(Process& process) {
        process.kill();
        (void)process.wait();
    }
    /// It reports the reason and changes nothing.
    void expect_not_opened(const std::vector<std::string>& arguments, const std::string& data,
                           const std::string& words) {
        const auto before = tree_of(data);
        Process& process = begin("refused", arguments);
        const Ending ending = process.wait();
        EXPECT_NE(ending.code, 0);
        std::string said = process.errors();
        for (const Line& line : process.lines()) said += line.text + '\n';
        EXPECT_THAT(said, HasSubstr("bad_config"));
        EXPECT_THAT(said, HasSubstr(words));
        EXPECT_EQ(tree_of(data), before);
    }

    TemporaryDirectory directory_;
    const std::string port_ = port_for_directories();
    const std::string app_port_ = port_for_directories();
    const std::string peers_ = "r1=127.0.0.1:" + port_for_directories() +
                               ",r2=127.0.0.1:" + port_for_directories() +
                               ",r3=127.0.0.1:" + port_for_directories();
    std::list<Process> processes_;
};

// A lost environment file or a mistyped option must not found a second registry.
TEST_F(Directories, ANodeOfThreeWithoutItsPeersIsRefusedAndNothingChanges) {
    const std::string data = directory_ / "d1";
    Process& first = begin("r1", node("r1", data));
    first.expect("registry ready on");
    kill_and_wait(first);

    expect_not_opened(alone(data), data, "node r1 of a registry of several nodes");
    expect_not_opened(alone(data), data, "--name r1 --peers");
    expect_not_opened(node("r2", data), data, "--name r1 --peers");
    auto other_platform = node("r1", data);
    other_platform.insert(other_platform.end(), {"--platform", "other"});
    expect_not_opened(other_platform, data, "--platform understudy");
    expect_not_opened(alone(data + "/log"), data, "the log of node r1");

    // As an earlier version without identities left it.
    fs::remove(data + "/identity");
    fs::remove(data + "/log/identity");
    expect_not_opened(alone(data), data, "the log of a node of a replicated journal");

    Process& again = begin("r1", node("r1", data));
    again.expect("registry ready on");
    kill_and_wait(again);
    EXPECT_TRUE(fs::exists(data + "/identity"));
    expect_not_opened(alone(data), data, "--name r1 --peers");
}

TEST_F(Directories, ARegistrysIsRefusedByReplicasAndNodes) {
    const std::string data = directory_ / "d";
    Process& registry = begin("registry", alone(data));
    registry.expect("registry ready on");
    kill_and_wait(registry);
    for (const bool old : {false, true}) {
        if (old) fs::remove(data + "/identity");
        expect_not_opened(node("r1", data), data, old ? "a local journal" : "that runs alone");
        for (const char* const kind : {"local", "shared", "node"}) {
            SCOPED_TRACE(kind);
            expect_not_opened(replica(kind, data), data, "try: ");
        }
    }
    Process& again = begin("registry", alone(data));
    again.expect("registry ready on");
    kill_and_wait(again);
}

TEST_F(Directories, AReplicasIsRefusedByRegistriesAndOtherReplicas) {
    const std::vector<std::string> kinds{"local", "shared", "node"};
    for (const std::string& kind : kinds) {
        SCOPED_TRACE(kind);
        const std::string data = directory_ / kind;
        Process& process = begin(kind, replica(kind, data));
        process.expect("started");
        if (kind == "node") {
            // A role would need two more.
            const auto limit = Clock::now() + patience;
            while (!fs::exists(data + "/log/identity") && Clock::now() < limit) {
                std::this_thread::sleep_for(1ms);
            }
        } else {
            process.expect("role active");
        }
        kill_and_wait(process);
        ASSERT_TRUE(fs::exists(data + "/identity"));
        expect_not_opened(alone(data), data, "try: ");
        expect_not_opened(node("r1", data), data, "try: ");
        for (const std::string& other : kinds) {
            if (other != kind) expect_not_opened(replica(other, data), data, "try: ");
        }
    }
}

// The copies of a replicated immortal have directories at the place where another kind of journal
// has its files.
TEST_F(Directories, ACoordinatorThatLostItsMembersFoundsNoSecondPast) {
    const std::string log = directory_ / "logs";
    std::string members = peers_;
    for (const char* const name : {"r1", "r2", "r3"}) {
        members.replace(members.find(std::string(name) + "="), 2,
                        std::string("replica-") + std::to_string(name[1] - '1'));
    }
    Process& first = begin("coordinator", coordinator(log, {"--members", members}));
    {
        ImmortalMember beside = application();
        const auto limit = Clock::now() + patience;
        while (!fs::exists(log + "/server/replica-0/log/identity") && Clock::now() < limit) {
            std::this_thread::sleep_for(1ms);
        }
        kill_and_wait(first);
    }
    ASSERT_TRUE(fs::exists(log + "/server/identity"));
    for (const bool old : {false, true}) {
        if (old) fs::remove(log + "/server/identity");
        for (const char* const journal : {"local", "shared"}) {
            SCOPED_TRACE(journal);
            const auto before = tree_of(log);
            Process& second = begin("coordinator", coordinator(log, {"--journal", journal}));
            ImmortalMember beside = application();
            EXPECT_NE(second.wait().code, 0);
            EXPECT_THAT(second.errors(), HasSubstr("--members"));
            EXPECT_EQ(tree_of(log), before);
        }
    }
}

TEST_F(Directories, ADeletedLockLetsNoSecondRegistryIn) {
    const std::string data = directory_ / "d";
    Process& first = begin("registry", alone(data));
    first.expect("registry ready on");
    // While it is stopped, it cannot end because of that.
    first.stop();
    fs::remove(data + "/lock");
    const Finished second = run({.arguments = alone(data)});
    EXPECT_NE(second.ending.code, 0);
    EXPECT_THAT(second.errors, HasSubstr("in_use"));
    EXPECT_THAT(second.errors, HasSubstr("another process has the journal"));
    first.resume();
    EXPECT_NE(first.wait().code, 0);
    EXPECT_THAT(first.errors(), HasSubstr("lock was removed or replaced"));
}

// --- Removed and replaced ------------------------------------------------------------------------

struct DirectoryLoss {
    const char* name;
    void (*happens)(const std::string& directory);
};

void remove_directory(const std::string& directory) {
    std::error_code error;
    const auto limit = Clock::now() + patience;
    do {  // Its owner may be creating files in it.
        fs::remove_all(directory, error);
    } while (error && Clock::now() < limit);
}

void replace_directory(const std::string& directory) {
    fs::rename(directory, directory + ".away");
    fs::create_directory(directory);
}

class LostDirectories : public Directories, public ::testing::WithParamInterface<DirectoryLoss> {
protected:
    void lose(const std::string& data) {
        GetParam().happens(data);
        lost_ = data;
    }
    /// Waits for the present segment and the next one; no further one is created soon.
    static void await_segments(const std::string& directory) {
        const auto limit = Clock::now() + patience;
        for (std::ptrdiff_t segments = 0; segments < 2;) {
            if (Clock::now() > limit) throw Broken("no two segments in " + directory);
            segments = 0;
            for (const auto& entry : fs::directory_iterator(directory)) {
                if (entry.path().extension() == ".seg") ++segments;
            }
            std::this_thread::sleep_for(1ms);
        }
    }
    void expect_end(Process& process) {
        EXPECT_NE(process.wait().code, 0);
        std::string said = process.errors();
        for (const Line& line : process.lines()) said += line.text + '\n';
        EXPECT_THAT(said, HasSubstr(lost_));
        EXPECT_THAT(said, HasSubstr("was removed or replaced while this process had it open"));
        if (fs::exists(lost_)) {
            EXPECT_TRUE(fs::is_empty(lost_)) << "something was written to another's directory";
        }
    }

    std::string lost_;
};

TEST_P(LostDirectories, EndARegistry) {
    const std::string data = directory_ / "d";
    Process& process = begin("registry", alone(data));
    process.expect("registry ready on");
    await_segments(data);
    lose(data);
    expect_end(process);
}

TEST_P(LostDirectories, EndANode) {
    const std::string data = directory_ / "d";
    Process& process = begin("r1", node("r1", data));
    process.expect("registry ready on");
    await_segments(data + "/log");
    lose(data);
    expect_end(process);
}

TEST_P(LostDirectories, EndAReplica) {
    for (const char* const kind : {"local", "shared"}) {
        SCOPED_TRACE(kind);
        const std::string data = directory_ / kind;
        Process& process = begin(kind, replica(kind, data));
        process.expect("role active");
        if (kind == std::string("local")) await_segments(data);
        lose(data);
        expect_end(process);
    }
}

TEST_P(LostDirectories, EndACoordinator) {
    for (const char* const journal : {"local", "shared"}) {
        SCOPED_TRACE(journal);
        const std::string log = directory_ / (std::string("logs-") + journal);
        Process& process = begin("coordinator", coordinator(log, {"--journal", journal}));
        ImmortalMember beside = application();
        process.expect("server/replica-0 is active,");
        if (journal == std::string("local")) await_segments(log + "/server");
        lose(log + "/server");
        expect_end(process);
    }
}

INSTANTIATE_TEST_SUITE_P(Which, LostDirectories,
                         ::testing::Values(DirectoryLoss{"Removed", &remove_directory},
                                           DirectoryLoss{"Replaced", &replace_directory}),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace understudy::process
