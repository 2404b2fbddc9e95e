#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/lifetime.h"
#include "base/log.h"
#include "consensus/core.h"
#include "journal/format/checkpoint_file.h"
#include "journal/journal.h"
#include "journal/node_log/node_log.h"
#include "replicated/group/founding.h"
#include "replicated/group/group_state.h"
#include "replicated/group/proposals.h"
#include "replicated/messages.h"
#include "replicated/node/incoming.h"
#include "replicated/node/node.h"
#include "replicated/node/outbox.h"
#include "replicated/surroundings.h"
#include "runtime/runtime.h"

namespace understudy::replicated {

/// One group's driver: carries out what the consensus wants, tells the observer what is committed,
/// and makes the configuration follow the list of members.
///
/// Every rule for the host of the consensus is kept here or in Outbox, Proposals and Incoming; what
/// belongs to the node (connections, the log, sending checkpoints) is behind Surroundings.
///
/// A shared pointer: an observer may let go of its journal in the middle of being told something.
/// Thread: loop only.
/// Source: docs/protocols/replication.md.
class Group final : public std::enable_shared_from_this<Group> {
public:
    using Done = Node::Done;

    struct Setup {
        Runtime& runtime;
        Log& log;
        journal::NodeLog& node_log;
        Surroundings& surroundings;
        consensus::MakeCore make_core;
        std::string directory;  ///< Of its checkpoints.
        Member self;
        GroupOptions options;
        Node::Options node;
        journal::Observer& observer;
        std::function<void(Result<void>)> opened;  ///< Once, never within a call from outside.
    };

    explicit Group(Setup setup);
    Group(const Group&) = delete;
    Group& operator=(const Group&) = delete;
    ~Group();

    /// To be called once, when it is owned.
    void start();
    /// Nobody is told anything from now on, and the group takes part in nothing. For its node.
    void detach();
    /// The same, for whoever opened it.
    void give_up();

    // The journal's face (replicated_journal.h).
    void append(std::vector<journal::Draft> drafts, journal::Urgency urgency,
                journal::Journal::Appended done);
    void confirm(Done done);
    [[nodiscard]] Result<std::unique_ptr<journal::CheckpointWriter>> begin_checkpoint();
    void close(std::function<void()> done);
    [[nodiscard]] const journal::Standing& standing() const { return standing_; }
    [[nodiscard]] Index committed() const { return applied_; }
    [[nodiscard]] Index checkpoint() const;
    [[nodiscard]] journal::Space space() const { return node_log_.space(); }

    // Steering.
    void add_member(Member member, Done done);
    void remove_member(const std::string& name, Done done);
    void transfer(const std::string& name, Done done);
    void set_last_resort(bool allow);
    [[nodiscard]] GroupStatus status() const;

    // What the node brings. Bodies live as long as the call.
    void received(ServerId from, ConsensusMessage message);
    void found(const std::string& node, std::uint64_t identity);
    void founded(Founded message);
    void join(const Member& member, std::uint64_t identity);
    void chunk(ServerId from, const Chunk& chunk);
    void node_connected(const std::string& name);
    void node_lost(const std::string& name);
    void process_gone(const std::string& name);
    void durable(journal::LogPosition position);
    void space_changed(journal::Space space);
    void log_failed(const Error& error);

    /// The journal has been handed over, or the opening has failed.
    [[nodiscard]] bool opened() const { return opened_ == nullptr; }
    [[nodiscard]] GroupId id() const { return id_; }
    [[nodiscard]] const std::string& service() const { return options_.service; }
    [[nodiscard]] const std::string& directory() const { return directory_; }
    /// What others may be sent: its bytes are in directory().
    [[nodiscard]] const std::optional<consensus::SnapshotRef>& snapshot() const {
        return state_.snapshot;
    }

private:
    enum class Phase : std::uint8_t {
        fresh,
        founding,  ///< Nothing on the disk, and not all founders heard.
        reading,   ///< The log and the checkpoint.
        running,
        closing,  ///< Takes nothing new; what was accepted goes on.
        ended,
    };
    struct Written {
        journal::LogPosition position;
        std::uint64_t number = 0;  ///< PersistEntries::write.
        Index last;
    };
    struct Waiting {
        journal::LogPosition position;
        std::function<void()> task;
    };
    struct Change {
        enum class Stage : std::uint8_t { wanted, listed, joining };
        Member member;
        bool removal = false;
        Done done;  ///< Null: by itself.
        Stage stage = Stage::wanted;
        TimePoint deadline;
        ServerId id;
    };
    struct Handover {
        ServerId to;
        Done done;  ///< Null: by itself.
        TimePoint deadline;
    };
    class Checkpointing;

