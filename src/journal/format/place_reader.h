#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "journal/node_log/node_index.h"
#include "runtime/disk.h"

namespace understudy::journal {

/// An entry whose body is to be read from the disk.
struct WantedBody {
    GroupId group;
    Index index;
    IndexedEntry entry;
};

/// Reads bodies of entries back from the segments of a node's log, and checks them.
///
/// Adjacent bodies are read at once. A few segments stay open between calls.
/// Thread: a worker; made and destroyed anywhere.
class PlaceReader {
public:
    PlaceReader(Disk& disk, std::string directory, std::uint32_t journal);

    /// Errors: no_such_file (none: the segment is gone), corrupt, disk_failed (none).
    [[nodiscard]] Result<std::vector<GroupEntry>> read(const std::vector<WantedBody>& wanted);

private:
    Result<File*> segment(std::uint32_t number);

    Disk& disk_;
    const std::string directory_;
    const std::uint32_t journal_;
    std::vector<std::pair<std::uint32_t, std::unique_ptr<File>>> open_;  ///< Latest used last.
};

}  // namespace understudy::journal
