#pragma once

#include <memory>

#include "consensus/core.h"
#include "replicated/node/members.h"

namespace understudy::replicated {

/// What the parts of a group ask of the group that owns them.
///
/// Thread: loop only.
class Owner {
public:
    virtual ~Owner() = default;

    /// Keeps the group and its parts alive: an observer may destroy its journal while it is called.
    [[nodiscard]] virtual std::shared_ptr<const void> keep() = 0;
    /// The group does nothing any more: it has failed, was closed, or is detached.
    [[nodiscard]] virtual bool ended() const = 0;
    /// No callback may be called any more.
    [[nodiscard]] virtual bool detached() const = 0;
    /// The journal is open, and the group has not ended.
    [[nodiscard]] virtual bool serving() const = 0;
    /// A checkpoint is on its way that may replace the log.
    [[nodiscard]] virtual bool expects_checkpoint() const = 0;
    /// Ends the group. Its observer is told in a later turn of the loop.
    virtual void fail(Error error) = 0;

    /// It is the turn of the group.
    virtual void turn() = 0;
    /// The timer of the group has fired.
    virtual void woken() = 0;
    /// Handles what a step may have changed: committed entries, the standing, the timer.
    virtual void settle() = 0;

    /// The lead has changed: another member leads, or none, or this one. `led` is the term in which
    /// this member led until now; 0: it did not lead.
    virtual void lead_changed(Epoch led) = 0;
    /// The consensus needs this checkpoint, which `from` has.
    virtual void checkpoint_wanted(ServerId from, const consensus::SnapshotRef& snapshot) = 0;
    /// The checkpoint that the consensus needs did not arrive: start again from what is on the
    /// disk.
    virtual void restart() = 0;
    /// The log has been read and the term is raised: run the consensus.
    virtual void run(consensus::Recovered recovered) = 0;
};

}  // namespace understudy::replicated
