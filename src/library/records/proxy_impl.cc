#include "library/records/proxy_impl.h"

#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "library/records/agent_impl.h"
#include "library/records/call_bytes.h"
#include "library/records/service_impl.h"
#include "library/threads/clock.h"
#include "library/threads/listeners.h"
#include "record/codec.h"
#include "understudy/limits.h"

namespace understudy {

using library::CallQueue;
using library::Inbox;

namespace {

constexpr std::size_t token_size_max = 255;

}  // namespace

Proxy::Impl::Impl(std::shared_ptr<Agent::Impl> its_agent, std::string its_family,
                  std::string its_member)
    : agent(std::move(its_agent)),
      family(std::move(its_family)),
      member(std::move(its_member)),
      status_listeners(agent->callbacks, "connection listener", library::changes_kept),
      records(agent->callbacks, "record names listener"),
      rpcs(agent->callbacks, "call names listener") {
    status_listeners.tell({});
}

Error Proxy::Impl::closed_error() const {
    return {.code = Errc::closed, .detail = "the proxy for " + family + " is closed"};
}

void Proxy::Impl::open_on_loop() {
    if (closed.load() || agent->client == nullptr) return;
    agent->follow(family);
    auto opened = agent->client->open_proxy(family, member, *this);
    US_ASSERT(opened);  // Names were checked.
    client = *std::move(opened);
}

// Earlier output is still sent. Calls and reads end with `closed`; the last images of records stay
// readable.
void Proxy::Impl::close_on_loop() {
    send_queued();
    closed.store(true);
    status_listeners.close();
    records.close();
    rpcs.close();
    for (CallQueue::Item& item : outgoing.close()) {
        if (item.finished) item.finished(closed_error());
    }
    if (client != nullptr) {
        leaving_ = true;
        const bool connected = client->status().connected;
        agent->client->release_proxy(*client);
        agent->unfollow(family);
        if (connected) {
            agent->proxy_leaves(shared_from_this());
        } else {
            client.reset();
        }
    }
    for (auto& [id, finished] : std::exchange(calls_, {})) finished(closed_error());
    for (auto& [id, read] : std::exchange(reads_, {})) read->set(closed_error());
    std::unordered_map<std::uint64_t, Subscribed> over;
    {
        const std::lock_guard lock(mutex);
        over.swap(table_);
        status_now.connected = false;
    }
    for (auto& [id, subscription] : over) {
        subscription->abandon();
        if (inbox_.retire(std::move(subscription))) tell_callbacks();
    }
}

// --- Subscriptions -------------------------------------------------------------------------------

Result<Proxy::Impl::Subscribed> Proxy::Impl::subscribe(std::string_view record,
                                                       RecordListener listener,
                                                       const SubscribeOptions& options) {
    US_CHECK(check_record_name(record));
    if (options.token.size() > token_size_max) {
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("token of {} bytes, at most {}", options.token.size(),
                                           token_size_max)};
    }
    if (!listener) {
        return Error{.code = Errc::bad_config, .detail = "a subscription without a listener"};
    }
    if (closed.load()) return closed_error();
    if (subscribed.fetch_add(1) >= subscriptions_max) {
        subscribed.fetch_sub(1);
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("{} subscriptions of one proxy", subscriptions_max)};
    }
    auto made =
        std::make_shared<Subscription::Impl>(std::string(record), options, std::move(listener));
    made->unsubscribe = [weak = weak_from_this()](const Subscribed& subscription) {
        const auto self = weak.lock();
        if (self == nullptr) return;
        self->agent->loop.post([self, subscription] { self->remove_on_loop(subscription); });
    };
    if (!agent->loop.post([self = shared_from_this(), made] { self->add_on_loop(made); })) {
        return closed_error();
    }
    return made;
}

void Proxy::Impl::add_on_loop(const Subscribed& subscription) {
    if (client == nullptr || leaving_ || subscription->ended.load()) return;
    const auto id = client->subscribe(subscription->record, subscription->token);
    US_ASSERT(id);  // Name and number were checked.
    subscription->id = *id;
    const std::lock_guard lock(mutex);
    table_.emplace(id->value, subscription);
}

