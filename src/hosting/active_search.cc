#include "hosting/active_search.h"

#include <algorithm>
#include <utility>

namespace understudy::hosting {

namespace {
constexpr Duration settled_after = 1s;  // A link that lasted this long is not a failure.
}

bool ActiveSearch::found(const std::vector<Locator::Place>& places) {
    if (places == known_) return false;
    known_ = places;
    places_ = places;
    hint_.reset();
    hints_ = 0;
    asked_in_round_ = 0;
    wait_ = wait_min;
    return !places.empty();
}

ActiveSearch::Step ActiveSearch::next(Random& random) {
    if (hint_) {
        asked_ = std::exchange(hint_, std::nullopt);
        return Ask{*asked_};
    }
    if (places_.empty()) return Nobody{};
    if (asked_in_round_ >= places_.size()) {
        asked_in_round_ = 0;
        hints_ = 0;
        const Duration wait = random.between(wait_ / 2, wait_);
        wait_ = std::min(2 * wait_, wait_max);
        return Wait{wait};
    }
    ++asked_in_round_;
    asked_ = places_.front();
    return Ask{*asked_};
}

bool ActiveSearch::expects(const Error& reason) {
    return reason.code == Errc::unavailable || reason.code == Errc::timed_out ||
           reason.code == Errc::closed || reason.code == Errc::not_active ||
           reason.code == Errc::in_use;
}

void ActiveSearch::failed() {
    if (!asked_) return;
    const auto at = std::find_if(places_.begin(), places_.end(), [this](const auto& place) {
        return place.address == asked_->address;
    });
    if (at != places_.end()) std::rotate(at, at + 1, places_.end());
    asked_.reset();
}

void ActiveSearch::elsewhere(const Locator::Place& active) {
    const bool useful = active.address.port != 0 && hints_ < hints_max &&
                        (!asked_ || active.address != asked_->address);
    failed();
    if (!useful) return;
    ++hints_;
    hint_ = active;
}

void ActiveSearch::ended(Duration after) {
    hint_.reset();
    hints_ = 0;
    // A member that accepts links and drops them at once must not be asked without a pause.
    if (after < settled_after) return failed();
    asked_in_round_ = 0;
    wait_ = wait_min;
}

}  // namespace understudy::hosting
