#include "library/threads/waiter.h"

#include <string>

namespace understudy::library {

Result<void> Waiter::check_thread() const {
    if (may_wait()) return {};
    return Error{.code = Errc::bad_config, .detail = "a callback may not wait for an answer"};
}

Error Waiter::closed(Effect effect) const {
    return {.code = Errc::closed,
            .effect = effect,
            .detail = "the " + std::string(what_) +
                      (effect == Effect::none ? " is closed" : " was closed meanwhile")};
}

Error Waiter::none_came() const {
    if (over()) return closed(Effect::unknown);
    return {.code = Errc::timed_out, .effect = Effect::unknown, .detail = "no answer in time"};
}

}  // namespace understudy::library