    // group.cc
    /// Runs `task` on the loop, in a later turn, unless it is detached by then.
    void later(std::function<void(Group&)> task);
    void later_when_short(std::function<void(Group&)> task);
    void schedule_turn() { turn_.mark(); }
    void turn();
    /// The consensus runs here.
    [[nodiscard]] bool alive() const { return core_ != nullptr && phase_ != Phase::ended; }
    /// tend() within a heartbeat.
    void tend_soon() { tend_at_ = std::min(tend_at_, runtime_.now() + node_.heartbeat_interval); }
    void propose_rounds();
    /// Takes a step and carries out its effects. An error of Propose and its like is returned; any
    /// other ends the group.
    Result<void> step(consensus::Event event);
    void carry_out(consensus::Effects effects);
    void persist(journal::GroupWrite& write, bool hard, std::uint64_t number);
    void state_changed(const consensus::StateChanged& change);
    /// Whatever a step may have made due: applying, standing, timers.
    void settle();
    void arm();
    void woken();
    /// `task` belongs to the group. What is for the present log only is guarded by work_.
    void when_durable(journal::LogPosition position, std::function<void()> task);
    void give(Proposals::Answers answers);
    void fail(Error error);
    void close_when_idle();

    // group_start.cc
    /// Makes the directory, and removes from it what counts for nothing.
    void prepare_directory();
    void read_log();
    void read_entries(Index from);
    void learn_from(const journal::GroupEntry& entry);
    void restore(std::function<void(Group&)> then);
    void restore_slice(std::shared_ptr<journal::CheckpointReader> reader,
                       const consensus::SnapshotRef& snapshot, std::function<void(Group&)> then);
    void restored(const consensus::SnapshotRef& snapshot);
    void raise_term();
    void start_core();
    void restart_core();
    void begin_founding();
    void ask_founders();
    void found_group(const Members& members);
    void open(Result<void> result);
    void ask_to_join();
    void ask_whether_outside();
    [[nodiscard]] bool was_member() const;
    [[nodiscard]] std::string not_reached(const Member& member) const;
    void say_founding();

    // group_apply.cc
    void apply();
    void load_committed();
    void committed_loaded(Result<std::vector<journal::GroupEntry>> entries);
    /// False if it was detached meanwhile.
    bool deliver(Index index, const journal::GroupEntry& entry);
    void update_standing();
    [[nodiscard]] bool leads() const;
    [[nodiscard]] bool may_be_active() const;
    [[nodiscard]] std::string leader_name() const;

    // group_members.cc
    [[nodiscard]] Result<void> check_leads() const;
    [[nodiscard]] Result<Index> propose_internal(consensus::LogEntry entry);
    void tend();
    void tend_changes();
    void list(Change& change);
    void finish_change(const Result<void>& result);
    void reconcile();
    void propose_configuration(consensus::Configuration configuration, std::string_view what);

    // group_handover.cc
    void tend_handover();
    [[nodiscard]] Result<void> hand_over(ServerId to, Done done);
    [[nodiscard]] ServerId best_heir() const;
    [[nodiscard]] ServerId next_heir(ServerId behind) const;
    [[nodiscard]] ServerId heir_from(std::size_t begin) const;
    void make_way_when_full();
    void finish_handover(const Result<void>& result);
    [[nodiscard]] std::optional<std::size_t> place_among_heirs(ServerId gone) const;

