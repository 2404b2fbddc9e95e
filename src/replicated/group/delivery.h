#pragma once

#include "replicated/group/driver.h"
#include "replicated/group/group_membership.h"
#include "replicated/group/lead_transfer.h"
#include "replicated/group/pending_appends.h"
#include "replicated/group/schedule.h"

namespace understudy::replicated {

/// Tells the observer of a journal what is committed, and the role. Answers appends.
///
/// Each entry is told once, in order. The role `active` comes with the entry that begins the
/// tenure, before any entry that follows it.
///
/// The observer may destroy the journal in each of these calls: the caller keeps the group alive,
/// and asks Owner::ended() afterwards.
/// Thread: loop only.
class Delivery {
public:
    Delivery(const GroupContext& context, Owner& owner, Schedule& schedule, Driver& driver,
             GroupMembership& membership, const LeadTransfer& transfer, PendingAppends& pending);
    Delivery(const Delivery&) = delete;
    Delivery& operator=(const Delivery&) = delete;
    ~Delivery() = default;

    /// Tells what is committed and not told yet, as far as it is in memory. Reads the rest from the
    /// disk.
    void apply();
    /// Tells the present role, if it has changed.
    void update_standing();
    /// The first standing of a journal that is being opened.
    void tell_first_standing();
    void give(PendingAppends::Answers answers);

    /// The state of a checkpoint will be restored: no entries are told until restored() or
    /// resume().
    void pause() { restoring_ = true; }
    /// Ignores the entries that are being read.
    void drop_reading() { loading_ = false; }
    void restored(const consensus::SnapshotRef& snapshot);
    void resume() { restoring_ = false; }
    [[nodiscard]] bool paused() const { return restoring_; }

    [[nodiscard]] Index applied() const { return applied_; }            ///< The last entry told.
    [[nodiscard]] Epoch applied_term() const { return applied_term_; }  ///< Its term.
    [[nodiscard]] const journal::Standing& standing() const { return standing_; }

private:
    void load_committed();
    void committed_loaded(Result<std::vector<journal::GroupEntry>> entries);
    void deliver(const std::vector<journal::GroupEntry>& entries);
    /// Returns false if the group has ended.
    bool deliver(Index index, const journal::GroupEntry& entry);
    /// What the observer is told about the entry. The body lives as long as `entry`.
    [[nodiscard]] Result<journal::Entry> interpret(Index index, const journal::GroupEntry& entry);
    [[nodiscard]] Result<void> apply_members(Bytes encoded);
    [[nodiscard]] journal::Standing present_standing(bool active) const;

    const GroupContext& context_;
    Owner& owner_;
    Schedule& schedule_;
    Driver& driver_;
    GroupMembership& membership_;
    const LeadTransfer& transfer_;
    PendingAppends& pending_;
    journal::Standing standing_;
    Index applied_;
    Epoch applied_term_;
    bool applying_ = false;
    bool loading_ = false;
    bool restoring_ = false;
};

}  // namespace understudy::replicated
