#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"
#include "runtime/network.h"
#include "sim/network/stream.h"
#include "sim/options.h"

namespace understudy::sim {

class Node;
class SimRuntime;
class World;

/// The network between all machines: links, listeners, connection attempts, streams.
///
/// A link is one direction between two machines; each can be cut separately. Connecting follows
/// TCP's handshake: lost packets are sent again after 1, 2, 4... seconds, a port without a listener
/// refuses, a machine without power does not answer, and the kernel of a paused process accepts for
/// it. A Unix-domain socket is a port of its machine that has a path in place of a number, and no
/// file.
class Fabric {
public:
    /// Not accepted yet; further ones get no answer.
    static constexpr std::size_t accept_queue_max = 128;
    static constexpr Duration tls_handshake_max = 5s;

    struct Dialling {
        Address address;
        std::optional<TlsOptions> tls;
        Duration timeout;
    };

    explicit Fabric(World& world);
    Fabric(const Fabric&) = delete;
    Fabric& operator=(const Fabric&) = delete;
    ~Fabric();

    // Calls of SimNetwork. Errors as in runtime/network.h.
    [[nodiscard]] Result<std::unique_ptr<Listener>> listen(SimRuntime& runtime,
                                                           const Address& address,
                                                           const std::optional<TlsOptions>& tls,
                                                           Network::Accepted accepted);
    [[nodiscard]] Result<std::unique_ptr<HeldPort>> hold_port(SimRuntime& runtime,
                                                              const std::string& host);
    [[nodiscard]] std::unique_ptr<Attempt> dial(SimRuntime& runtime, Dialling dialling,
                                                Network::Connected connected);

    // Calls of the world.
    void add_node();
    void set_cut(const Node& from, const Node& to, bool cut);
    /// Both directions take this much longer from now on; zero: normal.
    void set_extra_delay(const Node& a, const Node& b, Duration extra);
    void heal_all();
    /// Data and requests that are stuck are tried again.
    void paths_changed();
    /// Breaks the connections between two machines; returns their number.
    std::size_t reset(const Node& a, const Node& b);
    void lose_process(SimRuntime& runtime, Goodbye goodbye);
    /// Destroys everything that the process has left here. Requires: dead.
    void forget(SimRuntime& runtime);
    void reap();
    [[nodiscard]] std::size_t stream_count() const { return streams_.size(); }

    // Calls of Stream.
    [[nodiscard]] World& world() { return world_; }
    [[nodiscard]] TimePoint now() const;
    [[nodiscard]] Random& random() { return random_; }
    [[nodiscard]] const NetworkOptions& options() const;
    [[nodiscard]] bool passes(const Node& from, const Node& to) const;
    [[nodiscard]] Duration delay(const Node& from, const Node& to);
    /// Room for the next read of at most `unread` bytes; valid until the next call.
    [[nodiscard]] std::span<std::byte> read_buffer(std::size_t unread);
    void over(std::uint64_t stream) { over_.push_back(stream); }
    void note(SimRuntime& runtime, std::string_view site, std::uint64_t a, std::uint64_t b);

private:
    class SimListener;
    class SimHeldPort;
    class SimAttempt;
    struct Link {
        Duration base = Duration::zero();
        Duration extra = Duration::zero();
        bool cut = false;
    };
    struct Open;
    struct Dial;
    /// A port of a machine; a path in place of a number for a Unix-domain socket.
    struct Port {
        std::size_t node;
        std::uint16_t number;
        std::string path;
        friend auto operator<=>(const Port&, const Port&) = default;
    };
    using OpenPtr = std::shared_ptr<Open>;

    void syn(std::uint64_t id);
    void syn_again(std::uint64_t id);
    [[nodiscard]] bool handshake(std::uint64_t id, std::uint64_t open);
    void turn_away(std::uint64_t stream, std::uint64_t open);
    void answer_later(std::uint64_t id, std::optional<Error> outcome, int trips);
    void answer(std::uint64_t id);
    void complete(std::uint64_t id);
    void fail(std::uint64_t id, Error why);
    void give_up(std::uint64_t id);
    void accept_later(std::uint64_t stream, std::uint64_t open, Duration wait);
    void accept(std::uint64_t stream, std::uint64_t open);
    void hand_over(std::uint64_t stream, std::uint64_t open);
    void close(std::uint64_t open);
    [[nodiscard]] Stream* find(std::uint64_t stream);
    /// Whether the process may listen at such a host. Errors: closed, bad_config (none).
    [[nodiscard]] Result<void> check_own(SimRuntime& runtime, const std::string& host) const;
    /// A port of the host that no process has.
    [[nodiscard]] std::uint16_t free_port(Node& node);
    [[nodiscard]] static Port port_of(const Node& node, const Address& address);
    [[nodiscard]] Node* resolve(const std::string& host, Node& from) const;
    [[nodiscard]] Link& link(const Node& from, const Node& to);

    World& world_;
    Random random_;
    std::vector<std::vector<Link>> links_;  // [from][to]
    std::map<std::uint64_t, OpenPtr> open_;
    std::map<Port, std::uint64_t> ports_;
    std::set<Port> held_;
    std::map<std::uint64_t, Dial> dials_;
    std::map<std::uint64_t, std::unique_ptr<Stream>> streams_;
    std::vector<std::uint64_t> over_;
    std::uint64_t last_id_ = 0;
    Buffer read_buffer_;
};

}  // namespace understudy::sim
