#pragma once

#include <memory>
#include <optional>
#include <string>

#include "runtime/disk.h"

namespace understudy::journal {

/// One write and one sync, on their way to the journal worker and back.
struct Flush {
    std::uint64_t offset = 0;
    Buffer bytes;
    std::unique_ptr<File> next_segment;  ///< If set, these and all later bytes go there.
    bool looks_first = false;  ///< Before the write, check that directory and segment still exist.
    std::string path;          ///< Of the segment, if looks_first is set.
    Result<void> result;                 ///< Set by the worker.
};

/// The segment that a journal in service appends to.
///
/// After a failed write or sync the content of the disk is unknown: the kernel may drop the dirty
/// pages and report success to the next sync. So the first failure is kept, and nothing is written
/// to the file after it, not even a flush that was submitted before the failure was known.
///
/// Thread: the journal worker.
class SegmentWriter {
public:
    explicit SegmentWriter(std::unique_ptr<File> segment);

    /// Errors, in flush.result: disk_failed (unknown); after that, always the same.
    void run(Flush& flush);

    /// From now on nothing is written, and every flush fails with `error`.
    void give_up(Error error);
    /// Errors: no_such_file (none): `path` no longer names the segment that `flush` goes to. If
    ///         that cannot be determined, it is no error.
    [[nodiscard]] Result<void> look(const Flush& flush, const std::string& path);

    /// Closes the file.
    void release();

private:
    std::unique_ptr<File> segment_;
    std::optional<Error> failed_;
};

}  // namespace understudy::journal
