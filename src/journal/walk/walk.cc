#include "journal/walk/walk.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "journal/directory_hold.h"
#include "journal/format/checkpoint_file.h"
#include "journal/format/segment.h"
#include "journal/shared/shared_names.h"
#include "journal/walk/walk_parts.h"

namespace understudy::journal {

namespace {

// A walk is repeated when files are removed during it. This is how often it is tried at most.
constexpr int walks_max = 5;

struct Kinds {
    bool local = false;
    bool shared = false;
    bool checkpoints = false;
};

Kinds kinds_of(const std::vector<std::string>& names) {
    Kinds kinds;
    for (const std::string& name : names) {
        kinds.local = kinds.local || parse_segment_name(name) || name == lock_name;
        kinds.checkpoints = kinds.checkpoints || parse_checkpoint_name(name);
    }
    const SharedNames shared = SharedNames::of(names);
    kinds.shared = !shared.segments.empty() || !shared.claims.empty() ||
                   std::binary_search(names.begin(), names.end(), epoch_name);
    return kinds;
}

Error no_journal(Disk& disk, const std::string& directory, const Kinds& kinds) {
    std::string detail = fmt::format("{} is no journal's directory", directory);
    if (kinds.local && kinds.shared) {
        detail = fmt::format("{} holds files of a local and of a shared journal", directory);
    } else if (kinds.checkpoints) {
        detail = fmt::format(
            "{} holds checkpoints of a group of a node; the entries are in the node's log",
            directory);
    }
    for (const std::string_view below : {"log", "journal"}) {
        const std::string path = path_in(directory, below);
        const auto names = disk.list(path);
        if (names && kinds_of(*names).local) {
            detail += fmt::format("\ntry: understudy journal inspect {}", path);
            break;
        }
    }
    return {.code = Errc::bad_config, .detail = std::move(detail)};
}

Result<Walked> walk_once(Disk& disk, const std::string& directory, WalkDepth depth,
                         WalkVisitor& visitor) {
    const auto names = disk.list(directory);
    if (!names) {
        if (names.error().code != Errc::no_such_file) return names.error();
        return Error{.code = Errc::bad_config,
                     .detail = fmt::format("{} is no directory", directory)};
    }
    const Kinds kinds = kinds_of(*names);
    if (kinds.local == kinds.shared) return no_journal(disk, directory, kinds);
    WalkParts parts(disk, directory, visitor);
    if (kinds.shared) {
        parts.out.kind = WalkKind::shared;
        US_CHECK(walk_shared(parts, *names));
    } else {
        US_CHECK(walk_local(parts, *names, depth));
    }
    parts.judge_checkpoints();
    return std::move(parts.out);
}

}  // namespace

std::string_view name(WalkKind kind) {
    switch (kind) {
        case WalkKind::local: return "local";
        case WalkKind::node: return "node";
        case WalkKind::shared: return "shared";
    }
    US_ASSERT(false);
    return {};
}

Result<Walked> walk(Disk& disk, const std::string& directory, WalkDepth depth,
                    WalkVisitor& visitor) {
    for (int walks = 1;; ++walks) {
        auto walked = walk_once(disk, directory, depth, visitor);
        if (walked || walked.error().code != Errc::no_such_file) return walked;
        if (walks == walks_max) {
            return Error{.code = Errc::disk_failed, .detail = std::move(walked).error().detail};
        }
    }
}

WalkParts::WalkParts(Disk& on, std::string where, WalkVisitor& told)
    : disk(on), directory(std::move(where)), visitor(told) {}

Result<void> WalkParts::read_checkpoint(Index at) {
    WalkedCheckpoint& found = out.checkpoints.emplace_back();
    found.name = checkpoint_name(at);
    {
        const auto file = US_TRY(disk.open(path(found.name), Disk::Open::existing));
        found.size_bytes = US_TRY(file->size());
    }
    read(found.size_bytes);
    auto reader = CheckpointReader::open(disk, directory, at);
    if (!reader) {
        if (reader.error().code != Errc::corrupt) return std::move(reader).error();
        damaged({}, found.name, 0, reader.error().detail);
        return {};
    }
    found.checkpoint = (*reader)->checkpoint();
    return {};
}

Result<void> WalkParts::read_identity() {
    const auto identity = journal::read_identity(disk, directory);
    if (identity) return {};
    if (identity.error().code != Errc::corrupt) return identity.error();
    damaged({}, std::string(identity_name), 0, "it does not say what the directory is");
    return {};
}

Result<void> WalkParts::take(const Entry& entry, std::uint32_t checksum, const std::string& file,
                             std::uint64_t offset) {
    if (out.first == Index{}) out.first = entry.index;
    out.last = entry.index;
    ++out.counts[static_cast<std::size_t>(entry.type)];
    out.body_bytes += entry.body.size();
    if (out.tenures.empty() || out.tenures.back().epoch != entry.epoch || interrupted_) {
        out.tenures.push_back({.epoch = entry.epoch, .first = entry.index, .last = {}});
    }
    out.tenures.back().last = entry.index;
    interrupted_ = false;
    for (const WalkedCheckpoint& one : out.checkpoints) {
        if (!one.checkpoint || one.checkpoint->at != entry.index) continue;
        if (one.checkpoint->checksum == checksum && one.checkpoint->epoch == entry.epoch) continue;
        damaged(entry.index, file, offset,
                fmt::format("it is not the one that {} is about", one.name));
    }
    return visitor.entry(entry, file, offset);
}

void WalkParts::take_gone(Index index, std::uint32_t checksum, const std::string& file) {
    for (const WalkedCheckpoint& one : out.checkpoints) {
        if (!one.checkpoint || one.checkpoint->at != index) continue;
        if (one.checkpoint->checksum == checksum) continue;
        damaged(index, file, 0, fmt::format("it is not the one that {} is about", one.name));
    }
}

void WalkParts::judge_checkpoints() {
    const Checkpoint* whole_reaching = nullptr;
    for (const WalkedCheckpoint& one : out.checkpoints) {
        if (!one.checkpoint) continue;
        if (one.checkpoint->journal != out.journal && out.journal != 0) {
            damaged({}, one.name, 0, "it is of another journal");
            continue;
        }
        const bool reaches = out.first == Index{} || one.checkpoint->at.next() >= out.first;
        if (reaches) whole_reaching = &*one.checkpoint;
    }
    if (out.first > Index{1} && whole_reaching == nullptr) {
        damaged({1}, {}, 0,
                fmt::format("it is gone, and no checkpoint that is whole reaches up to entry {}",
                            out.first.value));
    }
    // While a journal is in use, files are made and removed while they are listed.
    if (!out.live && out.first > Index{1} && out.damages.empty()) judge_trimming();
}

/// Entries are removed when two checkpoints are durable, and only up to the older one.
void WalkParts::judge_trimming() {
    if (out.checkpoints.size() < 2) {
        return damaged(
            {}, {}, 0,
            fmt::format("entries before {} are gone, so there were two checkpoints, and one "
                        "of them is missing",
                        out.first.value));
    }
    const std::string& older = out.checkpoints[out.checkpoints.size() - 2].name;
    const Index needed = parse_checkpoint_name(older).value_or(Index{}).next();
    if (out.first > needed) {
        damaged(needed, {}, 0, fmt::format("no segment holds it, and {} needs it", older));
    }
}

const Checkpoint* WalkParts::newest_checkpoint() const {
    for (auto it = out.checkpoints.rbegin(); it != out.checkpoints.rend(); ++it) {
        if (it->checkpoint) return &*it->checkpoint;
    }
    return nullptr;
}

Result<void> WalkParts::short_segment(File& file, const SegmentHeader& header,
                                      const WalkedSegment& segment, std::uint64_t entries_at) {
    const ShortSegment found =
        US_TRY(look_at_short(file, segment.size_bytes, header, entries_at));
    const std::string why = fmt::format("the segment has {} bytes instead of {}",
                                        segment.size_bytes, header.size_bytes);
    if (found.only_padding) {
        damaged(
            {}, segment.name, 0,
            fmt::format("{}: every entry up to {} is whole, only bytes that were never used are "
                        "missing (understudy journal repair)",
                        why, found.last.value));
        out.damages.back().whole_at = found.wanted_bytes;
    } else {
        damaged(found.last.next(), segment.name, 0, why);
    }
    return {};
}

void WalkParts::damaged(Index entry, std::string file, std::uint64_t offset, std::string why) {
    out.damages.push_back({.entry = entry,
                           .file = std::move(file),
                           .offset = offset,
                           .why = std::move(why),
                           .whole_at = 0});
}

void WalkParts::stray(const std::string& file, std::uint64_t offset, std::uint64_t end) {
    if (end > offset) out.strays.push_back({.file = file, .offset = offset, .bytes = end - offset});
}

void WalkParts::read(std::uint64_t bytes) {
    read_bytes_ += bytes;
    visitor.progress(read_bytes_, std::max(read_bytes_, total_bytes));
}

std::string WalkParts::path(std::string_view name) const { return path_in(directory, name); }

}  // namespace understudy::journal
