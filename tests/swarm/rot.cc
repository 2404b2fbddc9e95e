#include "tests/swarm/rot.h"

#include <algorithm>
#include <map>
#include <vector>

#include "journal/format/checkpoint.h"
#include "journal/format/segment.h"

namespace understudy::swarm {

namespace {

/// An entry, or the header of a segment, on the disk.
struct Piece {
    Index entry;  ///< 0: a header.
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
};

struct Segment {
    std::string path;
    Index first;
    std::vector<Piece> pieces;
};

struct LogOnDisk {
    std::vector<Segment> segments;   ///< Those that were begun, oldest first.
    std::vector<Index> checkpoints;  ///< Newest first.
    std::vector<std::string> checkpoint_files;
    Index durable;  ///< Something says that entries up to here were durable.
};

void read_segment(const std::string& path, std::uint64_t generation, Bytes bytes, LogOnDisk& out) {
    const auto header = journal::decode_segment_header(bytes, generation);
    if (!header || !*header) return;
    Segment segment{.path = path, .first = (*header)->first, .pieces = {}};
    segment.pieces.push_back({.entry = {}, .offset = 0, .bytes = journal::segment_header_bytes});
    std::uint64_t offset = journal::segment_header_bytes;
    while (offset < bytes.size()) {
        const auto entry = journal::decode(bytes.subspan(static_cast<std::size_t>(offset)),
                                           journal::checksum_seed(generation));
        if (!entry) break;
        const std::uint64_t length = entry->header.encoded_bytes();
        segment.pieces.push_back({.entry = entry->header.index, .offset = offset, .bytes = length});
        out.durable = std::max(out.durable, entry->header.link.synced);
        offset += length;
    }
    out.segments.push_back(std::move(segment));
}

void read_checkpoints_of_groups(const sim::DiskStore& disk, const std::string& directory,
                                LogOnDisk& out) {
    const auto groups = disk.list(directory);
    if (!groups) return;
    for (const std::string& group : *groups) {
        const auto files = disk.list(directory + "/" + group);
        if (!files) continue;
        for (const std::string& file : *files) {
            if (!journal::parse_checkpoint_name(file)) continue;
            out.checkpoint_files.push_back(directory + "/" + group + "/" + file);
        }
    }
}

LogOnDisk read_log(const sim::DiskStore& disk, const std::string& directory) {
    LogOnDisk log;
    const auto names = disk.list(directory + "/log");
    if (!names) return log;
    for (const std::string& name : *names) {
        const std::string path = directory + "/log/" + name;
        if (const auto generation = journal::parse_segment_name(name)) {
            if (const auto bytes = disk.durable(path)) read_segment(path, *generation, *bytes, log);
        } else if (const auto at = journal::parse_checkpoint_name(name)) {
            log.checkpoints.insert(log.checkpoints.begin(), *at);
            log.checkpoint_files.push_back(path);
        }
    }
    if (!log.checkpoints.empty()) log.durable = std::max(log.durable, log.checkpoints.front());
    read_checkpoints_of_groups(disk, directory + "/groups", log);
    return log;
}

/// Where an opening begins to read: docs/formats/journal.md, section "Recovery".
std::size_t read_from(const LogOnDisk& log) {
    const Index wanted = log.checkpoints.size() > 1 ? log.checkpoints[1].next() : Index{1};
    std::size_t from = 0;
    for (std::size_t i = 0; i < log.segments.size(); ++i) {
        if (log.segments[i].first <= wanted) from = i;
    }
    return from;
}

std::optional<Rot> in_segment(const LogOnDisk& log, Random& random) {
    if (log.segments.empty()) return std::nullopt;
    const std::size_t at = random.below(log.segments.size());
    const Segment& segment = log.segments[at];
    std::vector<Piece> vouched;
    for (const Piece& piece : segment.pieces) {
        const Index needs = piece.entry == Index{} ? segment.first : piece.entry;
        if (needs <= log.durable) vouched.push_back(piece);
    }
    if (vouched.empty()) return std::nullopt;
    const Piece& piece = vouched[random.below(vouched.size())];
    return Rot{.path = segment.path,
               .bit = 8 * piece.offset + random.below(8 * piece.bytes),
               .entry = piece.entry,
               .read_at_start = at >= read_from(log)};
}

}  // namespace

std::optional<Rot> rot_a_bit(sim::DiskStore& disk, const std::string& directory, Random& random) {
    const LogOnDisk log = read_log(disk, directory);
    std::optional<Rot> rot;
    if (!log.checkpoint_files.empty() && random.chance(1, 4)) {
        const std::string& path = log.checkpoint_files[random.below(log.checkpoint_files.size())];
        const auto bytes = disk.durable(path);
        if (bytes && !bytes->empty()) {
            rot = Rot{.path = path, .bit = random.below(8 * bytes->size()), .entry = {}};
        }
    } else {
        rot = in_segment(log, random);
    }
    if (rot) disk.flip_bit(rot->path, rot->bit);
    return rot;
}

}  // namespace understudy::swarm
