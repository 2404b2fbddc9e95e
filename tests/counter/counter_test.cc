// Three members of a service, in separate processes, with a registry. They are killed, hang and are
// switched over while clients count. No client sees an error, and each count is exact.

#include "tests/counter/counter.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "platform/free_port.h"
#include "tests/process/process.h"
#include "understudy/replica_client.h"

namespace understudy::counter {
namespace {

using process::Clock;
using process::Command;
using process::eventually;
using process::patience;
using process::Process;

/// Adds 1 to its own counter, with some requests at once, and checks whether each reply is the next
/// value.
class Counting {
public:
    Counting(const std::string& registry, std::string counter)
        : counter_(std::move(counter)),
          client_(ReplicaClient::open({.service = "counter",
                                       .registry = {registry},
                                       .submit_timeout = 2 * patience,
                                       .log = [](std::string_view) {}})
                      .value_or_throw()),
          thread_([this] { run(); }) {}
    ~Counting() { end(); }
    Counting(const Counting&) = delete;
    Counting& operator=(const Counting&) = delete;

    void end() {
        {
            const std::lock_guard lock(mutex_);
            ending_ = true;
        }
        changed_.notify_all();
        if (thread_.joinable()) thread_.join();
        EXPECT_TRUE(eventually([this] { return answered_ == submitted_; }))
            << counter_ << ": " << answered_ << " of " << submitted_;
    }
    [[nodiscard]] std::int64_t answered() const { return answered_; }
    /// Requests that were answered with an error, or with another value than the next one.
    [[nodiscard]] std::int64_t faults() const { return faults_; }
    [[nodiscard]] const std::string& counter() const { return counter_; }

private:
    static constexpr std::int64_t at_once = 16;

    void run() {
        std::unique_lock lock(mutex_);
        while (!ending_) {
            changed_.wait(lock, [this] { return ending_ || submitted_ - answered_ < at_once; });
            if (ending_) return;
            ++submitted_;
            lock.unlock();
            client_.submit(Counters::add(counter_, 1), [this](const Result<Buffer>& reply) {
                const std::lock_guard its_lock(mutex_);
                if (!reply || Counters::value(*reply) != answered_ + 1) ++faults_;
                ++answered_;
                changed_.notify_all();
            });
            lock.lock();
        }
    }

    const std::string counter_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool ending_ = false;
    std::atomic<std::int64_t> submitted_{0};
    std::atomic<std::int64_t> answered_{0};
    std::atomic<std::int64_t> faults_{0};
    ReplicaClient client_;
    std::thread thread_;
};

class CounterService : public ::testing::TestWithParam<std::string> {
protected:
    void SetUp() override {
        registry_ = std::make_unique<Process>(
            "registry",
            Command{.arguments = {UNDERSTUDY_PROGRAM, "registry", "--listen", "127.0.0.1:0",
                                  "--data", directory_ / "registry"}},
            directory_ / "registry.log");
        address_ = registry_->expect("registry ready on").word(3);
        address_.pop_back();
        for (const std::string& member : names) {
            nodes_ += (nodes_.empty() ? "" : ",") + member + "=" + platform::free_address();
        }
        for (const std::string& member : names) start(member);
        // A client that opens earlier may know of one member only when the registry goes away.
        ASSERT_TRUE(eventually([this] {
            return active() && std::all_of(names.begin(), names.end(), [this](const auto& name) {
                       return role_of(name) == "active" || role_of(name) == "standby";
                   });
        }));
        for (int i = 0; i < 2; ++i) {
            clients_.push_back(
                std::make_unique<Counting>(address_, "c" + std::to_string(i)));
        }
        expect_progress();
    }
    void TearDown() override {
        std::vector<std::pair<std::string, std::int64_t>> counted;
        for (const auto& client : clients_) {
            client->end();
            EXPECT_EQ(client->faults(), 0) << client->counter();
            counted.emplace_back(client->counter(), client->answered());
        }
        clients_.clear();
        auto reader = ReplicaClient::open({.service = "counter",
                                           .registry = {address_},
                                           .submit_timeout = patience,
                                           .log = [](std::string_view) {}})
                          .value_or_throw();
        for (const auto& [counter, value] : counted) {
            const auto found = reader.submit(Counters::add(counter, 0));
            ASSERT_TRUE(found) << to_string(found.error());
            EXPECT_EQ(Counters::value(*found), value) << counter;
        }
        for (const auto& [name, member] : members_) {
            const std::string errors = process::contents(directory_ / (name + ".log"));
            if (HasFailure()) std::cerr << name << " wrote:\n" << errors << '\n';
            EXPECT_EQ(errors.find("Sanitizer"), std::string::npos) << errors;
            EXPECT_EQ(errors.find("runtime error"), std::string::npos) << errors;
        }
    }

