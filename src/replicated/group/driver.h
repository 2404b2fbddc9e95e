#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/lifetime.h"
#include "consensus/core.h"
#include "replicated/group/context.h"
#include "replicated/group/durable_writes.h"
#include "replicated/group/group_state.h"
#include "replicated/group/owner.h"
#include "replicated/messages.h"
#include "replicated/node/outbox.h"

namespace understudy::replicated {

/// Drives the consensus core of a group: gives it events, and carries out the effects.
///
/// What one step makes durable is written in one piece, before any of its messages is sent. No
/// message is sent before the term and vote that it depends on are durable (Outbox). The core is
/// told what has become durable.
///
/// A step never calls the observer of the journal, and never destroys the group.
/// Thread: loop only.
/// Source: docs/protocols/replication.md.
class Driver {
public:
    Driver(const GroupContext& context, Owner& owner);
    Driver(const Driver&) = delete;
    Driver& operator=(const Driver&) = delete;
    ~Driver() = default;

    // The run of a core.

    /// Makes a core and starts it. Errors: those of consensus::Start.
    Result<void> start(consensus::Recovered recovered, bool electable);
    /// Ends the core, so that another can be started from what is on the disk.
    void stop();
    /// Nothing more is sent, and work that is under way is abandoned. The core stays, because a
    /// step may be on the stack.
    void end();
    void drop_core() { core_.reset(); }
    /// A core runs here.
    [[nodiscard]] bool runs() const { return core_ != nullptr && !owner_.ended(); }
    /// Requires: runs().
    [[nodiscard]] const consensus::ConsensusCore& core() const { return *core_; }
    [[nodiscard]] TimePoint next_deadline() const;
    void set_electable(bool electable) { core_->set_electable(electable); }

    // Events. Require: runs().

    /// Takes a step and carries out its effects. Returns the error of an event that may be refused;
    /// any other error ends the group.
    Result<void> step(consensus::Event event);
    Result<void> propose(std::vector<consensus::LogEntry> entries, journal::Urgency urgency);
    /// False if the message was not taken.
    bool receive(ServerId from, ConsensusMessage message);
    /// The log is durable up to `position`: runs what waits for it. False if the group has ended.
    bool durable(journal::LogPosition position);

    // The lead, as the core reported it last.

    /// This member leads, and the core still says so.
    [[nodiscard]] bool leads() const;
    [[nodiscard]] Epoch leading() const { return leading_; }   ///< The term; 0: it does not lead.
    [[nodiscard]] ServerId leader() const { return leader_; }  ///< 0: not known.
    [[nodiscard]] Epoch leader_term() const { return leader_term_; }

    // The log.

    /// Writes what a part of the group wants to be durable, together with the state. It may use the
    /// reserve. After an error the group has ended.
    Result<journal::LogPosition> write(journal::GroupWrite write = {});
    [[nodiscard]] DurableWrites& writes() { return writes_; }
    [[nodiscard]] const DurableWrites& writes() const { return writes_; }

    [[nodiscard]] const GroupState& state() const { return state_; }
    void set_state(GroupState state) { state_ = std::move(state); }
    void set_hard(consensus::HardState hard) { state_.hard = hard; }
    void set_snapshot(consensus::SnapshotRef snapshot) { state_.snapshot = std::move(snapshot); }
    /// The newest checkpoint; 0: none.
    [[nodiscard]] Index checkpoint() const;

    /// Abandons the work that is under way for the present log and consensus: reading, restoring,
    /// installing.
    void drop_work() { work_.begin_again(); }
    /// Returns a callback that calls `callback` only if the work was not abandoned. The group lives
    /// until it returns.
    template <class Callback>
    [[nodiscard]] auto guarded(Callback callback) const {
        return work_.guarded(
            [&owner = owner_, callback = std::move(callback)](auto&&... arguments) mutable {
                const auto group = owner.keep();
                callback(std::forward<decltype(arguments)>(arguments)...);
            });
    }

private:
    /// Which entries may use the reserve of a full disk, in the step that is being taken.
    struct Urgencies {
        journal::Urgency proposed = journal::Urgency::ordinary;
        Index first;  ///< Of the entries of the message that was received.
        std::vector<bool> received;

        [[nodiscard]] bool urgent(Index index, consensus::EntryKind kind) const;
    };

    void carry_out(consensus::Effects effects);
    void persist(journal::GroupWrite& write, bool hard, std::uint64_t number);
    void add_entries(consensus::PersistEntries& from, journal::GroupWrite& to) const;
    void change_lead(const consensus::StateChanged& change);
    [[nodiscard]] bool has_room_for(const consensus::AppendRequest& request,
                                    const std::vector<bool>& urgent) const;

    const GroupContext& context_;
    Owner& owner_;
    std::unique_ptr<consensus::ConsensusCore> core_;
    GroupState state_;
    Outbox outbox_;
    DurableWrites writes_;
    Urgencies urgencies_;
    Lifetime work_;
    Epoch leading_;
    ServerId leader_;
    Epoch leader_term_;
};

}  // namespace understudy::replicated
