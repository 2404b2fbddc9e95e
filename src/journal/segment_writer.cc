#include "journal/segment_writer.h"

#include <utility>

#include "base/plant.h"

namespace understudy::journal {

namespace {

Result<void> write_and_sync(File& file, const Flush& flush) {
    US_CHECK(file.write_at(flush.offset, flush.bytes));
    if (planted(Plant::told_before_durable)) return {};
    auto synced = file.sync();
    if (!synced && planted(Plant::sync_retried)) synced = file.sync();
    return synced;
}

}  // namespace

SegmentWriter::SegmentWriter(std::unique_ptr<File> segment) : segment_(std::move(segment)) {}

void SegmentWriter::run(Flush& flush) {
    if (!failed_) {
        if (flush.next_segment) segment_ = std::move(flush.next_segment);
        US_ASSERT(segment_ != nullptr);
        if (auto done = write_and_sync(*segment_, flush); !done) {
            // Also of a disk that is full: these blocks had been written before.
            failed_ = Error{.code = Errc::disk_failed,
                            .effect = Effect::unknown,
                            .detail = std::move(done).error().detail};
        }
    }
    if (failed_) flush.result = *failed_;
}

void SegmentWriter::release() { segment_.reset(); }

}  // namespace understudy::journal
