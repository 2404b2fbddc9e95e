#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "understudy/journal.h"
#include "understudy/record.h"
#include "understudy/rpc.h"
#include "understudy/types.h"

namespace understudy {

struct ServiceOptions {
    std::string family;
    std::string member;
    Redundancy redundancy = Redundancy::fault_tolerant;
    /// How long a silent member keeps its role. The value of the first member holds for the
    /// service.
    Duration lease = 1s;
    OnRegistryLoss on_registry_loss = OnRegistryLoss::by_registry;
    /// Answers the call understudy.record.put, so that operators may change records of this member.
    /// The changes are made on the callback thread; the application must then write these records
    /// there too.
    bool allow_record_put = false;
    /// With a journal the records of the service survive their members: each change is in the
    /// journal before a subscriber sees it, all members have all records, and the journal decides
    /// which member is active. Only the active member publishes. Redundancy must be fault_tolerant.
    std::optional<std::variant<SharedDirectory, ReplicatedGroup>> journal = {};
    /// With a journal: a checkpoint is due after this many bytes of changes.
    std::uint64_t checkpoint_every_bytes = 64 * MiB;
};

struct RoleChange {
    std::string family;
    std::string member;
    Role role;
    Epoch epoch;
};

/// One record of one member. Copies are the same record.
///
/// put and remove collect changes until Service::publish() makes one atomic change of them. An
/// equal value is no change.
/// Thread: any, one at a time per record.
class US_API Record {
public:
    /// Errors: bad_config, limit_exceeded (none).
    Result<void> put(std::string_view field, Value value);
    Result<void> put(std::string_view submap, std::string_view field, Value value);
    bool remove(std::string_view field);
    bool remove(std::string_view submap, std::string_view field);
    bool remove_submap(std::string_view submap);
    void clear();

    [[nodiscard]] std::string name() const;
    /// The record with the changes that are not published yet.
    [[nodiscard]] RecordImage image() const;

    struct Impl;

private:
    friend class Service;
    explicit Record(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
    std::shared_ptr<Impl> impl_;
};

/// One member of a service, in this process. Copies are the same member.
///
/// The same code runs in every member: it creates its records and publishes them whatever its role
/// is. Only the records of the active member reach subscribers. Each member also has the record
/// "understudy.member", in which the platform shows its role, clients and counts.
///
/// With a journal (ServiceOptions::journal) the records belong to the service: the member that is
/// active next has every change that was durable, and its Record objects show these records.
///
/// A member exists until close() or the end of its agent, even without an object that refers to it.
/// Thread: any. Callbacks on the agent's callback thread.
class US_API Service {
public:
    /// The listener is called with the present role, if it is decided, then with each change. A
    /// member that was ever standby hears standby before active.
    void on_role(std::function<void(const RoleChange&)> listener);
    /// Called when the registry refuses this member: its name belongs to a live process, or its
    /// service has another redundancy.
    void on_refused(std::function<void(const Error&)> listener);
    /// Called when the number of subscriptions to a record has changed.
    void on_subscriptions(
        std::function<void(std::string_view record, std::size_t previous, std::size_t current)>
            listener);
    /// Called when the number of connected clients has changed.
    void on_clients(std::function<void(std::size_t clients)> listener);
    /// Decides whether a subscription is allowed. Called on the loop thread: it must return in
    /// microseconds.
    void set_permission_filter(
        std::function<bool(std::string_view record, std::string_view token)> filter);

    /// Errors: timed_out (none; says what it waited for), closed, and the registry's refusal.
    [[nodiscard]] Result<void> wait_registered(Duration timeout = 30s);

    /// Returns the record, and creates it if necessary. Subscribers see it after its first
    /// publish(). Names that begin with "understudy." belong to the platform.
    /// Errors: bad_config, limit_exceeded, closed (none).
    [[nodiscard]] Result<Record> record(std::string_view name);
    [[nodiscard]] std::optional<Record> find_record(std::string_view name) const;
    [[nodiscard]] std::vector<std::string> record_names() const;
    /// Makes one atomic change of all puts and removes since the last publish. Waits while more
    /// than `unsent_max_bytes` are on their way to the loop thread.
    /// Errors: closed, not_found: the record was removed (none).
    /// With a journal: not_active (none) at a member that is not active. A change that the journal
    /// then refuses is logged, and the record shows the durable state again.
    Result<void> publish(Record& record);
    /// With a journal: publishes, and waits until the change is durable. Not on a callback's
    /// thread. Errors: as above; not_active (none: not taken; unknown: the member lost its role
    /// meanwhile), timed_out (unknown), no_space (none), disk_failed (unknown), bad_config (none:
    ///         without a journal).
    Result<void> publish_durably(Record& record, Duration timeout = 10s);
    Result<void> remove_record(Record& record);

    /// Makes a call available to callers. Errors: already_exists, bad_config, closed (none).
    Result<void> publish_rpc(std::string_view name, RpcHandler handler,
                             RunOn where = RunOn::callback_thread);
    /// Errors: not_found, closed (none).
    Result<void> unpublish_rpc(std::string_view name);

    [[nodiscard]] Role role() const;
    [[nodiscard]] Epoch epoch() const;
    [[nodiscard]] std::string family() const;
    [[nodiscard]] std::string member() const;

    /// Takes the member out of the line. Idempotent.
    void close();

    static constexpr std::size_t unsent_max_bytes = 8 * MiB;

    struct Impl;

private:
    friend class Agent;
    explicit Service(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
    [[nodiscard]] Result<void> check_own(const Record& record) const;
    [[nodiscard]] Result<void> check_active() const;
    Result<void> publish_in_journal(Record& record);
    std::shared_ptr<Impl> impl_;
};

}  // namespace understudy
