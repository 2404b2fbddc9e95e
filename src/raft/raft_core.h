#pragma once

#include <map>

#include "consensus/core.h"
#include "raft/engine.h"
#include "raft/guards.h"
#include "raft/writes.h"

namespace understudy::raft {

/// C-Raft 0.22.1 as a ConsensusCore. No other code knows the engine.
///
/// The engine knows indexes, terms and configurations. Entry bodies stay here and are matched by
/// index. Beyond what ConsensusCore promises: a new leader begins its term with a barrier in the
/// same step. A server that is not electable keeps voting. If a candidate lacks entries that this
/// server has, this server campaigns at its next timeout nevertheless; otherwise no server could be
/// elected.
///
/// Bounds: memory in proportion to the changes of term and configuration in the log, and to the
///         writes that are not reported yet; not to entries.
class RaftCore final : public consensus::ConsensusCore {
public:
    explicit RaftCore(const Options& options, Guards guards = {});
    ~RaftCore() override;
    RaftCore(const RaftCore&) = delete;
    RaftCore& operator=(const RaftCore&) = delete;

    [[nodiscard]] Result<consensus::Effects> step(consensus::Event event, TimePoint now) override;
    [[nodiscard]] TimePoint next_deadline() const override;
    [[nodiscard]] consensus::State state() const override;
    [[nodiscard]] Epoch term() const override;
    [[nodiscard]] consensus::ServerId leader() const override;
    [[nodiscard]] Index commit() const override { return commit_; }
    [[nodiscard]] Index first() const override;
    [[nodiscard]] Index last() const override;
    [[nodiscard]] const consensus::Configuration& configuration() const override;
    [[nodiscard]] consensus::ConfigurationAt configuration_at(Index index) const override;
    [[nodiscard]] Index match(consensus::ServerId server) const override;
    [[nodiscard]] consensus::CatchUpState catch_up(consensus::ServerId server) const override;
    void set_electable(bool electable) override { electable_ = electable; }

private:
    using ServerId = consensus::ServerId;

    Result<void> on(consensus::Start& start);
    Result<void> on(consensus::Receive& receive);
    Result<void> on(consensus::Persisted& persisted);
    Result<void> on(consensus::SnapshotInstalled& installed);
    Result<void> on(consensus::SnapshotTaken& taken);
    Result<void> on(consensus::Deadline& deadline);
    Result<void> on(consensus::Propose& propose);
    Result<void> on(consensus::ProposeConfiguration& propose);
    Result<void> on(consensus::CatchUp& catch_up);
    Result<void> on(consensus::Transfer& transfer);
    Result<void> on(consensus::Campaign& campaign);

    Result<void> receive(ServerId from, consensus::VoteRequest& request);
    Result<void> receive(ServerId from, consensus::VoteResult& result);
    Result<void> receive(ServerId from, consensus::AppendRequest& request);
    Result<void> receive(ServerId from, consensus::AppendResult& result);
    Result<void> receive(ServerId from, consensus::InstallRequest& request);
    Result<void> receive(ServerId from, consensus::TimeoutNow& now);
    Result<bool> is_stale(ServerId from, Epoch term, Index refused);

    /// The source of the bodies of entries that the engine wants to be persisted.
    struct Fresh {
        Index first;
        std::vector<consensus::LogEntry>* entries = nullptr;
    };
    /// Makes effects of what the last event changed in the engine. To be called before the next
    /// event.
    Result<void> collect(us_result result, Fresh fresh);
    Result<void> collect(us_result result) { return collect(result, Fresh{}); }
    void collect_hard_state();
    void collect_entries(Fresh fresh);
    void collect_message(const us_message& message);
    void send_append(const us_message& message);
    void name_offer(ServerId to, consensus::AppendRequest& heartbeat);
    Result<void> collect_commit();
    Result<void> begin_term();
    void collect_state();
    void send(ServerId to, consensus::Message message);

    Result<void> submit(std::vector<consensus::LogEntry>& entries);
    [[nodiscard]] Epoch term_at(Index index) const;
    void drop_configurations_before_log();

    struct FreeEngine {
        void operator()(us_engine* engine) const { us_engine_free(engine); }
    };

    const Options options_;
    const Guards guards_;
    std::unique_ptr<us_engine, FreeEngine> engine_;
    bool started_ = false;
    bool ended_ = false;
    bool electable_;
    bool needed_ = false;  // No other server can be elected (see above).
    std::uint64_t now_ms_ = 0;
    std::uint64_t last_deadline_ms_ = 0;

    Index commit_;                    // Told to the host.
    consensus::HardState hard_;       // Told to the host.
    consensus::StateChanged told_{};  // Told to the host.
    Epoch leader_term_;               // The term in which the engine's leader was heard.
    std::map<Index, consensus::Configuration> configurations_;  // In the log, committed or not.
    consensus::ConfigurationAt base_;                           // In force before the log begins.
    std::optional<consensus::SnapshotRef> snapshot_;            // The newest complete one.
    std::optional<consensus::InstallSnapshot> installing_;
    struct Offer {
        Index index;
        Epoch term;
    };
    std::map<ServerId, Offer> offers_;  // Checkpoints that are on their way to others.
    Writes writes_;
    consensus::Effects effects_;  // Of the step under way.
};

/// The MakeCore of this engine.
[[nodiscard]] std::unique_ptr<consensus::ConsensusCore> make_core(
    const consensus::ConsensusCore::Options& options);

}  // namespace understudy::raft
