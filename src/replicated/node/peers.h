#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/log.h"
#include "link/link.h"
#include "link/refusals.h"
#include "replicated/messages.h"
#include "runtime/runtime.h"

namespace understudy::replicated {

/// One connection to each other node, kept up for ever.
///
/// The node whose name sorts first dials. The other one, when it misses a node, dials too, but only
/// to say where it is: it is refused, and dialled. So an address needs to be known on one side
/// only, and there are never two connections.
///
/// Evidence: a peer's process that is proven dead, or that closed its connection and whose port
/// then refuses, is told at once.
///
/// Thread: loop only.
class Peers final : private link::Link::Observer {
public:
    static constexpr std::size_t strangers_max = 64;  ///< That have not said who they are.
    static constexpr std::size_t addresses_max = 4;   ///< Of one node; the newest count.
    static constexpr Duration knock_interval = 1s;

    struct Options {
        std::string platform;
        std::string name;
        std::string family;  ///< As Node::Options has it.
        Address listen;
        std::optional<Address> advertise;
        std::optional<TlsOptions> tls;
        std::uint64_t identity = 0;  ///< Of the own log.
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

    /// One that is connected.
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
    /// Closes everything, for good.
    void stop();

    void learn(const std::string& name, const Address& address);
    [[nodiscard]] const Peer* find(std::string_view name) const;
    [[nodiscard]] std::vector<const Peer*> connected() const;
    /// Why it is not connected, by the last try. Empty: it is, or nothing is known.
    [[nodiscard]] std::string trouble(std::string_view name) const;
    [[nodiscard]] const Address& address() const;

private:
    struct Row {
        Peer peer;
        std::vector<Address> addresses;  ///< The most trusted first.
        std::size_t next_address = 0;
        std::unique_ptr<link::Link> link;     ///< In use.
        std::unique_ptr<link::Link> dialled;  ///< Waits for its welcome.
        std::unique_ptr<Attempt> attempt;
        std::unique_ptr<Timer> timer;
        std::unique_ptr<ProcessWatch> watch;
        ProcessId process;  ///< The other end.
        TimePoint since;    ///< Connected.
        Duration wait{};
        std::string trouble;
        bool suspected = false;  ///< It has just been lost: a refusal would be evidence.
    };

    [[nodiscard]] bool dials(const Row& row) const { return options_.name < row.peer.name; }
    [[nodiscard]] Hello hello() const;
    [[nodiscard]] Result<void> check(const link::Link& link, const Hello& hello) const;
    void accepted(std::unique_ptr<Connection> connection);
    void connect(Row& row);
    void connected(Row& row, Result<std::unique_ptr<Connection>> made);
    void retry(Row& row);
    void complain(const Row& row, const Error& reason);
    void drop(Row& row);
    void establish(Row& row, std::unique_ptr<link::Link> link, const Hello& hello);
    void lost(Row& row, const Error& reason);
    void gone(const std::string& name);
    void trust(Row& row, const Address& address);

    void link_hello(link::Link& link, Bytes opaque) override;
    void link_welcome(link::Link& link, Bytes opaque) override;
    void link_message(link::Link& link, wire::MessageType type, Bytes body) override;
    void link_drained(link::Link& link) override;
    void link_closed(link::Link& link, const Error& reason) override;

    Runtime& runtime_;
    Log& log_;
    link::Refusals refusals_;
    const Options options_;
    Observer& observer_;
    std::unique_ptr<Listener> listener_;
    std::map<std::string, Row, std::less<>> rows_;
    std::unordered_map<const link::Link*, Row*> by_link_;
    std::vector<std::unique_ptr<link::Link>> strangers_;
    bool stopped_ = false;
};

}  // namespace understudy::replicated
