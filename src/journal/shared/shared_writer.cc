#include "journal/shared/shared_writer.h"

#include <utility>

#include "base/plant.h"

namespace understudy::journal {

SharedWriter::SharedWriter(Disk& disk, std::string directory, EpochRecord record,
                           std::unique_ptr<File> segment)
    : disk_(disk),
      directory_(std::move(directory)),
      record_(std::move(record)),
      writer_(std::move(segment)) {}

void SharedWriter::run(Flush& flush) {
    flush.result = {};
    if (superseded_ || (unchecked_ != nullptr && unchecked_ != &flush)) {
        flush.result = superseded_ ? *superseded_ : shortage_;
        return;
    }
    const bool early = planted(Plant::shared_check_before_append);
    if (early) flush.result = check_epoch(disk_, directory_, record_);
    const bool written = std::exchange(unchecked_, nullptr) == &flush;
    if (flush.result && !written) writer_.run(flush);
    if (flush.result && !early) {
        flush.result = check_epoch(disk_, directory_, record_);
        if (!flush.result && is_shortage(flush.result.error().code)) {
            unchecked_ = &flush;
            shortage_ = flush.result.error();
            return;
        }
    }
    if (!flush.result) {
        superseded_ = flush.result.error();
        if (superseded_->code == Errc::not_active) superseded_->effect = Effect::none;
    }
}

void SharedWriter::release() { writer_.release(); }

}  // namespace understudy::journal
