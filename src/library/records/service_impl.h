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
#include "library/records/journaled_service.h"
#include "library/records/member_record.h"
#include "library/threads/hidden.h"
#include "library/threads/listeners.h"
#include "library/threads/outbox.h"
#include "record/draft.h"
#include "understudy/agent.h"
#include "understudy/service.h"

namespace understudy {

namespace library {

/// The source of the records of a service with a journal.
struct RecordSource {
    /// Counts how often the Record objects have been reset. Any thread.
    std::atomic<std::uint64_t> resets{1};
    /// The durable state of the record. Any thread; waits for the loop.
    std::function<std::optional<RecordImage>(const std::string& name)> fetch;
};

}  // namespace library

/// One record as its application writes it.
struct US_HIDDEN Record::Impl {
    Impl(Service::Impl* its_service, std::string its_name, std::uint64_t its_number,
         std::shared_ptr<const library::RecordSource> its_source)
        : service(its_service),
          name(std::move(its_name)),
          number(its_number),
          source(std::move(its_source)) {}

    /// With a journal: begins with the durable record again if the records have been reset.
    void refresh();

    const Service::Impl* const service;  ///< Its owner; compared but never dereferenced.
    const std::string name;
    const std::uint64_t number;  ///< Identifies it on the way to the loop; never reused.
    const std::shared_ptr<const library::RecordSource> source;  ///< Null without a journal.
    std::atomic<bool> removed{false};

    // The application's, one thread at a time.
    record::Draft draft;
    bool published = false;  ///< Set by the first publication, from which on subscribers know it.
    Buffer scratch;
    std::uint64_t reset = 0;  ///< RecordSource::resets when the draft began.
};

/// The implementation of a Service: the application's side of a member.
struct US_HIDDEN Service::Impl final : client::MemberObserver,
                                       library::JournaledService::Observer,
                                       std::enable_shared_from_this<Impl> {
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
    /// With a journal. Errors: as JournaledService::begin().
    [[nodiscard]] Result<void> begin_journal();
    /// After close_on_loop(); `done` comes last, at once without a journal.
    void end_journal(std::function<void()> done);
    void close_on_loop();
    void publish_statistics();
    void take_entry(library::Outbox::Kind kind, std::uint64_t number, Bytes bytes);

    /// Puts a change of a record on its way. Any thread. Errors: not_active, closed (none).
    [[nodiscard]] Result<void> put_in_journal(library::Outbox::Kind kind, Record::Impl& record,
                                              Bytes bytes);

    // library::JournaledService::Observer
    void records_reset() override;
    void journal_failed(const Error& error) override;
    void journal_registered() override { registered(0); }
    void journal_refused(const Error& reason) override { refused(reason); }

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
    const std::shared_ptr<library::RecordSource> source;  ///< Null without a journal.
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
    void take_journal_entry(library::Outbox::Kind kind, Bytes bytes);
    void queue_call(client::CallToken token, const Handler& handler, std::string_view name,
                    Bytes arguments, TimePoint deadline);

    std::atomic<std::size_t> calls_waiting_{0};
    std::atomic<std::size_t> calls_waiting_bytes_{0};

public:
    // Loop only.
    client::Member* member = nullptr;
    client::Member* hosted = nullptr;  ///< With a journal: the same, until the journal has ended.
    std::unique_ptr<library::JournaledService> journal;
    std::map<std::string, Handler, std::less<>> handlers;

private:
    std::unordered_map<std::uint64_t, record::RecordId> ids_;
    std::uint64_t number_last_ = 0;  // The record that changed last, whose id is cached.
    record::RecordId id_last_;
    std::optional<library::MemberRecord> own_record_;
    std::uint64_t calls_ = 0;
};

}  // namespace understudy
