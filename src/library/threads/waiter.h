#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "library/threads/callbacks.h"
#include "library/threads/clock.h"
#include "library/threads/ending.h"
#include "library/threads/loop_thread.h"
#include "library/threads/once.h"

namespace understudy::library {

/// Lets threads of the application wait for an answer from the loop. The loop thread and the
/// callback thread may not wait, since the answer comes through them.
///
/// Requires: all arguments of the constructor outlive it.
/// Thread: any.
class Waiter {
public:
    /// `what` is the name for the user, such as "replica".
    Waiter(std::string_view what, LoopThread& loop, const Callbacks& callbacks,
           const Ending& ending)
        : what_(what), loop_(loop), callbacks_(callbacks), ending_(ending) {}

    [[nodiscard]] bool may_wait() const { return !loop_.on_loop() && !callbacks_.on_thread(); }
    /// Errors: bad_config (none): this thread may not wait.
    [[nodiscard]] Result<void> check_thread() const;
    [[nodiscard]] bool over() const { return ending_.begun(); }
    [[nodiscard]] Error closed(Effect effect) const;

    /// Calls `begin` on the loop with the place for the answer, and waits for the answer.
    /// Requires: `begin` keeps alive what it uses.
    /// Errors: those of the answer; bad_config (none); closed (none, unknown), timed_out (unknown).
    template <class T, class Begin>
    [[nodiscard]] Result<T> await(Duration timeout, Begin begin) const {
        US_CHECK(check_thread());
        if (over()) return closed(Effect::none);
        const auto answer = std::make_shared<Once<Result<T>>>();
        auto outcome =
            loop_.await([begin = std::move(begin), answer]() mutable { begin(answer); }, *answer,
                        later(clock_now(), timeout));
        if (outcome) return *std::move(outcome);
        return none_came();
    }

private:
    [[nodiscard]] Error none_came() const;

    const std::string_view what_;
    LoopThread& loop_;
    const Callbacks& callbacks_;
    const Ending& ending_;
};

}  // namespace understudy::library
