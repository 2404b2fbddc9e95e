#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "base/lifetime.h"
#include "base/log.h"
#include "client/agent.h"
#include "client/member.h"
#include "hosting/copy.h"
#include "hosting/locator.h"
#include "hosting/process_nodes.h"
#include "hosting/replica_member.h"
#include "record/state.h"
#include "runtime/runtime.h"
#include "understudy/replica.h"
#include "understudy/service.h"

namespace understudy::library {

/// The journal of a service whose records survive, in one member: a copy of record::State, whose
/// publisher is that of a member of the agent. The role that the journal gives is the member's
/// role.
///
/// A change is told to subscribers when it is durable, and by all members that are active later.
/// Thread: loop only.
class JournaledService final : private hosting::Copy::Owner {
public:
    using Kind = record::State::Kind;
    using Done = std::function<void(Result<void>)>;

    struct World {
        Runtime& runtime;
        Log& log;
        client::Agent& agent;
        hosting::ProcessNodes& nodes;
    };
    /// Must not destroy it within these calls.
    class Observer {
    public:
        virtual ~Observer() = default;
        /// The Record objects must show the durable records from now on, and changes that were made
        /// before must not be submitted: a tenure begins here, or a change was refused and no other
        /// change is under way.
        virtual void records_reset() = 0;
        virtual void journal_failed(const Error& error) = 0;
        virtual void journal_registered() = 0;
        virtual void journal_refused(const Error& reason) = 0;
    };

    /// All outlive it. `member` is a hosted member of the agent, without records of the
    /// application.
    JournaledService(const World& world, const ServiceOptions& options, client::Member& member,
                     Observer& observer);
    ~JournaledService() override;

    /// Errors: bad_config (none).
    [[nodiscard]] static Result<void> check(const ServiceOptions& options);
    /// Registers and opens the journal. Errors: as client::Agent::create_journaled().
    [[nodiscard]] Result<void> begin();
    /// Submits a change. Where it cannot be made, records_reset() follows and the reason is logged.
    void submit(Kind kind, std::string_view name, Bytes bytes);
    /// Calls `done` when every change that was submitted before has been answered, with the first
    /// error that has not been reported yet.
    void when_durable(Done done);
    /// Leaves the journal to others; `done` comes last.
    void close(std::function<void()> done);

private:
    void open();
    [[nodiscard]] hosting::ReplicaMember* replica();
    void answered(const Result<replica::Reply>& reply);
    void settle();

    // hosting::Copy::Owner
    void copy_opened() override {}
    void copy_standing_changed() override;
    void copy_reopens() override { open(); }
    void copy_failed(const Error& error) override;
    void copy_registered() override { observer_.journal_registered(); }
    void copy_refused(const Error& reason, Duration) override {
        observer_.journal_refused(reason);
    }

    const World world_;
    const ServiceOptions options_;
    client::Member& member_;
    Observer& observer_;
    record::State state_;
    hosting::StaticLocator no_places_;  ///< Subscribers connect to the port of the agent.
    hosting::Copy copy_;
    Epoch tenure_;               ///< The tenure that goes on here; 0: none.
    std::size_t under_way_ = 0;  ///< Changes.
    std::optional<Error> refused_;
    std::vector<Done> waiting_;  ///< For the end of what is under way.
    Buffer command_;
    Lifetime life_;
};

}  // namespace understudy::library
