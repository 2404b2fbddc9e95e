#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/lifetime.h"
#include "base/log.h"
#include "client/agent.h"
#include "client/journaled.h"
#include "hosting/handover.h"
#include "hosting/hosted.h"
#include "hosting/journal_choice.h"
#include "runtime/runtime.h"

namespace understudy::hosting {

/// One copy of a journaled service of any kind in this process, between its registry and its
/// journal: keeps it registered, hears its designation, opens the journal for that, reports how far
/// it is, and takes part in switchovers.
///
/// The registry counts a copy that unregisters as stopped, and its return as a start: both change
/// who is designated. So a designation that the open journal cannot follow (may this copy be
/// active, or not) closes member and journal and opens them again, and the registration stays: the
/// same incarnation at the same place in line.
///
/// Without a registry the journal is opened at once, and the copies see to it among themselves.
/// Thread: loop only.
class Copy final : private client::JournaledObserver, private Handover::Owner {
public:
    static constexpr Duration report_interval = 1s;  ///< To the registry, of how far it is.

    using Electable = JournalChoice::Electable;
    using MakeJournal = std::function<std::unique_ptr<JournalChoice>(Electable)>;
    using Opened = std::function<void(Result<std::unique_ptr<Hosted>>)>;
    /// Opens the member on this journal. `opened` is called once, never within this call. The duty
    /// is what the registry designated; nothing without a registry.
    using Open = std::function<std::unique_ptr<journal::Opening>(
        const journal::Open& journal, std::optional<replica::CheckpointDuty> duty, Opened opened)>;

    /// For those that open a member of their own kind: passes it on.
    template <class Member>
    [[nodiscard]] static auto passing_on(Opened opened) {
        return [opened = std::move(opened)](Result<std::unique_ptr<Member>> member) {
            if (!member) return opened(std::move(member).error());
            opened(std::unique_ptr<Hosted>(*std::move(member)));
        };
    }

    struct World {
        Runtime& runtime;
        Log& log;
        client::Agent* agent = nullptr;  ///< Null: there is no registry.
        MakeJournal make_journal;
    };
    struct Names {
        std::string service;
        std::string member;
    };

    /// Must not destroy the copy within these calls.
    class Owner {
    public:
        virtual ~Owner() = default;
        /// The member is open: member() is there. copy_standing_changed() follows.
        virtual void copy_opened() = 0;
        /// Its role, its epoch, or its designation has changed.
        virtual void copy_standing_changed() = 0;
        /// The member is about to end: nothing that its service says from now on has an effect.
        virtual void copy_leaves() {}
        /// Member and journal have ended because the designation has changed. The owner calls
        /// open() with a service that knows nothing. The copy is still registered.
        virtual void copy_reopens() = 0;
        /// The journal could not be opened, or the member cannot go on. The owner calls end().
        virtual void copy_failed(const Error& error) = 0;
        /// The registry has the copy in line.
        virtual void copy_registered() {}
        /// The registry refuses the copy, for so long already; it is asked again after a while.
        virtual void copy_refused(const Error& /*reason*/, Duration /*since*/) {}
    };

    /// All outlive it.
    Copy(World world, Names names, Owner& owner);
    ~Copy() override;
    Copy(const Copy&) = delete;
    Copy& operator=(const Copy&) = delete;

    /// Takes its place in the registry's line. Requires: there is a registry; not entered.
    /// Errors: as client::Agent::create_journaled().
    [[nodiscard]] Result<void> enter(client::JournaledOptions how);
    [[nodiscard]] bool entered() const { return journaled_ != nullptr; }
    /// Gives its place in the line up: the others hear that this copy has stopped. Requires: not
    /// open.
    void leave();

    /// Opens journal and member; with a registry not before the copy is designated.
    /// Requires: neither open nor ending.
    void open(Open how);
    /// Ends all of it: the copy leaves the line when nothing of it is on its way into the journal
    /// any more. May be called at any time; if it is called again before the end, the last `done`
    /// counts.
    void end(std::function<void()> done);

    /// Null while it is not open.
    [[nodiscard]] Hosted* member() { return closing_ ? nullptr : member_.get(); }
    [[nodiscard]] const Hosted* member() const { return closing_ ? nullptr : member_.get(); }
    /// A journal has no role of checkpointer: it is a standby with that designation.
    /// Requires: it is open.
    [[nodiscard]] Role role() const;

private:
    using Done = Handover::Done;

    void open_member();
    void opened(Result<std::unique_ptr<Hosted>> result);
    void follow();
    void close_member();
    void member_closed();
    void journal_closed();
    void report();
    void report_again();
    void later(void (Copy::*what)());

    // client::JournaledObserver
    void designated(const role::Designation& what, Epoch known) override;
    void handover_wanted(const client::Handover& what) override;
    void registered(std::uint64_t order) override;
    void refused(const Error& reason) override;

    // Handover::Owner
    Hosted* handover_member() override { return member(); }
    void handover_report() override { report(); }
    void handover_ready(Epoch epoch) override;
    [[nodiscard]] bool handover_takes() const override;
    void handover_take(Epoch above, Done done) override;
    void handover_give(const std::string& to, Done done) override;

    const World world_;
    Runtime& runtime_;
    Log& log_;
    const Names names_;
    Owner& owner_;
    client::JournaledMember* journaled_ = nullptr;  ///< In the registry.
    std::optional<TimePoint> refused_since_;
    std::optional<role::Designation> designation_;
    Open open_;  ///< How the member is opened; null while nothing is wanted.
    Electable electable_ = Electable::yes;          ///< As the journal was opened.
    bool closing_ = false;
    std::function<void()> ended_;  ///< Not to open again.
    Index checkpoint_;             ///< The newest ...
    TimePoint checkpoint_at_;      ///< ... was seen first then.
    std::unique_ptr<Timer> report_timer_;
    Handover handover_;
    Lifetime life_;
    std::unique_ptr<JournalChoice> journal_;
    std::unique_ptr<journal::Opening> opening_;
    std::unique_ptr<Hosted> member_;
};

}  // namespace understudy::hosting
