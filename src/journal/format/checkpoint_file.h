#pragma once

#include <memory>
#include <optional>
#include <string>

#include "journal/format/checkpoint.h"
#include "runtime/disk.h"

namespace understudy::journal {

/// A checkpoint file while it is written: first the state, slice by slice, then the header.
///
/// It gets its name only when it is complete and durable. It is synced every few MiB, because one
/// sync of a GiB at the end would delay the flushes of the journal.
///
/// Thread: a worker; made and destroyed anywhere, before or after the jobs.
class CheckpointFile {
public:
    CheckpointFile(Disk& disk, std::string directory, const Checkpoint& checkpoint);

    /// Errors: no_space, disk_failed (none), the same for ever. The file is removed then.
    [[nodiscard]] Result<void> write(Bytes slice);

    /// Makes the file durable and gives it its name.
    /// Errors: as write(); disk_failed, no_space (unknown: the names in the directory).
    [[nodiscard]] Result<void> finish();

    /// Removes the file, whether it is finished or not.
    void abandon();

private:
    Result<void> append(Bytes slice);
    Result<void> give_up(Error error);

    Disk& disk_;
    const std::string directory_;
    const std::string name_;
    CheckpointHeader header_;
    std::unique_ptr<File> file_;  ///< Null before the first slice, and after the file has its name.
    std::uint64_t unsynced_bytes_ = 0;
    bool named_ = false;
    std::optional<Error> failed_;
};

/// Reads a checkpoint file slice by slice, so that its size does not matter.
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

    /// First reads the whole file once, so that no slice of a damaged file is given out.
    /// Errors: corrupt, no_such_file, disk_failed (none); bad_config (none) for another version.
    [[nodiscard]] static Result<std::unique_ptr<CheckpointReader>> open(
        Disk& disk, const std::string& directory, Index at);

    [[nodiscard]] const Checkpoint& checkpoint() const { return header_.checkpoint; }

    /// Requires: the last slice has not been given.
    /// Errors: disk_failed (none); corrupt (none) if the file has changed since it was opened.
    [[nodiscard]] Result<Slice> next();

private:
    CheckpointReader(std::unique_ptr<File> file, const CheckpointHeader& header);

    const std::unique_ptr<File> file_;
    const CheckpointHeader header_;
    std::uint64_t given_bytes_ = 0;
    std::uint32_t checksum_ = 0;  ///< Of these bytes.
    bool ended_ = false;
};

}  // namespace understudy::journal
