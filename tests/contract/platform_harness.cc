#include "tests/contract/platform_harness.h"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <set>
#include <vector>

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/scratch_test.h"
#include "platform/asio_runtime.h"
#include "platform/machine/host.h"
#include "tests/contract/certificates.h"

namespace understudy::contract {

namespace {

class PlatformHarness : public Harness {
public:
    explicit PlatformHarness(std::size_t nodes) : paused_(nodes, false) {
        for (std::size_t i = 0; i < nodes; ++i) {
            nodes_.push_back(std::make_unique<platform::AsioRuntime>(log_));
        }
    }

    ~PlatformHarness() override {
        while (!children_.empty()) end_child(*children_.begin());
    }

    PlatformHarness(const PlatformHarness&) = delete;
    PlatformHarness& operator=(const PlatformHarness&) = delete;

    Runtime& node(std::size_t index) override { return *nodes_.at(index); }
    Address address(std::size_t) override { return {"127.0.0.1", 0}; }

    std::string directory(std::size_t index) override {
        std::string path = scratch_.path + "/node" + std::to_string(index);
        std::filesystem::create_directories(path);
        return path;
    }

    bool run_until(const std::function<bool()>& done, Duration limit) override {
        const auto end = std::chrono::steady_clock::now() + limit;
        while (!done()) {
            if (std::chrono::steady_clock::now() >= end) return false;
            bool worked = false;
            for (std::size_t i = 0; i < nodes_.size(); ++i) {
                if (!paused_[i]) worked = nodes_[i]->poll() || worked;
            }
            if (!worked) wait_a_little();
        }
        return true;
    }

    void pause(std::size_t index, bool paused) override { paused_.at(index) = paused; }

    ProcessId start_process() override {
        const pid_t child = ::fork();
        US_ASSERT(child >= 0);
        if (child == 0) {
            for (;;) ::pause();
        }
        children_.insert(child);
        const auto process = platform::identify_process(static_cast<std::uint64_t>(child));
        US_ASSERT(process.has_value());
        return *process;
    }

    void kill_process(const ProcessId& process) override {
        end_child(static_cast<pid_t>(process.pid));
    }

private:
    void wait_a_little() {
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            if (paused_[i]) continue;
            (void)nodes_[i]->poll_for(1ms);  // The other loops get their turn soon.
            return;
        }
    }

    void end_child(pid_t child) {
        US_ASSERT(children_.erase(child) == 1);
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
    }

    NullLog log_;
    Scratch scratch_;
    std::vector<std::unique_ptr<platform::AsioRuntime>> nodes_;
    std::vector<bool> paused_;
    std::set<pid_t> children_;
};

class TlsHarness final : public PlatformHarness {
public:
    using PlatformHarness::PlatformHarness;
    std::optional<TlsOptions> tls() override { return tls_; }

private:
    const Scratch directory_;
    const TlsOptions tls_ = TestAuthority(directory_.path, "test").issue("node", "IP:127.0.0.1");
};

}  // namespace

std::unique_ptr<Harness> make_platform_harness(std::size_t nodes) {
    return std::make_unique<PlatformHarness>(nodes);
}

std::unique_ptr<Harness> make_tls_harness(std::size_t nodes) {
    return std::make_unique<TlsHarness>(nodes);
}

}  // namespace understudy::contract
