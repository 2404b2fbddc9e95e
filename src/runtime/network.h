#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "understudy/types.h"

namespace understudy {

/// Certificates of one end. TLS 1.3, both ends prove who they are.
struct TlsOptions {
    std::string certificate_file;  ///< PEM, own chain.
    std::string key_file;          ///< PEM, mode 0600.
    std::string authority_file;    ///< PEM, who signs the peers.
    friend bool operator==(const TlsOptions&, const TlsOptions&) = default;
};

/// One byte stream to a peer, in order, until it breaks.
///
/// Thread: loop only.
/// Bounds: send() never refuses; whoever sends watches backlog_bytes() and stops. A peer that
///         does not read is the sender's to coalesce for, or to close.
class Connection {
public:
    class Observer {
    public:
        virtual ~Observer() = default;
        /// `data` lives as long as the call. Never empty.
        virtual void received(Bytes data) = 0;
        /// The backlog has fallen to zero after having been at or above `high_water_bytes`.
        virtual void drained() = 0;
        /// The last call, once, never within a call to this connection. The reason is `closed` for
        /// an orderly end by the peer, `unavailable` for a reset, `denied` for a TLS failure.
        virtual void closed(const Error& reason) = 0;
    };

    static constexpr std::size_t high_water_bytes = 1 * MiB;

    /// Closes; bytes not yet with the kernel are dropped, and no observer is called any more.
    virtual ~Connection() = default;

    /// Requires: called once, before control returns to the loop. Nothing is received before it.
    virtual void start(Observer& observer) = 0;

    /// Copies `data` to the end of the backlog. All sends of one loop turn leave in one write.
    virtual void send(Bytes data) = 0;

    /// Closes once the backlog has left and the peer has ended too, or after `grace`. From now on
    /// the observer hears nothing but closed(), with `closed` if the backlog left, else with
    /// `unavailable`. What is sent later is ignored.
    virtual void finish(Duration grace) = 0;

    [[nodiscard]] virtual std::size_t backlog_bytes() const = 0;
    [[nodiscard]] virtual const Address& peer() const = 0;
    /// Common name of the peer's certificate; nullopt without TLS.
    [[nodiscard]] virtual std::optional<std::string> peer_identity() const = 0;
};

/// An open port. Destroying it closes it.
class Listener {
public:
    virtual ~Listener() = default;
    [[nodiscard]] virtual const Address& address() const = 0;  ///< With the port the system chose.
};

/// An attempt to connect. Destroying it gives up; the handler is not called any more.
class Attempt {
public:
    virtual ~Attempt() = default;
};

/// Of a Unix-domain socket, in bytes.
inline constexpr std::size_t local_path_max = 107;

/// Whether an address is the path of a Unix-domain socket of this machine: its host contains '/',
/// which no host's name does, and its port says nothing.
[[nodiscard]] inline bool is_local(const Address& address) {
    return address.host.find('/') != std::string::npos;
}

/// Streams between processes: over TCP, or on one machine over a Unix-domain socket (is_local()).
///
/// The file of such a socket is its owner's alone (0600) and goes with its listener, as does
/// PATH.lock beside it. One that a listener of before has left behind makes way; one at which
/// somebody listens does not, nor does any other file.
///
/// Thread: loop only.
/// Bounds: local_path_max; a longer path is bad_config.
class Network {
public:
    using Accepted = std::function<void(std::unique_ptr<Connection>)>;
    using Connected = std::function<void(Result<std::unique_ptr<Connection>>)>;

    virtual ~Network() = default;

    /// Requires of `accepted`: start() each connection within the call, or destroy it.
    /// With TLS, a connection is handed over after its handshake (deadline 5 s).
    /// Who connects speaks first: a connection of which nothing comes may be closed for others,
    /// when there are many or no descriptor is left.
    /// An empty host is 127.0.0.1. A name is looked up within the call.
    /// Errors: in_use, bad_config, bad_path, not_permitted, no_descriptors, limit_exceeded (none).
    [[nodiscard]] virtual Result<std::unique_ptr<Listener>> listen(
        const Address& address, const std::optional<TlsOptions>& tls, Accepted accepted) = 0;

    /// Resolves the name anew, tries each of its addresses, then calls `connected` once, never
    /// within this call. `connected` too starts the connection within the call, or destroys it.
    /// A peer that refuses our certificate may say so only after that: closed() with `denied`.
    /// Errors: unavailable, timed_out, denied, bad_config, not_permitted, no_descriptors (none).
    [[nodiscard]] virtual std::unique_ptr<Attempt> connect(const Address& address,
                                                           const std::optional<TlsOptions>& tls,
                                                           Duration timeout,
                                                           Connected connected) = 0;
};

}  // namespace understudy
