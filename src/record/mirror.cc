#include "record/mirror.h"

#include "base/plant.h"
#include "record/apply.h"

namespace understudy::record {

Result<Applied> Mirror::apply(const Event& event, RecordChange* change) {
    switch (event.type) {
        case wire::MessageType::image:
            return apply_image(event.epoch, event.sequence, event.bytes, change);
        case wire::MessageType::delta:
            return apply_delta(event.epoch, event.sequence, event.bytes, change);
        case wire::MessageType::removed: return apply_removed(event.epoch, event.sequence, change);
        default: break;
    }
    US_ASSERT(event.type == wire::MessageType::absent);
    return apply_absent(event.epoch, change);
}

Result<Applied> Mirror::apply_image(Epoch epoch, Sequence sequence, Bytes image,
                                    RecordChange* change) {
    if (epoch < epoch_) return Applied::stale_epoch;
    US_CHECK(decode_image(image, view_));
    begin(change, epoch, sequence);
    if (planted(Plant::image_merges)) {
        record::apply(image_, view_, change);
        size_bytes_ = record::size_bytes(image_);
    } else {
        size_bytes_ = replace(image_, view_, change);
    }
    stamp(epoch, sequence);
    exists_ = true;
    return Applied::changed;
}

Result<Applied> Mirror::apply_delta(Epoch epoch, Sequence sequence, Bytes delta,
                                    RecordChange* change) {
    if (!planted(Plant::delta_across_epochs)) {
        if (epoch < epoch_) return Applied::stale_epoch;
        if (epoch != epoch_ || !in_sync_) return gap();
    }
    if (sequence != sequence_.next() && !planted(Plant::delta_over_gap)) return gap();
    // While the record does not exist, no change can apply.
    if (!exists_) return gap();

    auto decoded = decode_delta(delta, view_);
    if (decoded) decoded = check_growth(image_, size_bytes_, view_);
    if (!decoded) {
        in_sync_ = false;
        return std::move(decoded).error();
    }
    if (change != nullptr) stamp(*change, false, epoch, sequence);
    size_bytes_ = static_cast<std::size_t>(static_cast<std::ptrdiff_t>(size_bytes_) +
                                           record::apply(image_, view_, change));
    stamp(epoch, sequence);
    return Applied::changed;
}

Applied Mirror::apply_removed(Epoch epoch, Sequence sequence, RecordChange* change) {
    if (epoch < epoch_) return Applied::stale_epoch;
    begin(change, epoch, sequence);
    drain(change);
    stamp(epoch, sequence);
    return Applied::changed;
}

Applied Mirror::apply_absent(Epoch epoch, RecordChange* change) {
    if (epoch < epoch_) return Applied::stale_epoch;
    const bool was_here = exists_;
    begin(change, epoch, Sequence{});
    drain(change);
    stamp(epoch, Sequence{});
    return was_here ? Applied::changed : Applied::unchanged;
}

Applied Mirror::gap() {
    in_sync_ = false;
    return Applied::gap;
}

void Mirror::begin(RecordChange* change, Epoch epoch, Sequence sequence) {
    if (change == nullptr) return;
    *change = RecordChange();
    stamp(*change, true, epoch, sequence);
}

void Mirror::stamp(RecordChange& change, bool is_image, Epoch epoch, Sequence sequence) {
    change.is_image = is_image;
    change.epoch = epoch;
    change.sequence = sequence.value;
}

void Mirror::stamp(Epoch epoch, Sequence sequence) {
    epoch_ = epoch;
    sequence_ = sequence;
    in_sync_ = true;
}

// The record does not exist any more: all its fields are removed.
void Mirror::drain(RecordChange* change) {
    if (change != nullptr) {
        change->fields.removed = std::move(image_.fields);
        for (auto& [name, fields] : image_.submaps) {
            change->submaps[name].removed = std::move(fields);
        }
    }
    image_.clear();
    size_bytes_ = image_size_min;
    exists_ = false;
}

}  // namespace understudy::record
