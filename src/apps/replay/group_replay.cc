#include "apps/replay/group_replay.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "consensus/configuration.h"
#include "journal/format/checkpoint_file.h"
#include "journal/format/segment.h"
#include "replicated/entry_body.h"
#include "replicated/group/group_state.h"
#include "replicated/node/members.h"

namespace understudy::apps {

using consensus::EntryKind;
using journal::Entry;
using journal::EntryType;
using journal::GroupEntry;
using journal::GroupId;
using journal::GroupIndex;
using journal::NodeGroups;
using journal::Walked;
using replicated::BodyKind;

namespace {

constexpr std::uint64_t read_bytes_max = 1 * MiB;  // Size of the bodies that are read at a time.

[[nodiscard]] bool has_segments(Disk& disk, const std::string& directory) {
    const auto names = disk.list(directory);
    return names && std::any_of(names->begin(), names->end(), [](const std::string& name) {
               return journal::parse_segment_name(name).has_value();
           });
}

[[nodiscard]] std::string service_of(const GroupIndex& group) {
    const auto state = replicated::decode_group_state(group.state);
    return state ? state->service : std::string();
}

[[nodiscard]] Result<GroupEntry> body_of(const NodeGroups& node, GroupId id, Index index,
                                         const GroupIndex& group) {
    auto read = US_TRY(
        node.bodies.read({{.group = id, .index = index, .entry = *group.find(index)}}));
    return std::move(read.front());
}

[[nodiscard]] EntryKind kind_at(const GroupIndex& group, Index index) {
    return replicated::kind_of(group.find(index)->kind);
}

/// Entries are trimmed some way below a checkpoint.
[[nodiscard]] Index starts_behind_checkpoint(const Walked& held, Index first) {
    for (const auto& one : held.checkpoints) {
        if (one.checkpoint && one.checkpoint->at.next() >= first) return one.checkpoint->at.next();
    }
    return first;
}

/// The entry as a replica gets it. An entry that is not a command has no effect on the replica.
[[nodiscard]] Result<Entry> told_as(Index index, const GroupEntry& stored, Epoch before) {
    Entry entry{.index = index,
                .epoch = stored.term,
                .type = stored.term > before ? EntryType::tenure : EntryType::mark,
                .body = {}};
    if (replicated::kind_of(stored.kind) != EntryKind::command) return entry;
    const auto body = US_TRY(replicated::decode_body(stored.body));
    if (body.kind != BodyKind::command) return entry;
    entry.type = EntryType::commands;
    entry.body = body.content;
    return entry;
}

}  // namespace

std::optional<NodePlace> node_place(Disk& disk, const std::string& directory) {
    if (has_segments(disk, directory + "/log")) {
        return NodePlace{.node = directory, .log = directory + "/log"};
    }
    if (!has_segments(disk, directory)) return std::nullopt;
    return NodePlace{.node = directory + "/..", .log = directory};
}

std::string_view name(GroupWalk::Proof proof) {
    switch (proof) {
        case GroupWalk::Proof::none: return "none";
        case GroupWalk::Proof::checkpoint: return "checkpoint";
        case GroupWalk::Proof::later_command: return "later_command";
        case GroupWalk::Proof::only_voter: return "only_voter";
    }
    return "unknown";
}

GroupWalk::GroupWalk(Disk& disk, NodePlace place, Options options, journal::WalkVisitor& told,
                     OnFound found)
    : disk_(disk),
      place_(std::move(place)),
      options_(std::move(options)),
      told_(told),
      on_found_(std::move(found)) {}

void GroupWalk::begin(const Walked&) {}

void GroupWalk::progress(std::uint64_t bytes, std::uint64_t of_bytes) {
    told_.progress(bytes, of_bytes);
}

Result<void> GroupWalk::groups(const NodeGroups& node) {
    const Group& group = *US_TRY(choose(node));
    Found found{.group = group.first,
                .service = service_of(group.second),
                .first = group.second.first,
                .last = group.second.last(),
                .starts = group.second.first,
                .committed = {},
                .proof = Proof::none,
                .directory = fmt::format("{}/groups/{:016x}", place_.node, group.first.value)};
    const Walked held = US_TRY(checkpoints(found.directory));
    US_CHECK(prove(node, group, held, found));
    if (found.first > Index{1}) found.starts = starts_behind_checkpoint(held, found.first);
    found_ = found;
    on_found_(found);
    told_.begin(held);
    return tell(node, group, options_.uncommitted ? found.last : found.committed);
}

Result<const GroupWalk::Group*> GroupWalk::choose(const NodeGroups& node) const {
    std::string all;
    for (const Group& each : node.groups) {
        const std::string service = service_of(each.second);
        if (!options_.group.empty() && (service == options_.group ||
                                        journal::hex16(each.first.value) == options_.group)) {
            return &each;
        }
        all += fmt::format("{}{}", all.empty() ? "" : ", ",
                           service.empty() ? journal::hex16(each.first.value) : service);
    }
    if (options_.group.empty() && node.groups.size() == 1) return &*node.groups.begin();
    if (!options_.group.empty()) {
        // Not `not_found`, which a file reports that has just been removed.
        return Error{.code = Errc::bad_config,
                     .detail = fmt::format("{} has no group {}; it has {}", place_.log,
                                           options_.group, all.empty() ? "none" : all)};
    }
    if (node.groups.empty()) {
        return Error{.code = Errc::bad_config, .detail = place_.log + " has no group"};
    }
    return Error{.code = Errc::bad_config,
                 .detail = fmt::format("{} has several groups: {}\ntry: --group NAME", place_.log,
                                       all)};
}

Result<Walked> GroupWalk::checkpoints(const std::string& directory) const {
    Walked held;
    const auto names = disk_.list(directory);
    if (!names) {
        if (names.error().code == Errc::no_such_file) return held;  // No checkpoint existed yet.
        return names.error();
    }
    for (const std::string& each : *names) {
        const auto at = journal::parse_checkpoint_name(each);
        if (!at) continue;
        journal::WalkedCheckpoint found{.name = each, .size_bytes = 0, .checkpoint = {}};
        const auto file = US_TRY(disk_.open(directory + "/" + each, Disk::Open::existing));
        found.size_bytes = US_TRY(file->size());
        const auto reader = journal::CheckpointReader::open(disk_, directory, *at);
        if (!reader && reader.error().code != Errc::corrupt) return reader.error();
        if (reader) found.checkpoint = (*reader)->checkpoint();
        held.checkpoints.push_back(std::move(found));
    }
    return held;
}

Result<void> GroupWalk::prove(const NodeGroups& node, const Group& group, const Walked& held,
                              Found& found) const {
    const auto up_to = [&found](Index index, Proof proof) {
        index = std::min(index, found.last);
        if (index <= found.committed) return;
        found.committed = index;
        found.proof = proof;
    };
    const auto state = US_TRY(replicated::decode_group_state(group.second.state));
    if (state.snapshot) up_to(state.snapshot->index, Proof::checkpoint);
    for (const auto& one : held.checkpoints) {
        if (one.checkpoint) up_to(one.checkpoint->at, Proof::checkpoint);
    }
    const Index command = US_TRY(last_command(node, group));
    if (command != Index{}) {
        // Earlier entries of the log belong to an earlier term.
        const Epoch term = group.second.find(command)->term;
        Index begins = command;
        while (begins > found.first &&
               group.second.find({begins.value - 1})->term == term) {
            begins = {begins.value - 1};
        }
        if (begins > found.first || begins == Index{1}) up_to(begins, Proof::later_command);
    }
    const bool alone = US_TRY(only_voter(node, group));
    if (alone) up_to(found.last, Proof::only_voter);
    return {};
}

/// The last command; 0: there is none.
Result<Index> GroupWalk::last_command(const NodeGroups& node, const Group& group) const {
    const GroupIndex& log = group.second;
    for (Index index = log.last(); index >= log.first; index = {index.value - 1}) {
        if (kind_at(log, index) != EntryKind::command) continue;
        const GroupEntry stored = US_TRY(body_of(node, group.first, index, log));
        const auto body = US_TRY(replicated::decode_body(stored.body));
        if (body.kind == BodyKind::command) return index;
    }
    return Index{};
}

/// Uses the newest configuration in the log, which is valid as soon as it is there.
Result<bool> GroupWalk::only_voter(const NodeGroups& node, const Group& group) const {
    const GroupIndex& log = group.second;
    std::optional<consensus::Configuration> newest;
    for (Index index = log.last(); index >= log.first && !newest; index = {index.value - 1}) {
        if (kind_at(log, index) != EntryKind::configuration) continue;
        const GroupEntry stored = US_TRY(body_of(node, group.first, index, log));
        newest = US_TRY(consensus::decode_configuration(stored.body));
    }
    if (!newest) {
        const auto state = US_TRY(replicated::decode_group_state(log.state));
        if (!state.snapshot) return false;
        newest = state.snapshot->configuration;
    }
    const consensus::ServerId self = replicated::server_of(node.identity, group.first);
    return consensus::voters(*newest) == 1 && consensus::is_voter(*newest, self);
}

Result<void> GroupWalk::tell(const NodeGroups& node, const Group& group, Index last) {
    const GroupIndex& log = group.second;
    Epoch before;
    for (Index index = log.first; index <= last;) {
        std::vector<journal::WantedBody> wanted;
        std::uint64_t bytes = 0;
        for (Index at = index; at <= last && bytes < read_bytes_max; at = at.next()) {
            const journal::IndexedEntry& entry = *log.find(at);
            wanted.push_back({.group = group.first, .index = at, .entry = entry});
            bytes += entry.body_bytes + journal::record_overhead_max;
        }
        const auto stored = US_TRY(node.bodies.read(wanted));
        for (const GroupEntry& each : stored) {
            const journal::IndexedEntry& where = *log.find(index);
            const Entry entry = US_TRY(told_as(index, each, before));
            before = std::max(before, each.term);
            const std::uint64_t generation = std::uint64_t{node.journal} << 32 | where.segment;
            US_CHECK(told_.entry(entry, journal::segment_name(generation), where.offset));
            index = index.next();
        }
    }
    return {};
}

}  // namespace understudy::apps
