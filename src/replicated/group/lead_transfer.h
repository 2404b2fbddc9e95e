#pragma once

#include <optional>
#include <string>

#include "replicated/group/context.h"

namespace understudy::replicated {

/// Decides which member leads a group next: by a transfer of the lead to another member, or by a
/// campaign of this member when the leader is gone.
///
/// Machine: says what is due; the group carries it out and reports what came of it.
/// Source: docs/protocols/replication.md.
class LeadTransfer {
public:
    using Done = Node::Done;

    struct Ended {
        Done done;  ///< Null: no caller waits.
        Result<void> result;
    };

    explicit LeadTransfer(const GroupContext& context)
        : context_(context), last_resort_(context.options.last_resort) {}

    // Candidates.

    /// Tells whether this member may be active when it leads.
    [[nodiscard]] bool may_be_active() const;
    void set_last_resort(bool allow) { last_resort_ = allow; }
    /// The member of this name as the target of a transfer. It may be this member.
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
    /// Ends the transfer if `leader` is its target, or if its time is over.
    [[nodiscard]] std::optional<Ended> look(ServerId leader, TimePoint now);

    // A leader whose disk is full refuses every change, and other members may have room. It is not
    // known which, so one after the other is tried, with longer and longer pauses, because each
    // tenure uses some of the reserve.

    /// The next member to try now; nullopt: none.
    [[nodiscard]] std::optional<ServerId> next_with_room(const Members& members,
                                                         const consensus::ConsensusCore& core,
                                                         TimePoint now) const;
    /// The lead is being transferred to this server.
    void tries(ServerId server, TimePoint now);
    void has_room() { full_ = {.tried = full_.tried, .until = {}, .pause = {}}; }

    // Evidence that the leader is gone.

    /// When this member is to campaign, by its place among the candidates. Returns that place;
    /// nullopt: it is no candidate. `applied` is the configuration that is applied.
    std::optional<std::size_t> leader_gone(ServerId leader, const Members& members,
                                           const consensus::Configuration& applied, TimePoint now);
    /// max(): it does not campaign.
    [[nodiscard]] TimePoint campaign_at() const { return campaign_.at; }
    /// Tells whether it must campaign now. `leader` is the leader that it knows.
    [[nodiscard]] bool campaign_is_due(ServerId leader, consensus::State state, TimePoint now);
    /// The consensus refused because entries are on their way to the disk. It is tried again soon.
    void campaign_refused(TimePoint now);
    /// A leader is known.
    void leader_known() { campaign_.at = TimePoint::max(); }

private:
    struct Transfer {
        ServerId to;
        Done done;
        TimePoint deadline;
    };
    struct Full {
        ServerId tried;  ///< The server that was tried last.
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
