#include "role/lease_book.h"

#include <algorithm>

#include "base/plant.h"

namespace understudy::role {

LeaseBook::LeaseBook(TimePoint now, Duration stall_max) : stall_max_(stall_max), turn_last_(now) {
    US_ASSERT(stall_max > Duration::zero());
}

void LeaseBook::turn(TimePoint now) {
    US_ASSERT(now >= turn_last_);
    const Duration away = now - turn_last_;
    turn_last_ = now;
    if (away <= stall_max_ || planted(Plant::no_stall_grace)) return;
    for (auto& [holder, row] : rows_) row.heard = std::min(now, row.heard + away);
}

void LeaseBook::open(Incarnation holder, Duration lease, TimePoint now) {
    US_ASSERT(lease > Duration::zero());
    Row& row = rows_[holder];
    row.lease = row.lease == Duration::zero() ? lease : std::min(row.lease, lease);
    row.heard = std::max(row.heard, now);
}

void LeaseBook::heard(Incarnation holder, TimePoint now) {
    const auto found = rows_.find(holder);
    if (found != rows_.end()) found->second.heard = std::max(found->second.heard, now);
}

void LeaseBook::close(Incarnation holder) { rows_.erase(holder); }

std::vector<Incarnation> LeaseBook::lapsed(TimePoint now) const {
    std::vector<Incarnation> out;
    for (const auto& [holder, row] : rows_) {
        if (now >= row.heard + row.lease) out.push_back(holder);
    }
    return out;
}

std::optional<TimePoint> LeaseBook::next_lapse() const {
    std::optional<TimePoint> next;
    for (const auto& [holder, row] : rows_) {
        const TimePoint lapse = row.heard + row.lease;
        if (!next || lapse < *next) next = lapse;
    }
    return next;
}

std::optional<Duration> LeaseBook::silence(Incarnation holder, TimePoint now) const {
    const auto found = rows_.find(holder);
    if (found == rows_.end()) return std::nullopt;
    return now - found->second.heard;
}

}  // namespace understudy::role
