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

/// One copy of a journaled service of any kind in this process. It connects the copy's registry and
/// its journal: it keeps the copy registered, receives its designation, opens the journal for that
/// designation, reports its position, and takes part in switchovers.
///
/// For the registry, a copy that unregisters has stopped, and a copy that registers again has
/// started. Both events change the designations. So the copy stays registered, with the same
/// incarnation and the same place in line, when a new designation changes whether it is electable.
/// An open journal cannot follow such a change: the member and the journal are closed and opened
/// again.
///
/// Without a registry the journal is opened at once, and the copies elect the active one among
/// themselves.
/// Thread: loop only.
class Copy final : private client::JournaledObserver, private Handover::Owner {
public:
    static constexpr Duration report_interval = 1s;  ///< Between position reports.

    using Electable = JournalChoice::Electable;
    using MakeJournal = std::function<std::unique_ptr<JournalChoice>(Electable)>;
    using Opened = std::function<void(Result<std::unique_ptr<Hosted>>)>;
    /// Opens the member on this journal. `opened` is called once, never within this call. The duty
    /// is the one that the registry designated; it is empty without a registry.
    using Open = std::function<std::unique_ptr<journal::Opening>(
        const journal::Open& journal, std::optional<replica::CheckpointDuty> duty, Opened opened)>;

    /// Passes a member of a derived class on as a Hosted. For code that opens members of its own
    /// class.
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

    /// Calls to the owner. They must not destroy the copy.
    class Owner {
    public:
        virtual ~Owner() = default;
        /// The member is open, and member() returns it. copy_standing_changed() follows.
        virtual void copy_opened() = 0;
        /// Its role, its epoch, or its designation has changed.
        virtual void copy_standing_changed() = 0;
        /// The member is about to end. Calls of its service have no effect from now on.
        virtual void copy_leaves() {}
        /// Member and journal have ended because the designation has changed. The owner calls
        /// open() with a service that has its initial state. The copy is still registered.
        virtual void copy_reopens() = 0;
        /// The journal could not be opened, or the member cannot go on. The owner calls end().
        virtual void copy_failed(const Error& error) = 0;
        /// The registry has the copy in line.
        virtual void copy_registered() {}
        /// The registry refuses the copy, and has done so for the time `since`. It will be asked
        /// again.
        virtual void copy_refused(const Error& /*reason*/, Duration /*since*/) {}
    };

    /// All arguments outlive this object.
    Copy(World world, Names names, Owner& owner);
    ~Copy() override;
    Copy(const Copy&) = delete;
    Copy& operator=(const Copy&) = delete;

    /// Registers the copy, so that it has a place in line. Requires: there is a registry, and the
    /// copy is not registered.
    /// Errors: as client::Agent::create_journaled().
    [[nodiscard]] Result<void> enter(client::JournaledOptions how);
    [[nodiscard]] bool entered() const { return journaled_ != nullptr; }
    /// Unregisters the copy, so that it has no place in line. The others are told that it has
    /// stopped. Requires: it is not open.
    void leave();

    /// Opens the journal and the member. With a registry it waits until the copy is designated.
    /// Requires: neither open nor ending.
    void open(Open how);
    /// Ends member, journal and registration. The copy leaves the line when none of its commands is
    /// still under way to the journal. May be called at any time; if it is called again before the
    /// end, only the last `done` is called.
    void end(std::function<void()> done);

    /// Null while it is not open.
    [[nodiscard]] Hosted* member() { return closing_ ? nullptr : member_.get(); }
    [[nodiscard]] const Hosted* member() const { return closing_ ? nullptr : member_.get(); }
    /// A journal does not have the role checkpointer: a checkpointer is a standby that is
    /// designated so.
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
    client::JournaledMember* journaled_ = nullptr;  ///< Null: the copy is not registered.
    std::optional<TimePoint> refused_since_;
    std::optional<role::Designation> designation_;
    Open open_;  ///< How the member is opened; null while nothing is wanted.
    Electable electable_ = Electable::yes;          ///< As the journal was opened.
    bool closing_ = false;
    std::function<void()> ended_;  ///< Set when the copy must not be opened again.
    Index checkpoint_;             ///< The newest one.
    TimePoint checkpoint_at_;      ///< When it was first seen.
    std::unique_ptr<Timer> report_timer_;
    Handover handover_;
    Lifetime life_;
    std::unique_ptr<JournalChoice> journal_;
    std::unique_ptr<journal::Opening> opening_;
    std::unique_ptr<Hosted> member_;
};

}  // namespace understudy::hosting
