#include "journal/access.h"

#include "journal/format/segment.h"

namespace understudy::journal {

namespace {

// A node keeps its log and its groups in subdirectories.
constexpr int levels_max = 3;

// If this process ends before it removes the file, the next opening of the journal removes it.
constexpr std::string_view probe_name = "access";

Result<void> check_files(Disk& disk, const std::string& directory, int levels) {
    for (const std::string& name : US_TRY(disk.list(directory))) {
        const std::string path = path_in(directory, name);
        const auto file = disk.open(path, Disk::Open::existing);
        // Another process may remove it.
        if (file || file.error().code == Errc::no_such_file) continue;
        const bool below = file.error().code == Errc::bad_path && levels > 0;
        if (!below) return file.error();
        US_CHECK(check_files(disk, path, levels - 1));
    }
    return {};
}

}  // namespace

Result<void> check_access(Disk& disk, const std::string& directory) {
    US_CHECK(disk.make_directory(directory));
    US_CHECK(check_files(disk, directory, levels_max));
    const std::string probe =
        path_in(directory, std::string(probe_name) + std::string(temporary_suffix));
    US_CHECK(disk.open(probe, Disk::Open::create));
    auto removed = disk.remove(probe);
    if (!removed && removed.error().code != Errc::no_such_file) return removed;
    return {};
}

}  // namespace understudy::journal
