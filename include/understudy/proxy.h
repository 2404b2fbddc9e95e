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
    std::string member;  ///< Connected to, or last connected to.
    Epoch epoch = {};
};

/// How fresh a record is.
enum class RecordStatus : std::uint8_t {
    connecting,  ///< Nothing has come yet.
    connected,   ///< Every change arrives.
    stale,       ///< The member is away; what was last heard stays readable.
    absent,      ///< The active member has no such record (now).
    refused,     ///< The member's permission filter says no.
};

/// Ends a subscription when it is destroyed or ended; a callback under way may still finish.
class US_API Subscription {
public:
    Subscription() = default;
    Subscription(Subscription&&) noexcept;
    Subscription& operator=(Subscription&&) noexcept;
    ~Subscription();

    void end();
    /// Goes on until the proxy is closed, without anyone holding it.
    void detach();
    /// What was last heard; readable during an outage, and from any thread.
    [[nodiscard]] RecordImage image() const;
    [[nodiscard]] RecordStatus status() const;
    /// Changes that a slow listener did not see one by one.
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
    /// On the loop thread a listener hears of a change one thread change earlier, and nothing is
    /// coalesced: while it runs, nothing else comes. Listeners of its status run there too.
    RunOn where = RunOn::callback_thread;
};

/// The client's end of a service: knows it by name, finds the active member, follows it when it
/// moves, subscribes anew, retries what is safe to retry, says `unknown` when it cannot know.
///
/// Copies are the same proxy. Thread: any. Callbacks on the agent's callback thread, but for
/// subscriptions that ask for the loop thread.
class US_API Proxy {
public:
    /// The image first, then each atomic change, in order; after a failover an image again, which
    /// replaces everything. A slow listener sees fewer, merged into an image: never a growing
    /// queue. The image is valid inside the callback; copy to keep. Errors: bad_config,
    /// limit_exceeded, closed (none).
    [[nodiscard]] Result<Subscription> subscribe(std::string_view record, RecordListener listener,
                                                 const SubscribeOptions& options = {});
    /// As subscribe(), kept until the proxy is closed.
    Result<void> on_record(std::string_view record, RecordListener listener,
                           const SubscribeOptions& options = {});
    void on_record_status(const Subscription& subscription,
                          std::function<void(RecordStatus)> listener);

    /// One read. Not on the callback thread.
    /// Errors: timed_out, not_found: the active member has none (none), closed.
    [[nodiscard]] Result<RecordImage> get(std::string_view record, Duration timeout = 5s);

    /// Runs a call on the active member and waits. Not on the callback thread for handlers that
    /// run there: of the same agent, or of one that shares its threads.
    /// Errors: with effect none it did not run (timed_out, not_found, refused, limit_exceeded);
    /// with
    ///         effect unknown nobody knows (unavailable, timed_out); failed: the handler's own
    ///         word.
    [[nodiscard]] Result<CallResult> call(std::string_view name, const Arguments& arguments = {},
                                          CallOptions options = {});
    /// The same without waiting; `done` on the callback thread, once.
    void call_async(std::string_view name, const Arguments& arguments, CallOptions options,
                    std::function<void(Result<CallResult>)> done);
    /// Sent, never answered. Errors: only those before sending.
    Result<void> send(std::string_view name, const Arguments& arguments = {});

    /// Called with the present state first.
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
