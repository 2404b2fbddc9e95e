#include "journal/format/whole_file.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/errors.h"
#include "journal/format/segment.h"

namespace understudy::journal {

namespace {

constexpr std::uint64_t step_bytes = 1 * MiB;  // Size of one write: long enough to be cheap.

// Bytes per sync, so that each sync is short: a process that is killed during a sync ends only
// after it, and syncs of other processes wait for it.
constexpr std::uint64_t sync_step_bytes = 4 * MiB;

std::string temporary(const std::string& directory, const std::string& name) {
    return path_in(directory, name) + std::string(temporary_suffix);
}

std::string rounded(std::uint64_t bytes) {
    return bytes < MiB ? fmt::format("{} KiB", bytes / KiB) : fmt::format("{} MiB", bytes / MiB);
}

Result<void> write_reserve_header(File& file, std::uint64_t generation, std::uint64_t size_bytes,
                                  Index durable) {
    Buffer header;
    encode(ReserveHeader{.generation = generation, .size_bytes = size_bytes, .durable = durable},
           header);
    return file.write_at(0, header);
}

/// Makes changed names durable. If that could not be begun because there was no descriptor or no
/// memory, nothing is in doubt: the sync after the next file makes these names durable too.
Result<void> sync_names(Disk& disk, const std::string& directory) {
    auto synced = disk.sync_directory(directory);
    if (synced) return synced;
    Error error = std::move(synced).error();
    error.effect = is_shortage(error.code) ? Effect::none : Effect::unknown;
    return error;
}

}  // namespace

Result<std::unique_ptr<File>> begin_whole_file(Disk& disk, const std::string& directory,
                                               const std::string& name) {
    const std::string path = temporary(directory, name);
    // Each attempt makes a new file and never uses the file of an older attempt: a sync that failed
    // on that file would be reported as a success the second time.
    if (auto removed = disk.remove(path); !removed && removed.error().code != Errc::no_such_file) {
        return without_effect(std::move(removed).error());
    }
    auto file = disk.open(path, Disk::Open::create_new);
    if (!file) return without_effect(std::move(file).error());
    return file;
}

Result<void> name_whole_file(Disk& disk, const std::string& directory, const std::string& name,
                             File& file) {
    auto named = file.sync();
    // The file that has that name now may be unfinished and made by another process, which took
    // this one for dead.
    const auto ours = file.is_at(temporary(directory, name));
    if (named && ours && !*ours) {
        return Error{.code = Errc::in_use, .detail = temporary(directory, name) + " is another's"};
    }
    if (named) named = disk.rename(temporary(directory, name), path_in(directory, name));
    if (!named) {
        give_up_whole_file(disk, directory, name);
        return without_effect(std::move(named).error());
    }
    return sync_names(disk, directory);
}

void give_up_whole_file(Disk& disk, const std::string& directory, const std::string& name) {
    static_cast<void>(disk.remove(temporary(directory, name)));
}

Result<std::unique_ptr<File>> make_whole_file(Disk& disk, const std::string& directory,
                                              const std::string& name,
                                              const std::function<Result<void>(File&)>& fill) {
    auto file = US_TRY(begin_whole_file(disk, directory, name));
    if (auto filled = fill(*file); !filled) {
        give_up_whole_file(disk, directory, name);
        return without_effect(std::move(filled).error());
    }
    US_CHECK(name_whole_file(disk, directory, name, *file));
    return file;
}

Result<void> write_zeros(File& file, std::uint64_t from, std::uint64_t to) {
    const Buffer zeros(static_cast<std::size_t>(std::min(to - from, step_bytes)));
    std::uint64_t unsynced = 0;
    while (from < to) {
        if (unsynced >= sync_step_bytes) {
            US_CHECK(file.sync());
            unsynced = 0;
        }
        const std::uint64_t bytes = std::min<std::uint64_t>(to - from, zeros.size());
        US_CHECK(file.write_at(from, Bytes(zeros).first(static_cast<std::size_t>(bytes))));
        from += bytes;
        unsynced += bytes;
    }
    return {};
}

Result<void> fill_segment(File& file, std::uint64_t generation, std::uint64_t size_bytes,
                          Index durable) {
    US_CHECK(write_zeros(file, 0, size_bytes));
    return write_reserve_header(file, generation, size_bytes, durable);
}

Result<std::unique_ptr<File>> make_segment(Disk& disk, const std::string& directory,
                                           std::uint64_t generation, std::uint64_t size_bytes,
                                           Index durable) {
    auto made = make_whole_file(
        disk, directory, segment_name(generation),
        [&](File& file) { return fill_segment(file, generation, size_bytes, durable); });
    if (!made) return explain_no_room(disk, directory, size_bytes, std::move(made).error());
    return made;
}

Error explain_no_room(Disk& disk, const std::string& directory, std::uint64_t size_bytes,
                      Error error) {
    if (error.code != Errc::no_space) return error;
    const auto free = disk.free_bytes(directory);
    if (!free) return error;
    error.detail = fmt::format("{} free, {} wanted for a segment: {}", rounded(*free),
                               rounded(size_bytes), error.detail);
    return error;
}

Result<std::unique_ptr<File>> reuse_segment(Disk& disk, const std::string& directory,
                                            std::uint64_t old_generation, std::uint64_t generation,
                                            std::uint64_t size_bytes, Index durable) {
    const std::string old_path = path_in(directory, segment_name(old_generation));
    auto file = disk.open(old_path, Disk::Open::existing);
    if (!file) return without_effect(std::move(file).error());
    const auto size = (*file)->size();
    if (!size) return without_effect(size.error());
    if (*size != size_bytes) {
        return Error{.code = Errc::bad_config,
                     .detail = fmt::format("{} has {} bytes, {} are wanted", old_path, *size,
                                           size_bytes)};
    }
    const auto renamed = disk.rename(old_path, path_in(directory, segment_name(generation)));
    if (!renamed) return without_effect(renamed.error());
    // The new name must be durable before anything is written to the file. Otherwise the file could
    // have its old name after a crash, and would be removed.
    US_CHECK(sync_names(disk, directory));
    // The header is written only now. Otherwise the file could have its old name after a crash, and
    // a damaged header.
    Result<void> vouched = write_reserve_header(**file, generation, size_bytes, durable);
    if (vouched) vouched = (*file)->sync();
    if (!vouched) return without_effect(std::move(vouched).error());
    return file;
}

}  // namespace understudy::journal
