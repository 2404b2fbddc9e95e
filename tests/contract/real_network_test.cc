// Real sockets beyond the contract: shortages, hangs, inherited descriptors.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <thread>

#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/scratch_test.h"
#include "platform/asio_runtime.h"
#include "platform/disk.h"
#include "platform/machine/descriptors.h"
#include "platform/machine/signals.h"
#include "platform/network/local_socket.h"
#include "platform/network/network.h"
#include "platform/network/socket.h"
#include "tests/contract/certificates.h"
#include "tests/contract/end.h"
#include "tests/contract/platform_harness.h"

// It exists in builds with a sanitizer, which has its own allocator.
extern "C" __attribute__((weak)) std::size_t __sanitizer_get_current_allocated_bytes();

namespace understudy::contract {
namespace {

class RealNetwork : public testing::Test {
protected:
    ~RealNetwork() override {
        client_.reset();
        clients_.clear();
        servers_.clear();
        attempt_.reset();
        attempts_.clear();
        listener_.reset();
    }

    [[nodiscard]] bool run_until(const std::function<bool()>& done, Duration limit = 20s) {
        return harness_->run_until(done, limit);
    }
    [[nodiscard]] platform::AsioRuntime& node(std::size_t index) {
        return dynamic_cast<platform::AsioRuntime&>(harness_->node(index));
    }

    void listen(const std::optional<TlsOptions>& tls = std::nullopt) {
        auto listener =
            node(0).network().listen({"127.0.0.1", 0}, tls, [this](std::unique_ptr<Connection> in) {
                servers_.push_back(std::make_unique<End>(std::move(in)));
            });
        US_ASSERT(static_cast<bool>(listener));
        listener_ = std::move(*listener);
    }

    void connect(const Address& address, Duration timeout,
                 const std::optional<TlsOptions>& tls = std::nullopt) {
        error_.reset();
        client_.reset();
        attempt_ = node(1).network().connect(address, tls, timeout, [this](auto result) {
            if (result) {
                client_ = std::make_unique<End>(std::move(*result));
            } else {
                error_ = result.error();
            }
        });
        US_ASSERT(run_until([&] { return error_ || client_; }));
    }

    // Makes `count` more connections, all silent.
    void connect_many(std::size_t count) {
        const std::size_t wanted = clients_.size() + count;
        for (std::size_t i = 0; i < count; ++i) {
            attempts_.push_back(node(1).network().connect(
                listener_->address(), std::nullopt, 20s, [this](auto result) {
                    US_ASSERT(static_cast<bool>(result));
                    clients_.push_back(std::make_unique<End>(std::move(*result)));
                }));
        }
        US_ASSERT(run_until([&] { return clients_.size() == wanted; }));
    }

    /// Sockets of unrelated clients, to be used when no descriptor is left.
    void prepare_strangers(int count) {
        for (int i = 0; i < count; ++i) {
            strangers_.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        }
    }
    /// One of them connects and sends nothing: the kernel accepts it in any case.
    void connect_stranger(std::size_t which) {
        const auto place = platform::numeric_address(listener_->address());
        US_ASSERT(::connect(strangers_.at(which).get(), place->raw(), place->size) == 0);
    }

    const std::unique_ptr<Harness> harness_ = make_platform_harness(2);
    std::vector<platform::Fd> strangers_;
    std::unique_ptr<Listener> listener_;
    std::unique_ptr<Attempt> attempt_;
    std::vector<std::unique_ptr<Attempt>> attempts_;
    std::vector<std::unique_ptr<End>> servers_;
    std::vector<std::unique_ptr<End>> clients_;
    std::unique_ptr<End> client_;
    std::optional<Error> error_;
};

std::set<int> open_descriptors() {
    std::set<int> descriptors;
    DIR* directory = ::opendir("/proc/self/fd");
    while (const dirent* entry = ::readdir(directory)) {
        if (entry->d_name[0] != '.') descriptors.insert(std::stoi(entry->d_name));
    }
    descriptors.erase(::dirfd(directory));
    ::closedir(directory);
    return descriptors;
}

// --- files of Unix-domain sockets ----------------------------------------------------------------

class RealLocalNetwork : public RealNetwork {
protected:
    /// Leaves a socket whose process has ended without removing it.
    void leave_behind() {
        const platform::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const auto place = platform::local_socket_address(path_);
        US_ASSERT(::bind(socket.get(), place.raw(), place.size) == 0);
        US_ASSERT(::listen(socket.get(), 1) == 0);
    }
    [[nodiscard]] Result<std::unique_ptr<Listener>> listen_there() {
        return node(0).network().listen({path_, 0}, std::nullopt, [](auto) {});
    }
    [[nodiscard]] std::size_t files() const {
        const std::filesystem::directory_iterator all(directory_.path);
        return static_cast<std::size_t>(std::distance(begin(all), end(all)));
    }

