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

/// One native connection: binds a byte stream to frames and the handshake.
///
/// All messages of one loop turn are sent in one write. Shell.
/// Thread: loop only. The owner may destroy it in any callback.
class Link {
public:
    /// Messages that cannot be combined (answers, refusals) are kept up to this bound if the peer
    /// does not read. Beyond it the link is closed.
    static constexpr std::size_t backlog_max_bytes = 64 * MiB;

    class Observer {
    public:
        virtual ~Observer() = default;
        /// Accepting side. Answer with welcome() or refuse(), now or later.
        virtual void link_hello(Link& link, Bytes opaque) = 0;
        /// Connecting side. The link is usable.
        virtual void link_welcome(Link& link, Bytes opaque) = 0;
        virtual void link_message(Link& link, wire::MessageType type, Bytes body) = 0;
        /// The backlog is empty again after full() was true.
        virtual void link_drained(Link& link) = 0;
        /// The last call, made once. If the peer refused, its reason is passed.
        virtual void link_closed(Link& link, const Error& reason) = 0;
    };

    /// What all links of one process have in common.
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

    /// From now on `observer` is called instead of the present one. May be called in any callback.
    void observe(Observer& observer);

    /// Connecting side, first call. If `opaque` is longer than its bound, the link is closed.
    void hello(Bytes opaque);
    void welcome(Bytes opaque);
    /// Sends the reason, then closes the link. link_closed() follows.
    void refuse(const Error& reason);

    /// Returns false and sends nothing if the message is longer than its bound.
    bool send(wire::MessageType type, std::span<const Bytes> parts);
    bool send(wire::MessageType type, Bytes body) {
        return send(type, std::span<const Bytes>(&body, 1));
    }
    /// Sends what is not sent yet, then closes the link. link_closed() follows.
    void finish(const Error& reason);

    /// The backlog is over the high-water mark: messages that can be combined or can wait should.
    [[nodiscard]] bool full() const;
    /// Bytes that the kernel has not taken yet.
    [[nodiscard]] std::size_t backlog_bytes() const;
    [[nodiscard]] bool open() const;
    [[nodiscard]] const Address& peer() const;
    [[nodiscard]] std::optional<std::string> peer_identity() const;

private:
    class Core;
    std::shared_ptr<Core> core_;
};

}  // namespace understudy::link
