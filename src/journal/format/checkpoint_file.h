#pragma once

#include <memory>
#include <optional>
#include <string>

#include "journal/format/checkpoint.h"
#include "runtime/disk.h"

namespace understudy::journal {

/// A checkpoint's file while it is written: the state slice by slice, the header last.
///
/// It has its name only when it is whole and durable. What has collected is synced every few MiB:
/// one sync of a GiB at the end would hold up the flushes of the journal beside it.
///
/// Thread: a worker; made and destroyed anywhere, before or after the jobs.
class CheckpointFile {
public:
    CheckpointFile(Disk& disk, std::string directory, const Checkpoint& checkpoint);

    /// Errors: no_space, disk_failed (none), the same for ever: nothing is left of it then.
    [[nodiscard]] Result<void> write(Bytes slice);

    /// Makes it durable and gives it its name.
    /// Errors: as write(); disk_failed, no_space (unknown: the names in the directory).
    [[nodiscard]] Result<void> finish();

    /// Leaves nothing of it, be it finished or not.
    void abandon();

private:
    Result<void> append(Bytes slice);
    Result<void> give_up(Error error);

    Disk& disk_;
    const std::string directory_;
    const std::string name_;
    CheckpointHeader header_;
    std::unique_ptr<File> file_;  ///< Null before the first slice, and when it has its name.
    std::uint64_t unsynced_bytes_ = 0;
    bool named_ = false;
    std::optional<Error> failed_;
};

/// Reads a checkpoint's file back, slice by slice, so that its size does not matter.
///
/// Thread: a worker.
class CheckpointReader {
public:
    static constexpr std::size_t slice_bytes = 1 * MiB;

    struct Slice {
        Buffer bytes;
        bool first = false;
        bool last = false;  ///< May be the first too, and may be empty.
    };

    /// Reads all of it once: nobody is given a slice of a file that turns out to be damaged.
    /// Errors: corrupt, no_such_file, disk_failed (none); bad_config (none) for another version.
    [[nodiscard]] static Result<std::unique_ptr<CheckpointReader>> open(
        Disk& disk, const std::string& directory, Index at);

    [[nodiscard]] const Checkpoint& checkpoint() const { return header_.checkpoint; }

    /// Requires: the last slice has not been given.
    /// Errors: disk_failed (none); corrupt (none) if it has changed since it was opened.
    [[nodiscard]] Result<Slice> next();

private:
    CheckpointReader(std::unique_ptr<File> file, const CheckpointHeader& header);

    const std::unique_ptr<File> file_;
    const CheckpointHeader header_;
    std::uint64_t given_bytes_ = 0;
    std::uint32_t checksum_ = 0;  ///< Of those.
    bool ended_ = false;
};

}  // namespace understudy::journal
