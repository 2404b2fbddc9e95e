#pragma once

#include <functional>
#include <memory>
#include <queue>

#include "raft/guards.h"
#include "raft/oracle_test.h"
#include "raft/raft_core.h"
#include "raft/stored_log_test.h"

namespace understudy::raft {

/// Rules of the host. A test can break one, to see that the oracle notices it.
struct HostRules {
    bool gate_sends = true;   ///< Term and vote are durable before messages are sent.
    bool honest_disk = true;  ///< Entries are reported when they are durable, not before.
    bool fresh_term = true;   ///< A start raises the term.
    Guards guards;
};

struct ClusterOptions {
    std::uint64_t seed = 1;
    Duration chaos = 20s;
    std::uint64_t voters = 3;
    bool faults = true;      ///< Crashes, cut connections, lost messages.
    bool membership = true;  ///< Changes of configuration and transfers.
    bool harsh = false;      ///< All disks are slow, and a server that crashes is back at once.
    HostRules rules;
};

/// A whole group in one thread. Servers 1 to `voters` vote, the next one observes, and one more
/// joins.
///
/// Virtual time, network, disks and clients follow from the seed.
class Cluster {
public:
    explicit Cluster(const ClusterOptions& options);
    ~Cluster();

    /// Runs the faults, then heals everything, then makes the final checks. Returns what is wrong;
    /// empty if nothing is.
    std::string run();

    struct Figures {
        std::uint64_t acknowledged = 0, terms = 0, steps = 0, crashes = 0, installs = 0,
                      changes = 0, transfers = 0, campaigns = 0;
        Duration simulated{};
        std::uint64_t trace = 0;  ///< Hash of everything that happened.
    };
    [[nodiscard]] const Figures& figures() const { return figures_; }

private:
    using ServerId = consensus::ServerId;
    struct Node;
    struct Later {
        TimePoint at;
        std::uint64_t order;
        std::function<void()> run;
        bool operator<(const Later& other) const {
            return at != other.at ? at > other.at : order > other.order;
        }
    };

    // Time.
    void after(Duration delay, std::function<void()> run);
    // Not run after a crash of the node.
    void after(Node& node, Duration delay, std::function<void()> run);
    void run_until(TimePoint end);
    [[nodiscard]] Duration draw(Duration low, Duration high) { return random_.between(low, high); }
    void note(std::uint64_t what);

    // Hosts.
    void start(Node& node);
    void crash(Node& node);
    bool step(Node& node, consensus::Event event);
    void carry_out(Node& node, consensus::Effect effect);
    void arm(Node& node);
    void write(Node& node, DiskWrite write);
    void flush(Node& node);
    DiskWrite finish(Node& node);
    void written(Node& node, std::size_t count);
    void send(Node& node, consensus::Send send);
    void apply(Node& node);
    void maybe_checkpoint(Node& node);
    void fetch(Node& node, unsigned tries);
    void acknowledge_proposals(Node& node, Index index, const consensus::LogEntry& entry);

    // Network.
    void transmit(ServerId from, ServerId to, const consensus::Message& message);
    [[nodiscard]] bool connected(ServerId from, ServerId to) const {
        return !cut_.contains({from, to});
    }

    // Clients and faults.
    void client();
    void trouble();
    void propose(Node& node, std::size_t count);
    void cut_something();
    void kill(Node& node);
    void campaign_for(ServerId dead);
    void change_membership();
    void heal();
    [[nodiscard]] bool converged();
    [[nodiscard]] std::string describe() const;
    [[nodiscard]] Node* leader();
    [[nodiscard]] Node& any();

    const ClusterOptions options_;
    Random random_;
    TimePoint now_{1s};
    std::uint64_t order_ = 0;
    std::priority_queue<Later> later_;
    std::vector<std::unique_ptr<Node>> nodes_;
    std::set<std::pair<ServerId, ServerId>> cut_;
    std::map<std::pair<ServerId, ServerId>, TimePoint> link_free_;  // In-order links.
    bool in_order_ = false;
    bool calm_ = false;  // After healing.
    unsigned loss_percent_ = 0;
    Duration delay_max_ = 10ms;
    std::uint64_t next_command_ = 1;
    Oracle oracle_;
    Figures figures_;
};

}  // namespace understudy::raft
