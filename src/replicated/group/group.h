#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "replicated/group/checkpointing.h"
#include "replicated/group/context.h"
#include "replicated/group/delivery.h"
#include "replicated/group/driver.h"
#include "replicated/group/group_membership.h"
#include "replicated/group/group_start.h"
#include "replicated/group/lead_transfer.h"
#include "replicated/group/owner.h"
#include "replicated/group/pending_appends.h"
#include "replicated/group/schedule.h"
#include "replicated/status.h"

namespace understudy::replicated {

/// One group at this member. It connects the parts, which each do one job, and is the interface to
/// the journal and to the node.
///
/// What belongs to the node (connections, the log, sending checkpoints) is reached by Surroundings.
///
/// A shared pointer: an observer may destroy its journal while it is called.
/// Thread: loop only.
/// Source: docs/protocols/replication.md.
class Group final : public std::enable_shared_from_this<Group>, private Owner {
public:
    using Done = Node::Done;
    using Opened = std::function<void(Result<void>)>;

    /// `opened` is called once, never within a call from outside.
    Group(GroupContext context, Opened opened);
    Group(const Group&) = delete;
    Group& operator=(const Group&) = delete;
    ~Group() override = default;

    /// To be called once, when it is owned.
    void start() { start_.begin(); }
    /// From now on no callback is called, and the group does nothing more. For its node.
    void detach();
    /// The same, for the code that opened it.
    void give_up();

    // The functions of the journal (replicated_journal.h).

    void append(std::vector<journal::Draft> drafts, journal::Urgency urgency,
                journal::Journal::Appended done);
    void confirm(Done done);
    [[nodiscard]] Result<std::unique_ptr<journal::CheckpointWriter>> begin_checkpoint();
    void close(std::function<void()> done);
    [[nodiscard]] const journal::Standing& standing() const { return delivery_.standing(); }
    [[nodiscard]] Index committed() const { return delivery_.applied(); }
    [[nodiscard]] Index checkpoint() const { return driver_.checkpoint(); }
    [[nodiscard]] journal::Space space() const { return context_.node_log.space(); }

    // Steering, as in Node.

    void add_member(Member member, Done done);
    void remove_member(const std::string& name, Done done);
    void transfer(const std::string& name, Done done);
    void set_last_resort(bool allow);
    [[nodiscard]] GroupStatus status() const;

    // Events from the node. Bodies live as long as the call.

    void received(ServerId from, ConsensusMessage message);
    void found(const std::string& node, std::uint64_t identity);
    void founded(const Founded& message);
    void join(const Member& member, std::uint64_t identity);
    void chunk(ServerId from, const Chunk& chunk) { checkpointing_.chunk(from, chunk); }
    void node_connected(const std::string& name);
    void node_lost(const std::string& name) { start_.node_lost(name); }
    void process_gone(const std::string& name);
    void durable(journal::LogPosition position);
    void space_changed(journal::Space space);
    void log_failed(const Error& error) { fail(error); }

    /// The journal has been given to the code that opened it, or the opening has failed.
    [[nodiscard]] bool opened() const { return opened_ == nullptr; }
    [[nodiscard]] GroupId id() const { return context_.id; }
    [[nodiscard]] const std::string& service() const { return context_.options.service; }
    [[nodiscard]] const std::string& directory() const { return context_.directory; }
    /// The checkpoint that may be sent to others. Its bytes are in directory().
    [[nodiscard]] const std::optional<consensus::SnapshotRef>& snapshot() const {
        return driver_.state().snapshot;
    }

private:
    enum class Phase : std::uint8_t {
        starting,
        running,
        closing,   ///< Takes nothing new. What was accepted goes on.
        ended,     ///< It has failed.
        detached,  ///< It has ended, and no callback is called any more.
    };
    struct Closing {
        std::function<void()> done;
        TimePoint deadline;
    };

    // Owner.

    [[nodiscard]] std::shared_ptr<const void> keep() override { return shared_from_this(); }
    [[nodiscard]] bool ended() const override { return phase_ >= Phase::ended; }
    [[nodiscard]] bool detached() const override { return phase_ == Phase::detached; }
    [[nodiscard]] bool serving() const override { return opened() && !ended(); }
    [[nodiscard]] bool expects_checkpoint() const override { return checkpointing_.expected(); }
    void fail(Error error) override;
    void turn() override;
    void woken() override;
    void settle() override;
    void lead_changed(Epoch led) override;
    void checkpoint_wanted(ServerId from, const consensus::SnapshotRef& snapshot) override {
        checkpointing_.fetch_wanted(from, snapshot);
    }
    void restart() override;
    void run(consensus::Recovered recovered) override;

    [[nodiscard]] Result<void> check_active() const;
    [[nodiscard]] Result<void> check_leads() const;
    void answer(Done done, Result<void> result);
    void propose_rounds();
    [[nodiscard]] Result<void> begin_transfer(ServerId to, Done done);
    /// Begins a transfer to the best target, if there is one.
    void leave_lead();
    void tend_transfer();
    /// Tends to what is under way. Called in each turn in which something happened, and with each
    /// heartbeat.
    void tend();
    void tend_lead();
    void tend_following();
    void tend_full_disk();
    void ask_to_join(const Joining::Next& next);
    void carry_out(GroupMembership::Effects effects);
    void propose_list(Buffer list);
    void propose_configuration(consensus::Configuration configuration, std::string_view what);
    void close_when_idle();
    void campaign();

    const GroupContext context_;
    Schedule schedule_;
    Driver driver_;
    GroupMembership membership_;
    LeadTransfer transfer_;
    PendingAppends pending_;
    Delivery delivery_;
    Checkpointing checkpointing_;
    GroupStart start_;
    Phase phase_ = Phase::starting;
    Opened opened_;
    std::optional<Closing> closing_;
};

}  // namespace understudy::replicated
