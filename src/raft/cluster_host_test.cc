// The host of one server: a small version of src/replicated, with a disk and a network that fail.
#include <cstring>

#include <fmt/format.h>

#include "consensus/configuration.h"
#include "consensus/message.h"
#include "raft/cluster_node_test.h"

namespace understudy::raft {

using namespace consensus;

namespace {

constexpr std::uint32_t trailing = 16;
constexpr std::uint64_t checkpoint_every = 64;

std::uint64_t command_of(const LogEntry& entry) {
    std::uint64_t command = 0;
    if (entry.kind == EntryKind::command && entry.body.bytes.size() == sizeof command) {
        std::memcpy(&command, entry.body.bytes.data(), sizeof command);
    }
    return command;
}

}  // namespace

void Cluster::start(Node& node) {
    node.alive = true;
    ++node.life;
    StoredLog& disk = node.disk;
    if (options_.rules.fresh_term || disk.hard.term.value == 0) {
        disk.hard = {.term = disk.hard.term.next(), .vote = {}};
    }
    oracle_.stores(node.id, disk.hard);
    node.log = disk;
    node.applied = disk.checkpoint ? disk.checkpoint->applied : Applied{};
    Recovered found{.hard = disk.hard, .snapshot = {}, .first = disk.first, .entries = {}};
    if (disk.checkpoint) found.snapshot = disk.checkpoint->ref;
    for (const LogEntry& entry : disk.entries) {
        found.entries.push_back(entry);
        if (entry.kind == EntryKind::command) found.entries.back().body = {};
    }
    node.core = std::make_unique<RaftCore>(ConsensusCore::Options{.id = node.id,
                                                                  .seed = random_.next(),
                                                                  .election_timeout = 150ms,
                                                                  .heartbeat_interval = 50ms,
                                                                  .inflight_entries_max = 64,
                                                                  .electable = node.electable},
                                           options_.rules.guards);
    step(node, Start{.recovered = std::move(found)});
    // The checkpoint was to replace this log. The core has noticed that.
    node.log.trim(node.core->first());
    node.log.cut(node.core->last().next());
    node.log.first = node.core->first();
    disk.first = node.log.first;
    disk.entries = node.log.entries;
}

void Cluster::crash(Node& node) {
    ++figures_.crashes;
    node.alive = false;
    // The first ones of the writes under way are on the disk, and perhaps the first entries of the
    // write after them.
    std::uint64_t done = random_.below(node.writes.size() + 1);
    for (; done > 0; --done) finish(node);
    if (!node.writes.empty() && node.writes.front().entries && random_.chance(1, 2)) {
        const DiskWrite& torn = node.writes.front();
        torn.apply_entries(node.disk, random_.below(torn.entries->entries.size() + 1));
    }
    const ServerId id = node.id;
    StoredLog disk = std::move(node.disk);
    const std::uint64_t life = node.life;
    const bool slow = node.slow_disk;
    const bool electable = node.electable;
    node = Node{};
    node.id = id;
    node.disk = std::move(disk);
    node.life = life;
    node.slow_disk = slow;
    node.electable = electable;
}

bool Cluster::step(Node& node, Event event) {
    ++figures_.steps;
    const auto kind = event.index();
    const bool asked = std::holds_alternative<Propose>(event) ||
                       std::holds_alternative<ProposeConfiguration>(event) ||
                       std::holds_alternative<CatchUp>(event) ||
                       std::holds_alternative<Transfer>(event) ||
                       std::holds_alternative<Campaign>(event);
    const Index before = node.core->commit();
    auto effects = node.core->step(std::move(event), now_);
    if (!effects) {
        if (!asked) {
            oracle_.fail(fmt::format("server {} refuses event {}: {}", node.id.value, kind,
                                     effects.error().detail));
        }
        return false;
    }
    oracle_.commits(node.id, before, node.core->commit());
    for (consensus::Effect& effect : *effects) carry_out(node, std::move(effect));
    apply(node);
    arm(node);
    return true;
}

void Cluster::arm(Node& node) {
    const TimePoint at = node.core->next_deadline();
    if (at == node.armed) return;
    node.armed = at;
    const std::uint64_t arming = ++node.arming;
    if (at == TimePoint::max()) return;
    after(node, std::max<Duration>(at - now_, 0ms), [this, &node, arming] {
        if (node.arming != arming) return;
        node.armed = TimePoint::max();
        step(node, Deadline{});
    });
}

void Cluster::carry_out(Node& node, consensus::Effect effect) {
    note(node.id.value << 8 | effect.index());
    if (auto* hard = std::get_if<PersistHardState>(&effect)) {
        node.log.hard = hard->hard;
        note(hard->hard.term.value);
        write(node, {.hard = hard->hard, .entries = {}, .installed = {}, .taken = {}});
        node.hard_write = node.writes_begun;
    } else if (auto* persist = std::get_if<PersistEntries>(&effect)) {
        note(persist->from.value << 20 | persist->entries.size());
        DiskWrite to_disk{.hard = {}, .entries = std::move(*persist), .installed = {}, .taken = {}};
        to_disk.apply_to(node.log);
        const std::uint64_t number = to_disk.entries->write;
        write(node, std::move(to_disk));
        if (!options_.rules.honest_disk) {
            after(node, 0ms, [this, &node, number] { step(node, Persisted{number}); });
        }
    } else if (auto* out = std::get_if<Send>(&effect)) {
        send(node, std::move(*out));
    } else if (auto* install = std::get_if<InstallSnapshot>(&effect)) {
        node.installing = *install;
        fetch(node, 0);
    } else if (auto* commit = std::get_if<CommitTo>(&effect)) {
        node.commit = commit->index;
        note(commit->index.value);
    } else if (auto* changed = std::get_if<StateChanged>(&effect)) {
        note(changed->term.value << 2 | static_cast<std::uint64_t>(changed->state));
        if (changed->state == State::leader) oracle_.leads(node.id, changed->term);
        if (changed->state != State::leader) node.proposals.clear();
    }
}

void Cluster::write(Node& node, DiskWrite to_disk) {
    ++node.writes_begun;
    node.writes.push_back(std::move(to_disk));
    if (node.writes.size() == 1) flush(node);
}

void Cluster::flush(Node& node) {
    const std::size_t count = node.writes.size();  // Later writes wait for the next flush.
    const bool slow = node.slow_disk || (options_.harsh && !calm_);
    after(node, slow ? draw(5ms, 40ms) : draw(100us, 3ms),
          [this, &node, count] { written(node, count); });
}

DiskWrite Cluster::finish(Node& node) {
    DiskWrite done = std::move(node.writes.front());
    node.writes.pop_front();
    ++node.writes_done;
    done.apply_to(node.disk);
    if (done.hard) oracle_.stores(node.id, *done.hard);
    return done;
}

void Cluster::written(Node& node, std::size_t count) {
    std::uint64_t persisted = 0;
    std::vector<DiskWrite> done;
    for (std::size_t i = 0; i < count; ++i) done.push_back(finish(node));
    while (!node.held.empty() && node.held.front().write <= node.writes_done) {
        const Send out = std::move(node.held.front().send);
        node.held.pop_front();
        transmit(node.id, out.to, out.message);
    }
    if (!node.writes.empty()) flush(node);
    for (DiskWrite& one : done) {
        if (one.entries) persisted = one.entries->write;
        if (one.installed && node.installing &&
            node.installing->snapshot.index == one.installed->ref.index) {
            node.installing.reset();
            one.apply_to(node.log);
            node.applied = one.installed->applied;
            node.commit = std::max(node.commit, node.applied.index);
            step(node, SnapshotInstalled{one.installed->ref.index, one.installed->ref.term});
        }
        if (one.taken) {
            node.checkpointing = false;
            if (node.installing) continue;
            one.apply_to(node.log);
            step(node, SnapshotTaken{.snapshot = one.taken->ref, .trailing = trailing});
            node.log.trim(node.core->first());
            node.disk.trim(std::min(node.core->first(), node.disk.last().next()));
        }
    }
    if (persisted != 0 && options_.rules.honest_disk) step(node, Persisted{persisted});
}

void Cluster::send(Node& node, Send out) {
    if (auto* request = std::get_if<AppendRequest>(&out.message)) {
        // The log was trimmed only as far as the core knows.
        for (std::uint32_t i = 0; i < request->count; ++i) {
            request->entries.push_back(node.log.at({request->prev_index.value + 1 + i}));
        }
    }
    if (auto* request = std::get_if<InstallRequest>(&out.message)) {
        request->snapshot = node.log.checkpoint->ref;
    }
    if (options_.rules.gate_sends && node.hard_write > node.writes_done) {
        node.held.push_back({node.hard_write, std::move(out)});
        return;
    }
    transmit(node.id, out.to, out.message);
}

void Cluster::apply(Node& node) {
    if (node.installing) return;
    while (node.applied.index < node.commit && node.applied.index < node.log.last()) {
        const Index index = node.applied.index.next();
        const LogEntry& entry = node.log.at(index);
        oracle_.applies(node.id, index, entry.term, command_of(entry));
        if (!oracle_.failure().empty()) return;
        node.applied = {index, mixed(node.applied.hash, entry.term, command_of(entry))};
        if (node.applied.hash != oracle_.hash_at(index)) {
            oracle_.fail(fmt::format("{} has another state at {}", node.id.value, index.value));
        }
        acknowledge_proposals(node, index, entry);
    }
    maybe_checkpoint(node);
}

void Cluster::acknowledge_proposals(Node& node, Index index, const LogEntry& entry) {
    const auto proposal = node.proposals.find(index);
    if (proposal == node.proposals.end()) return;
    if (proposal->second.term == entry.term) {
        oracle_.acknowledges(proposal->second.command, index);
    }
    node.proposals.erase(proposal);
}

void Cluster::maybe_checkpoint(Node& node) {
    const Index taken = node.log.checkpoint ? node.log.checkpoint->ref.index : Index{};
    if (node.checkpointing || node.applied.index.value < taken.value + checkpoint_every) return;
    // A checkpoint must not be ahead of the disk.
    if (node.disk.last() < node.applied.index) return;
    node.checkpointing = true;
    const ConfigurationAt at = node.core->configuration_at(node.applied.index);
    SnapshotRef ref{.index = node.applied.index,
                    .term = node.log.at(node.applied.index).term,
                    .configuration = at.configuration,
                    .configuration_index = at.index,
                    .reference = {}};
    write(node, {.hard = {},
                 .entries = {},
                 .installed = {},
                 .taken = Checkpoint{.ref = std::move(ref), .applied = node.applied}});
}

void Cluster::fetch(Node& node, unsigned tries) {
    const std::uint64_t fetching = ++node.fetching;
    after(node, draw(5ms, 60ms), [this, &node, tries, fetching] {
        if (node.fetching != fetching || !node.installing) return;
        const InstallSnapshot wanted = *node.installing;
        const Node& source = *nodes_.at(wanted.from.value - 1);
        const bool there = source.alive && connected(source.id, node.id) &&
                           source.disk.checkpoint &&
                           source.disk.checkpoint->ref.index == wanted.snapshot.index;
        if (there) {
            ++figures_.installs;
            write(node,
                  {.hard = {}, .entries = {}, .installed = source.disk.checkpoint, .taken = {}});
        } else if (tries < 20) {
            fetch(node, tries + 1);
        } else {  // Given up: starts again from what is on the disk.
            crash(node);
            start(node);
        }
    });
}

}  // namespace understudy::raft
