#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "understudy/types.h"

namespace understudy {

/// The certificates of one end. With TLS 1.3 both ends prove who they are.
struct TlsOptions {
    std::string certificate_file;  ///< PEM, the own chain.
    std::string key_file;          ///< PEM, mode 0600.
    std::string authority_file;    ///< PEM, the authorities that sign certificates of peers.
    friend bool operator==(const TlsOptions&, const TlsOptions&) = default;
};

/// One byte stream to a peer, in order, until it breaks.
///
/// Thread: loop only.
/// Bounds: send() never refuses. The caller watches backlog_bytes() and stops. When a peer does not
///         read, the caller sends less or closes the connection.
class Connection {
public:
    class Observer {
    public:
        virtual ~Observer() = default;
        /// `data` lives as long as the call. Never empty.
        virtual void received(Bytes data) = 0;
        /// The backlog is empty again, after it was at least `high_water_bytes` long.
        virtual void drained() = 0;
        /// The last call. It comes once, never within a call to this connection. The reason is
        /// `closed` for an orderly end by the peer, `unavailable` for a reset, `denied` for a TLS
        /// failure.
        virtual void closed(const Error& reason) = 0;
    };

    static constexpr std::size_t high_water_bytes = 1 * MiB;

    /// Closes it. Bytes that the kernel does not have yet are dropped. The observer is not called
    /// any more.
    virtual ~Connection() = default;

    /// Nothing is received before this call.
    /// Requires: called once, before control returns to the loop.
    virtual void start(Observer& observer) = 0;

    /// Copies `data` to the end of the backlog. All sends of one loop turn leave in one write.
    virtual void send(Bytes data) = 0;

    /// Closes the connection when the backlog has been sent and the peer has closed its side, or
    /// after `grace`. From now on the observer gets only closed(): with `closed` if the backlog was
    /// sent, else with `unavailable`. Later calls of send() are ignored.
    virtual void finish(Duration grace) = 0;

    [[nodiscard]] virtual std::size_t backlog_bytes() const = 0;
    [[nodiscard]] virtual const Address& peer() const = 0;
    /// The common name of the peer's certificate. nullopt without TLS.
    [[nodiscard]] virtual std::optional<std::string> peer_identity() const = 0;
};

/// An open port. The destructor closes it.
class Listener {
public:
    virtual ~Listener() = default;
    [[nodiscard]] virtual const Address& address() const = 0;  ///< With the port the system chose.
};

/// A port that the system chose and keeps for this process. The destructor gives it back.
class HeldPort {
public:
    virtual ~HeldPort() = default;
    [[nodiscard]] virtual const Address& address() const = 0;
};

/// An attempt to connect. The destructor abandons it, and its callback is not called any more.
class Attempt {
public:
    virtual ~Attempt() = default;
};

/// The longest path of a Unix-domain socket, in bytes.
inline constexpr std::size_t local_path_max = 107;

/// Whether an address is the path of a Unix-domain socket of this machine: its host contains '/',
/// as no name of a host does. Its port has no meaning then.
[[nodiscard]] inline bool is_local(const Address& address) {
    return address.host.find('/') != std::string::npos;
}

/// Streams between processes: over TCP, or on one machine over a Unix-domain socket (is_local()).
///
/// The file of such a socket has mode 0600. The listener's end removes it and PATH.lock beside it.
/// A file that an earlier listener left is replaced. A socket at which a process listens is not
/// replaced, and no other file is.
///
/// Thread: loop only.
/// Bounds: paths of local_path_max bytes; a longer one is bad_config.
class Network {
public:
    using Accepted = std::function<void(std::unique_ptr<Connection>)>;
    using Connected = std::function<void(Result<std::unique_ptr<Connection>>)>;

    virtual ~Network() = default;

    /// Calls `accepted` with each new connection; with TLS after its handshake (limit 5 s).
    /// The connecting side speaks first: a connection on which nothing has come may be closed to
    /// make room for others, when there are many or no descriptor is left.
    /// An empty host is 127.0.0.1. A name is resolved within the call.
    /// Requires: `accepted` calls start() of the connection before it returns, or destroys it.
    /// Errors: in_use, bad_config, bad_path, not_permitted, no_descriptors, limit_exceeded (none).
    [[nodiscard]] virtual Result<std::unique_ptr<Listener>> listen(
        const Address& address, const std::optional<TlsOptions>& tls, Accepted accepted) = 0;

    /// Lets the system choose a free port of `host` and keeps it: until the result is destroyed,
    /// the system chooses it for nothing else, and listen() may open and close it any number of
    /// times. While nothing listens there, connections are refused. An empty host is 127.0.0.1. A
    /// name is resolved within the call.
    /// Errors: as listen().
    [[nodiscard]] virtual Result<std::unique_ptr<HeldPort>> hold_port(const std::string& host) = 0;

    /// Resolves the name, tries each of its addresses, then calls `connected` once, never within
    /// this call. A peer may refuse our certificate later: then closed() comes with `denied`.
    /// Requires: `connected` calls start() of the connection before it returns, or destroys it.
    /// Errors: unavailable, timed_out, denied, bad_config, not_permitted, no_descriptors (none).
    [[nodiscard]] virtual std::unique_ptr<Attempt> connect(const Address& address,
                                                           const std::optional<TlsOptions>& tls,
                                                           Duration timeout,
                                                           Connected connected) = 0;
};

}  // namespace understudy
