#include "library/records/agent_impl.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "library/records/proxy_impl.h"
#include "library/records/service_impl.h"
#include "library/records/service_view.h"
#include "library/threads/clock.h"
#include "library/threads/listeners.h"

namespace understudy {

namespace {

// A task may run in the turn in which it was posted, before the end of that turn.
constexpr int turns_to_leave = 2;

// Services never end: one without members is reported as such.
[[nodiscard]] bool never_over(const ServiceStatus&) { return false; }

}  // namespace

Agent::Impl::Impl(std::shared_ptr<Log> its_log, client::AgentOptions its_options,
                  std::shared_ptr<library::ThreadPair> its_threads)
    : log(std::move(its_log)),
      options(std::move(its_options)),
      threads(std::move(its_threads)),
      loop(threads->loop),
      callbacks(std::make_shared<library::Callbacks>(log, threads->callbacks)),
      started(library::clock_now()),
      registry_listeners(callbacks, "registry listener", library::changes_kept),
      service_listeners(callbacks, "service listener", never_over) {
    registry_listeners.tell(false);
}

Agent::Impl::~Impl() { US_ASSERT(client == nullptr); }

Result<void> Agent::Impl::open() {
    Result<void> opened;
    (void)loop.run([&] {
        auto made = client::Agent::open(loop.runtime(), *log, options, *this);
        if (!made) {
            opened = std::move(made).error();
            return;
        }
        client = *std::move(made);
        address = to_string(client->address());
        threads->agents.insert(this);
        publish_statistics();
    });
    if (opened) return {};
    const TimePoint deadline = library::clock_now() + close_max;
    if (loop.leave() && !loop.on_loop()) (void)loop.join(deadline);
    callbacks->close(loop.on_loop() ? TimePoint{} : deadline);
    return opened;
}

Error Agent::Impl::closed_error() const {
    return {.code = Errc::closed, .detail = "agent " + options.name + " is closed"};
}

std::string Agent::Impl::registry_trouble() const {
    const std::lock_guard lock(mutex);
    if (registry_up) return {};
    std::string addresses;
    for (const Address& each : options.registry) {
        addresses += (addresses.empty() ? "" : ", ") + to_string(each);
    }
    return fmt::format("no registry at {} ({})", addresses,
                       registry_detail.empty() ? "no answer yet" : registry_detail);
}

void Agent::Impl::publish_statistics() {
    for (const auto& [key, service] : services) service->publish_statistics();
    Runtime& runtime = loop.runtime();
    statistics = runtime.at(runtime.now() + statistics_interval, [this] { publish_statistics(); });
}

// --- The directory -------------------------------------------------------------------------------

void Agent::Impl::follow(const std::string& family) {
    if (followed[family]++ == 0) {
        // What was seen in an earlier time of following may be old.
        const std::lock_guard lock(mutex);
        if (family.empty()) {
            services_seen.clear();
        } else {
            services_seen.erase(family);
        }
    }
    client->follow(family);
}

void Agent::Impl::unfollow(const std::string& family) {
    if (client == nullptr) return;
    const auto found = followed.find(family);
    US_ASSERT(found != followed.end());
    if (--found->second == 0) followed.erase(found);
    client->unfollow(family);
}

void Agent::Impl::follow_awaited(const std::string& family) {
    if (client == nullptr || awaited.contains(family)) return;
    if (awaited.size() >= awaited_max) {
        const std::string oldest = *awaited.begin();
        awaited.erase(awaited.begin());
        unfollow(oldest);
    }
    awaited.insert(family);
    follow(family);
}

void Agent::Impl::registry_changed(bool available, const std::string& detail) {
    {
        const std::lock_guard lock(mutex);
        registry_up = available;
        registry_detail = available ? std::string() : detail;
    }
    changed.notify_all();
    registry_listeners.tell(available);
}

void Agent::Impl::service_changed(const std::string& family) {
    ServiceStatus status = library::to_status(family, client->directory().find(family));
    {
        const std::lock_guard lock(mutex);
        services_seen.insert_or_assign(family, status);
    }
    changed.notify_all();
    service_listeners.tell(family, std::move(status));
}

// --- The end -------------------------------------------------------------------------------------

void Agent::Impl::close(Duration limit) {
    const TimePoint deadline =
        library::later(library::clock_now(), std::clamp(limit, Duration::zero(), close_max));
    if (closing.exchange(true)) {
        if (loop.on_loop() || callbacks->on_thread()) return;
        std::unique_lock lock(mutex);
        changed.wait_until(lock, library::to_steady(deadline), [this] { return closed; });
        return;
    }
    registry_listeners.close();
    service_listeners.close();
    changed.notify_all();
    loop.post([self = shared_from_this(), deadline] { self->flush_on_loop(deadline); });
    if (loop.on_loop()) {
        callbacks->close(TimePoint{});  // A handler on the loop must not wait.
    } else {
        wait_loop_left(deadline);
        callbacks->close(deadline);
    }
    const std::lock_guard lock(mutex);
    closed = true;
    changed.notify_all();
}

// The agent's own loop has ended then; a shared one goes on.
void Agent::Impl::wait_loop_left(TimePoint deadline) {
    std::unique_lock lock(mutex);
    changed.wait_until(lock, library::to_steady(deadline), [this] { return loop_left; });
    if (!loop_ended) return;
    lock.unlock();
    (void)loop.join(deadline);
}

// The output of a turn is sent at its end.
void Agent::Impl::after_turns(int turns, std::function<void()> next) {
    if (turns == 0) return next();
    loop.post([self = shared_from_this(), turns, next = std::move(next)]() mutable {
        self->after_turns(turns - 1, std::move(next));
    });
}

// Earlier publications and messages are sent before anything is closed.
void Agent::Impl::flush_on_loop(TimePoint deadline) {
    statistics.reset();
    for (const auto& [key, service] : services) service->outbox.drain();
    {
        const std::lock_guard lock(mutex);
        for (const auto& [key, proxy] : proxies) proxy->send_queued();
    }
    after_turns(turns_to_leave, [this, deadline] { close_on_loop(deadline); });
}

void Agent::Impl::close_on_loop(TimePoint deadline) {
    // Journals end while the registry can be told.
    const auto left = std::make_shared<std::size_t>(1);
    const auto ended = [self = shared_from_this(), left, deadline] {
        if (--*left == 0) self->close_client(deadline);
    };
    for (const auto& [key, service] : services) {
        service->close_on_loop();
        ++*left;
        service->end_journal(ended);
    }
    services.clear();
    std::map<Key, std::shared_ptr<Proxy::Impl>> open_proxies;
    {
        const std::lock_guard lock(mutex);
        open_proxies.swap(proxies);
    }
    for (const auto& [key, proxy] : open_proxies) proxy->close_on_loop();
    ended();
}

void Agent::Impl::close_client(TimePoint deadline) {
    const Duration left = deadline - loop.runtime().now() - leave_max - 100ms;
    client->close(std::max(left, Duration::zero()), [self = shared_from_this()] {
        self->loop.post([self] { self->members_are_out(); });
    });
}

void Agent::Impl::members_are_out() {
    members_out = true;
    if (leaving.empty()) return after_turns(turns_to_leave, [this] { end_on_loop(); });
    Runtime& runtime = loop.runtime();
    leave_limit = runtime.at(runtime.now() + leave_max, [this] { end_on_loop(); });
}

void Agent::Impl::proxy_leaves(const std::shared_ptr<Proxy::Impl>& proxy) { leaving.insert(proxy); }

void Agent::Impl::proxy_left(const std::shared_ptr<Proxy::Impl>& proxy) {
    if (leaving.erase(proxy) == 0 || !leaving.empty() || leave_limit == nullptr) return;
    leave_limit.reset();
    loop.post([self = shared_from_this()] { self->end_on_loop(); });
}

void Agent::Impl::end_on_loop() {
    leave_limit.reset();
    for (const auto& proxy : leaving) proxy->client.reset();
    leaving.clear();
    client.reset();
    leave_loop();
}

void Agent::Impl::leave_loop() {
    threads->agents.erase(this);
    const bool ended = loop.leave();
    const std::lock_guard lock(mutex);
    loop_left = true;
    loop_ended = ended;
    changed.notify_all();
}

}  // namespace understudy
