#include <algorithm>
#include <utility>
#include <vector>

#include "platform/network/network.h"
#include "platform/network/socket.h"
#include "platform/network/stream.h"

namespace understudy::platform {

namespace {

// One attempt to reach a peer before a deadline: its name, each of its addresses, and its
// certificate.
//
// Each address gets an equal part of the remaining time, so that an address that drops all packets
// does not prevent the others.
class Connecting final : public std::enable_shared_from_this<Connecting> {
public:
    Connecting(Loop& loop, TlsContexts& contexts, const Address& address,
               std::optional<TlsOptions> tls, Network::Connected connected)
        : loop_(loop),
          contexts_(contexts),
          address_(address),
          tls_(std::move(tls)),
          connected_(std::move(connected)),
          descriptor_(loop.context()) {}

    void begin(Resolver& resolver, Duration timeout) {
        if (is_local(address_)) {
            if (auto fine = check_local_path(address_.host); !fine) {
                loop_.post([self = shared_from_this(), error = std::move(fine).error()] {
                    self->conclude(error);
                });
                return;
            }
        }
        deadline_ = loop_.now() + timeout;
        deadline_timer_ = loop_.at(deadline_, [this] { out_of_time(); });
        if (const auto known = known_address()) {
            addresses_.push_back(*known);
            loop_.post([self = shared_from_this()] { self->try_next(); });
            return;
        }
        resolver.resolve(address_, [self = weak_from_this()](auto found) {
            if (const auto connecting = self.lock()) connecting->resolved(std::move(found));
        });
    }

    void give_up() {
        connected_ = nullptr;
        release();
    }

private:
    [[nodiscard]] std::optional<SocketAddress> known_address() const {
        return is_local(address_) ? local_socket_address(address_.host) : numeric_address(address_);
    }

    void resolved(Result<std::vector<SocketAddress>> found) {
        if (!connected_) return;
        if (!found) return conclude(found.error());
        addresses_ = std::move(*found);
        std::reverse(addresses_.begin(), addresses_.end());
        try_next();
    }

    void try_next() {
        if (!connected_) return;
        close_socket();
        if (addresses_.empty()) return conclude(last_error_);
        const Duration left = deadline_ - loop_.now();
        slice_timer_ = loop_.at(loop_.now() + left / static_cast<std::int64_t>(addresses_.size()),
                                [this] {
                                    last_error_.detail = "no answer";
                                    try_next();
                                });
        auto socket = begin_connect(addresses_.back());
        addresses_.pop_back();
        if (!socket) return failed(socket.error());
        auto descriptor = loop_.adopt(std::move(*socket));
        if (!descriptor) return failed(descriptor.error());
        descriptor_ = std::move(*descriptor);
        descriptor_.async_wait(Descriptor::wait_write,
                               [self = shared_from_this(), round = ++round_](const auto& error) {
                                   if (!error && round == self->round_) self->decided();
                               });
    }

    void decided() {
        if (!connected_) return;
        const Loop::Frame frame(loop_);
        const auto outcome = connect_outcome(descriptor_.native_handle());
        if (!outcome) return failed(outcome.error());
        slice_timer_.reset();
        // The descriptor is registered again; otherwise Asio would go on asking for room to write
        // (see Stream).
        auto descriptor = loop_.adopt(Fd(descriptor_.release()));
        if (!descriptor) return failed(descriptor.error());
        stream_ = std::make_shared<Stream>(loop_, std::move(*descriptor), address_);
        if (!tls_) return conclude(make_connection(std::exchange(stream_, nullptr)));

        const auto context = contexts_.get(*tls_);
        if (!context) return conclude(context.error());
        deadline_ = std::min(deadline_, loop_.now() + SocketNetwork::handshake_time_max);
        deadline_timer_ = loop_.at(deadline_, [this] { out_of_time(); });
        stream_->shake_hands(**context, TlsSession::Side::client, [this](const auto& shaken) {
            if (!shaken) return conclude(shaken.error());
            conclude(make_connection(std::exchange(stream_, nullptr)));
        });
    }

    void failed(Error error) {
        last_error_ = std::move(error);
        try_next();
    }

    void out_of_time() {
        const std::string where = "connect to " + to_string(address_);
        conclude(Error{.code = Errc::timed_out, .detail = where});
    }

    // The receiver may destroy the attempt, so a copy of it is called.
    void conclude(Result<std::unique_ptr<Connection>> result) {
        const auto self = shared_from_this();
        const Network::Connected connected = std::exchange(connected_, nullptr);
        release();
        if (connected) connected(std::move(result));
    }

    void release() {
        close_socket();
        if (stream_) std::exchange(stream_, nullptr)->abandon();
        slice_timer_.reset();
        deadline_timer_.reset();
    }

    void close_socket() {
        ++round_;
        boost::system::error_code ignored;
        if (descriptor_.is_open()) descriptor_.close(ignored);
    }

    Loop& loop_;
    TlsContexts& contexts_;
    const Address address_;
    const std::optional<TlsOptions> tls_;
    Network::Connected connected_;
    TimePoint deadline_{};
    std::vector<SocketAddress> addresses_;  // The last one is tried next.
    Error last_error_{.code = Errc::unavailable, .detail = "the name has no address"};
    std::uint64_t round_ = 0;
    Descriptor descriptor_;
    std::shared_ptr<Stream> stream_;
    std::unique_ptr<Timer> slice_timer_;
    std::unique_ptr<Timer> deadline_timer_;
};

class SocketAttempt final : public Attempt {
public:
    explicit SocketAttempt(std::shared_ptr<Connecting> connecting)
        : connecting_(std::move(connecting)) {}
    ~SocketAttempt() override { connecting_->give_up(); }
    SocketAttempt(const SocketAttempt&) = delete;
    SocketAttempt& operator=(const SocketAttempt&) = delete;

private:
    const std::shared_ptr<Connecting> connecting_;
};

}  // namespace

std::unique_ptr<Attempt> SocketNetwork::connect(const Address& address,
                                                const std::optional<TlsOptions>& tls,
                                                Duration timeout, Connected connected) {
    if (tls) watch_certificates();
    auto connecting =
        std::make_shared<Connecting>(loop_, contexts_, address, tls, std::move(connected));
    connecting->begin(resolver_, timeout);
    return std::make_unique<SocketAttempt>(std::move(connecting));
}

}  // namespace understudy::platform
