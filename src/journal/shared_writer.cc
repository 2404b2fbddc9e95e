#include "journal/shared_writer.h"

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
    if (superseded_) {
        flush.result = *superseded_;
        return;
    }
    const bool early = planted(Plant::shared_check_before_append);
    if (early) flush.result = check_epoch(disk_, directory_, record_);
    if (flush.result) writer_.run(flush);
    if (flush.result && !early) flush.result = check_epoch(disk_, directory_, record_);
    if (!flush.result) {
        superseded_ = flush.result.error();
        if (superseded_->code == Errc::not_active) superseded_->effect = Effect::none;
    }
}

void SharedWriter::release() { writer_.release(); }

}  // namespace understudy::journal