void Proxy::Impl::remove_on_loop(const Subscribed& subscription) {
    subscribed.fetch_sub(1);
    if (client == nullptr || subscription->id.value == 0) return;
    client->unsubscribe(subscription->id);
    {
        const std::lock_guard lock(mutex);
        table_.erase(subscription->id.value);
    }
    if (inbox_.retire(subscription)) tell_callbacks();
}

void Proxy::Impl::begin_read(std::string record, const std::shared_ptr<Read>& read) {
    if (client == nullptr || leaving_) return read->set(closed_error());
    const auto id = client->subscribe(std::move(record));
    if (!id) return read->set(id.error());
    reads_.emplace(id->value, read);
}

void Proxy::Impl::end_read(const std::shared_ptr<Read>& read) {
    for (auto each = reads_.begin(); each != reads_.end(); ++each) {
        if (each->second != read) continue;
        if (client != nullptr) client->unsubscribe(SubscriptionId{each->first});
        reads_.erase(each);
        return;
    }
}

// The bytes become an image here, because a read is one message and needs no mirror.
void Proxy::Impl::finish_read(const record::Event& event) {
    const SubscriptionId id = event.subscription;
    const auto found = reads_.find(id.value);
    if (found == reads_.end()) return;
    const std::shared_ptr<Read> read = std::move(found->second);
    reads_.erase(found);
    // Not within the call that names it.
    agent->loop.post([self = shared_from_this(), id] {
        if (self->client != nullptr) self->client->unsubscribe(id);
    });
    if (event.type == wire::MessageType::image) {
        read->set(record::to_image(event.bytes));
    } else if (event.type == wire::MessageType::subscribe_refused) {
        read->set(record::reason(event));
    } else {
        read->set(Error{.code = Errc::not_found, .detail = family + " has no such record"});
    }
}

// --- Events of the member, on the loop -----------------------------------------------------------

void Proxy::Impl::status_changed(const client::ProxyStatus& status) {
    const ConnectionStatus news{status.connected, status.member, status.epoch};
    bool was_connected = false;
    {
        const std::lock_guard lock(mutex);
        was_connected = status_now.connected;
        status_now = news;
    }
    if (news.connected && !was_connected) {
        ++connection_;
        new_line_ = !status.epochs_comparable;
    } else if (was_connected && !news.connected && !table_.empty()) {
        put({.event = {}, .connection = connection_});
        tell_lost(RunOn::loop_thread);
    }
    status_listeners.tell(news);
    if (leaving_ && !news.connected) {
        // Not within the call that reports it.
        agent->loop.post([self = shared_from_this()] {
            self->client.reset();
            self->agent->proxy_left(self);
        });
    }
}

void Proxy::Impl::record_event(const record::Event& event) {
    const auto found = table_.find(event.subscription.value);
    if (found == table_.end()) return finish_read(event);
    const Inbox::Entry entry{.event = event,
                             .subscription = found->second.get(),
                             .connection = connection_,
                             .new_line = new_line_};
    if (entry.subscription->where == RunOn::callback_thread) return put(entry);
    // A listener that ends a subscription does so in a later turn.
    if (entry.subscription->take(*agent->log, entry)) client->resync(event.subscription);
}

void Proxy::Impl::put(const Inbox::Entry& entry) {
    if (inbox_.put(entry)) tell_callbacks();
}

void Proxy::Impl::tell_callbacks() {
    agent->callbacks->post([self = shared_from_this()] { self->work_on_inbox(); });
}

void Proxy::Impl::records_named(const record::Names& names) { records.took(names); }

void Proxy::Impl::rpcs_named(const record::Names& names) { rpcs.took(names); }

// --- The same, on the callback thread ------------------------------------------------------------

