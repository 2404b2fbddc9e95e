#include "journal/walk/repair.h"

#include <memory>
#include <utility>

#include <fmt/format.h>

#include "journal/directory_hold.h"
#include "journal/format/segment.h"
#include "journal/format/whole_file.h"

namespace understudy::journal {

namespace {

Error is_open(const std::string& directory) {
    return {.code = Errc::in_use,
            .detail = fmt::format("a process has the journal in {} open; nothing was changed",
                                  directory)};
}

Result<void> check_repairable(const std::string& directory, const Walked& found) {
    if (found.live) return is_open(directory);
    for (const Damage& damage : found.damages) {
        if (damage.whole_at != 0) continue;
        return Error{.code = Errc::corrupt,
                     .detail = fmt::format("{}: {}; nothing was changed\n"
                                           "try: understudy journal verify {}",
                                           damage.file.empty() ? directory : damage.file,
                                           damage.why, directory)};
    }
    return {};
}

/// The process that appends to a segment of a shared journal holds the lock of the file.
Result<std::unique_ptr<File>> locked_segment(Disk& disk, const std::string& directory,
                                             std::string_view name) {
    auto file = US_TRY(disk.open(path_in(directory, name), Disk::Open::existing));
    const auto taken = file->lock();
    if (!taken) return taken.error().code == Errc::in_use ? is_open(directory) : taken.error();
    return file;
}

}  // namespace

Result<std::vector<Repaired>> repair(Disk& disk, const std::string& directory,
                                     const Walked& found) {
    US_CHECK(check_repairable(directory, found));
    std::vector<Repaired> repaired;
    if (found.damages.empty()) return repaired;
    std::unique_ptr<DirectoryHold> hold;
    if (found.kind != WalkKind::shared) {
        hold = US_TRY(
            DirectoryHold::take(disk, directory, DirectoryHold::Access::exclusive, {}, 0));
    }
    for (const Damage& damage : found.damages) {
        const auto file = US_TRY(locked_segment(disk, directory, damage.file));
        const std::uint64_t size = US_TRY(file->size());
        if (size >= damage.whole_at) continue;
        US_CHECK(write_zeros(*file, size, damage.whole_at));
        US_CHECK(file->sync());
        repaired.push_back({.file = damage.file, .zeros = damage.whole_at - size});
    }
    return repaired;
}

}  // namespace understudy::journal
