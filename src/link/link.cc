#include "link/link.h"

#include <utility>

namespace understudy::link {

namespace {
constexpr Duration finish_grace = 1s;
}

/// Outlives its Link if a callback destroys the Link.
class Link::Core final : public Connection::Observer,
                         public wire::Channel::Sink,
                         public std::enable_shared_from_this<Core> {
public:
    Core(Link& owner, Runtime& runtime, std::unique_ptr<Connection> connection, wire::Side side,
         const Options& options, Link::Observer& observer)
        : owner_(&owner),
          runtime_(runtime),
          connection_(std::move(connection)),
          channel_(side, {.compressions = options.compressions, .compressor = options.compressor}),
          observer_(&observer),
          turn_end_(runtime.turn_ends(), TurnPhase::links, [this] {
              const auto self = shared_from_this();
              flush();
              relieve();
          }) {
        peer_ = connection_->peer();
        handshake_ = runtime_.at(runtime_.now() + options.handshake_limit, [this] {
            end({.code = Errc::timed_out, .detail = "handshake with " + to_string(peer_)});
        });
    }

    void start() { connection_->start(*this); }
    void observe(Link::Observer& observer) { observer_ = &observer; }

    void abandon() {
        owner_ = nullptr;
        handshake_.reset();
        closing_.reset();
        connection_.reset();
    }

    void say_hello(Bytes opaque) { settle(channel_.hello(opaque)); }
    void say_welcome(Bytes opaque) {
        if (channel_.closed()) return;
        settle(channel_.welcome(opaque));
        if (channel_.open()) handshake_.reset();
    }
    void refuse(const Error& reason) {
        if (!channel_.closed()) channel_.refuse(reason);
        finish(reason);
    }

    bool send(wire::MessageType type, std::span<const Bytes> parts) {
        if (connection_ == nullptr) return true;
        if (!channel_.put(type, parts)) return false;
        turn_end_.mark();
        if (!full_ && backlog() >= Connection::high_water_bytes) full_ = true;
        if (backlog() > backlog_max_bytes) {
            end({.code = Errc::limit_exceeded,
                 .detail = to_string(peer_) + " does not read what it asks for"});
        }
        return true;
    }

    void finish(const Error& reason) {
        if (connection_ == nullptr || finishing_) return;
        finishing_ = true;
        reason_ = reason;
        flush();
        channel_.close();
        connection_->finish(finish_grace);
    }

    [[nodiscard]] bool full() const { return full_; }
    [[nodiscard]] std::size_t backlog() const {
        return connection_ == nullptr ? 0 : channel_.pending_bytes() + connection_->backlog_bytes();
    }
    [[nodiscard]] bool open() const { return channel_.open() && !finishing_; }
    [[nodiscard]] const Address& peer() const { return peer_; }
    [[nodiscard]] std::optional<std::string> peer_identity() const {
        return connection_ == nullptr ? std::nullopt : connection_->peer_identity();
    }

private:
    void settle(const Result<void>& result) {
        if (!result) return end(result.error());
        turn_end_.mark();
    }

    void flush() {
        if (connection_ == nullptr) return;
        const Bytes bytes = channel_.flush();
        if (!bytes.empty()) connection_->send(bytes);
    }

    /// `full_` counts bytes that are not flushed yet, but the stream reports the end of its own
    /// backlog only. If the stream never was over the mark, the end is reported here.
    void relieve() {
        if (!full_ || connection_ == nullptr || finishing_) return;
        if (connection_->backlog_bytes() >= Connection::high_water_bytes) return;
        full_ = false;
        if (owner_ != nullptr) observer_->link_drained(*owner_);
    }

    /// Closes at once. The owner is told in a later turn, since it may not expect a callback here.
    void end(Error reason) {
        if (connection_ == nullptr || closing_ != nullptr) return;
        flush();
        channel_.close();
        // If the peer closes before that, this is still the reason.
        if (!reason_) reason_ = reason;
        closing_ = runtime_.at(runtime_.now(), [this, reason = std::move(reason)] {
            const auto self = shared_from_this();
            tell_closed(reason);
        });
    }

    void tell_closed(const Error& reason) {
        handshake_.reset();
        connection_.reset();
        if (owner_ != nullptr) observer_->link_closed(*std::exchange(owner_, nullptr), reason);
    }

    // Connection::Observer
    void received(Bytes data) override {
        const auto self = shared_from_this();
        if (closing_ != nullptr || finishing_) return;
        if (auto taken = channel_.receive(data, *this); !taken) {
            if (owner_ != nullptr) end(std::move(taken).error());
        }
    }
    void drained() override {
        const auto self = shared_from_this();
        if (!full_) return;
        full_ = false;
        if (owner_ != nullptr) observer_->link_drained(*owner_);
    }
    void closed(const Error& reason) override {
        const auto self = shared_from_this();
        tell_closed(reason_ ? *reason_ : reason);
    }

    // wire::Channel::Sink
    void hello(Bytes opaque) override {
        if (owner_ != nullptr) observer_->link_hello(*owner_, opaque);
    }
    void welcome(Bytes opaque) override {
        handshake_.reset();
        if (owner_ != nullptr) observer_->link_welcome(*owner_, opaque);
    }
    void refused(const Error& reason) override { end(reason); }
    void message(wire::MessageType type, Bytes body) override {
        if (owner_ != nullptr && !finishing_) observer_->link_message(*owner_, type, body);
    }

private:
    Link* owner_;
    Runtime& runtime_;
    std::unique_ptr<Connection> connection_;
    wire::Channel channel_;
    Link::Observer* observer_;
    Address peer_;
    std::unique_ptr<Timer> handshake_;
    std::unique_ptr<Timer> closing_;
    std::optional<Error> reason_;
    TurnEnd turn_end_;
    bool finishing_ = false;
    bool full_ = false;
};

Link::Link(Runtime& runtime, std::unique_ptr<Connection> connection, wire::Side side,
           const Options& options, Observer& observer)
    : core_(
          std::make_shared<Core>(*this, runtime, std::move(connection), side, options, observer)) {
    core_->start();
}

Link::~Link() { core_->abandon(); }

void Link::observe(Observer& observer) { core_->observe(observer); }
void Link::hello(Bytes opaque) { core_->say_hello(opaque); }
void Link::welcome(Bytes opaque) { core_->say_welcome(opaque); }
void Link::refuse(const Error& reason) { core_->refuse(reason); }
bool Link::send(wire::MessageType type, std::span<const Bytes> parts) {
    return core_->send(type, parts);
}
void Link::finish(const Error& reason) { core_->finish(reason); }
bool Link::full() const { return core_->full(); }
std::size_t Link::backlog_bytes() const { return core_->backlog(); }
bool Link::open() const { return core_->open(); }
const Address& Link::peer() const { return core_->peer(); }
std::optional<std::string> Link::peer_identity() const { return core_->peer_identity(); }

}  // namespace understudy::link