// Handles one batch and then lets other users run, so that a stream of changes delays no other user
// for long.
void Proxy::Impl::work_on_inbox() {
    // A listener that is called from here is closing the agent.
    if (working_) return;
    if (!inbox_.take(taken_)) return;
    working_ = true;
    Log& log = *agent->log;
    std::vector<Subscribed> behind;
    taken_.each([&](const Inbox::Entry& entry) {
        if (entry.subscription == nullptr) return tell_lost(RunOn::callback_thread);
        if (entry.subscription->take(log, entry)) {
            behind.push_back(entry.subscription->shared_from_this());
        }
    });
    if (taken_.late().lost) tell_lost(RunOn::callback_thread);
    for (const auto& [subscription, note] : taken_.late().notes) {
        if (note.refused) subscription->refused(log);
        if (note.lagging) behind.push_back(subscription->shared_from_this());
    }
    taken_.release();
    working_ = false;
    if (!behind.empty()) ask_again(std::move(behind));
    if (agent->callbacks->post([self = shared_from_this()] { self->work_on_inbox(); })) return;
    // Nothing more is reported; the rest is discarded.
    while (inbox_.take(taken_)) taken_.release();
}

void Proxy::Impl::tell_lost(RunOn where) {
    std::vector<Subscribed> all;
    {
        const std::lock_guard lock(mutex);
        for (const auto& [id, subscription] : table_) {
            if (subscription->where == where) all.push_back(subscription);
        }
    }
    for (const Subscribed& each : all) each->connection_lost(*agent->log);
}

// Requests a fresh image for those that still need one.
void Proxy::Impl::ask_again(std::vector<Subscribed> subscriptions) {
    agent->loop.post([self = shared_from_this(), subscriptions = std::move(subscriptions)] {
        if (self->client == nullptr) return;
        for (const Subscribed& each : subscriptions) self->client->resync(each->id);
    });
}

// --- Calls ---------------------------------------------------------------------------------------

Result<CallQueue::Item> Proxy::Impl::prepare(std::string_view name, const Arguments& arguments,
                                             const CallOptions& call_options,
                                             record::Answer answer) const {
    US_CHECK(check_call_name(name));
    if (closed.load()) return closed_error();
    CallQueue::Item item;
    item.call.name = std::string(name);
    item.call.arguments = US_TRY(library::encode(arguments));
    item.call.deadline = library::later(library::clock_now(), call_options.deadline);
    item.call.answer = answer;
    item.call.repeat =
        call_options.repeatable ? record::Repeat::allowed : record::Repeat::never;
    return item;
}

Result<void> Proxy::Impl::check_not_own(std::string_view name) const {
    if (!agent->callbacks->on_thread()) return {};
    std::string target;
    {
        const std::lock_guard lock(mutex);
        if (!status_now.connected) return {};
        target = status_now.member;
    }
    bool own = false;
    (void)agent->loop.run([&] {
        for (const Agent::Impl* each : agent->threads->agents) {
            const auto service = each->services.find({family, target});
            if (service == each->services.end()) continue;
            const auto handler = service->second->handlers.find(name);
            own = own || (handler != service->second->handlers.end() &&
                          handler->second.where == RunOn::callback_thread);
        }
    });
    if (!own) return {};
    return Error{.code = Errc::bad_config,
                 .detail = fmt::format("{} runs on this thread: the call would wait for "
                                       "itself",
                                       name)};
}

void Proxy::Impl::want_names() {
    agent->loop.post([self = shared_from_this()] {
        if (self->client != nullptr) self->client->want_names();
    });
}

Result<CallResult> Proxy::Impl::read_result(Bytes bytes) {
    auto result = CallResult::from_bytes(bytes);
    if (result) return result;
    Error error = std::move(result).error();
    error.effect = Effect::unknown;
    return error;
}

Result<void> Proxy::Impl::queue_call(CallQueue::Item item) {
    if (!US_TRY(outgoing.add(std::move(item)))) return {};
    agent->loop.post([self = shared_from_this()] { self->send_queued(); });
    return {};
}

void Proxy::Impl::send_queued() {
    if (client == nullptr || leaving_) return;  // The close has answered them.
    for (CallQueue::Item& item : outgoing.take()) {
        auto begun = client->call(std::move(item.call));
        if (!item.finished) continue;
        if (begun) {
            calls_.emplace(begun->value, std::move(item.finished));
        } else {
            item.finished(std::move(begun).error());
        }
    }
}

void Proxy::Impl::call_finished(CallId call, Result<Buffer> outcome) {
    const auto found = calls_.find(call.value);
    if (found == calls_.end()) return;  // No caller waits for it.
    const CallQueue::Finished finished = std::move(found->second);
    calls_.erase(found);
    finished(std::move(outcome));
}

}  // namespace understudy
