#pragma once

#include <functional>

#include "base/types.h"
#include "replica/replica.h"

namespace understudy::hosting {

/// An open copy of a journaled service of any kind: its replica, and its callers.
///
/// Destroying it gives up; close() is the orderly way. Both may be called in any callback.
/// Thread: loop only.
class Hosted {
public:
    using Done = std::function<void(Result<void>)>;

    Hosted() = default;
    virtual ~Hosted() = default;
    Hosted(const Hosted&) = delete;
    Hosted& operator=(const Hosted&) = delete;

    [[nodiscard]] virtual const replica::Replica& replica() const = 0;
    /// Calls `done` when the state has all that anybody was told of before this call.
    /// Errors: as replica::Replica::read().
    virtual void read(Done done) = 0;
    /// Another member takes checkpoints, or this one does.
    virtual void set_checkpoint_duty(bool mine) = 0;

    /// Whatever comes from now on waits here. `held` is called, never within this call, when
    /// nothing that came before is on its way into the journal any more. Callers notice no more
    /// than a pause. It ends with release(), in order, or with the tenure: what waits is refused
    /// then (not_active, none).
    virtual void hold(std::function<void()> held) = 0;
    virtual void release() = 0;

    virtual void on_standing(std::function<void(const replica::Standing&)> changed) = 0;
    /// Called once, when the copy cannot go on.
    virtual void on_failed(std::function<void(const Error&)> failed) = 0;
    /// Requires: called once.
    virtual void close(std::function<void()> done) = 0;
};

}  // namespace understudy::hosting
