#include <cerrno>
#include <deque>
#include <list>
#include <utility>

#include "base/complaints.h"
#include "platform/machine/descriptors.h"
#include "platform/network/local_socket.h"
#include "platform/network/network.h"
#include "platform/network/socket.h"
#include "platform/network/stream.h"

namespace understudy::platform {

namespace {

// So that a flood of clients does not starve the existing ones.
constexpr int accepts_per_turn = 64;

/// Like accept_next(), but leaves the reserved descriptors to the journal.
Incoming accept_unless_short(int listener) {
    DescriptorReserve& reserve = DescriptorReserve::of_this_process();
    if (!reserve.whole() && !reserve.fill()) {
        Incoming none;
        none.error = EMFILE;
        return none;
    }
    return accept_next(listener);
}

// An open port, and its incoming connections until they are passed on.
class AcceptLoop final : public std::enable_shared_from_this<AcceptLoop> {
public:
    AcceptLoop(Loop& loop, TlsContexts& contexts, Descriptor socket, Address address,
               std::optional<TlsOptions> tls, Network::Accepted accepted)
        : loop_(loop),
          contexts_(contexts),
          descriptor_(std::move(socket)),
          address_(std::move(address)),
          tls_(std::move(tls)),
          accepted_(std::move(accepted)) {}

    void await_clients() {
        if (waiting_ || !open_) return;
        waiting_ = true;
        descriptor_.async_wait(Descriptor::wait_read, [self = shared_from_this()](const auto& err) {
            self->waiting_ = false;
            if (!err) self->accept_ready();
        });
    }

    [[nodiscard]] const Address& address() const { return address_; }

    void close() {
        open_ = false;
        accepted_ = nullptr;
        pause_.reset();
        complaints_timer_.reset();
        for (Handshake& each : handshakes_) each.stream->abandon();
        handshakes_.clear();
        silent_.clear();
        boost::system::error_code ignored;
        descriptor_.close(ignored);
    }

private:
    struct Handshake {
        std::shared_ptr<Stream> stream;
        std::unique_ptr<Timer> deadline;
    };

    /// A connection that was passed on and has sent nothing.
    struct Silent {
        std::weak_ptr<Stream> stream;
        TimePoint since;
    };

    void accept_ready() {
        for (int i = 0; i < accepts_per_turn && open_; ++i) {
            const Loop::Frame frame(loop_);
            Incoming incoming = accept_unless_short(descriptor_.native_handle());
            if (incoming.socket) {
                if (!loop_.descriptors().high()) short_of_resources_ = false;
                if (auto socket = loop_.adopt(std::move(incoming.socket))) {
                    // A process that connects through a path has no address.
                    const bool local = is_local(address_);
                    welcome(std::move(*socket), local ? address_ : to_address(incoming.peer));
                }  // Otherwise the kernel already watches too much, and that client is rejected.
            } else if (shortage_code(incoming.error)) {
                if (make_room(loop_.now() - SocketNetwork::silence_min)) continue;
                return pause(incoming.error);
            } else if (would_block(incoming.error)) {
                break;
            }  // Otherwise that client has gone already; there may be a next one.
        }
        await_clients();
    }

    void pause(int error) {
        if (!std::exchange(short_of_resources_, true)) {
            loop_.log().warn("network.accept_paused",
                             {kv("error", system_error(*shortage_code(error), "accept", error))});
        }
        ++loop_.figures().accept_pauses;
        pause_ = loop_.at(loop_.now() + SocketNetwork::accept_pause, [this] { await_clients(); });
    }

    void welcome(Descriptor socket, Address peer) {
        auto stream = std::make_shared<Stream>(loop_, std::move(socket), std::move(peer));
        if (!tls_) return hand_over(std::move(stream));
        const auto context = contexts_.get(*tls_);
        if (context) {
            shake_hands(std::move(stream), **context);
        } else {
            refused(*stream, context.error());
        }
    }

    void shake_hands(std::shared_ptr<Stream> stream, ssl_ctx_st& context) {
        if (handshakes_.size() >= SocketNetwork::handshakes_max) {
            // Honest clients need milliseconds, so the oldest one is assumed to be silent.
            ++loop_.figures().handshakes_failed;
            handshakes_.back().stream->abandon();
            handshakes_.pop_back();
        }
        handshakes_.push_front({stream, nullptr});
        const auto place = handshakes_.begin();
        const auto done = [this, place](const Result<void>& outcome) { shaken(place, outcome); };
        place->deadline = loop_.at(loop_.now() + SocketNetwork::handshake_time_max, [done, place] {
            place->stream->abandon();
            done(Error{.code = Errc::timed_out, .detail = "TLS handshake"});
        });
        stream->shake_hands(context, TlsSession::Side::server, done);
    }

    void shaken(std::list<Handshake>::iterator place, const Result<void>& outcome) {
        const std::shared_ptr<Stream> stream = std::move(place->stream);
        handshakes_.erase(place);
        await_clients();
        if (!outcome) return refused(*stream, outcome.error());
        hand_over(stream);
    }

    void refused(Stream& stream, const Error& reason) {
        ++loop_.figures().handshakes_failed;
        stream.abandon();
        // A peer that only probes the port is not worth a log line, and has no certificate to fix.
        if (reason.code != Errc::denied && reason.code != Errc::bad_config) {
            loop_.log().debug("network.handshake_failed",
                              {kv("peer", to_string(stream.peer())), kv("error", reason)});
            return;
        }
        complaints_.heard(loop_.now(), "network.handshake_failed", kv("peer", stream.peer().host),
                          reason);
        tell_complaints();
    }

