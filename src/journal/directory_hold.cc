#include "journal/directory_hold.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "journal/format/segment.h"
#include "journal/format/segment_reader.h"
#include "journal/format/whole_file.h"

namespace understudy::journal {

Result<std::optional<DirectoryIdentity>> read_identity(Disk& disk, const std::string& directory) {
    const std::string path = path_in(directory, identity_name);
    const auto file = disk.open(path, Disk::Open::existing);
    if (!file) {
        if (file.error().code == Errc::no_such_file) return std::optional<DirectoryIdentity>();
        return file.error();
    }
    const std::uint64_t size = US_TRY((*file)->size());
    Buffer bytes(static_cast<std::size_t>(std::min<std::uint64_t>(size, identity_bytes + 1)));
    US_CHECK((*file)->read_at(0, bytes));
    auto identity = decode_identity(bytes);
    if (identity) return std::optional(*std::move(identity));
    Error error = std::move(identity).error();
    if (error.code == Errc::corrupt) {
        error.detail = fmt::format(
            "{}: {}\ntry: understudy journal verify {}; what is well but for "
            "this file opens without it",
            path, error.detail, directory);
    }
    return error;
}

namespace {

constexpr std::string_view log_directory = "log";
constexpr std::string_view groups_directory = "groups";

// How many subdirectories of an immortal's directory are looked into. An immortal has only a few
// copies.
constexpr std::size_t below_max = 64;

/// Returns no names if the directory does not exist.
Result<std::vector<std::string>> names_in(Disk& disk, const std::string& directory) {
    auto names = disk.list(directory);
    if (!names && names.error().code == Errc::no_such_file) return std::vector<std::string>();
    return names;
}

/// The same, but also returns no names if the path is a file: a data directory may contain files of
/// other programs.
Result<std::vector<std::string>> names_below(Disk& disk, const std::string& directory) {
    auto names = names_in(disk, directory);
    if (!names && names.error().code == Errc::bad_path) return std::vector<std::string>();
    return names;
}

bool has_name(const std::vector<std::string>& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

/// Reads from the segments what a directory without an identity contains.
Result<void> look_at_segments(Disk& disk, const std::string& directory,
                              const std::vector<std::string>& names, DirectoryContent& content) {
    for (const std::string& name : names) {
        const auto generation = parse_segment_name(name);
        if (!generation) continue;
        const auto file = US_TRY(disk.open(path_in(directory, name), Disk::Open::existing));
        const std::uint64_t size = US_TRY(file->size());
        SegmentReader reader(*file, size, *generation);
        const auto header = US_TRY(reader.header());
        if (!header) continue;
        content.segment_bytes = header->size_bytes;
        for (std::uint64_t offset = segment_header_bytes; !content.first_entry;) {
            const auto entry = US_TRY(reader.entry_at(offset));
            if (!entry) break;
            if (has_body(entry->header.type)) content.first_entry = entry->header.type;
            offset += entry->header.encoded_bytes();
        }
        if (content.first_entry) break;
    }
    return {};
}

Result<DirectoryContent> look_around(Disk& disk, const DirectoryWanted& wanted, bool identified) {
    const std::string& directory = wanted.directory;
    DirectoryContent content;
    content.names = US_TRY(names_in(disk, directory));
    const auto below = [&](std::string_view name, std::vector<std::string>& out) -> Result<void> {
        if (!has_name(content.names, name)) return {};
        out = US_TRY(names_below(disk, path_in(directory, name)));
        return {};
    };
    US_CHECK(below(log_directory, content.log_names));
    if (identified) return content;
    US_CHECK(below(groups_directory, content.group_names));
    US_CHECK(look_at_segments(disk, directory, content.names, content));
    if (!content.segment_bytes) {
        const std::string log = path_in(directory, log_directory);
        US_CHECK(look_at_segments(disk, log, content.log_names, content));
        content.first_entry.reset();
    }
    if (wanted.identity.use != DirectoryUse::immortal) return content;
    std::size_t looked = 0;
    for (const std::string& name : content.names) {
        if (name == log_directory || name == groups_directory || ++looked > below_max) continue;
        const std::string log = path_in(path_in(directory, name), log_directory);
        const auto names = US_TRY(names_below(disk, log));
        const bool node = std::any_of(names.begin(), names.end(), [](const std::string& one) {
            return one == identity_name || parse_segment_name(one).has_value();
        });
        if (node) content.nodes.push_back(name);
    }
    return content;
}

/// Returns true if its identity has yet to be written.
Result<bool> check_one(Disk& disk, const DirectoryWanted& wanted) {
    const auto found = US_TRY(read_identity(disk, wanted.directory));
    const auto content = US_TRY(look_around(disk, wanted, found.has_value()));
    return admit_directory(wanted, found, content);
}

/// The file has a name of its own until it is complete: all members of a shared directory may write
/// it at the same time.
Result<void> write_identity(Disk& disk, const DirectoryWanted& wanted, std::uint64_t writer) {
    const std::string made = fmt::format("{}.{}", hex16(writer), identity_name);
    const std::string path = path_in(wanted.directory, made) + std::string(temporary_suffix);
    auto written = [&]() -> Result<void> {
        const auto file = US_TRY(begin_whole_file(disk, wanted.directory, made));
        US_CHECK(file->write_at(0, encode(wanted.identity)));
        US_CHECK(file->sync());
        return disk.rename(path, path_in(wanted.directory, identity_name));
    }();
    if (written) return disk.sync_directory(wanted.directory);
    give_up_whole_file(disk, wanted.directory, made);
    Error error = std::move(written).error();
    error.effect = Effect::none;
    return error;
}

Error in_use_by_another(const std::string& directory) {
    return {.code = Errc::in_use,
            .detail = fmt::format("another process has the journal in {} open", directory)};
}

}  // namespace

DirectoryHold::DirectoryHold(Disk& disk, std::string directory)
    : disk_(disk), directory_(std::move(directory)) {}

Result<void> DirectoryHold::check(Disk& disk, const std::vector<DirectoryWanted>& wanted) {
    for (const DirectoryWanted& one : wanted) {
        const auto checked = check_one(disk, one);
        if (!checked) return checked.error();
    }
    return {};
}

Result<std::unique_ptr<DirectoryHold>> DirectoryHold::take(
    Disk& disk, const std::string& directory, Access access,
    const std::vector<DirectoryWanted>& wanted, std::uint64_t writer) {
    US_CHECK(check(disk, wanted));
    US_CHECK(disk.make_directory(directory));
    std::unique_ptr<DirectoryHold> hold(new DirectoryHold(disk, directory));
    US_CHECK(hold->hold_directory(access));
    if (access == Access::exclusive) US_CHECK(hold->hold_lock());
    for (const DirectoryWanted& one : wanted) {
        // Checked again: another process may have taken the directory before this one locked it.
        if (!US_TRY(check_one(disk, one))) continue;
        auto written = write_identity(disk, one, writer);
        if (written) continue;
        // An existing journal must also open on a full disk; the next opening writes the identity.
        // no_such_file: an active member may have removed the temporary file because it looked left
        // over.
        const Errc why = written.error().code;
        if (why != Errc::no_space && why != Errc::no_such_file) return written.error();
    }
    US_CHECK(hold->hold_identities(wanted));
    return hold;
}

Result<void> DirectoryHold::hold_directory(Access access) {
    auto file = US_TRY(disk_.open(directory_, Disk::Open::directory));
    if (access == Access::exclusive) {
        if (auto locked = file->lock(); !locked) {
            if (locked.error().code == Errc::in_use) return in_use_by_another(directory_);
            if (locked.error().code != Errc::refused) return locked;
        }
    }
    watched_.push_back({.directory = directory_, .names = {}});
    held_.push_back({.path = directory_, .what = "the directory itself", .file = std::move(file)});
    return {};
}

/// Older versions lock only this file. On a network file system it may be the only lock.
Result<void> DirectoryHold::hold_lock() {
    const std::string path = path_in(directory_, lock_name);
    auto file = US_TRY(disk_.open(path, Disk::Open::create));
    if (auto locked = file->lock(); !locked) {
        if (locked.error().code != Errc::in_use) return locked;
        return in_use_by_another(directory_);
    }
    held_.push_back({.path = path, .what = "its lock", .file = std::move(file)});
    watched_.front().names.emplace_back(lock_name);
    return {};
}

Result<void> DirectoryHold::hold_identities(const std::vector<DirectoryWanted>& wanted) {
    for (const DirectoryWanted& one : wanted) {
        const std::string path = path_in(one.directory, identity_name);
        auto file = disk_.open(path, Disk::Open::existing);
        // There was no room for it.
        if (!file && file.error().code == Errc::no_such_file) continue;
        if (!file) return std::move(file).error();
        // If two processes began at the same time, the identity is that of the last writer.
        const auto found = US_TRY(read_identity(disk_, one.directory));
        if (const auto admitted = admit_directory(one, found, {}); !admitted) {
            return admitted.error();
        }
        held_.push_back(
            {.path = path, .what = "its identity", .file = *std::move(file), .identifies = one});
        if (one.directory == directory_) {
            watched_.front().names.emplace_back(identity_name);
        } else {
            watched_.push_back({.directory = one.directory, .names = {std::string(identity_name)}});
        }
    }
    return {};
}

/// Members of a shared directory that begin at the same time all write the same identity. So a
/// replaced identity file counts as gone only if its content is another one.
bool DirectoryHold::is_gone(Held& held) {
    const auto there = held.file->is_at(held.path);
    if (!there || *there) return false;
    if (!held.identifies) return true;
    auto file = disk_.open(held.path, Disk::Open::existing);
    if (!file) return file.error().code == Errc::no_such_file;
    const auto found = read_identity(disk_, held.identifies->directory);
    if (!found) return found.error().code == Errc::corrupt;
    if (!*found || !admit_directory(*held.identifies, *found, {})) return true;
    held.file = *std::move(file);
    return false;
}

std::vector<std::unique_ptr<DirectoryWatch>> DirectoryHold::watch(
    Host& host, const std::function<void()>& changed) const {
    std::vector<std::unique_ptr<DirectoryWatch>> watches;
    for (const Watched& one : watched_) {
        auto watch = host.watch_directory(one.directory, one.names, changed);
        if (watch) watches.push_back(std::move(watch));
    }
    return watches;
}

Result<void> DirectoryHold::look() {
    for (Held& held : held_) {
        if (!is_gone(held)) continue;
        return Error{
            .code = Errc::no_such_file,
            .detail = fmt::format("{} was removed or replaced while this process had it open ({}): "
                                  "it must not go on\ntry: stop whoever did that, put the "
                                  "directory back or restore a backup, and start again",
                                  held.path, held.what)};
    }
    return {};
}

}  // namespace understudy::journal
