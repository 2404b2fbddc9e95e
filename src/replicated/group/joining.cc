#include "replicated/group/joining.h"

#include <algorithm>

namespace understudy::replicated {

Joining::Next Joining::outsider(TimePoint now) {
    const bool ask = asked_at_ == TimePoint{} || now >= asked_at_ + join_interval;
    if (ask) asked_at_ = now;
    return {.ask = ask, .again = asked_at_ + join_interval};
}

Joining::Next Joining::follower(bool leader_known, TimePoint now) {
    if (leader_known) {
        leaderless_since_ = TimePoint::max();
        return {.ask = false, .again = TimePoint::max()};
    }
    if (leaderless_since_ == TimePoint::max()) leaderless_since_ = now;
    const TimePoint due = std::max(leaderless_since_, asked_at_) + outside_interval;
    if (now < due) return {.ask = false, .again = due};
    asked_at_ = now;
    return {.ask = true, .again = now + outside_interval};
}

}  // namespace understudy::replicated
