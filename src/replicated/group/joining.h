#pragma once

#include <utility>

#include "understudy/types.h"

namespace understudy::replicated {

/// When a member asks the others whether it belongs to the group: while it is not in the
/// configuration, and when it has known no leader for a long time.
///
/// A member is not told that it was removed while it was away, so it asks. A leader of which it is
/// no member says so. A leader of which it is a member does not answer, but soon sends it a
/// message.
///
/// Machine.
class Joining {
public:
    static constexpr Duration join_interval = 500ms;
    static constexpr Duration outside_interval = 2s;  ///< Without a leader, between questions.

    struct Next {
        bool ask = false;  ///< Ask all nodes now.
        TimePoint again;   ///< When this must be called again; max(): not needed.
    };
    /// This member is not in the configuration.
    [[nodiscard]] Next outsider(TimePoint now);
    /// This member is in the configuration, and does not lead.
    [[nodiscard]] Next follower(bool leader_known, TimePoint now);

    /// A leader has sent it entries or a heartbeat, so it is a member.
    void counted() { outside_ = false; }
    /// A leader says that it is not a member. Returns false if that is known already.
    bool excluded() { return !std::exchange(outside_, true); }
    [[nodiscard]] bool outside() const { return outside_; }

private:
    TimePoint asked_at_;
    TimePoint leaderless_since_ = TimePoint::max();
    bool outside_ = false;
};

}  // namespace understudy::replicated
