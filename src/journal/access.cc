#include "journal/access.h"

#include "journal/format/segment.h"

namespace understudy::journal {

namespace {

// A node's log and its groups lie in directories below.
constexpr int levels_max = 3;

// Removed by whoever opens the journal, should we end before we do it.
constexpr std::string_view probe_name = "access";

Result<void> check_files(Disk& disk, const std::string& directory, int levels) {
    for (const std::string& name : US_TRY(disk.list(directory))) {
        const std::string path = path_in(directory, name);
        const auto file = disk.open(path, Disk::Open::existing);
        if (file || file.error().code == Errc::no_such_file) continue;  // Others may remove it.
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
