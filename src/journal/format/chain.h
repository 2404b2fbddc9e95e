#pragma once

#include "journal/format/entry.h"

namespace understudy::journal {

/// The end of a sequence of entries: what the next entry must fit to.
struct Chain {
    Index last;                  ///< 0 before the first entry.
    Epoch epoch;                 ///< 0: not known yet; any epoch is accepted.
    std::uint32_t checksum = 0;  ///< Of the last entry.

    /// Tells whether `next` may directly follow. Its checksums have been checked before. This
    /// checks that it is the entry that was written here, and not an entry of another time or
    /// place.
    [[nodiscard]] bool accepts(const EntryHeader& next) const {
        if (next.index != last.next() || next.link.previous != checksum) return false;
        if (epoch == Epoch{}) return true;
        return next.type == EntryType::tenure ? next.epoch > epoch : next.epoch == epoch;
    }

    void advance(const EntryHeader& next) {
        US_ASSERT(accepts(next));
        last = next.index;
        epoch = next.epoch;
        checksum = next.checksum;
    }

    friend bool operator==(const Chain&, const Chain&) = default;
};

}  // namespace understudy::journal