    void start(const std::string& member) {
        Command command{.arguments = {COUNTER_PROGRAM, member, address_, GetParam()}};
        if (GetParam() == "shared") {
            command.arguments.push_back(directory_ / "journal");
        } else {
            command.arguments.push_back(directory_ / member);
            command.arguments.push_back(nodes_);
        }
        members_[member] =
            std::make_unique<Process>(member, command, directory_ / (member + ".log"));
    }
    [[nodiscard]] std::string role_of(const std::string& member) const {
        const auto said = members_.at(member)->lines("role");
        return said.empty() ? std::string() : said.back().word(1);
    }
    /// If several members report that they are active, one that was stopped may not know yet that
    /// it was replaced. The newest epoch counts.
    [[nodiscard]] std::optional<std::string> active() const {
        std::optional<std::string> found;
        std::uint64_t epoch = 0;
        for (const auto& [name, member] : members_) {
            if (role_of(name) != "active") continue;
            const std::uint64_t its = member->lines("role").back().number("epoch");
            if (!found || its > epoch) found = name;
            epoch = std::max(epoch, its);
        }
        return found;
    }
    [[nodiscard]] std::string other_than(const std::string& member) const {
        return *std::find_if(names.begin(), names.end(),
                             [&](const std::string& name) { return name != member; });
    }
    /// Each client must get answers to the requests that it submits from now on.
    void expect_progress() {
        for (const auto& client : clients_) {
            const std::int64_t before = client->answered();
            EXPECT_TRUE(eventually([&] { return client->answered() > before + 50; }))
                << client->counter();
        }
    }

    static inline const std::vector<std::string> names{"A", "B", "C"};

    process::TemporaryDirectory directory_;
    std::unique_ptr<Process> registry_;
    std::string address_;
    std::string nodes_;
    std::map<std::string, std::unique_ptr<Process>> members_;
    std::vector<std::unique_ptr<Counting>> clients_;
};

TEST_P(CounterService, SurvivesThatItsActiveMemberIsKilled) {
    for (int round = 0; round < 3; ++round) {
        const std::string victim = *active();
        members_.at(victim)->kill();
        (void)members_.at(victim)->wait();
        members_.erase(victim);
        expect_progress();
        start(victim);
        ASSERT_TRUE(eventually([&] { return role_of(victim) == "standby"; })) << victim;
    }
}

TEST_P(CounterService, SurvivesThatItsActiveMemberHangs) {
    const std::string victim = *active();
    members_.at(victim)->stop();
    expect_progress();
    members_.at(victim)->resume();
    ASSERT_TRUE(eventually([&] { return active() != victim; }));
    expect_progress();
}

TEST_P(CounterService, IsSwitchedOverWithoutAnError) {
    for (int round = 0; round < 4; ++round) {
        const std::string to = other_than(*active());
        // On a busy machine the successor may need longer than a switchover may take.
        EXPECT_TRUE(eventually([&] {
            return process::run(
                       Command{.arguments = {UNDERSTUDY_PROGRAM, "service", "switchover", "counter",
                                             "--to", to, "--registry", address_}})
                           .ending.code == 0 ||
                   active() == to;
        }));
        EXPECT_TRUE(eventually([&] { return active() == to; }));
        expect_progress();
    }
    const auto shown = process::run(Command{.arguments = {UNDERSTUDY_PROGRAM, "service", "show",
                                                          "counter", "--registry", address_}});
    EXPECT_EQ(shown.ending.code, 0) << shown.errors;
    const auto explained = process::run(Command{.arguments = {UNDERSTUDY_PROGRAM, "service",
                                                              "explain", "counter", "--registry",
                                                              address_}});
    EXPECT_NE(explained.output.find("switchover"), std::string::npos) << explained.output;
}

TEST_P(CounterService, GoesOnWhileTheRegistryIsAway) {
    registry_->kill();
    (void)registry_->wait();
    expect_progress();
    const std::string victim = *active();
    members_.at(victim)->kill();
    (void)members_.at(victim)->wait();
    members_.erase(victim);
    expect_progress();
    registry_ = std::make_unique<Process>(
        "registry",
        Command{.arguments = {UNDERSTUDY_PROGRAM, "registry", "--listen", address_, "--data",
                              directory_ / "registry"}},
        directory_ / "registry2.log");
    registry_->expect("registry ready on");
    start(victim);
    ASSERT_TRUE(eventually([&] { return role_of(victim) == "standby"; }));
    expect_progress();
}

INSTANTIATE_TEST_SUITE_P(Shared, CounterService, ::testing::Values("shared"));
#ifdef UNDERSTUDY_WITH_RAFT
INSTANTIATE_TEST_SUITE_P(Replicated, CounterService, ::testing::Values("replicated"));
#endif

}  // namespace
}  // namespace understudy::counter
