#pragma once

#include <optional>
#include <string>
#include <utility>

#include "journal/format/segment_writer.h"
#include "journal/shared/shared_epoch.h"

namespace understudy::journal {

/// Appends to a shared journal in one tenure: write, sync, then read the epoch again.
///
/// What has not been followed by that reading may be void. So nothing is written behind a batch
/// before the epoch has been read after it, and nothing at all after it was another's once.
///
/// Thread: the journal worker.
/// Source: docs/protocols/fencing.md, "Appending".
class SharedWriter {
public:
    SharedWriter(Disk& disk, std::string directory, EpochRecord record,
                 std::unique_ptr<File> segment);

    /// Errors, in flush.result: disk_failed (unknown), not_active (unknown for the batch after
    /// which it was found, none for those that were not written); the same for ever. A shortage
    /// (unknown): the epoch cannot be read now. Then the same flush is to be run again before any
    /// other, which are refused with that error until then, and are to be run again after it.
    void run(Flush& flush);

    /// Nothing is written any more; whatever comes fails with this.
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
    const Flush* unchecked_ = nullptr;  ///< Written, and the epoch not read after it.
    Error shortage_{.code = Errc::no_descriptors, .detail = {}};  ///< Why not.
};

}  // namespace understudy::journal
