#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "link/acceptor.h"
#include "link/dial.h"
#include "link/link.h"
#include "replicated/messages.h"
#include "runtime/runtime.h"

namespace understudy::replicated {

/// Keeps one connection to each other node.
///
/// The node whose name sorts first dials. While the other node has no connection, it dials too, but
/// only to tell its address: it is refused, and the first node dials that address. So only one side
/// needs to know an address, and there are never two connections.
///
/// Evidence: the observer is told at once when the process of a peer is known to be dead, or when
/// its connection has ended and its port refuses connections after that.
///
/// Thread: loop only.
class Peers final : private link::Acceptor::Observer {
public:
    static constexpr std::size_t strangers_max =
        64;  ///< Connections that are not in use yet, or are ending.
    static constexpr std::size_t addresses_max = 4;  ///< Of one node. The newest ones are kept.
    static constexpr Duration knock_interval = 1s;

    struct Options {
        std::string platform;
        std::string name;
        std::string family;  ///< As in Node::Options.
        Address listen;
        std::optional<Address> advertise;
        std::optional<TlsOptions> tls;
        std::uint64_t identity = 0;  ///< Of this node's log.
        Duration connect_timeout = 1s;
        Duration retry_min = 20ms;
        Duration retry_max = 500ms;
    };

    class Observer {
    public:
        virtual ~Observer() = default;
        virtual void peer_connected(const std::string& name, std::uint64_t identity) = 0;
        virtual void peer_lost(const std::string& name) = 0;
        virtual void peer_gone(const std::string& name) = 0;
        /// `body` lives as long as the call. An error ends the connection.
        [[nodiscard]] virtual Result<void> peer_message(const std::string& name,
                                                        wire::MessageType type, Bytes body) = 0;
    };

    /// A connected peer.
    struct Peer {
        std::string name;
        std::uint64_t identity = 0;
        link::Link* link = nullptr;
    };

    Peers(Runtime& runtime, Log& log, Options options, Observer& observer);
    ~Peers() override;
    Peers(const Peers&) = delete;
    Peers& operator=(const Peers&) = delete;

    /// Errors: as Network::listen().
    [[nodiscard]] Result<void> start();
    /// Closes all connections for ever.
    void stop();

    void learn(const std::string& name, const Address& address);
    [[nodiscard]] const Peer* find(std::string_view name) const;
    [[nodiscard]] std::vector<const Peer*> connected() const;
    /// Why the last attempt to connect failed. Empty if the peer is connected, or nothing is known.
    [[nodiscard]] std::string trouble(std::string_view name) const;
    [[nodiscard]] const Address& address() const;

private:
    struct Row final : link::Link::Observer {
        Row(Peers& peers, const std::string& name) : peers(peers) { peer.name = name; }

        void link_hello(link::Link&, Bytes) override { US_ASSERT(false); }
        void link_welcome(link::Link&, Bytes) override { US_ASSERT(false); }
        void link_message(link::Link&, wire::MessageType type, Bytes body) override {
            peers.message(*this, type, body);
        }
        void link_drained(link::Link&) override {}
        void link_closed(link::Link&, const Error& reason) override { peers.lost(*this, reason); }

        Peers& peers;
        Peer peer;
        std::vector<Address> addresses;  ///< The most trusted first.
        std::size_t next_address = 0;
        std::unique_ptr<link::Link> link;  ///< In use.
        std::unique_ptr<link::Dial> dial;
        std::unique_ptr<Timer> timer;
        std::unique_ptr<ProcessWatch> watch;
        ProcessId process;  ///< The process at the other end.
        TimePoint since;    ///< When it was connected.
        Duration wait{};
        std::string trouble;
        bool suspected = false;  ///< The connection has just been lost, so a refusal is evidence.
    };

    [[nodiscard]] bool dials(const Row& row) const { return options_.name < row.peer.name; }
    [[nodiscard]] Hello hello() const;
    [[nodiscard]] Result<void> check(const link::Link& link, const Hello& hello) const;
    void dial(Row& row);
    void answered(Row& row, Result<link::Dial::Welcomed> result);
    void dial_failed(Row& row, const Error& reason, bool connected);
    void retry(Row& row);
    void complain(const Row& row, const Error& reason);
    void drop(Row& row);
    void establish(Row& row, std::unique_ptr<link::Link> link, const Hello& hello);
    void message(Row& row, wire::MessageType type, Bytes body);
    void lost(Row& row, const Error& reason);
    void gone(const std::string& name);
    void trust(Row& row, const Address& address);

    void peer_hello(LinkId id, Bytes opaque) override;

    Runtime& runtime_;
    Log& log_;
    const Options options_;
    Observer& observer_;
    link::Acceptor acceptor_;
    std::unique_ptr<Listener> listener_;
    std::map<std::string, Row, std::less<>> rows_;
    bool stopped_ = false;
};

}  // namespace understudy::replicated
