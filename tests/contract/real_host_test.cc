// Evidence of death in unusual cases of the kernel.

#include <csignal>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/machine/host.h"
#include "platform/network/fd.h"
#include "tests/contract/end.h"
#include "tests/contract/platform_harness.h"

namespace understudy::contract {
namespace {

class RealHost : public testing::Test {
protected:
    ~RealHost() override {
        for (const pid_t child : children_) {
            ::kill(child, SIGKILL);
            ::waitpid(child, nullptr, 0);
        }
    }

    template <class Body>
    pid_t fork_child(Body body) {
        const pid_t child = ::fork();
        US_ASSERT(child >= 0);
        if (child == 0) {
            body();
            for (;;) ::pause();
        }
        children_.push_back(child);
        return child;
    }

    [[nodiscard]] static ProcessId identify(pid_t pid) {
        const auto process = platform::identify_process(static_cast<std::uint64_t>(pid));
        US_ASSERT(process.has_value());
        return *process;
    }
    [[nodiscard]] std::unique_ptr<ProcessWatch> watch(const ProcessId& process) {
        return harness_->node(0).host().watch(process, [this] { ++gone_; });
    }
    [[nodiscard]] bool run_until(const std::function<bool()>& done, Duration limit = 20s) {
        return harness_->run_until(done, limit);
    }

    const std::unique_ptr<Harness> harness_ = make_platform_harness(1);
    std::vector<pid_t> children_;
    int gone_ = 0;
};

TEST_F(RealHost, AProcessIdentifiesItselfAsOthersDo) {
    EXPECT_EQ(identify(::getpid()), harness_->node(0).host().self());
    EXPECT_FALSE(platform::identify_process(0).has_value());
}

// In /proc/PID/stat the name comes before the start time, and the process chooses its name.
TEST_F(RealHost, NoProcessNameHidesTheStartTime) {
    const pid_t child = fork_child([] {});
    const ProcessId before = identify(child);
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const platform::Fd reader(ends[0]);
    const platform::Fd writer(ends[1]);
    const pid_t renamed = fork_child([&] {
        ::prctl(PR_SET_NAME, ") S 1 (1) 2 3");
        (void)!::write(ends[1], "x", 1);
    });
    char byte = 0;
    ASSERT_EQ(::read(reader.get(), &byte, 1), 1);

    const ProcessId process = identify(renamed);

    EXPECT_EQ(process.pid, static_cast<std::uint64_t>(renamed));
    EXPECT_GE(process.start_ticks, before.start_ticks);
    EXPECT_LE(process.start_ticks, before.start_ticks + 1000);
}

TEST_F(RealHost, AProcessThatIsDeadButNotBuriedIsGone) {
    const pid_t child = fork_child([] {});
    const ProcessId process = identify(child);
    ::kill(child, SIGKILL);
    siginfo_t info{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);

    const auto watching = watch(process);

    ASSERT_NE(watching, nullptr);
    EXPECT_TRUE(run_until([&] { return gone_ == 1; }));
}

TEST_F(RealHost, AStoppedProcessIsNotGone) {
    const pid_t child = fork_child([] {});
    const auto watching = watch(identify(child));
    ASSERT_NE(watching, nullptr);

    ::kill(child, SIGSTOP);

    EXPECT_FALSE(run_until([&] { return gone_ > 0; }, 50ms));
}

TEST_F(RealHost, APidThatNobodyHasProvesTheDeath) {
    ProcessId nobody = harness_->node(0).host().self();
    nobody.pid = 4'194'304;  // One above the highest pid of a kernel.

    const auto watching = watch(nobody);

    ASSERT_NE(watching, nullptr);
    EXPECT_TRUE(run_until([&] { return gone_ == 1; }));
}

// A service that has forked dies. Its child, which does not know of the connection, keeps it open.
// The silence of the connection would have to time out; the watch reports the death at once.
TEST_F(RealHost, DeathIsProvenAlsoWhileAForkedChildHoldsTheSockets) {
    std::unique_ptr<End> server;
    auto listener = harness_->node(0).network().listen(
        {"127.0.0.1", 0}, std::nullopt,
        [&](std::unique_ptr<Connection> in) { server = std::make_unique<End>(std::move(in)); });
    ASSERT_TRUE(listener);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    address.sin_port = ::htons((*listener)->address().port);
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const platform::Fd reader(ends[0]);
    const platform::Fd writer(ends[1]);
    const pid_t service = fork_child([&] {
        const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
        (void)!::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address);
        const pid_t grandchild = ::fork();
        if (grandchild > 0) (void)!::write(ends[1], &grandchild, sizeof grandchild);
    });
    pid_t grandchild = 0;
    ASSERT_EQ(::read(reader.get(), &grandchild, sizeof grandchild), sizeof grandchild);
    ASSERT_TRUE(run_until([&] { return server != nullptr; }));
    const auto watching = watch(identify(service));
    ASSERT_NE(watching, nullptr);

    ::kill(service, SIGKILL);

    EXPECT_TRUE(run_until([&] { return gone_ == 1; }));
    EXPECT_FALSE(server->is_closed());
    ::kill(grandchild, SIGKILL);
    EXPECT_TRUE(run_until([&] { return server->is_closed(); }));
}

}  // namespace
}  // namespace understudy::contract
