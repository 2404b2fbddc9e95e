#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "client/agent.h"
#include "library/threads/callbacks.h"
#include "library/threads/hidden.h"
#include "library/threads/listeners.h"
#include "library/threads/loop_thread.h"
#include "library/threads/thread_pair.h"
#include "understudy/agent.h"

namespace understudy {

/// The implementation of an Agent and of all objects that it created.
///
/// One part is used only on the loop. The other part can be read by any thread under the mutex.
/// Every object that the agent created keeps this alive; close() ends that cycle.
struct US_HIDDEN Agent::Impl final : client::AgentObserver, std::enable_shared_from_this<Impl> {
    using Key = std::pair<std::string, std::string>;  ///< Family and member.

    static constexpr Duration close_max = 2s;
    static constexpr Duration leave_max = 200ms;  ///< For proxies, within close_max.
    static constexpr Duration statistics_interval = 2s;
    /// Families; further ones are not followed permanently.
    static constexpr std::size_t awaited_max = 1000;

    /// Requires: the threads already count this as a user.
    Impl(std::shared_ptr<Log> its_log, client::AgentOptions its_options,
         std::shared_ptr<library::ThreadPair> its_threads);
    ~Impl() override;

    [[nodiscard]] Result<void> open();
    void close(Duration limit);
    [[nodiscard]] Error closed_error() const;
    /// The problem with the registry; empty if there is none. Thread: any.
    [[nodiscard]] std::string registry_trouble() const;

    // On the loop.
    /// Services, proxies and waiting callers follow a family. While one of them follows it, its
    /// present state is known here.
    void follow(const std::string& family);
    void unfollow(const std::string& family);
    /// For a caller that waits for the family. It stays followed, because the caller probably uses
    /// it next.
    void follow_awaited(const std::string& family);
    /// A closed proxy sends its last messages, for no longer than its link exists.
    void proxy_leaves(const std::shared_ptr<Proxy::Impl>& proxy);
    void proxy_left(const std::shared_ptr<Proxy::Impl>& proxy);

    // client::AgentObserver
    void registry_changed(bool available, const std::string& detail) override;
    void service_changed(const std::string& family) override;

    const std::shared_ptr<Log> log;
    const client::AgentOptions options;
    const std::shared_ptr<library::ThreadPair> threads;
    library::LoopThread& loop;
    const std::shared_ptr<library::Callbacks> callbacks;
    const TimePoint started;
    std::string address;  ///< Set by open().
    library::Listeners<bool> registry_listeners;
    library::ListenersByName<ServiceStatus> service_listeners;
    std::atomic<bool> closing{false};

    mutable std::mutex mutex;
    std::condition_variable changed;  ///< Signals a change of any member below.
    bool loop_left = false;           ///< No task of this agent is on the loop any more.
    bool loop_ended = false;          ///< This agent was the last user of the loop.
    bool closed = false;
    bool registry_up = false;
    std::string registry_detail;
    /// Followed families, once they are known.
    std::map<std::string, ServiceStatus> services_seen;
    std::map<Key, std::shared_ptr<Proxy::Impl>> proxies;

    // Loop only.
    std::unique_ptr<client::Agent> client;
    std::map<Key, std::shared_ptr<Service::Impl>> services;
    std::map<std::string, std::size_t> followed;
    std::set<std::string> awaited;
    std::set<std::shared_ptr<Proxy::Impl>> leaving;
    std::unique_ptr<Timer> statistics;
    std::unique_ptr<Timer> leave_limit;

private:
    void after_turns(int turns, std::function<void()> next);
    void flush_on_loop(TimePoint deadline);
    void close_on_loop(TimePoint deadline);
    void close_client(TimePoint deadline);
    void leave_loop();
    void wait_loop_left(TimePoint deadline);
    void members_are_out();
    void end_on_loop();
    void publish_statistics();

    bool members_out = false;  // Loop only.
};

}  // namespace understudy
