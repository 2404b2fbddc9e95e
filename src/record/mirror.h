#pragma once

#include <cstddef>
#include <cstdint>

#include "base/types.h"
#include "record/codec.h"
#include "understudy/record.h"
#include "understudy/types.h"

namespace understudy::record {

/// What a mirror did with an image, a delta or a removal.
enum class Applied : std::uint8_t {
    changed,      ///< Applied; the change says what is different.
    unchanged,    ///< Absent, as it was here already.
    gap,          ///< A change is missing before this one: ask for a resync, once.
    stale_epoch,  ///< From a member whose tenure is over: ignored.
};

/// One record as a subscriber has it.
///
/// A delta applies only to the state it was made on: same epoch, next sequence. An image replaces
/// everything, whatever was there. So no field of a former active member survives a failover.
///
/// Data stay readable while the publisher is away (`in_sync()` is false then).
///
/// Thread: the owner's.
/// Bounds: what record_size_max and fields_max allow.
class Mirror {
public:
    /// Applies an image. `change`, if wanted, is replaced by what happened: every field of the
    /// image as put, vanished ones as removed.
    /// Errors: corrupt, limit_exceeded; the mirror is unchanged.
    [[nodiscard]] Result<Applied> apply_image(Epoch epoch, Sequence sequence, Bytes image,
                                              RecordChange* change = nullptr);
    /// Applies a delta.
    /// Errors: corrupt, limit_exceeded; the mirror is unchanged and wants an image, as after a gap.
    [[nodiscard]] Result<Applied> apply_delta(Epoch epoch, Sequence sequence, Bytes delta,
                                              RecordChange* change = nullptr);
    /// The record was removed by its publisher: all fields are gone.
    [[nodiscard]] Applied apply_removed(Epoch epoch, Sequence sequence,
                                        RecordChange* change = nullptr);
    /// The publisher has no such record: as removed, if it was here before.
    [[nodiscard]] Applied apply_absent(Epoch epoch, RecordChange* change = nullptr);

    /// The link is gone: only an image goes on from here.
    void disconnected() { in_sync_ = false; }
    /// The next member need not be of a later tenure than the last: another member of a
    /// load-balanced service, or another site.
    void forget_epoch() {
        epoch_ = Epoch{};
        in_sync_ = false;
    }

    [[nodiscard]] const RecordImage& image() const { return image_; }
    [[nodiscard]] bool exists() const { return exists_; }
    /// All that the publisher has said so far is in, and its next change will apply.
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
    DeltaView view_;  // Reused, so that a delta allocates no more than it adds.
};

}  // namespace understudy::record
