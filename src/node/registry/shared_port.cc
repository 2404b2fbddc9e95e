#include "node/registry/shared_port.h"

#include <utility>

#include "base/lifetime.h"

namespace understudy::node {

/// A connection. Its first byte decides whether it belongs to agents or to nodes. After that byte
/// it passes on everything.
class SharedPort::Visitor final : public Connection, private Connection::Observer {
public:
    Visitor(SharedPort& port, std::uint64_t id, std::unique_ptr<Connection> connection)
        : port_(&port), id_(id), connection_(std::move(connection)) {
        limit_ = port.runtime_.at(port.runtime_.now() + first_byte_limit,
                                  [&port, id] { (void)port.visitors_.extract(id); });
    }

    void listen() { connection_->start(*this); }

    // Connection, for its new owner.
    void start(Connection::Observer& observer) override { observer_ = &observer; }
    void send(Bytes data) override { connection_->send(data); }
    void finish(Duration grace) override { connection_->finish(grace); }
    [[nodiscard]] std::size_t backlog_bytes() const override {
        return connection_->backlog_bytes();
    }
    [[nodiscard]] const Address& peer() const override { return connection_->peer(); }
    [[nodiscard]] std::optional<std::string> peer_identity() const override {
        return connection_->peer_identity();
    }

private:
    void received(Bytes data) override {
        if (observer_ != nullptr) return observer_->received(data);
        limit_.reset();
        const bool node = data.front() == node_mark;
        SharedPort& port = *std::exchange(port_, nullptr);
        // This may be destroyed by it: by a new owner, or because there is none.
        const Lifetime::Watch here = life_.watch();
        port.decided(id_, node);
        if (here.ended() || observer_ == nullptr) return;
        const Bytes rest = data.subspan(node ? 1 : 0);
        if (!rest.empty()) observer_->received(rest);
    }
    void drained() override {
        if (observer_ != nullptr) observer_->drained();
    }
    void closed(const Error& reason) override {
        if (observer_ != nullptr) return observer_->closed(reason);
        (void)port_->visitors_.extract(id_);  // Destroys this.
    }

    SharedPort* port_;  ///< Null after the decision.
    const std::uint64_t id_;
    Connection::Observer* observer_ = nullptr;
    std::unique_ptr<Timer> limit_;
    Lifetime life_;
    std::unique_ptr<Connection> connection_;
};

namespace {

/// A connection that begins with the mark of a node.
class Marked final : public Connection {
public:
    explicit Marked(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}

    void start(Observer& observer) override {
        connection_->start(observer);
        connection_->send(Bytes(&SharedPort::node_mark, 1));
    }
    void send(Bytes data) override { connection_->send(data); }
    void finish(Duration grace) override { connection_->finish(grace); }
    [[nodiscard]] std::size_t backlog_bytes() const override {
        return connection_->backlog_bytes();
    }
    [[nodiscard]] const Address& peer() const override { return connection_->peer(); }
    [[nodiscard]] std::optional<std::string> peer_identity() const override {
        return connection_->peer_identity();
    }

private:
    std::unique_ptr<Connection> connection_;
};

}  // namespace

/// Listens at the shared port, and sends the mark on connections that it makes.
class SharedPort::NodeNetwork final : public Network {
public:
    explicit NodeNetwork(SharedPort& port) : port_(port) {}

    Result<std::unique_ptr<Listener>> listen(const Address&, const std::optional<TlsOptions>&,
                                             Accepted accepted) override {
        if (port_.nodes_) {
            return Error{.code = Errc::in_use, .detail = "nodes are listened for already"};
        }
        port_.nodes_ = std::move(accepted);
        return std::unique_ptr<Listener>(std::make_unique<Door>(port_));
    }
    Result<std::unique_ptr<HeldPort>> hold_port(const std::string& host) override {
        return port_.runtime_.network().hold_port(host);
    }
    std::unique_ptr<Attempt> connect(const Address& address, const std::optional<TlsOptions>& tls,
                                     Duration timeout, Connected connected) override {
        return port_.runtime_.network().connect(
            address, tls, timeout,
            [connected = std::move(connected)](Result<std::unique_ptr<Connection>> opened) {
                if (!opened) return connected(std::move(opened).error());
                connected(
                    std::unique_ptr<Connection>(std::make_unique<Marked>(*std::move(opened))));
            });
    }

private:
    class Door final : public Listener {
    public:
        explicit Door(SharedPort& port) : port_(port) {}
        Door(const Door&) = delete;
        Door& operator=(const Door&) = delete;
        ~Door() override { port_.nodes_ = nullptr; }
        [[nodiscard]] const Address& address() const override { return port_.address(); }

    private:
        SharedPort& port_;
    };

    SharedPort& port_;
};

/// The runtime of the process, with another network.
class SharedPort::NodeRuntime final : public Runtime {
public:
    NodeRuntime(Runtime& runtime, Network& network) : runtime_(runtime), network_(network) {}

    [[nodiscard]] TimePoint now() const override { return runtime_.now(); }
    void post(Task task) override { runtime_.post(std::move(task)); }
    [[nodiscard]] std::unique_ptr<Timer> at(TimePoint when, Task task) override {
        return runtime_.at(when, std::move(task));
    }
    [[nodiscard]] TurnEnds& turn_ends() override { return runtime_.turn_ends(); }
    [[nodiscard]] Worker& worker(std::string_view name) override { return runtime_.worker(name); }
    [[nodiscard]] Network& network() override { return network_; }
    [[nodiscard]] Disk& disk() override { return runtime_.disk(); }
    [[nodiscard]] Host& host() override { return runtime_.host(); }
    [[nodiscard]] Random& random() override { return runtime_.random(); }

private:
    Runtime& runtime_;
    Network& network_;
};

SharedPort::SharedPort(Runtime& runtime, Network::Accepted accepted)
    : runtime_(runtime),
      agents_(std::move(accepted)),
      network_(std::make_unique<NodeNetwork>(*this)),
      node_runtime_(std::make_unique<NodeRuntime>(runtime, *network_)) {}

SharedPort::~SharedPort() = default;

Result<std::unique_ptr<SharedPort>> SharedPort::open(Runtime& runtime, const Address& address,
                                                     const std::optional<TlsOptions>& tls,
                                                     Network::Accepted accepted) {
    std::unique_ptr<SharedPort> port(new SharedPort(runtime, std::move(accepted)));
    port->listener_ = US_TRY(runtime.network().listen(
        address, tls, [port = port.get()](std::unique_ptr<Connection> connection) {
            port->arrived(std::move(connection));
        }));
    return port;
}

Runtime& SharedPort::for_nodes() { return *node_runtime_; }

void SharedPort::arrived(std::unique_ptr<Connection> connection) {
    // Honest peers send at once, so the oldest silent connection is closed.
    if (visitors_.size() >= undecided_max) visitors_.erase(visitors_.begin());
    const std::uint64_t id = ++visitor_last_;
    auto visitor = std::make_unique<Visitor>(*this, id, std::move(connection));
    visitor->listen();
    visitors_.emplace(id, std::move(visitor));
}

void SharedPort::decided(std::uint64_t id, bool node) {
    auto visitor = std::move(visitors_.extract(id).mapped());
    const Network::Accepted accepted = node ? nodes_ : agents_;  // The call may replace it.
    if (accepted) accepted(std::move(visitor));
}

}  // namespace understudy::node