    const Scratch directory_;
    const std::string path_ = directory_.path + "/socket";
};

TEST_F(RealLocalNetwork, TheFileIsItsOwnersAloneAndGoesWithTheListener) {
    {
        const auto listener = listen_there();
        ASSERT_TRUE(listener) << to_string(listener.error());
        const auto found = std::filesystem::symlink_status(path_);
        EXPECT_EQ(found.type(), std::filesystem::file_type::socket);
        EXPECT_EQ(found.permissions(), std::filesystem::perms::owner_read |
                                           std::filesystem::perms::owner_write);
        EXPECT_EQ(files(), 2u) << "it and its lock";
    }
    EXPECT_EQ(files(), 0u);
}

TEST_F(RealLocalNetwork, WhatWasLeftBehindMakesWay) {
    leave_behind();
    const auto listener = listen_there();
    ASSERT_TRUE(listener) << to_string(listener.error());
    connect({path_, 0}, 20s);
    EXPECT_FALSE(error_);
    EXPECT_EQ(files(), 2u);
}

TEST_F(RealLocalNetwork, AFileThatIsNoSocketStays) {
    std::ofstream(path_) << "mine";
    const auto listener = listen_there();
    ASSERT_FALSE(listener);
    EXPECT_EQ(listener.error().code, Errc::in_use);
    EXPECT_NE(listener.error().detail.find("not a socket"), std::string::npos);
    EXPECT_EQ(std::filesystem::file_size(path_), 4u);
    EXPECT_EQ(files(), 1u);
}

TEST_F(RealLocalNetwork, TheSocketOfAProgramThatKnowsNoLockStaysIfItAnswers) {
    const platform::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto place = platform::local_socket_address(path_);
    ASSERT_EQ(::bind(socket.get(), place.raw(), place.size), 0);
    ASSERT_EQ(::listen(socket.get(), 1), 0);

    const auto listener = listen_there();
    ASSERT_FALSE(listener);
    EXPECT_EQ(listener.error().code, Errc::in_use);
    EXPECT_EQ(files(), 1u);
}

TEST_F(RealLocalNetwork, FilesThatAnotherHasMadeSinceAreNotRemoved) {
    auto listener = listen_there();
    ASSERT_TRUE(listener);
    std::filesystem::remove(path_);
    std::filesystem::remove(path_ + ".lock");
    auto second = listen_there();
    ASSERT_TRUE(second) << to_string(second.error());
    listener = std::move(second);  // The first one is destroyed.
    EXPECT_EQ(files(), 2u);
    connect({path_, 0}, 20s);
    EXPECT_FALSE(error_);
}

TEST_F(RealLocalNetwork, ADirectoryThatIsNotThereIsNoSuchFile) {
    const auto listener =
        node(0).network().listen({directory_.path + "/none/s", 0}, std::nullopt, [](auto) {});
    ASSERT_FALSE(listener);
    EXPECT_EQ(listener.error().code, Errc::no_such_file);
}

// Many processes want one name at once: one gets it and can be reached, and all others are told.
TEST_F(RealLocalNetwork, OfManyWhoBeginAtOnceOneGetsTheName) {
    for (int round = 0; round < 20; ++round) {
        if (round % 2 == 0) leave_behind();
        std::vector<Result<platform::LocalListener>> outcomes;
        for (int i = 0; i < 4; ++i) outcomes.emplace_back(Error{.code = Errc::closed});
        std::vector<std::thread> rivals;
        for (auto& outcome : outcomes) {
            rivals.emplace_back([&] { outcome = platform::open_local_listener(path_); });
        }
        for (auto& rival : rivals) rival.join();

        int have_it = 0;
        for (const auto& outcome : outcomes) {
            if (outcome) {
                ++have_it;
            } else {
                EXPECT_EQ(outcome.error().code, Errc::in_use) << to_string(outcome.error());
            }
        }
        EXPECT_EQ(have_it, 1) << "in round " << round;
        connect({path_, 0}, 20s);
        EXPECT_FALSE(error_);
    }
    EXPECT_EQ(files(), 0u);
}

// --- names and addresses -------------------------------------------------------------------------

TEST_F(RealNetwork, ANameIsResolvedAndEachOfItsAddressesTried) {
    listen();  // Only on IPv4, while localhost may resolve to an IPv6 address first.
    connect({"localhost", listener_->address().port}, 10s);

    ASSERT_FALSE(error_) << to_string(*error_);
    EXPECT_EQ(client_->connection().peer().host, "localhost");
}

// Name servers may answer late; the attempt has its own limit.
TEST_F(RealNetwork, ANameThatDoesNotExistIsUnavailableOrTimesOut) {
    connect({"no-such-host.invalid", 1}, 500ms);

    ASSERT_TRUE(error_);
    EXPECT_TRUE(error_->code == Errc::unavailable || error_->code == Errc::timed_out);
    EXPECT_EQ(error_->effect, Effect::none);
}

TEST_F(RealNetwork, AnEmptyHostIsThisMachineAlone) {
    auto listener = node(0).network().listen({"", 0}, std::nullopt, [](auto) {});

    ASSERT_TRUE(listener);
    EXPECT_EQ((*listener)->address().host, "127.0.0.1");
}

TEST_F(RealNetwork, AnAddressThatIsNotOursIsBadConfig) {
    for (const char* host : {"192.0.2.1", "no-such-host.invalid"}) {
        auto listener = node(0).network().listen({host, 0}, std::nullopt, [](auto) {});
        ASSERT_FALSE(listener);
        EXPECT_EQ(listener.error().code, Errc::bad_config) << host;
    }
}

// A listener with a full queue drops connections: for the client that looks like a dead network.
TEST_F(RealNetwork, APeerThatAnswersNothingTimesOut) {
    const platform::Fd deaf(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto any = platform::numeric_address({"127.0.0.1", 0});
    ASSERT_EQ(::bind(deaf.get(), any->raw(), any->size), 0);
    ASSERT_EQ(::listen(deaf.get(), 0), 0);
    const auto address = platform::local_address(deaf);
    ASSERT_TRUE(address);
    connect(*address, 10s);
    ASSERT_FALSE(error_);
    const auto fills_the_queue = std::move(client_);

    const TimePoint begin = node(1).now();
    connect(*address, 100ms);

    ASSERT_TRUE(error_);
    EXPECT_EQ(error_->code, Errc::timed_out);
    EXPECT_GE(node(1).now() - begin, 100ms);
}

// The kernel may connect a socket with itself if no process listens on the port.
TEST_F(RealNetwork, ASocketConnectedToItselfIsNobody) {
    const platform::Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto any = platform::numeric_address({"127.0.0.1", 0});
    ASSERT_EQ(::bind(socket.get(), any->raw(), any->size), 0);
    const auto own = platform::numeric_address(*platform::local_address(socket));
    ASSERT_EQ(::connect(socket.get(), own->raw(), own->size), 0);

    const auto outcome = platform::connect_outcome(socket.get());

    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, Errc::unavailable);
}

// The peer sends the reason and resets the connection. We notice it when we write, before we have
// read.
TEST_F(RealNetwork, WhatThePeerSaidBeforeItsResetIsHeard) {
    listen();
    const auto address = platform::numeric_address(listener_->address());
    platform::Fd peer(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::connect(peer.get(), address->raw(), address->size), 0);
    ASSERT_TRUE(run_until([&] { return servers_.size() == 1; }));

    node(0).post([&] {
        ASSERT_EQ(::send(peer.get(), "last words", 10, MSG_NOSIGNAL), 10);
        const linger reset{.l_onoff = 1, .l_linger = 0};
        ASSERT_EQ(::setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
        ::close(peer.release());
        servers_.front()->connection().send(as_bytes("are you there?"));
    });

    ASSERT_TRUE(run_until([&] { return servers_.front()->is_closed(); }));
    EXPECT_EQ(servers_.front()->text, "last words");
    EXPECT_TRUE(servers_.front()->closed_with(Errc::unavailable));
}

// --- economy -------------------------------------------------------------------------------------

TEST_F(RealNetwork, SendsOfOneTurnLeaveInOneWrite) {
    listen();
    connect(listener_->address(), 10s);
    ASSERT_TRUE(run_until([&] { return servers_.size() == 1; }));
    int reads = 0;
    servers_.front()->on_received = [&] { ++reads; };

    bool sent = false;
    node(1).post([&] {
        for (int i = 0; i < 100; ++i) client_->connection().send(as_bytes("0123456789"));
        sent = true;
    });

    ASSERT_TRUE(run_until([&] { return servers_.front()->text.size() == 1000; }));
    EXPECT_EQ(reads, 1);
}

std::size_t allocated_bytes() {
    if (&__sanitizer_get_current_allocated_bytes != nullptr) {
        return __sanitizer_get_current_allocated_bytes();
    }
    return ::mallinfo2().uordblks;
}

// Ten thousand silent subscribers must not cost a gigabyte.
TEST_F(RealNetwork, AnIdleConnectionCostsLessThanFourKilobytes) {
    constexpr std::size_t connections = 200;
    listen();
    connect_many(20);  // Afterwards the loops have what they keep for all of them.
    const std::size_t before = allocated_bytes();

    connect_many(connections);
    ASSERT_TRUE(run_until([&] { return servers_.size() == clients_.size(); }));
    const Buffer chunk(100 * KiB);
    for (std::size_t i = 20; i < clients_.size(); ++i) {
        clients_[i]->connection().send(chunk);
        ASSERT_TRUE(run_until([&] {
            return std::any_of(servers_.begin(), servers_.end(), [&](const auto& server) {
                return server->text.size() == chunk.size();
            });
        }));
        for (const auto& server : servers_) {
            server->text.clear();
            server->text.shrink_to_fit();
        }
    }
    attempts_.clear();
    (void)run_until([] { return false; }, 10ms);

    const std::size_t ends = 2 * connections;
    const std::size_t each = (allocated_bytes() - before) / ends;
    RecordProperty("bytes_per_connection", static_cast<int>(each));
    EXPECT_LT(each, 4 * KiB);
}

// --- descriptors ---------------------------------------------------------------------------------

TEST_F(RealNetwork, EveryDescriptorIsClosedOnExec) {
    const std::set<int> before = open_descriptors();
    const Scratch scratch;
    const TestAuthority authority(scratch.path, "ours");
    const TlsOptions tls = authority.issue("node", "IP:127.0.0.1");

    NullLog log;
    platform::AsioRuntime other(log);
    listen(tls);
    connect(listener_->address(), 10s, tls);
    ASSERT_FALSE(error_);
    const auto encrypted = std::move(client_);
    listen();
    connect({"localhost", listener_->address().port}, 10s);
    ASSERT_FALSE(error_);
    const ProcessId process = harness_->start_process();
    const auto watch = node(0).host().watch(process, [] {});
    const auto signals = platform::Signals::open(other, {SIGUSR1}, [](int) {});
    ASSERT_TRUE(signals);
    const auto file = node(0).disk().open(scratch.path + "/file", Disk::Open::create);
    ASSERT_TRUE(file);
    bool done = false;
    node(0).worker("journal").submit([] {}, [&] { done = true; });
    ASSERT_TRUE(run_until([&] { return done; }));

    std::size_t ours = 0;
    for (const int descriptor : open_descriptors()) {
        if (before.contains(descriptor)) continue;
        ++ours;
        EXPECT_NE(::fcntl(descriptor, F_GETFD) & FD_CLOEXEC, 0)
            << std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(descriptor));
    }
    EXPECT_GE(ours, 10u);
    harness_->kill_process(process);
}

TEST_F(RealNetwork, WhatIsDestroyedLeavesNoDescriptor) {
    listen();
    connect(listener_->address(), 10s);
    ASSERT_TRUE(run_until([&] { return servers_.size() == 1; }));
    const std::size_t before = open_descriptors().size();

    connect_many(20);
    ASSERT_TRUE(run_until([&] { return servers_.size() == 21; }));
    EXPECT_EQ(open_descriptors().size(), before + 40);
    clients_.clear();
    attempts_.clear();
    ASSERT_TRUE(run_until([&] {
        return std::count_if(servers_.begin(), servers_.end(),
                             [](const auto& server) { return server->is_closed(); }) == 20;
    }));

    EXPECT_EQ(open_descriptors().size(), before);
}

class DescriptorLimit {
public:
    explicit DescriptorLimit(rlim_t limit) {
        US_ASSERT(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
        rlimit lowered = before_;
        lowered.rlim_cur = limit;
        US_ASSERT(::setrlimit(RLIMIT_NOFILE, &lowered) == 0);
    }
    ~DescriptorLimit() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    DescriptorLimit(const DescriptorLimit&) = delete;
    DescriptorLimit& operator=(const DescriptorLimit&) = delete;

private:
    rlimit before_{};
};

/// Takes all remaining descriptors except `spare` of them.
class AllDescriptors {
public:
    explicit AllDescriptors(std::size_t spare = 0) {
        for (;;) {
            platform::Fd fd(::fcntl(0, F_DUPFD_CLOEXEC, 0));
            if (!fd) break;
            taken_.push_back(std::move(fd));
        }
        give_back(spare);
    }
    void give_back(std::size_t count) { taken_.resize(taken_.size() - count); }

private:
    std::vector<platform::Fd> taken_;
};

// Without descriptors the listener pauses instead of spinning, and goes on when there are some.
TEST_F(RealNetwork, RunningOutOfDescriptorsDelaysClientsAndLosesNone) {
    listen();
    harness_->pause(0, true);
    connect_many(5);  // The kernel has accepted them; the listener has not.
    const int highest = *open_descriptors().rbegin();
    {
        const DescriptorLimit limit(static_cast<rlim_t>(highest) + 3);  // Two more, without a gap.
        std::vector<platform::Fd> holes;
        for (int fd = 0; fd < highest; fd = holes.back().get()) {
            holes.emplace_back(::fcntl(0, F_DUPFD_CLOEXEC, 0));
            if (holes.back().get() > highest || !holes.back()) break;
        }
        holes.pop_back();
        harness_->pause(0, false);
        ASSERT_TRUE(run_until([&] { return node(0).figures().accept_pauses > 0; }));
        const std::uint64_t handlers = node(0).figures().handlers;
        (void)run_until([] { return false; }, 50ms);
        EXPECT_LT(node(0).figures().handlers - handlers, 10u);
        EXPECT_EQ(servers_.size(), 2u);
    }

    EXPECT_TRUE(run_until([&] { return servers_.size() == 5; }));
}

// The journal must go on when no descriptor is left for connections.
TEST_F(RealNetwork, AFileIsOpenedWhenConnectionsHaveUsedUpAllDescriptors) {
    listen();
    const std::string directory = harness_->directory(0);
    platform::PosixDisk disk;
    ASSERT_TRUE(disk.list(directory));  // From here on some descriptors are held.
    prepare_strangers(1);
    const DescriptorLimit limit(200);
    AllDescriptors all;
    ASSERT_FALSE(platform::Fd(::fcntl(0, F_DUPFD_CLOEXEC, 0)));
    std::vector<std::unique_ptr<File>> files;
    for (int i = 0; i < 8; ++i) {
        auto file = disk.open(directory + "/" + std::to_string(i), Disk::Open::create);
        ASSERT_TRUE(file) << to_string(file.error());
        files.push_back(*std::move(file));
        EXPECT_TRUE(disk.list(directory));
        EXPECT_TRUE(disk.sync_directory(directory));
    }
    EXPECT_FALSE(platform::DescriptorReserve::of_this_process().whole());
    // A descriptor that becomes free now belongs to the journal first.
    connect_stranger(0);
    all.give_back(4);
    (void)run_until([] { return false; }, 300ms);
    EXPECT_TRUE(servers_.empty());
    // With the descriptors of the closed files the reserve is complete, and the client is accepted.
    files.clear();
    EXPECT_TRUE(platform::DescriptorReserve::of_this_process().whole());
    EXPECT_TRUE(run_until([&] { return servers_.size() == 1; }));
    for (int i = 0; i < 40; ++i) EXPECT_TRUE(disk.sync_directory(directory));
}

TEST_F(RealNetwork, WithoutADescriptorForAFileItIsSaidAndNothingIsDone) {
    const std::string directory = harness_->directory(0);
    platform::PosixDisk disk;
    ASSERT_TRUE(disk.list(directory));  // From here on some descriptors are held.
    const DescriptorLimit limit(200);
    const AllDescriptors all;
    std::vector<std::unique_ptr<File>> files;
    std::optional<Error> error;
    while (!error) {
        auto file = disk.open(directory + "/" + std::to_string(files.size()), Disk::Open::create);
        if (file) {
            files.push_back(*std::move(file));
        } else {
            error = file.error();
        }
    }
    EXPECT_GE(files.size(), 8U);
    EXPECT_EQ(error->code, Errc::no_descriptors) << to_string(*error);
    EXPECT_EQ(error->effect, Effect::none);
    EXPECT_EQ(disk.list(directory).error().code, Errc::no_descriptors);
    EXPECT_EQ(disk.sync_directory(directory).error().code, Errc::no_descriptors);
    EXPECT_EQ(disk.sync_directory(directory).error().effect, Effect::none);
    EXPECT_TRUE(files.front()->write_at(0, as_bytes("what is open may be written")));
    EXPECT_TRUE(files.front()->sync());
    error_.reset();
    attempt_ = node(1).network().connect({"127.0.0.1", 1}, std::nullopt, 1s, [this](auto result) {
        error_ = result.error();
    });
    EXPECT_TRUE(run_until([&] { return error_.has_value(); }));
    EXPECT_EQ(error_->code, Errc::no_descriptors);
}

// Silent connections keep no others out, neither by their number nor by their descriptors.
TEST_F(RealNetwork, OfManySilentConnectionsTheOldestMakeWay) {
    listen();
    constexpr std::size_t many = platform::SocketNetwork::silent_max + 20;
    connect_many(1);
    ASSERT_TRUE(run_until([&] { return servers_.size() == 1; }));
    clients_.front()->connection().send(as_bytes("I speak"));
    ASSERT_TRUE(run_until([&] { return servers_.front()->text == "I speak"; }));
    connect_many(many);
    ASSERT_TRUE(run_until([&] { return servers_.size() == many + 1; }));
    const auto closed = [&] {
        return std::count_if(servers_.begin(), servers_.end(),
                             [](const auto& server) { return server->is_closed(); });
    };
    EXPECT_EQ(closed(), 20);
    EXPECT_FALSE(servers_[0]->is_closed());
    EXPECT_TRUE(servers_[1]->is_closed());
    EXPECT_FALSE(servers_.back()->is_closed());
    EXPECT_EQ(node(0).figures().silent_closed, 20u);
}

TEST_F(RealNetwork, WithoutADescriptorASilentConnectionMakesWayAfterASecond) {
    listen();
    connect_many(1);
    ASSERT_TRUE(run_until([&] { return servers_.size() == 1; }));
    prepare_strangers(1);
    const DescriptorLimit limit(200);
    const AllDescriptors all;
    connect_stranger(0);
    ASSERT_TRUE(run_until([&] { return servers_.size() >= 2; }));
    EXPECT_TRUE(servers_[0]->is_closed());
    EXPECT_FALSE(servers_[1]->is_closed());
    EXPECT_GT(node(0).figures().accept_pauses, 0u);
}

}  // namespace
}  // namespace understudy::contract
