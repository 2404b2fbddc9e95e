#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "client/proxy.h"
#include "library/records/names_view.h"
#include "library/records/subscription_impl.h"
#include "library/threads/call_queue.h"
#include "library/threads/hidden.h"
#include "library/threads/inbox.h"
#include "library/threads/listeners.h"
#include "library/threads/once.h"
#include "understudy/agent.h"
#include "understudy/proxy.h"

namespace understudy {

/// The implementation of a Proxy: passes subscriptions and calls between application and loop.
struct US_HIDDEN Proxy::Impl final : client::ProxyObserver, std::enable_shared_from_this<Impl> {
    using Read = library::Once<Result<RecordImage>>;
    using Subscribed = std::shared_ptr<Subscription::Impl>;

    Impl(std::shared_ptr<Agent::Impl> its_agent, std::string its_family, std::string its_member);

    [[nodiscard]] Error closed_error() const;
    [[nodiscard]] Result<Subscribed> subscribe(std::string_view record, RecordListener listener,
                                               const SubscribeOptions& options);
    /// Checks and encodes a call. Errors: those of Proxy::call() that occur before sending.
    [[nodiscard]] Result<library::CallQueue::Item> prepare(std::string_view name,
                                                           const Arguments& arguments,
                                                           const CallOptions& call_options,
                                                           record::Answer answer) const;
    /// A call on the callback thread to a handler that also runs there would wait for itself.
    /// Errors: bad_config (none).
    [[nodiscard]] Result<void> check_not_own(std::string_view name) const;
    void want_names();
    /// Errors: corrupt, limit_exceeded (unknown): the call has run.
    [[nodiscard]] static Result<CallResult> read_result(Bytes bytes);
    /// Errors: limit_exceeded, closed (none).
    [[nodiscard]] Result<void> queue_call(library::CallQueue::Item item);

    // On the loop.
    void open_on_loop();
    void close_on_loop();
    void send_queued();
    void begin_read(std::string record, const std::shared_ptr<Read>& read);
    void end_read(const std::shared_ptr<Read>& read);

    // client::ProxyObserver
    void status_changed(const client::ProxyStatus& status) override;
    void record_event(const record::Event& event) override;
    void call_finished(CallId call, Result<Buffer> outcome) override;
    void records_named(const record::Names& names) override;
    void rpcs_named(const record::Names& names) override;

    const std::shared_ptr<Agent::Impl> agent;
    const std::string family;
    const std::string member;
    library::CallQueue outgoing;
    library::Listeners<ConnectionStatus> status_listeners;
    library::NamesView records;
    library::NamesView rpcs;
    std::atomic<bool> closed{false};
    std::atomic<std::size_t> subscribed{0};

    mutable std::mutex mutex;
    ConnectionStatus status_now;

    std::unique_ptr<client::Proxy> client;  ///< Loop only; null before and after.

private:
    void add_on_loop(const Subscribed& subscription);
    void remove_on_loop(const Subscribed& subscription);
    void put(const library::Inbox::Entry& entry);
    void tell_callbacks();
    void finish_read(const record::Event& event);

    void work_on_inbox();
    /// Calls the listeners that run on that thread. Thread: that one.
    void tell_lost(RunOn where);
    void ask_again(std::vector<Subscribed> subscriptions);

    library::Inbox inbox_;

    // The loop changes it under the mutex, so only the loop may read it without the mutex.
    std::unordered_map<std::uint64_t, Subscribed> table_;

    // Loop only.
    std::unordered_map<std::uint64_t, std::shared_ptr<Read>> reads_;
    std::unordered_map<std::uint64_t, library::CallQueue::Finished> calls_;
    std::uint32_t connection_ = 0;
    bool new_line_ = false;
    bool leaving_ = false;  // It is closed; the client stays until its last messages are sent.

    // Callback thread only.
    library::Inbox::Taken taken_;
    bool working_ = false;
};

}  // namespace understudy
