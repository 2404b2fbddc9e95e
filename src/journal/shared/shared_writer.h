#pragma once

#include <optional>
#include <string>
#include <utility>

#include "journal/format/segment_writer.h"
#include "journal/shared/shared_epoch.h"

namespace understudy::journal {

/// Appends to a shared journal in one tenure: write, sync, then read the epoch again.
///
/// A batch after which the epoch was not read may be void. So the next batch is written only when
/// the epoch has been read after the last one. Once the epoch was that of another member, nothing
/// more is written.
///
/// Thread: the journal worker.
/// Source: docs/protocols/fencing.md, "Appending".
class SharedWriter {
public:
    SharedWriter(Disk& disk, std::string directory, EpochRecord record,
                 std::unique_ptr<File> segment);

    /// Errors, in flush.result: disk_failed (unknown), not_active (unknown for the batch after
    /// which it was found, none for batches that were not written); after that, always the same. A
    /// shortage (unknown): the epoch cannot be read now. Then the same flush must be run again
    /// before any other. Other flushes are refused with that error until then, and must be run
    /// again after it.
    void run(Flush& flush);

    /// From now on nothing is written, and every flush fails with `error`.
    void give_up(Error error) { superseded_ = std::move(error); }
    [[nodiscard]] Result<void> look(const Flush& flush, const std::string& path) {
        return writer_.look(flush, path);
    }

    /// Closes the file.
    void release();

private:
    Disk& disk_;
    const std::string directory_;
    const EpochRecord record_;
    SegmentWriter writer_;
    std::optional<Error> superseded_;
    const Flush* unchecked_ = nullptr;  ///< It was written, and the epoch was not read after it.
    Error shortage_{.code = Errc::no_descriptors, .detail = {}};  ///< Why it was not read.
};

}  // namespace understudy::journal
