#pragma once

#include <optional>
#include <string>

#include "replicated/group/context.h"

namespace understudy::replicated {

/// Who leads a group next: a transfer of the lead to another member, and the campaign of this
/// member when the leader is gone.
///
/// Machine: says what is due; the group carries it out and reports what came of it.
/// Source: docs/protocols/replication.md.
class LeadTransfer {
public:
    using Done = Node::Done;

    struct Ended {
        Done done;  ///< Null: nobody asked.
        Result<void> result;
    };

    explicit LeadTransfer(const GroupContext& context)
        : context_(context), last_resort_(context.options.last_resort) {}

    // Candidates.

    /// May this member be active when it leads?
    [[nodiscard]] bool may_be_active() const;
    void set_last_resort(bool allow) { last_resort_ = allow; }
    /// The member of this name as the target of a transfer; this member itself if it is that.
    /// Errors: not_found, refused (none).
    [[nodiscard]] Result<ServerId> target(const std::string& name, const Members& members,
                                          const consensus::Configuration& newest) const;
    /// Of the connected data members that vote and have the most entries, the first in joining
    /// order; 0: there is none.
    [[nodiscard]] ServerId best_target(const Members& members,
                                       const consensus::ConsensusCore& core) const;

    // The transfer that is under way.

    /// The consensus has begun to transfer the lead. Requires: not under_way().
    void begin(ServerId to, Done done, TimePoint now);
    [[nodiscard]] bool under_way() const { return transfer_.has_value(); }
    [[nodiscard]] bool is_to(ServerId server) const { return transfer_ && transfer_->to == server; }
    /// Ends it if `leader` is the member that it was for, or if its time is over.
    [[nodiscard]] std::optional<Ended> look(ServerId leader, TimePoint now);

    // A leader whose disk is full refuses every change, and others may have room. Nobody knows
    // which: one after the other is tried, more and more rarely, since each tenure costs some of
    // the reserve.

    /// The next member to try now; nullopt: none.
    [[nodiscard]] std::optional<ServerId> next_with_room(const Members& members,
                                                         const consensus::ConsensusCore& core,
                                                         TimePoint now) const;
    /// The lead is being transferred to that one.
    void tries(ServerId server, TimePoint now);
    void has_room() { full_ = {.tried = full_.tried, .until = {}, .pause = {}}; }

    // Evidence that the leader is gone.

    /// When this member is to campaign, by its place among the candidates. Returns that place;
    /// nullopt: it is no candidate. `applied` is the configuration that is applied.
    std::optional<std::size_t> leader_gone(ServerId leader, const Members& members,
                                           const consensus::Configuration& applied, TimePoint now);
    /// max(): it is not to campaign.
    [[nodiscard]] TimePoint campaign_at() const { return campaign_.at; }
    /// Is it to campaign now? `leader` is the one that is heard of.
    [[nodiscard]] bool campaign_is_due(ServerId leader, consensus::State state, TimePoint now);
    /// The consensus refused: entries are on their way to the disk. It tries again in a moment.
    void campaign_refused(TimePoint now);
    /// Somebody leads.
    void leader_known() { campaign_.at = TimePoint::max(); }

private:
    struct Transfer {
        ServerId to;
        Done done;
        TimePoint deadline;
    };
    struct Full {
        ServerId tried;  ///< The last one.
        TimePoint until;
        Duration pause{};
    };
    struct Campaign {
        ServerId gone;
        TimePoint at = TimePoint::max();
        TimePoint until;
    };

    /// As best_target(), counted from row `begin` around.
    [[nodiscard]] ServerId target_from(std::size_t begin, const Members& members,
                                       const consensus::ConsensusCore& core) const;

    const GroupContext& context_;
    bool last_resort_;
    std::optional<Transfer> transfer_;
    Full full_;
    Campaign campaign_;
};

}  // namespace understudy::replicated
