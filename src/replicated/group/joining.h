#pragma once

#include <utility>

#include "understudy/types.h"

namespace understudy::replicated {

/// When a member asks the others whether it belongs to the group: while it is not in the
/// configuration, and while it hears of no leader for long.
///
/// Nobody tells a member that it was removed while it was away, so it asks. A leader that does not
/// count it says so; a leader that does count it does not answer, and is about to be heard.
///
/// Machine.
class Joining {
public:
    static constexpr Duration join_interval = 500ms;
    static constexpr Duration outside_interval = 2s;  ///< Without a leader, between questions.

    struct Next {
        bool ask = false;  ///< Ask all nodes now.
        TimePoint again;   ///< When this is to be called again; max(): not for this.
    };
    /// This member is not in the configuration.
    [[nodiscard]] Next outsider(TimePoint now);
    /// This member is in the configuration, and does not lead.
    [[nodiscard]] Next follower(bool leader_known, TimePoint now);

    /// A leader has sent it entries, or a heartbeat: it is counted.
    void counted() { outside_ = false; }
    /// A leader says that it is not among its members. False if that is known already.
    bool excluded() { return !std::exchange(outside_, true); }
    [[nodiscard]] bool outside() const { return outside_; }

private:
    TimePoint asked_at_;
    TimePoint leaderless_since_ = TimePoint::max();
    bool outside_ = false;
};

}  // namespace understudy::replicated
