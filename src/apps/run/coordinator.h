#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/lifetime.h"
#include "base/log.h"
#include "client/agent.h"
#include "immortal/application_port.h"
#include "library/immortal/immortal_copy.h"
#include "node/immortal/immortal_member.h"
#include "node/locator.h"
#include "runtime/runtime.h"

namespace understudy::apps {

/// One copy of an immortal whose application is another process: waits for the application, hears
/// from the registry what this copy is to be, opens the journal, and lets the application act; when
/// that ends, leaves the journal to the other copies and waits for the next one.
///
/// A copy that is designated otherwise begins anew with the next application, and keeps its place
/// in the registry's line meanwhile, if one comes in `return_max`.
///
/// Thread: loop only.
class Coordinator final : private immortal::RemoteApplication::Owner,
                          private library::ImmortalCopy::Owner {
public:
    static constexpr Duration retry_min = 100ms;  ///< Doubles up to the other.
    static constexpr Duration retry_max = 5s;
    /// Between looks whether it may be asked for.
    static constexpr Duration upgrade_interval = 20ms;
    static constexpr Duration return_max = 5s;
    static constexpr Duration look_interval = 1s;  ///< Whether somebody is active.
    /// Who has this copy's name and is gone is out of the line by then; who is not, lives.
    static constexpr Duration taken_max = 5s;

    using Electable = library::ImmortalCopy::Electable;
    using MakeJournal = library::ImmortalCopy::MakeJournal;

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
        /// The registry refuses this copy, for now.
        virtual void refused(const Error& reason) = 0;
        /// This copy is the checkpointer, and there is no active one: as long as nothing else is
        /// said.
        virtual void nobody_active() = 0;
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
    [[nodiscard]] Result<void> enter();
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
    void copy_leaves_application() override;
    void copy_reopens() override;
    void copy_failed(const Error& error) override;
    void copy_refused(const Error& reason, Duration since) override;

    const World world_;
    Runtime& runtime_;
    Log& log_;
    Options options_;
    Observer& observer_;
    std::unique_ptr<immortal::ApplicationPort> port_;

    std::uint64_t life_ = 0;  ///< Counts applications: what is late is of an earlier one.
    bool ending_ = false;     ///< This life.
    bool leaving_ = false;    ///< It has not ended yet.
    bool closing_ = false;    ///< For good.
    std::optional<Error> fatal_;
    std::function<void()> closed_;
    Duration retry_ = retry_min;
    std::unique_ptr<Timer> retry_timer_;

    std::optional<std::pair<Role, Epoch>> told_;  ///< The application.
    std::unique_ptr<Timer> upgrade_timer_;
    std::unique_ptr<Timer> look_timer_;

    Lifetime lifetime_;
    std::unique_ptr<immortal::RemoteApplication> application_;
    library::ImmortalCopy copy_;
};

}  // namespace understudy::apps
