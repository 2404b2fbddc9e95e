#pragma once

#include <functional>
#include <optional>
#include <string>

#include "replicated/group/checkpointing.h"
#include "replicated/group/delivery.h"
#include "replicated/group/driver.h"
#include "replicated/group/founding.h"
#include "replicated/group/group_membership.h"
#include "replicated/group/schedule.h"
#include "replicated/messages.h"

namespace understudy::replicated {

/// How a group starts: it is founded, or found on the disk. Then its log is read, its state
/// restored and its term raised. The start ends with Owner::run() or Owner::fail().
///
/// Thread: loop only.
class GroupStart {
public:
    GroupStart(const GroupContext& context, Owner& owner, Schedule& schedule, Driver& driver,
               GroupMembership& membership, Delivery& delivery, Checkpointing& checkpointing);
    GroupStart(const GroupStart&) = delete;
    GroupStart& operator=(const GroupStart&) = delete;
    ~GroupStart() = default;

    /// To be called once.
    void begin();
    /// Starts again from what is on the disk. Requires: the driver has been stopped.
    void begin_again() { read_log(); }

    // Founding. No data of the group is on the disk, and not all founders have been heard.

    [[nodiscard]] bool founding() const { return founding_.has_value() && !founded_; }
    /// Tells which founders have been heard. Requires: founding().
    [[nodiscard]] const Founding& founders() const { return *founding_; }
    void ask_founders();
    /// The node with this log has no data of the group, and asks.
    void found(const std::string& node, std::uint64_t identity);
    /// The answer of a node that has the group. Requires: founding().
    void founded(const Founded& message);
    void node_lost(const std::string& name);

private:
    void answer(const std::string& node, std::uint64_t identity) const;
    void found_group(const Members& members);
    void tell_founders(const Members& members) const;

    void prepare();
    void read_log();
    void read_entries(Index from);
    /// Returns false if the group has failed.
    bool take(const journal::GroupEntry& entry);
    void raise_term();

    const GroupContext& context_;
    Owner& owner_;
    Schedule& schedule_;
    Driver& driver_;
    GroupMembership& membership_;
    Delivery& delivery_;
    Checkpointing& checkpointing_;
    std::optional<Founding> founding_;
    bool founded_ = false;
    consensus::Recovered recovered_;  ///< As far as the log has been read.
};

}  // namespace understudy::replicated