    // group_checkpoint.cc
    /// Runs `job` on the worker for checkpoints, then `done` on the loop if work_ goes on.
    void run(Worker::Job job, std::function<void(Group&)> done);
    void checkpoint_written(consensus::SnapshotRef snapshot, Done done);
    void checkpoint_durable(const consensus::SnapshotRef& snapshot, const Done& done);
    [[nodiscard]] std::uint32_t trailing(Index at) const;
    void remove_old_checkpoints();
    void begin_install(ServerId from, const consensus::SnapshotRef& snapshot);
    void installed(Result<consensus::SnapshotRef> result, bool wanted_by_core);
    void install(consensus::SnapshotRef snapshot);
    void install_durable(Members members);
    void store_for_witness();
    void fetch_from(ServerId from, Index beyond);
    [[nodiscard]] bool wants_newer_checkpoint() const;
    void fetch_newer();
    void remove(std::vector<std::string> names);

    Runtime& runtime_;
    Log& log_;
    journal::NodeLog& node_log_;
    Surroundings& surroundings_;
    const consensus::MakeCore make_core_;
    const std::string directory_;
    const Member self_;
    const GroupId id_;
    const ServerId self_id_;
    const GroupOptions options_;
    const Node::Options node_;
    journal::Observer& observer_;
    std::function<void(Result<void>)> opened_;

    Phase phase_ = Phase::fresh;
    bool detached_ = false;
    Lifetime life_;  ///< Until it is detached.
    /// What is being done for the log and the consensus as they are now: reading, restoring,
    /// installing. It begins again when another checkpoint takes the place of the log, or the
    /// consensus is started again, and ends with the group.
    Lifetime work_;
    bool last_resort_;
    GroupState state_;
    std::unique_ptr<consensus::ConsensusCore> core_;
    Outbox outbox_;
    Proposals proposals_;
    TurnEnd turn_;
    bool blocked_ = false;  ///< The consensus takes no proposals just now.
    std::unique_ptr<Timer> timer_;
    std::unique_ptr<Timer> shortage_timer_;  ///< Of the one thing that waits for a descriptor.
    TimePoint timer_at_ = TimePoint::max();
    TimePoint tend_at_ = TimePoint::max();

    std::deque<Written> written_;
    std::deque<Waiting> waiting_;
    Index durable_;
    std::vector<bool> incoming_urgent_;  ///< Of the entries of the message being received,
    Index incoming_first_;               ///< the first of which this is.
    journal::Urgency proposing_ = journal::Urgency::ordinary;

    journal::Standing standing_;
    Index applied_;
    Epoch applied_term_;  ///< Of the last entry heard.
    bool applying_ = false;
    bool loading_ = false;
    bool restoring_ = false;
    Epoch leading_;  ///< The term this one leads in, by the last word of the core; 0: none.
    ServerId leader_;
    Epoch leader_term_;
    std::optional<TimePoint> campaign_at_;
    TimePoint campaign_until_;
    ServerId gone_;

    Members members_;
    consensus::Configuration configuration_;  ///< The last one applied.
    std::deque<Change> changes_;
    std::optional<Handover> handover_;
    ServerId made_way_for_;  ///< When the disk was full, the last time.
    TimePoint made_way_until_{};
    Duration made_way_pause_{};
    ServerId catching_up_;
    std::optional<Index> list_index_;  ///< Where a list of members is on its way.

    TimePoint join_asked_at_;
    TimePoint leaderless_since_ = TimePoint::max();
    bool outside_ = false;  ///< The leader does not count this one.
    std::optional<Founding> founding_;
    std::vector<std::string> founding_said_;   ///< Who was missing when that was logged.
    std::optional<TimePoint> founding_since_;  ///< The same are missing. Empty: it has been said.
    consensus::Recovered recovered_;
    bool own_checkpointing_ = false;  ///< One is being written here.
    std::unique_ptr<Incoming> incoming_;
    bool incoming_wanted_ = false;  ///< By the core.
    /// One that has come, and takes the place of the log as soon as that is durable.
    std::optional<consensus::SnapshotRef> installing_;
    std::vector<Index> checkpoints_;  ///< In the directory, oldest first.
    TimePoint fetch_newer_at_{};
    std::size_t newer_asked_ = 0;  ///< So many members of the configuration, since then.
    std::function<void()> closed_;
    TimePoint close_deadline_;
};

}  // namespace understudy::replicated
