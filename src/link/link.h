#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/log.h"
#include "runtime/runtime.h"
#include "wire/channel.h"

namespace understudy::link {

/// One native connection: stream, frames and handshake bound together.
///
/// All messages put in one loop turn leave in one write. Shell: decides nothing.
/// Thread: loop only. The owner may destroy it inside any callback.
class Link {
public:
    /// What cannot coalesce (answers, refusals) may pile up to here for a peer that does not read;
    /// beyond it the link is closed.
    static constexpr std::size_t backlog_max_bytes = 64 * MiB;

    class Observer {
    public:
        virtual ~Observer() = default;
        /// Accepting side: answer with welcome() or refuse().
        virtual void link_hello(Link& link, Bytes opaque) = 0;
        /// Connecting side: the link is usable.
        virtual void link_welcome(Link& link, Bytes opaque) = 0;
        virtual void link_message(Link& link, wire::MessageType type, Bytes body) = 0;
        /// The backlog is empty again after full() was true.
        virtual void link_drained(Link& link) = 0;
        /// The last call, once. A refusal by the peer comes as its reason.
        virtual void link_closed(Link& link, const Error& reason) = 0;
    };

    /// What every link of one process has in common.
    struct Options {
        std::vector<wire::Compression> compressions = {};
        wire::Compressor* compressor = nullptr;
        Duration handshake_limit = 5s;
    };

    Link(Runtime& runtime, std::unique_ptr<Connection> connection, wire::Side side,
         const Options& options, Observer& observer);
    ~Link();
    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;

    /// From now on `observer` hears what the first one heard. May be called in any callback.
    void observe(Observer& observer);

    /// Connecting side, first call. An opaque part beyond its bound closes the link.
    void hello(Bytes opaque);
    void welcome(Bytes opaque);
    /// Says why not, then closes; link_closed() follows.
    void refuse(const Error& reason);

    /// Returns false, and sends nothing, if the message is beyond its bound.
    bool send(wire::MessageType type, std::span<const Bytes> parts);
    bool send(wire::MessageType type, Bytes body) {
        return send(type, std::span<const Bytes>(&body, 1));
    }
    /// Sends what there is, then closes; link_closed() follows.
    void finish(const Error& reason);

    /// Over the high-water mark: what can coalesce or wait, should.
    [[nodiscard]] bool full() const;
    /// What is put and not with the kernel yet.
    [[nodiscard]] std::size_t backlog_bytes() const;
    [[nodiscard]] bool open() const;
    [[nodiscard]] const Address& peer() const;
    [[nodiscard]] std::optional<std::string> peer_identity() const;

private:
    class Core;
    std::shared_ptr<Core> core_;
};

}  // namespace understudy::link
