#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/lifetime.h"
#include "base/log.h"
#include "client/agent.h"
#include "hosting/copy.h"
#include "hosting/locator.h"
#include "immortal/application_port.h"
#include "node/immortal/immortal_member.h"
#include "runtime/runtime.h"

namespace understudy::apps {

/// One copy of an immortal whose application is another process. It waits for the application, gets
/// its designation from the registry, opens the journal and connects the application to it. When
/// the application ends, it leaves the journal to the other copies and waits for the next
/// application.
///
/// A copy whose designation changes starts again with the next application. It keeps its place in
/// the registry's line meanwhile, if an application connects within `return_max`.
///
/// Thread: loop only.
class Coordinator final : private immortal::RemoteApplication::Owner, private hosting::Copy::Owner {
public:
    static constexpr Duration retry_min = 100ms;  ///< Doubles up to retry_max.
    static constexpr Duration retry_max = 5s;
    /// Between checks whether the upgrade may be requested.
    static constexpr Duration upgrade_interval = 20ms;
    static constexpr Duration return_max = 5s;
    static constexpr Duration look_interval = 1s;  ///< Between checks whether a copy is active.
    /// After this time, a process that had this copy's name and has ended is out of the line. One
    /// that is still in the line is alive.
    static constexpr Duration taken_max = 5s;

    struct Options {
        Address applications;  ///< The address for applications.
        immortal::RemoteApplication::Options application;
        node::ImmortalMember::Options member;
        /// The upgrade to request when the copy is active and its application has carried out all
        /// earlier input. Older code may still take its place until then. 0: none.
        std::uint32_t upgrade = 0;
        std::string advertise;  ///< Host for the registry; empty: that of member.listen.
    };
    struct World {
        hosting::Copy::World copy;
        hosting::Locator& locator;
    };

    /// Calls to the owner. They must not destroy the coordinator.
    class Observer {
    public:
        virtual ~Observer() = default;
        /// There is no application, and nothing can be done without one.
        virtual void waiting_for_application() = 0;
        virtual void opened(const node::ImmortalMember& member) = 0;
        virtual void standing_changed(Role role, Epoch epoch) = 0;
        /// The registry refuses this copy for now.
        virtual void refused(const Error& reason) = 0;
        /// This copy is the checkpointer, and no copy is active. This holds until another call.
        virtual void nobody_active() = 0;
        /// The journal cannot be used, and only an operator can help. The last call.
        virtual void failed(const Error& error) = 0;
    };

    /// All arguments outlive it. Errors: those of Network::listen() for the applications' address
    /// (none).
    [[nodiscard]] static Result<std::unique_ptr<Coordinator>> open(World world, Options options,
                                                                   Observer& observer);
    ~Coordinator() override;

    /// Gives up the role, lets what was accepted become durable, and ends. Requires: called once.
    void close(std::function<void()> done);

    [[nodiscard]] const Address& applications() const { return port_->address(); }

private:
    Coordinator(World world, Options options, Observer& observer);

    void wait();
    void arrived(std::unique_ptr<immortal::RemoteApplication> application);
    [[nodiscard]] Result<void> enter();
    [[nodiscard]] std::unique_ptr<journal::Opening> open_member(
        const journal::Open& journal, std::optional<replica::CheckpointDuty> duty,
        hosting::Copy::Opened opened);
    /// Null while it is not open.
    [[nodiscard]] node::ImmortalMember* member();
    void look_who_is_active();
    void upgrade_behind(immortal::Position told);
    void upgrade();
    void end_life();
    void leave();
    void ended();
    void end_application(Errc code, const char* why);
    void later(void (Coordinator::*what)());

    void application_here(immortal::RemoteApplication&) override;
    void application_impulse(immortal::RemoteApplication& application, std::uint64_t id,
                             std::string_view name, Bytes arguments) override;
    void application_upgrade(immortal::RemoteApplication& application, std::uint64_t id,
                             std::uint32_t version) override;
    void application_ended(immortal::RemoteApplication& application, const Error& reason) override;

    void copy_opened() override;
    void copy_standing_changed() override;
    void copy_leaves() override;
    void copy_reopens() override;
    void copy_failed(const Error& error) override;
    void copy_refused(const Error& reason, Duration since) override;

    const World world_;
    Runtime& runtime_;
    Log& log_;
    Options options_;
    Observer& observer_;
    std::unique_ptr<HeldPort> held_port_;  ///< That of options_.member.listen.
    std::unique_ptr<immortal::ApplicationPort> port_;

    std::uint64_t life_ = 0;  ///< Counts applications; late callbacks belong to an earlier one.
    bool ending_ = false;     ///< The present life ends.
    bool leaving_ = false;    ///< It has not ended completely yet.
    bool closing_ = false;    ///< The coordinator ends.
    std::optional<Error> fatal_;
    std::function<void()> closed_;
    Duration retry_ = retry_min;
    std::unique_ptr<Timer> retry_timer_;

    /// The last role that was sent to the application.
    std::optional<std::pair<Role, Epoch>> told_;
    std::unique_ptr<Timer> upgrade_timer_;
    std::unique_ptr<Timer> look_timer_;

    Lifetime lifetime_;
    std::unique_ptr<immortal::RemoteApplication> application_;
    hosting::Copy copy_;
};

}  // namespace understudy::apps