    void tell_complaints() {
        const auto due = complaints_.due();
        if (complaints_timer_ != nullptr || !due) return;
        complaints_timer_ = loop_.at(*due, [this] {
            const auto fired = std::move(complaints_timer_);
            complaints_.tell(loop_.now());
            tell_complaints();
        });
    }

    /// Closes the connection that has been silent for longest, if its silence began at `latest` or
    /// before. Returns whether it did. Honest clients send first, within milliseconds.
    bool make_room(TimePoint latest) {
        while (!silent_.empty() && silent_.front().since <= latest) {
            const auto stream = silent_.front().stream.lock();
            silent_.pop_front();
            const auto self = shared_from_this();  // The user that is told may close the port.
            if (!stream || !stream->silent() || !stream->close_for_others()) continue;
            ++loop_.figures().silent_closed;
            return true;
        }
        return false;
    }

    /// Notes that `stream` has sent nothing; at the bound, another connection is closed.
    void note_silent(const std::shared_ptr<Stream>& stream) {
        if (silent_.size() >= SocketNetwork::silent_max) {
            std::erase_if(silent_, [](const Silent& each) {
                const auto one = each.stream.lock();
                return !one || !one->silent();
            });
        }
        if (silent_.size() >= SocketNetwork::silent_max) (void)make_room(TimePoint::max());
        if (open_) silent_.push_back({.stream = stream, .since = loop_.now()});
    }

    // The receiver may destroy the listener, so a copy of it is called.
    void hand_over(std::shared_ptr<Stream> stream) {
        const auto self = shared_from_this();
        note_silent(stream);
        if (!open_) return stream->abandon();
        Network::Accepted accepted = std::exchange(accepted_, nullptr);
        accepted(make_connection(std::move(stream)));
        if (open_) accepted_ = std::move(accepted);
    }

    Loop& loop_;
    TlsContexts& contexts_;
    Descriptor descriptor_;
    const Address address_;
    const std::optional<TlsOptions> tls_;
    Network::Accepted accepted_;
    bool open_ = true;
    bool waiting_ = false;
    bool short_of_resources_ = false;
    std::list<Handshake> handshakes_;
    std::deque<Silent> silent_;  // Oldest first; some have sent something since.
    std::unique_ptr<Timer> pause_;
    Complaints complaints_{loop_.log()};
    std::unique_ptr<Timer> complaints_timer_;
};

class SocketListener final : public Listener {
public:
    SocketListener(std::shared_ptr<AcceptLoop> accept_loop, LocalSocketFile file)
        : accept_loop_(std::move(accept_loop)), file_(std::move(file)) {}
    ~SocketListener() override { accept_loop_->close(); }
    SocketListener(const SocketListener&) = delete;
    SocketListener& operator=(const SocketListener&) = delete;

    const Address& address() const override { return accept_loop_->address(); }

private:
    const std::shared_ptr<AcceptLoop> accept_loop_;
    const LocalSocketFile file_;
};

/// Linux does not give the port of a bound socket to a socket that asks for any port. SO_REUSEADDR
/// lets a second socket of this process listen there (ip(7), socket(7)).
class BoundPort final : public HeldPort {
public:
    BoundPort(Fd socket, Address address)
        : socket_(std::move(socket)), address_(std::move(address)) {}

    const Address& address() const override { return address_; }

private:
    const Fd socket_;
    const Address address_;
};

/// The numeric form of an address on which to listen.
Result<SocketAddress> place_of(const Address& address) {
    if (auto numeric = numeric_address(address)) return *numeric;
    auto found = look_up(address);
    if (!found) return Error{.code = Errc::bad_config, .detail = found.error().detail};
    return found->front();
}

/// An open socket, its address, and its file if it has one.
struct Opened {
    Fd socket;
    Address address;
    LocalSocketFile file;
};

Result<Opened> open(const Address& address) {
    Opened opened;
    if (is_local(address)) {
        auto local = US_TRY(open_local_listener(address.host));
        opened.socket = std::move(local.socket);
        opened.file = std::move(local.file);
        opened.address.host = address.host;
        return opened;
    }
    opened.socket = US_TRY(open_listener(US_TRY(place_of(address))));
    opened.address = US_TRY(local_address(opened.socket));
    return opened;
}

}  // namespace

void SocketNetwork::watch_certificates() {
    if (certificates_timer_ != nullptr) return;
    certificates_timer_ = loop_.at(loop_.now() + certificates_watch, [this] {
        const auto fired = std::move(certificates_timer_);
        contexts_.reload_changed();
        watch_certificates();
    });
}

Result<std::unique_ptr<Listener>> SocketNetwork::listen(const Address& address,
                                                        const std::optional<TlsOptions>& tls,
                                                        Accepted accepted) {
    if (tls) {
        US_CHECK(contexts_.get(*tls));
        watch_certificates();
    }
    Opened opened = US_TRY(open(address));
    auto descriptor = US_TRY(loop_.adopt(std::move(opened.socket)));
    auto accept_loop =
        std::make_shared<AcceptLoop>(loop_, contexts_, std::move(descriptor),
                                     std::move(opened.address), tls, std::move(accepted));
    accept_loop->await_clients();
    return std::make_unique<SocketListener>(std::move(accept_loop), std::move(opened.file));
}

Result<std::unique_ptr<HeldPort>> SocketNetwork::hold_port(const std::string& host) {
    Fd socket = US_TRY(bind_listener(US_TRY(place_of({.host = host, .port = 0}))));
    Address address = US_TRY(local_address(socket));
    return std::make_unique<BoundPort>(std::move(socket), std::move(address));
}

}  // namespace understudy::platform
