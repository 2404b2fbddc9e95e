#include "journal/shared/shared_claim.h"

namespace understudy::journal {

ClaimMachine::Verdict ClaimMachine::saw(TimePoint now, const Sighting& sighting) {
    const bool other_owner =
        seen_ && (seen_->epoch != sighting.epoch || seen_->tenure != sighting.tenure);
    if (other_owner) back_until_.reset();

    const bool moved = !seen_ || seen_->epoch != sighting.epoch ||
                       seen_->tenure != sighting.tenure || seen_->stamp != sighting.stamp;
    if (moved) {
        since_ = now;
        looks_ = 0;
    }
    // Looks in quick succession count as one: the owner had no time to change its stamp between
    // them.
    if (looks_ == 0 || now - last_look_ >= interval()) {
        ++looks_;
        last_look_ = now;
    }
    seen_ = sighting;

    if (back_until_ && now < *back_until_) return Verdict::wait;
    if (sighting.epoch == Epoch{} || !sighting.held) return Verdict::claim;
    const bool stood_still = now - since_ >= lease_ && looks_ >= looks_min;
    return stood_still ? Verdict::claim : Verdict::wait;
}

void ClaimMachine::missed() {
    seen_.reset();
    looks_ = 0;
}

void ClaimMachine::stand_back(TimePoint until) {
    back_until_ = until;
    looks_ = 0;
    seen_.reset();
}

}  // namespace understudy::journal
