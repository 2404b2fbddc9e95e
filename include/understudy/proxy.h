#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "understudy/record.h"
#include "understudy/rpc.h"
#include "understudy/types.h"

namespace understudy {

struct ConnectionStatus {
    bool connected = false;
    std::string member;  ///< Connected to this member now, or last time.
    Epoch epoch = {};
};

/// How fresh a record is.
enum class RecordStatus : std::uint8_t {
    connecting,  ///< Nothing has arrived yet.
    connected,   ///< Every change arrives.
    stale,       ///< The member is away; the last image stays readable.
    absent,      ///< The active member has no such record now.
    refused,     ///< The member's permission filter refused.
};

/// A subscription ends when this object is destroyed or ended; a callback that has begun may still
/// finish.
class US_API Subscription {
public:
    Subscription() = default;
    Subscription(Subscription&&) noexcept;
    Subscription& operator=(Subscription&&) noexcept;
    ~Subscription();

    void end();
    /// The subscription goes on until the proxy is closed, without this object.
    void detach();
    /// The last image that arrived. Readable during an outage, and from any thread.
    [[nodiscard]] RecordImage image() const;
    [[nodiscard]] RecordStatus status() const;
    /// The number of changes that a slow listener did not see one by one.
    [[nodiscard]] std::uint64_t coalesced() const;

    struct Impl;

private:
    friend class Proxy;
    explicit Subscription(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

using RecordListener = std::function<void(const RecordImage& image, const RecordChange& change)>;

struct SubscribeOptions {
    std::string_view token = {};  ///< For the member's permission filter; up to 255 bytes.
    /// On the loop thread a listener hears of a change without a change of threads, and nothing is
    /// coalesced; while it runs, the agent does nothing else. Its status listeners run there too.
    RunOn where = RunOn::callback_thread;
};

/// The client's end of a service. A proxy knows the service by name, finds the active member and
/// follows it when it changes. It subscribes again and repeats what is safe to repeat. It reports
/// `unknown` when it cannot know an outcome.
///
/// Copies are the same proxy. Thread: any. Callbacks run on the agent's callback thread, except for
/// subscriptions that ask for the loop thread.
class US_API Proxy {
public:
    /// The listener gets the image first, then each atomic change in order. After a failover it
    /// gets an image again, which replaces everything. A slow listener gets fewer changes, merged
    /// into an image, so no queue grows. The image is valid inside the callback; copy it to keep
    /// it.
    /// Errors: bad_config, limit_exceeded, closed (none).
    [[nodiscard]] Result<Subscription> subscribe(std::string_view record, RecordListener listener,
                                                 const SubscribeOptions& options = {});
    /// As subscribe(), kept until the proxy is closed.
    Result<void> on_record(std::string_view record, RecordListener listener,
                           const SubscribeOptions& options = {});
    void on_record_status(const Subscription& subscription,
                          std::function<void(RecordStatus)> listener);

    /// Reads a record once. Must not run on the callback thread.
    /// Errors: timed_out; not_found (none): the active member has no such record; closed.
    [[nodiscard]] Result<RecordImage> get(std::string_view record, Duration timeout = 5s);

    /// Runs a call on the active member and waits. Must not run on the callback thread if the
    /// handler runs there too: a handler of the same agent, or of an agent that shares its threads.
    /// Errors: timed_out, not_found, refused, limit_exceeded (none): it did not run; unavailable,
    /// timed_out (unknown): it may have run; failed: what the handler returned.
    [[nodiscard]] Result<CallResult> call(std::string_view name, const Arguments& arguments = {},
                                          CallOptions options = {});
    /// Runs a call without waiting. `done` is called once, on the callback thread.
    void call_async(std::string_view name, const Arguments& arguments, CallOptions options,
                    std::function<void(Result<CallResult>)> done);
    /// Sends a call without an answer. Errors: only those that occur before sending.
    Result<void> send(std::string_view name, const Arguments& arguments = {});

    /// The listener is called with the present state first.
    void on_status(std::function<void(const ConnectionStatus&)> listener);
    void on_records(std::function<void(const std::vector<std::string>& added,
                                       const std::vector<std::string>& removed)>
                        listener);
    void on_rpcs(std::function<void(const std::vector<std::string>& names)> listener);

    [[nodiscard]] ConnectionStatus status() const;
    [[nodiscard]] std::string family() const;
    /// Closes this proxy for all its copies. Idempotent.
    void close();

    struct Impl;

private:
    friend class Agent;
    explicit Proxy(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
    std::shared_ptr<Impl> impl_;
};

}  // namespace understudy
