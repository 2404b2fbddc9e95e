// Time, the network, and the run of a group from the faults to the final checks.
#include <fmt/format.h>

#include "consensus/configuration.h"
#include "consensus/message.h"
#include "raft/cluster_node_test.h"

namespace understudy::raft {

using namespace consensus;

Cluster::Cluster(const ClusterOptions& options) : options_(options), random_(options.seed) {
    in_order_ = random_.chance(1, 3);
    Configuration founders;
    for (std::uint64_t i = 1; i <= options_.voters + 1; ++i) {
        const auto membership = i <= options_.voters ? Membership::voter : Membership::observer;
        founders.servers.push_back({.id = {i}, .membership = membership});
    }
    const auto body = std::make_shared<const Buffer>(encoded(founders));
    for (std::uint64_t i = 1; i <= options_.voters + 2; ++i) {
        auto node = std::make_unique<Node>();
        node->id = {i};
        if (find(founders, node->id) != nullptr) {
            node->disk.hard.term = {1};
            node->disk.entries.push_back({.term = {1},
                                          .kind = EntryKind::configuration,
                                          .body = {.owner = body, .bytes = *body}});
        }
        nodes_.push_back(std::move(node));
    }
}

Cluster::~Cluster() = default;

void Cluster::after(Duration delay, std::function<void()> run) {
    later_.push({now_ + delay, ++order_, std::move(run)});
}

void Cluster::after(Node& node, Duration delay, std::function<void()> run) {
    after(delay, [&node, life = node.life, run = std::move(run)] {
        if (node.alive && node.life == life) run();
    });
}

void Cluster::run_until(TimePoint end) {
    while (oracle_.failure().empty() && !later_.empty() && later_.top().at <= end) {
        const auto run = std::move(later_.top().run);
        now_ = later_.top().at;
        later_.pop();
        run();
    }
    now_ = std::max(now_, end);
}

void Cluster::note(std::uint64_t what) {
    figures_.trace = (figures_.trace ^ what) * 0x9e3779b97f4a7c15U;
    figures_.trace ^=
        figures_.trace >> 29 ^ static_cast<std::uint64_t>(now_.time_since_epoch().count());
}

void Cluster::transmit(ServerId from, ServerId to, const Message& message) {
    note(to.value << 8 | message.index());
    if (to.value == 0 || to.value > nodes_.size() || to == from) {
        oracle_.fail(fmt::format("{} writes to nobody", from.value));
        return;
    }
    const auto* vote = std::get_if<VoteResult>(&message);
    if (options_.harsh && !calm_ && vote != nullptr && vote->granted && !vote->pre_vote &&
        random_.chance(1, 2)) {  // The worst moment: its vote is being sent.
        Node& voter = *nodes_.at(from.value - 1);
        after(voter, 0ms, [this, &voter] { kill(voter); });
    }
    if (!connected(from, to) || random_.chance(loss_percent_, 100)) return;
    Duration delay = draw(100us, delay_max_);
    if (!calm_ && random_.chance(1, 100)) delay += draw(0ms, 200ms);
    TimePoint at = now_ + delay;
    if (in_order_) {
        TimePoint& free = link_free_[{from, to}];
        at = free = std::max(at, free);
    }
    // Each message is encoded and decoded.
    auto frame = std::make_shared<Buffer>();
    encode(message, *frame);
    const bool twice = !calm_ && !in_order_ && random_.chance(2, 100);
    for (int copies = twice ? 2 : 1; copies > 0; --copies) {
        after(at - now_, [this, from, to, frame] {
            Node& node = *nodes_.at(to.value - 1);
            if (!node.alive) return;
            auto decoded = decode({.owner = frame, .bytes = *frame});
            if (!decoded) {
                oracle_.fail("a message does not decode: " + decoded.error().detail);
                return;
            }
            step(node, Receive{.from = from, .message = *std::move(decoded)});
        });
        at += draw(0ms, 50ms);
    }
}

std::string Cluster::run() {
    for (const auto& node : nodes_) start(*node);
    after(10ms, [this] { client(); });
    if (options_.faults || options_.membership) after(300ms, [this] { trouble(); });
    const TimePoint begin = now_;
    run_until(begin + options_.chaos);

    heal();
    const TimePoint healed = now_;
    const std::size_t before = oracle_.acknowledged();
    while (oracle_.failure().empty() && now_ < healed + 20s) {
        run_until(now_ + 200ms);
        if (oracle_.acknowledged() > before + 20 && now_ > healed + 2s && converged()) break;
    }
    if (oracle_.acknowledged() <= before + 20)
        oracle_.fail("no progress after healing" + describe());
    if (!converged()) oracle_.fail("the servers do not come to the same state" + describe());
    oracle_.check_acknowledged();
    figures_.acknowledged = oracle_.acknowledged();
    figures_.terms = oracle_.terms();
    figures_.simulated = now_ - begin;
    return oracle_.failure();
}

void Cluster::heal() {
    calm_ = true;
    cut_.clear();
    loss_percent_ = 0;
    delay_max_ = 5ms;
    for (const auto& node : nodes_) {
        node->slow_disk = false;
        node->electable = true;
        if (node->alive) {
            node->core->set_electable(true);
            arm(*node);
        } else {
            start(*node);
        }
    }
}

Cluster::Node* Cluster::leader() {
    Node* found = nullptr;
    for (const auto& node : nodes_) {
        if (!node->alive || node->core->state() != State::leader) continue;
        if (found == nullptr || found->core->term() < node->core->term()) found = node.get();
    }
    return found;
}

// Each server in the configuration has everything but the entries that are being sent.
bool Cluster::converged() {
    const Node* lead = leader();
    if (lead == nullptr) return false;
    for (const Server& server : lead->core->configuration().servers) {
        const Node& node = *nodes_.at(server.id.value - 1);
        if (!node.alive || node.installing ||
            node.applied.index.value + 100 < oracle_.highest().value ||
            node.core->term() != lead->core->term()) {
            return false;
        }
    }
    return true;
}

std::string Cluster::describe() const {
    std::string text;
    for (const auto& node : nodes_) {
        const ConsensusCore& core = *node->core;
        text += fmt::format("\n  {}: state {} term {} leader {} log {} to {} commit {}{}, members",
                            node->id.value, static_cast<int>(core.state()), core.term().value,
                            core.leader().value, core.first().value, core.last().value,
                            core.commit().value, node->installing ? " installing" : "");
        for (const Server& server : core.configuration().servers) {
            text += fmt::format(" {}{}", server.id.value,
                                server.membership == Membership::voter ? "" : "o");
        }
    }
    return text;
}

Cluster::Node& Cluster::any() { return *nodes_[random_.below(nodes_.size())]; }

}  // namespace understudy::raft
