#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/lifetime.h"
#include "base/log.h"
#include "client/agent.h"
#include "client/journaled.h"
#include "immortal/application.h"
#include "library/replica/replica_journal.h"
#include "node/immortal/immortal_handover.h"
#include "node/immortal/immortal_member.h"
#include "node/locator.h"
#include "runtime/runtime.h"

namespace understudy::library {

/// One copy of an immortal, between its registry and its journal: keeps it registered, hears what
/// it is to be, opens the journal for that, reports what it is, hands over.
///
/// The registry counts a copy that unregisters as stopped, and its return as a start: both change
/// who is designated. So a designation that the open journal cannot follow (may this copy be
/// active, or not) closes member and journal and opens them again, and the registration stays: the
/// same incarnation at the same place in line.
///
/// Without a registry the journal is opened at once, and the copies see to it among themselves.
/// Thread: loop only.
class ImmortalCopy final : private client::JournaledObserver,
                           private node::ImmortalHandover::Copy {
public:
    static constexpr Duration report_interval = 1s;  ///< To the registry, of how far it is.

    using Electable = ReplicaJournal::Electable;
    using MakeJournal = std::function<std::unique_ptr<ReplicaJournal>(Electable)>;

    struct World {
        Runtime& runtime;
        Log& log;
        node::Locator& locator;
        client::Agent* agent = nullptr;  ///< Null: there is no registry.
        MakeJournal make_journal;
    };

    /// Must not destroy the copy within these calls.
    class Owner {
    public:
        virtual ~Owner() = default;
        /// The member is open: member() is there. copy_standing_changed() follows.
        virtual void copy_opened() = 0;
        /// Its role, its epoch, or what it is designated to be.
        virtual void copy_standing_changed() = 0;
        /// What the application was told for ends: what it says from now on is heard by nobody.
        virtual void copy_leaves_application() = 0;
        /// Member and journal have ended because the copy is to be something else. Wanted is
        /// open(), with an application that knows nothing. The copy is still registered.
        virtual void copy_reopens() = 0;
        /// The journal could not be opened, or the member cannot go on. Wanted is end().
        virtual void copy_failed(const Error& error) = 0;
        /// The registry refuses it, for so long already; it asks again after a while.
        virtual void copy_refused(const Error& reason, Duration since) = 0;
    };

    /// All outlive it.
    ImmortalCopy(World world, node::ImmortalMember::Options options, Owner& owner);
    ~ImmortalCopy() override;
    ImmortalCopy(const ImmortalCopy&) = delete;
    ImmortalCopy& operator=(const ImmortalCopy&) = delete;

    /// Takes its place in the registry's line. Requires: there is a registry; not entered.
    /// Errors: as client::Agent::create_journaled().
    [[nodiscard]] Result<void> enter(client::JournaledOptions how);
    [[nodiscard]] bool entered() const { return journaled_ != nullptr; }
    /// Gives its place in the line up: the others hear that this copy has stopped. Requires: not
    /// open.
    void leave();

    /// Opens journal and member for this application, which outlives them; with a registry not
    /// before the copy is designated. Requires: neither open nor ending.
    void open(immortal::Application& application);
    /// Ends all of it: the copy leaves the line when nothing of it is on its way into the journal
    /// any more. May be called at any time, once for each open().
    void end(std::function<void()> done);

    /// Null while it is not open.
    [[nodiscard]] node::ImmortalMember* member() { return closing_ ? nullptr : member_.get(); }
    [[nodiscard]] const node::ImmortalMember* member() const {
        return closing_ ? nullptr : member_.get();
    }
    /// The journal knows of no checkpointer: that is a standby which is designated so.
    /// Requires: it is open.
    [[nodiscard]] Role role() const;

private:
    using Done = node::ImmortalHandover::Done;

    void open_member();
    void opened(Result<std::unique_ptr<node::ImmortalMember>> result);
    void follow();
    void close_member();
    void member_closed();
    void journal_closed();
    void report();
    void report_again();
    void later(void (ImmortalCopy::*what)());

    // client::JournaledObserver
    void designated(const role::Designation& what, Epoch known) override;
    void handover_wanted(const client::Handover& what) override;
    void registered(std::uint64_t order) override;
    void refused(const Error& reason) override;

    // node::ImmortalHandover::Copy
    node::ImmortalMember* handover_member() override { return member(); }
    void handover_report() override { report(); }
    void handover_ready(Epoch epoch) override;
    [[nodiscard]] bool handover_takes() const override;
    void handover_take(Epoch above, Done done) override;
    void handover_give(const std::string& to, Done done) override;

    const World world_;
    Runtime& runtime_;
    Log& log_;
    node::ImmortalMember::Options options_;
    Owner& owner_;
    client::JournaledMember* journaled_ = nullptr;  ///< In the registry.
    std::optional<TimePoint> refused_since_;
    std::optional<role::Designation> designation_;
    immortal::Application* application_ = nullptr;  ///< That the journal is opened for.
    Electable electable_ = Electable::yes;          ///< As the journal was opened.
    bool closing_ = false;
    std::function<void()> ended_;  ///< Not to open again.
    Index checkpoint_;             ///< The newest ...
    TimePoint checkpoint_at_;      ///< ... was seen first then.
    std::unique_ptr<Timer> report_timer_;
    node::ImmortalHandover handover_;
    Lifetime life_;
    std::unique_ptr<ReplicaJournal> journal_;
    std::unique_ptr<journal::Opening> opening_;
    std::unique_ptr<node::ImmortalMember> member_;
};

}  // namespace understudy::library
