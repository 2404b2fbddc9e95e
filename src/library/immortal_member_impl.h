#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>

#include "library/asks.h"
#include "library/callbacks.h"
#include "library/clock.h"
#include "library/ending.h"
#include "library/hidden.h"
#include "library/immortal_body.h"
#include "library/listeners.h"
#include "library/loop_thread.h"
#include "library/once.h"
#include "understudy/immortal_member.h"

namespace understudy {

/// What stands behind an ImmortalMember: impulses go to the loop, answers come back to the callback
/// thread, each many at once.
///
/// What runs on the loop keeps this alive; close() breaks the circle.
struct US_HIDDEN ImmortalMember::Impl final : std::enable_shared_from_this<Impl>,
                                              private library::ImmortalBody::Observer {
    Impl(std::shared_ptr<Log> its_log, ImmortalOptions its_options, Classes its_classes);

    void begin();
    void close(Duration limit);

    // Any thread.
    [[nodiscard]] bool may_wait() const { return !loop.on_loop() && !callbacks->on_thread(); }
    [[nodiscard]] Result<void> wait_for(Duration timeout, const std::function<bool()>& reached);
    [[nodiscard]] ImmortalStatus current() const;
    /// Calls `begin` on the loop with what is to be called with the answer, and waits for it.
    template <class T, class Begin>
    [[nodiscard]] Result<T> await(Duration timeout, Begin begin);

    // On the loop.
    [[nodiscard]] Result<library::ImmortalBody*> serving();
    void close_on_loop();
    void end_on_loop();
    [[nodiscard]] ImmortalStatus status_on_loop() const;
    void later(std::function<void()> task);

    const std::shared_ptr<Log> log;
    const ImmortalOptions options;
    const Classes classes;
    const std::shared_ptr<library::Callbacks> callbacks;
    library::Listeners<ImmortalStatus> role_listeners;
    library::Asks asks;
    library::Ending ending;

    mutable std::mutex mutex;
    std::condition_variable changed;  ///< Of anything below.
    ImmortalStatus seen;

    std::unique_ptr<library::ImmortalBody> body;  // Loop only.

    library::LoopThread loop;  ///< Ends before what it works on.

private:
    // library::ImmortalBody::Observer
    void standing_changed() override;
    void failed(const Error& error) override;
};

template <class T, class Begin>
Result<T> ImmortalMember::Impl::await(Duration timeout, Begin begin) {
    if (!may_wait()) {
        return Error{.code = Errc::bad_config, .detail = "a callback may not wait for an answer"};
    }
    if (ending.begun()) return Error{.code = Errc::closed, .detail = "the member is closed"};
    const auto answer = std::make_shared<library::Once<Result<T>>>();
    auto outcome = loop.await(
        [self = shared_from_this(), begin = std::move(begin), answer] {
            auto here = self->serving();
            if (!here) return answer->set(std::move(here).error());
            begin(**here, [answer](Result<T> result) { answer->set(std::move(result)); });
        },
        *answer, library::later(library::clock_now(), timeout));
    if (outcome) return *std::move(outcome);
    const bool over = ending.begun();
    return Error{.code = over ? Errc::closed : Errc::timed_out,
                 .effect = Effect::unknown,
                 .detail = over ? "the member was closed meanwhile" : "no answer in time"};
}

}  // namespace understudy
