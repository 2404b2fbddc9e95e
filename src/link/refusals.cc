#include "link/refusals.h"

namespace understudy::link {

void Refusals::heard(std::string_view event, const LogField& about, const Error& reason) {
    complaints_.heard(runtime_.now(), event, about, reason);
    arm();
}

void Refusals::forget() {
    complaints_.forget();
    timer_.reset();
}

void Refusals::arm() {
    const auto due = complaints_.due();
    if (timer_ != nullptr || !due) return;
    timer_ = runtime_.at(*due, [this] {
        const auto fired = std::move(timer_);
        complaints_.tell(runtime_.now());
        arm();
    });
}

}  // namespace understudy::link
