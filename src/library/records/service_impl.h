#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "client/member.h"
#include "library/records/member_record.h"
#include "library/threads/hidden.h"
#include "library/threads/listeners.h"
#include "library/threads/outbox.h"
#include "record/draft.h"
#include "understudy/agent.h"
#include "understudy/service.h"

namespace understudy {

/// One record as its application writes it.
struct US_HIDDEN Record::Impl {
    Impl(Service::Impl* its_service, std::string its_name, std::uint64_t its_number)
        : service(its_service), name(std::move(its_name)), number(its_number) {}

    const Service::Impl* const service;  ///< Its owner; compared but never dereferenced.
    const std::string name;
    const std::uint64_t number;  ///< Identifies it on the way to the loop; never reused.
    std::atomic<bool> removed{false};

    // The application's, one thread at a time.
    record::Draft draft;
    bool published = false;  ///< Set by the first publication, from which on subscribers know it.
    Buffer scratch;
};

/// The implementation of a Service: the application's side of a member.
struct US_HIDDEN Service::Impl final : client::MemberObserver, std::enable_shared_from_this<Impl> {
    static constexpr std::size_t calls_waiting_max = 65'536;  ///< For the callback thread.
    static constexpr std::size_t calls_waiting_max_bytes = 64 * MiB;

    struct Handler {
        std::shared_ptr<const RpcHandler> run;
        RunOn where;
    };

    Impl(std::shared_ptr<Agent::Impl> its_agent, ServiceOptions its_options);

    [[nodiscard]] Error closed_error() const;
    [[nodiscard]] std::string full_name() const { return options.family + "/" + options.member; }

    // On the loop.
    void opened(client::Member& its_member);
    void close_on_loop();
    void publish_statistics();
    void take_entry(library::Outbox::Kind kind, std::uint64_t number, Bytes bytes);

    // client::MemberObserver
    void role_changed(Role role, Epoch epoch) override;
    void registered(std::uint64_t order) override;
    void refused(const Error& reason) override;
    void call(client::CallToken token, std::string_view name, Bytes arguments,
              TimePoint deadline) override;
    void call_abandoned(client::CallToken token) override;
    void subscriptions_changed(std::string_view record, std::size_t previous,
                               std::size_t current) override;
    void clients_changed(std::size_t clients) override;
    std::optional<Error> permit(std::string_view record, std::string_view token) override;

    const std::shared_ptr<Agent::Impl> agent;
    const ServiceOptions options;
    library::Outbox outbox;
    library::Listeners<RoleChange> role_listeners;
    library::Listeners<Error> refused_listeners;
    library::Listeners<std::size_t> client_listeners;
    library::ListenersByName<std::size_t> subscription_listeners;
    std::atomic<bool> closed{false};

    mutable std::mutex mutex;
    std::condition_variable changed;  ///< Signals a change of any member below.
    RoleChange role_now;
    bool is_registered = false;
    std::optional<Error> refusal;
    std::map<std::string, std::shared_ptr<Record::Impl>, std::less<>> records;
    std::uint64_t record_number_last = 0;
    std::set<std::string, std::less<>> rpcs;
    std::shared_ptr<const std::function<bool(std::string_view, std::string_view)>> filter;

private:
    void answer(client::CallToken token, const Result<Buffer>& outcome);
    void queue_call(client::CallToken token, const Handler& handler, std::string_view name,
                    Bytes arguments, TimePoint deadline);

    std::atomic<std::size_t> calls_waiting_{0};
    std::atomic<std::size_t> calls_waiting_bytes_{0};

public:
    // Loop only.
    client::Member* member = nullptr;
    std::map<std::string, Handler, std::less<>> handlers;

private:
    std::unordered_map<std::uint64_t, record::RecordId> ids_;
    std::uint64_t number_last_ = 0;  // The record that changed last, whose id is cached.
    record::RecordId id_last_;
    std::optional<library::MemberRecord> own_record_;
    std::uint64_t calls_ = 0;
};

}  // namespace understudy
