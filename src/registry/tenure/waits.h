#pragma once

#include <map>
#include <string>

#include "base/log.h"
#include "registry/state/state.h"
#include "registry/tenure/turn.h"

namespace understudy::registry {

/// The waits before a member is promoted: for a holder that others know of, for the members of a
/// backup, and for another copy before a last resort.
///
/// Each wait ends with a proposal. If that is refused, the wait starts again.
class Waits {
public:
    /// Requires: `state` and `log` outlive this.
    Waits(const State& state, Log& log, Duration last_resort)
        : state_(state), log_(log), last_resort_(last_resort) {}

    /// Starts the wait for members of a backup, if the state was restored from one.
    void start(TimePoint now);
    /// To be called at the start of the tenure and after each change of the service.
    void arm(TimePoint now, const std::string& family);
    /// Logs what the service waits for, when that changes.
    void say(const std::string& family);
    void refused(const Proposal& proposal, TimePoint now);
    void tick(Turn& turn);

private:
    static void stop(Turn& turn, const std::string& family, Epoch epoch);

    const State& state_;
    Log& log_;
    const Duration last_resort_;
    std::map<std::string, TimePoint> holders_;  ///< Family to when the awaited holder is given up.
    std::map<std::string, TimePoint> resorts_;  ///< Family to when a last resort is taken.
    TimePoint restored_until_ = TimePoint::max();
    std::map<std::string, std::string> said_;  ///< Family to what was logged last.
};

}  // namespace understudy::registry
