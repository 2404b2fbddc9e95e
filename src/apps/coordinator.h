#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/log.h"
#include "client/agent.h"
#include "client/journaled.h"
#include "immortal/application_port.h"
#include "library/replica_journal.h"
#include "node/immortal_handover.h"
#include "node/immortal_member.h"
#include "node/locator.h"
#include "runtime/runtime.h"

namespace understudy::apps {

/// One copy of an immortal whose application is another process: waits for the application, hears
/// from the registry what this copy is to be, opens the journal, and lets the application act; when
/// that ends, leaves the journal to the other copies and waits for the next one.
///
/// Thread: loop only.
class Coordinator final : private immortal::RemoteApplication::Owner,
                          private client::JournaledObserver,
                          private node::ImmortalHandover::Copy {
public:
    static constexpr Duration retry_min = 100ms;  ///< Doubles up to the other.
    static constexpr Duration retry_max = 5s;
    static constexpr Duration report_interval = 1s;  ///< To the registry, of how far it is.
    static constexpr Duration upgrade_interval = 20ms;  ///< Between looks whether it may be asked for.

    using Electable = library::ReplicaJournal::Electable;
    using MakeJournal = std::function<std::unique_ptr<library::ReplicaJournal>(Electable)>;

    struct Options {
        Address applications;  ///< Where they come.
        immortal::RemoteApplication::Options application;
        node::ImmortalMember::Options member;
        /// When it is active and its application has carried out what had been told by then: older
        /// code can still take its place until that has been seen. 0: none.
        std::uint32_t upgrade = 0;
        std::string advertise;      ///< Host told to the registry; empty: that of member.listen.
    };
    struct World {
        Runtime& runtime;
        Log& log;
        node::Locator& locator;
        client::Agent* agent = nullptr;  ///< Null: there is no registry.
        MakeJournal make_journal;
    };

    /// What its owner is told. Must not destroy it within these calls.
    class Observer {
    public:
        virtual ~Observer() = default;
        /// It can do nothing without one.
        virtual void waiting_for_application() = 0;
        virtual void opened(const node::ImmortalMember& member) = 0;
        virtual void standing_changed(Role role, Epoch epoch) = 0;
        /// The journal cannot be used: nobody but an operator can help. The last call.
        virtual void failed(const Error& error) = 0;
    };

    /// All outlive it. Errors: those of Network::listen (none): where applications come.
    [[nodiscard]] static Result<std::unique_ptr<Coordinator>> open(World world, Options options,
                                                                   Observer& observer);
    ~Coordinator() override;

    /// Hands the role over, lets what was accepted become durable, ends. Requires: called once.
    void close(std::function<void()> done);

    [[nodiscard]] const Address& applications() const { return port_->address(); }

private:
    Coordinator(World world, Options options, Observer& observer);

    void wait();
    void arrived(std::unique_ptr<immortal::RemoteApplication> application);
    void register_copy();
    void open_member();
    void opened(Result<std::unique_ptr<node::ImmortalMember>> member);
    void standing_changed();
    void upgrade_behind(immortal::Position told);
    void upgrade();
    void report();
    void report_again();
    void end_life();
    void leave();
    void member_closed();
    void journal_closed();
    void later(void (Coordinator::*what)());

    void application_here(immortal::RemoteApplication&) override;
    void application_impulse(immortal::RemoteApplication& application, std::uint64_t id,
                             std::string_view name, Bytes arguments) override;
    void application_upgrade(immortal::RemoteApplication& application, std::uint64_t id,
                             std::uint32_t version) override;
    void application_ended(immortal::RemoteApplication& application, const Error& reason) override;

    void designated(const role::Designation& what, Epoch known) override;
    void handover_wanted(const client::Handover& what) override;
    void registered(std::uint64_t order) override;
    void refused(const Error& reason) override;

    node::ImmortalMember* handover_member() override;
    void handover_report() override { report(); }
    void handover_ready(Epoch epoch) override;
    [[nodiscard]] bool handover_takes() const override;
    void handover_take(Epoch above, node::ImmortalHandover::Done done) override;
    void handover_give(const std::string& to, node::ImmortalHandover::Done done) override;

    const World world_;
    Runtime& runtime_;
    Log& log_;
    Options options_;
    Observer& observer_;
    std::unique_ptr<immortal::ApplicationPort> port_;

    std::uint64_t life_ = 0;  ///< Counts applications: what is late is of an earlier one.
    bool ending_ = false;     ///< This life.
    bool closing_ = false;    ///< For good.
    std::optional<Error> fatal_;
    std::function<void()> closed_;
    Duration retry_ = retry_min;
    std::unique_ptr<Timer> retry_timer_;

    client::JournaledMember* copy_ = nullptr;  ///< In the registry.
    std::optional<role::Designation> designation_;
    Electable electable_ = Electable::yes;  ///< As the journal was opened.
    Index checkpoint_;                      ///< The newest ...
    TimePoint checkpoint_at_;               ///< ... was seen first then.
    std::unique_ptr<Timer> report_timer_;
    std::unique_ptr<Timer> upgrade_timer_;
    node::ImmortalHandover handover_;

    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    std::unique_ptr<immortal::RemoteApplication> application_;
    std::unique_ptr<library::ReplicaJournal> journal_;
    std::unique_ptr<journal::Opening> opening_;
    std::unique_ptr<node::ImmortalMember> member_;
};

}  // namespace understudy::apps
