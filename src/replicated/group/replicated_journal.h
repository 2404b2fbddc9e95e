#pragma once

#include <memory>

#include "journal/journal.h"
#include "replicated/group/group.h"

namespace understudy::replicated {

/// A journal that is stored by a majority of a group's voters. An entry counts when they have it on
/// their disks.
///
/// It is for a service on several machines without shared storage, and survives the loss of a
/// minority of its members with their disks. Its epoch is the term of the consensus.
///
/// Opened by Node::open_journal().
class ReplicatedJournal final : public journal::Journal {
public:
    explicit ReplicatedJournal(std::shared_ptr<Group> group) : group_(std::move(group)) {}
    ReplicatedJournal(const ReplicatedJournal&) = delete;
    ReplicatedJournal& operator=(const ReplicatedJournal&) = delete;
    ~ReplicatedJournal() override;

    void append(std::vector<journal::Draft> drafts, journal::Urgency urgency,
                Appended done) override;
    void confirm(Done done) override;
    [[nodiscard]] Result<std::unique_ptr<journal::CheckpointWriter>> begin_checkpoint() override;
    /// A leader first transfers the lead to another member, if one is there.
    void close(std::function<void()> done) override;

    [[nodiscard]] const journal::Standing& standing() const override;
    [[nodiscard]] Index committed() const override;
    [[nodiscard]] Index checkpoint() const override;
    [[nodiscard]] journal::Space space() const override;

private:
    const std::shared_ptr<Group> group_;
};

}  // namespace understudy::replicated
