// The requests of clients, and the faults.
#include <cstring>

#include "consensus/configuration.h"
#include "raft/cluster_node_test.h"

namespace understudy::raft {

using namespace consensus;

void Cluster::client() {
    // Each server that believes that it leads gets requests, even if it is cut off.
    for (const auto& node : nodes_) {
        if (node->alive && node->core->state() == State::leader) {
            propose(*node, static_cast<std::size_t>(random_.between(std::uint64_t{1}, 6)));
        }
    }
    after(draw(3ms, 25ms), [this] { client(); });
}

void Cluster::propose(Node& node, std::size_t count) {
    // The server has no credit left.
    if (node.core->last().value - node.core->commit().value > 256) return;
    Propose propose;
    std::vector<std::uint64_t> commands;
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint64_t command = next_command_++;
        auto body = std::make_shared<Buffer>(sizeof command);
        std::memcpy(body->data(), &command, sizeof command);
        propose.entries.push_back(
            {.term = {}, .kind = EntryKind::command, .body = {.owner = body, .bytes = *body}});
        commands.push_back(command);
    }
    Index index = node.core->last();
    const Epoch term = node.core->term();
    // A single voter may apply within the step.
    for (const std::uint64_t command : commands) {
        index = index.next();
        node.proposals[index] = {command, term};
    }
    if (!step(node, std::move(propose))) {
        for (; !commands.empty(); commands.pop_back()) {
            node.proposals.erase(index);
            index = {index.value - 1};
        }
    }
}

void Cluster::trouble() {
    if (calm_) return;
    after(draw(50ms, 600ms), [this] { trouble(); });
    if (options_.membership && random_.chance(1, 4)) {
        change_membership();
        return;
    }
    if (!options_.faults) return;
    switch (random_.below(9)) {
        case 0:
        case 1:
            cut_something();
            break;
        case 2:
            cut_.clear();
            break;
        case 3:
            if (Node* lead = leader(); lead != nullptr) kill(*lead);
            break;
        case 4:
            kill(any());
            break;
        case 5:
            if (random_.chance(1, 3)) {  // All servers lose their power.
                for (const auto& node : nodes_) kill(*node);
            }
            break;
        case 6:
            loss_percent_ = random_.chance(1, 2) ? 0 : static_cast<unsigned>(random_.below(20));
            delay_max_ = random_.chance(1, 2) ? 5ms : 60ms;
            break;
        case 7: {
            Node& node = any();
            node.slow_disk = !node.slow_disk;
            break;
        }
        case 8: {
            // At most one server is not electable.
            Node& node = any();
            for (const auto& other : nodes_) {
                other->electable = other->id != node.id || random_.chance(1, 2);
                if (other->alive) {
                    other->core->set_electable(other->electable);
                    arm(*other);
                }
            }
            break;
        }
        default:
            break;
    }
}

void Cluster::cut_something() {
    Node& one = any();
    if (random_.chance(1, 3)) {  // Cut from all others.
        for (const auto& other : nodes_) {
            cut_.insert({one.id, other->id});
            cut_.insert({other->id, one.id});
        }
        return;
    }
    Node& other = any();
    cut_.insert({one.id, other.id});
    if (random_.chance(1, 2)) cut_.insert({other.id, one.id});
}

void Cluster::kill(Node& node) {
    if (!node.alive) return;
    const bool led = node.core->state() == State::leader;
    const ServerId id = node.id;
    crash(node);
    if (led && random_.chance(1, 2)) campaign_for(id);
    after(options_.harsh ? draw(1ms, 60ms) : draw(50ms, 1500ms), [this, &node] {
        if (!node.alive) start(node);
    });
}

// The survivors learn that their leader is dead, each a little later than the one before.
void Cluster::campaign_for(ServerId dead) {
    Duration delay = 1ms;
    for (const auto& node : nodes_) {
        if (!node->alive || node->id == dead) continue;
        after(*node, delay, [this, &node = *node, dead] {
            if (node.core->leader() != dead) return;
            if (step(node, Campaign{})) ++figures_.campaigns;
        });
        delay += 20ms;
    }
}

void Cluster::change_membership() {
    Node* lead = leader();
    if (lead == nullptr) return;
    const Configuration now = lead->core->configuration();
    if (random_.chance(1, 3)) {
        const ServerId to = now.servers[random_.below(now.servers.size())].id;
        if (step(*lead, Transfer{to})) ++figures_.transfers;
        return;
    }
    const ServerId id = any().id;
    const Server* server = find(now, id);
    ProposeConfiguration change;
    if (server == nullptr) {
        change.configuration = with(now, {.id = id, .membership = Membership::observer});
    } else if (server->membership == Membership::observer) {
        if (lead->core->catch_up(id) != CatchUpState::finished) {
            if (random_.chance(2, 3)) {
                step(*lead, CatchUp{id});
                return;
            }
            change.configuration = without(now, id);
        } else {
            change.configuration = with(now, {.id = id, .membership = Membership::voter});
        }
    } else {
        change.configuration = random_.chance(1, 2)
                                   ? with(now, {.id = id, .membership = Membership::observer})
                                   : without(now, id);
    }
    if (step(*lead, std::move(change))) ++figures_.changes;
}

}  // namespace understudy::raft
