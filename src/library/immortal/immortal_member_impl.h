#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "library/immortal/immortal_body.h"
#include "library/registry/asks.h"
#include "library/threads/callbacks.h"
#include "library/threads/ending.h"
#include "library/threads/hidden.h"
#include "library/threads/loop_thread.h"
#include "library/threads/once.h"
#include "library/threads/status_board.h"
#include "library/threads/waiter.h"
#include "understudy/immortal_member.h"

namespace understudy {

/// The implementation of an ImmortalMember: impulses go to the loop, and answers come back to the
/// callback thread, many at once.
///
/// Tasks on the loop keep this object alive; close() ends that cycle.
struct US_HIDDEN ImmortalMember::Impl final : std::enable_shared_from_this<Impl>,
                                              private library::ImmortalBody::Observer {
    Impl(std::shared_ptr<Log> its_log, ImmortalOptions its_options, Classes its_classes);

    void begin();
    void close(Duration limit);

    // Any thread.
    [[nodiscard]] ImmortalStatus current();
    /// Calls `begin` on the loop with the function to be called with the answer, and waits for the
    /// answer.
    template <class T, class Begin>
    [[nodiscard]] Result<T> await(Duration timeout, Begin begin) {
        return waiter.await<T>(timeout, [self = shared_from_this(), begin = std::move(begin)](
                                            std::shared_ptr<library::Once<Result<T>>> answer) {
            auto here = self->serving();
            if (!here) return answer->set(std::move(here).error());
            begin(**here, [answer](Result<T> result) { answer->set(std::move(result)); });
        });
    }

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
    library::Ending ending;
    const library::Waiter waiter;
    library::StatusBoard<ImmortalStatus> board;
    library::Asks asks;

    std::unique_ptr<library::ImmortalBody> body;  // Loop only.

    library::LoopThread loop;  ///< It ends before the objects that it uses.

private:
    // library::ImmortalBody::Observer
    void standing_changed() override;
    void failed(const Error& error) override;
};

}  // namespace understudy
