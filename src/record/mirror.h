#pragma once

#include <cstddef>
#include <cstdint>

#include "base/types.h"
#include "record/codec.h"
#include "record/messages.h"
#include "understudy/record.h"
#include "understudy/types.h"

namespace understudy::record {

/// What a mirror did with an image, a delta or a removal.
enum class Applied : std::uint8_t {
    changed,      ///< Applied. The change tells the difference.
    unchanged,    ///< The record does not exist, as before.
    gap,          ///< A change before this one is missing: ask once for a resync.
    stale_epoch,  ///< From a member whose tenure is over. Ignored.
};

/// A subscriber's copy of one record.
///
/// A delta applies only to the state from which it was made: it has the same epoch and the next
/// sequence. An image replaces all that was there, so no field of a former active member outlasts a
/// failover.
///
/// The data can be read while there is no link to the publisher. in_sync() is false then.
///
/// Thread: the owner's.
/// Bounds: record_size_max and fields_max; an image or a delta beyond them is limit_exceeded.
class Mirror {
public:
    /// Applies an event as the functions below do. Requires: it is no subscribe_refused.
    [[nodiscard]] Result<Applied> apply(const Event& event, RecordChange* change = nullptr);
    /// Applies an image. `change`, if not null, gets what changed: every field of the image as put,
    /// every field that it lacks as removed.
    /// Errors: corrupt, limit_exceeded; the mirror is unchanged.
    [[nodiscard]] Result<Applied> apply_image(Epoch epoch, Sequence sequence, Bytes image,
                                              RecordChange* change = nullptr);
    /// Applies a delta.
    /// Errors: corrupt, limit_exceeded; the mirror is unchanged and needs an image, as after a gap.
    [[nodiscard]] Result<Applied> apply_delta(Epoch epoch, Sequence sequence, Bytes delta,
                                              RecordChange* change = nullptr);
    /// The publisher removed the record: all fields are removed.
    [[nodiscard]] Applied apply_removed(Epoch epoch, Sequence sequence,
                                        RecordChange* change = nullptr);
    /// The publisher has no such record. The same as removed, if it existed here.
    [[nodiscard]] Applied apply_absent(Epoch epoch, RecordChange* change = nullptr);

    /// The link has ended: the next message must be an image.
    void disconnected() { in_sync_ = false; }
    /// The epoch of the next member may be lower than that of the last one: it is another member of
    /// a load-balanced service, or of another site.
    void forget_epoch() {
        epoch_ = Epoch{};
        in_sync_ = false;
    }

    [[nodiscard]] const RecordImage& image() const { return image_; }
    [[nodiscard]] bool exists() const { return exists_; }
    /// The state is that after the publisher's last message, and its next change will apply.
    [[nodiscard]] bool in_sync() const { return in_sync_; }
    [[nodiscard]] Epoch epoch() const { return epoch_; }
    [[nodiscard]] Sequence sequence() const { return sequence_; }

private:
    Applied gap();
    static void begin(RecordChange* change, Epoch epoch, Sequence sequence);
    static void stamp(RecordChange& change, bool is_image, Epoch epoch, Sequence sequence);
    void stamp(Epoch epoch, Sequence sequence);
    void drain(RecordChange* change);

    RecordImage image_;
    std::size_t size_bytes_ = image_size_min;
    Epoch epoch_;
    Sequence sequence_;
    bool exists_ = false;
    bool in_sync_ = false;
    DeltaView view_;  // A member so that its memory is used again.
};

}  // namespace understudy::record
