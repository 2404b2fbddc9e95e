#pragma once

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <list>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/process/process.h"

namespace understudy::process {

/// The loopback ports on which a process listens, according to /proc.
[[nodiscard]] inline std::vector<std::uint16_t> listening_ports(const Process& process) {
    std::vector<std::uint16_t> ports;
    const auto descriptors = process.descriptors();
    std::ifstream table("/proc/" + std::to_string(process.pid()) + "/net/tcp");
    std::string line;
    std::getline(table, line);  // The column titles.
    while (std::getline(table, line)) {
        std::istringstream words(line);
        std::string number, local, remote, state, skipped, inode;
        words >> number >> local >> remote >> state;
        for (int i = 0; i < 5; ++i) words >> skipped;
        words >> inode;
        const bool ours = std::any_of(
            descriptors.begin(), descriptors.end(),
            [&](const Process::Open& open) { return open.what == "socket:[" + inode + "]"; });
        if (state != "0A" || !ours) continue;
        ports.push_back(static_cast<std::uint16_t>(
            std::stoul(local.substr(local.find(':') + 1), nullptr, 16)));
    }
    return ports;
}

/// Unrelated clients connect to all ports of a process, send nothing, and use up its last
/// descriptors.
///
/// The process keeps those that it has and gets a few more; its limit is lowered for that.
class NoDescriptorsLeft {
public:
    static constexpr std::size_t few = 6;
    static constexpr std::size_t strangers_per_port = 24;

    explicit NoDescriptorsLeft(Process& victim) : pid_(victim.pid()) {
        int highest = 0;
        for (const auto& open : victim.descriptors()) highest = std::max(highest, open.number);
        if (::prlimit(pid_, RLIMIT_NOFILE, nullptr, &before_) != 0) throw Broken("prlimit");
        limit(static_cast<rlim_t>(highest) + 1 + few);
        const auto ports = listening_ports(victim);
        if (ports.empty()) throw Broken(victim.name() + " listens nowhere");
        for (const std::uint16_t port : ports) {
            for (std::size_t i = 0; i < strangers_per_port; ++i) connect_to(port);
        }
        // Until it has no free descriptor: the first free number is beyond its limit.
        const auto deadline = Clock::now() + patience;
        while (victim.errors().find("network.accept_paused") == std::string::npos) {
            if (Clock::now() > deadline) throw Broken(victim.name() + " has descriptors left");
            std::this_thread::sleep_for(5ms);
        }
        cpu_before_ = cpu_used();
        began_ = Clock::now();
    }
    ~NoDescriptorsLeft() { end(); }
    NoDescriptorsLeft(const NoDescriptorsLeft&) = delete;
    NoDescriptorsLeft& operator=(const NoDescriptorsLeft&) = delete;

    /// The clients go, and the old limit is restored.
    void end() {
        strangers_.clear();
        (void)::prlimit(pid_, RLIMIT_NOFILE, &before_, nullptr);
    }

    /// The share of time that the process has used the processor since then; 1: it spins.
    [[nodiscard]] double load() const {
        const std::chrono::duration<double> passed = Clock::now() - began_;
        return (cpu_used() - cpu_before_) / passed.count();
    }

private:
    void limit(rlim_t most) {
        const rlimit lowered{.rlim_cur = most, .rlim_max = before_.rlim_max};
        if (::prlimit(pid_, RLIMIT_NOFILE, &lowered, nullptr) != 0) throw Broken("prlimit");
    }
    void connect_to(std::uint16_t port) {
        Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in place{};
        place.sin_family = AF_INET;
        place.sin_port = htons(port);
        place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&place), sizeof place) != 0) {
            throw Broken("connect to " + std::to_string(port));
        }
        strangers_.push_back(std::move(socket));
    }
    [[nodiscard]] double cpu_used() const {
        const std::string stat = contents("/proc/" + std::to_string(pid_) + "/stat");
        const std::size_t name_end = stat.rfind(") ");
        if (name_end == std::string::npos) return 0;  // It has ended.
        std::istringstream words(stat.substr(name_end + 2));
        std::string skipped;
        for (int i = 0; i < 11; ++i) words >> skipped;
        double user = 0;
        double system = 0;
        words >> user >> system;
        return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
    }

    const pid_t pid_;
    rlimit before_{};
    std::list<Descriptor> strangers_;
    double cpu_before_ = 0;
    Clock::time_point began_;
};

/// How often these words occur in the stderr of a process.
[[nodiscard]] inline std::size_t times_in_errors(const Process& process, std::string_view words) {
    const std::string errors = process.errors();
    std::size_t times = 0;
    for (std::size_t at = 0; (at = errors.find(words, at)) != std::string::npos;
         at += words.size()) {
        ++times;
    }
    return times;
}

}  // namespace understudy::process
