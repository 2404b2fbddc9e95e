#include "journal/format/segment_writer.h"

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
            // It is the same error if the disk is full: these blocks had been written before.
            failed_ = Error{.code = Errc::disk_failed,
                            .effect = Effect::unknown,
                            .detail = std::move(done).error().detail};
        }
    }
    if (failed_) flush.result = *failed_;
}

void SegmentWriter::give_up(Error error) {
    if (!failed_) failed_ = std::move(error);
}

Result<void> SegmentWriter::look(const Flush& flush, const std::string& path) {
    File* const file = flush.next_segment ? flush.next_segment.get() : segment_.get();
    if (failed_ || file == nullptr) return {};
    const auto there = file->is_at(path);
    if (!there || *there) return {};
    return Error{.code = Errc::no_such_file,
                 .detail = path +
                           " was removed or replaced while this process wrote to it: it must "
                           "not go on\ntry: restore a backup, and start again"};
}

void SegmentWriter::release() { segment_.reset(); }

}  // namespace understudy::journal
