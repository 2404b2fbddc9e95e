#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "journal/shared/shared_journal.h"
#include "replica/replica.h"
#include "replicated/node/node.h"
#include "runtime/runtime.h"
#include "tests/swarm/journal_oracle.h"
#include "tests/swarm/register_machine.h"

namespace understudy::swarm {

/// The settings of a member of a journal.
struct MemberSpec {
    std::string name;
    replica::Replica::Options replica;
    // Exactly one of the following.
    std::optional<journal::SharedJournal::Options> shared;
    std::optional<replicated::Node::Options> node;
    replicated::GroupOptions group;
    /// Called when entries of a shared journal are committed; it prompts the other members.
    std::function<void(const std::string& from, Index committed, Epoch epoch)> prompt;
    std::function<void()> became_active;
};

/// A process with one member of the service: a Replica on a journal, which the oracle watches.
class JournalMember final : private journal::Observer {
public:
    JournalMember(Runtime& runtime, Log& log, JournalOracle& oracle, MemberSpec spec,
                  std::uint64_t life);
    ~JournalMember() override;

    /// Null until it is open.
    [[nodiscard]] replica::Replica* replica() { return replica_.get(); }
    [[nodiscard]] replicated::Node* node() { return node_.get(); }
    [[nodiscard]] const RegisterMachine& machine() const { return machine_; }
    [[nodiscard]] bool broken() const { return error_.has_value(); }
    [[nodiscard]] const std::optional<Error>& error() const { return error_; }
    [[nodiscard]] bool active() const { return replica_ && replica_->active() && !error_; }
    [[nodiscard]] const std::string& who() const { return who_; }
    void prompted(Index committed, Epoch epoch);

private:
    /// A process that has died reports nothing, even in the middle of a call.
    [[nodiscard]] bool alive() const;
    void open(const journal::Open& journal);
    [[nodiscard]] journal::Open tapped(journal::Open journal);

    Result<void> restore(const journal::StateSlice& slice) override;
    void committed(const journal::Entry& entry) override;
    void standing_changed(const journal::Standing& standing) override;
    void space_changed(journal::Space space) override { to_->space_changed(space); }
    void failed(const Error& error) override { to_->failed(error); }

    Runtime& runtime_;
    Log& log_;
    JournalOracle& oracle_;
    const MemberSpec spec_;
    const std::string who_;
    RegisterMachine machine_;
    std::optional<Error> error_;
    journal::Observer* to_ = nullptr;
    journal::SharedJournal* shared_ = nullptr;
    std::unique_ptr<journal::Opening> node_opening_;
    std::unique_ptr<replicated::Node> node_;
    std::unique_ptr<journal::Opening> opening_;
    std::unique_ptr<replica::Replica> replica_;
};

}  // namespace understudy::swarm
