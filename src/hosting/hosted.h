#pragma once

#include <functional>

#include "base/types.h"
#include "replica/replica.h"

namespace understudy::hosting {

/// An open copy of a journaled service of any kind: its replica and its callers.
///
/// close() ends it in order; the destructor ends it at once. Both may be called in any callback.
/// Thread: loop only.
class Hosted {
public:
    using Done = std::function<void(Result<void>)>;

    Hosted() = default;
    virtual ~Hosted() = default;
    Hosted(const Hosted&) = delete;
    Hosted& operator=(const Hosted&) = delete;

    [[nodiscard]] virtual const replica::Replica& replica() const = 0;
    /// Calls `done` when the state contains everything that was acknowledged to any client before
    /// this call.
    /// Errors: as replica::Replica::read().
    virtual void read(Done done) = 0;
    /// Says whether this member or another one takes checkpoints.
    virtual void set_checkpoint_duty(bool mine) = 0;

    /// Commands that arrive from now on wait here. `held` is called, never within this call, when
    /// no earlier command is under way to the journal any more. Callers notice only a pause. It
    /// ends with release(), which submits the waiting commands in order, or with the tenure, whose
    /// end refuses them (not_active, none).
    virtual void hold(std::function<void()> held) = 0;
    virtual void release() = 0;

    virtual void on_standing(std::function<void(const replica::Standing&)> changed) = 0;
    /// Called once, when the copy cannot go on.
    virtual void on_failed(std::function<void(const Error&)> failed) = 0;
    /// Requires: called once.
    virtual void close(std::function<void()> done) = 0;
};

}  // namespace understudy::hosting
