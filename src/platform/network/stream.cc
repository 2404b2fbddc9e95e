#include "platform/network/stream.h"

#include <cerrno>
#include <utility>

#include <sys/ioctl.h>
#include <sys/socket.h>

#include "platform/network/socket.h"

namespace understudy::platform {

namespace {

// A partly sent backlog is moved to the front of its buffer when at least this much of it was sent.
constexpr std::size_t compact_bytes = 64 * KiB;

Error ended_by_peer() {
    return Error{.code = Errc::closed, .detail = "the peer closed the connection"};
}

void append(Loop& loop, Buffer& buffer, Bytes data) {
    if (buffer.capacity() == 0) buffer = loop.take_buffer();
    buffer.insert(buffer.end(), data.begin(), data.end());
}

}  // namespace

Stream::Stream(Loop& loop, Descriptor socket, Address peer)
    : loop_(loop),
      descriptor_(std::move(socket)),
      peer_(std::move(peer)),
      flush_(loop.turn_ends(), TurnPhase::output, [this] { flush(); }) {}

Stream::~Stream() = default;

void Stream::shake_hands(ssl_ctx_st& context, TlsSession::Side side, Ready ready) {
    US_ASSERT(phase_ == Phase::fresh);
    phase_ = Phase::shaking;
    ready_ = std::move(ready);
    tls_ = std::make_unique<TlsSession>(context, side, peer_.host, out_);
    await_readable();
    if (side == TlsSession::Side::client) flush_.mark();  // The flush creates its first message.
}

void Stream::start(Connection::Observer& observer) {
    US_ASSERT(phase_ == Phase::fresh);
    phase_ = Phase::open;
    observer_ = &observer;
    await_readable();
}

void Stream::send(Bytes data) {
    if (phase_ != Phase::fresh && phase_ != Phase::open) return;
    if (send_error_ != 0 || data.empty()) return;
    append(loop_, tls_ ? plain_ : out_, data);
    if (backlog_bytes() >= Connection::high_water_bytes) was_high_ = true;
    flush_.mark();
}

void Stream::finish(Duration grace) {
    US_ASSERT(phase_ != Phase::fresh);
    if (phase_ != Phase::open) return;
    phase_ = Phase::finishing;
    grace_ = loop_.at(loop_.now() + grace, [self = weak_from_this()] {
        const auto stream = self.lock();
        if (!stream || stream->phase_ == Phase::closed) return;
        const bool left = stream->phase_ == Phase::lingering;
        stream->conclude(left ? Error{.code = Errc::closed, .detail = "finished"}
                              : Error{.code = Errc::unavailable,
                                      .detail = "the peer did not read in time"});
    });
    flush_.mark();
}

void Stream::abandon() {
    if (phase_ == Phase::closed) return;
    const bool all_left = phase_ == Phase::open && backlog_bytes() == 0;
    if (tls_ && all_left && send_error_ == 0) {
        tls_->send_closure();
        (void)::send(descriptor_.native_handle(), out_.data(), out_.size(),
                     MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    observer_ = nullptr;
    ready_ = nullptr;
    close_descriptor();
}

bool Stream::close_for_others() {
    int waiting = 0;
    if (::ioctl(descriptor_.native_handle(), FIONREAD, &waiting) == 0 && waiting > 0) return false;
    conclude(
        {.code = Errc::timed_out, .detail = "it has sent nothing, and other connections wait"});
    return true;
}

std::size_t Stream::backlog_bytes() const {
    return out_.size() - sent_ + plain_.size();
}

std::optional<std::string> Stream::peer_identity() const {
    if (!tls_) return std::nullopt;
    return tls_->peer_name();
}

// --- input ---------------------------------------------------------------------------------------

void Stream::await_readable() {
    if (std::exchange(reading_, true)) return;
    descriptor_.async_wait(Descriptor::wait_read,
                           [self = shared_from_this(), round = round_](const auto& error) {
                               if (error || round != self->round_) return;
                               self->reading_ = false;
                               self->on_readable();
                           });
}

void Stream::on_readable() {
    if (phase_ == Phase::closed) return;
    const Loop::Frame frame(loop_);
    read_once();
    if (phase_ != Phase::closed) await_readable();
}

// Returns true if bytes were read; there may be more then.
bool Stream::read_once() {
    const auto buffer = loop_.read_buffer();
    const auto size = ::recv(descriptor_.native_handle(), buffer.data(), buffer.size(), 0);
    if (size > 0) {
        take(Bytes(buffer.first(static_cast<std::size_t>(size))));
        return true;
    }
    if (size == 0) {
        peer_ended();
    } else if (!would_block(errno)) {
        conclude(system_error(Errc::unavailable, "receive", errno));
    }
    return false;
}

void Stream::take(Bytes data) {
    switch (phase_) {
        case Phase::shaking: return take_cipher(data);
        case Phase::open:
            if (tls_) return take_cipher(data);
            heard_ = true;
            return observer_->received(data);
        case Phase::finishing:
        case Phase::lingering: return;
        case Phase::fresh:
        case Phase::closed: US_ASSERT(false);
    }
}

void Stream::take_cipher(Bytes cipher) {
    tls_->feed(cipher);
    take_plain();
    tls_->feed({});  // The bytes belong to the loop again.
}

void Stream::take_plain() {
    if (phase_ == Phase::shaking && !complete_handshake()) return;
    while (phase_ == Phase::open) {
        const auto plain = tls_->read(loop_.plain_buffer());
        if (!plain) return conclude(plain.error());
        if (plain->empty()) break;
        heard_ = true;
        observer_->received(*plain);
    }
    if (phase_ == Phase::open && tls_->ended()) return peer_ended();
    if (phase_ != Phase::closed && backlog_bytes() > 0) flush_.mark();
}

// Returns true if the handshake is done and its stream is in use.
bool Stream::complete_handshake() {
    const auto done = tls_->shake_hands();
    if (!done) {
        write();  // This sends the alert with the reason.
        if (phase_ != Phase::closed) conclude(done.error());
        return false;
    }
    if (backlog_bytes() > 0) flush_.mark();
    if (!*done) return false;

    phase_ = Phase::fresh;
    const Ready ready = std::exchange(ready_, nullptr);
    ready({});
    US_ASSERT(phase_ != Phase::fresh);
    return phase_ == Phase::open;
}

void Stream::peer_ended() {
    // EPIPE: the peer had closed in order.
    const bool reset = send_error_ != 0 && send_error_ != EPIPE;
    if (reset || phase_ == Phase::finishing || phase_ == Phase::shaking) {
        return conclude({.code = Errc::unavailable, .detail = "the peer has gone"});
    }
    // Without the closure, a third party may have cut the connection, and the input may be
    // incomplete.
    if (tls_ && phase_ == Phase::open && !tls_->ended()) {
        return conclude({.code = Errc::unavailable,
                         .detail = "the peer closed the connection without a TLS closure"});
    }
    conclude(ended_by_peer());
}

// --- output --------------------------------------------------------------------------------------

// At the end of the turn: all that was sent in it leaves in one write.
void Stream::flush() {
    const auto self = shared_from_this();
    if (phase_ == Phase::closed || phase_ == Phase::lingering || writing_) return;
    if (phase_ == Phase::shaking && !complete_handshake()) return write();
    write();
}

// Returns false if this ended the stream.
bool Stream::encrypt() {
    if (plain_.empty()) return true;
    if (out_.capacity() == 0) out_ = loop_.take_buffer();
    const auto done = tls_->write(plain_);
    loop_.give_back(std::exchange(plain_, {}));
    if (!done) conclude(done.error());
    return phase_ != Phase::closed;
}

void Stream::write() {
    if (phase_ == Phase::closed || send_error_ != 0 || !encrypt()) return;
    if (sent_ < out_.size()) {
        const auto taken = ::send(descriptor_.native_handle(), out_.data() + sent_,
                                  out_.size() - sent_, MSG_NOSIGNAL);
        if (taken < 0 && !would_block(errno)) return output_broken(errno);
        if (taken > 0) sent_ += static_cast<std::size_t>(taken);
    }
    if (sent_ == out_.size()) return output_left();
    if (sent_ >= compact_bytes && sent_ >= out_.size() / 2) {
        out_.erase(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(sent_));
        sent_ = 0;
    }
    await_writable();
}

void Stream::await_writable() {
    if (std::exchange(writing_, true)) return;
    write_waited_ = true;
    descriptor_.async_wait(Descriptor::wait_write, [self = shared_from_this()](const auto& error) {
        self->writing_ = false;
        if (error || self->phase_ == Phase::closed) return;
        const Loop::Frame frame(self->loop_);
        self->write();
    });
}

// Once Asio has waited for room to write, it also asks the kernel about it with every later wait,
// and each would return at once. A new registration resets that.
void Stream::forget_writability() {
    if (!std::exchange(write_waited_, false)) return;
    auto fresh = loop_.adopt(Fd(descriptor_.release()));
    if (!fresh) return conclude(fresh.error());
    descriptor_ = std::move(*fresh);
    ++round_;
    if (std::exchange(reading_, false)) await_readable();
}

void Stream::output_left() {
    release_output();
    forget_writability();
    if (phase_ == Phase::closed) return;
    if (phase_ == Phase::finishing) return end_output();
    if (std::exchange(was_high_, false) && phase_ == Phase::open) observer_->drained();
}

// Only the end of the peer's side shows that it has everything. If we closed with unread input, the
// kernel would reset the connection and drop what is still being sent.
void Stream::end_output() {
    phase_ = Phase::lingering;
    if (tls_) {
        tls_->send_closure();
        (void)::send(descriptor_.native_handle(), out_.data(), out_.size(), MSG_NOSIGNAL);
        release_output();
    }
    ::shutdown(descriptor_.native_handle(), SHUT_WR);
}

// What the peer sent before it went is still in our kernel, and may contain the reason.
void Stream::output_broken(int error) {
    send_error_ = error;
    release_output();
    while (phase_ == Phase::open && read_once()) {
    }
    if (phase_ != Phase::closed) conclude(system_error(Errc::unavailable, "send", error));
}

void Stream::release_output() {
    sent_ = 0;
    loop_.give_back(std::exchange(out_, {}));
}

// --- the end -------------------------------------------------------------------------------------

void Stream::conclude(Error reason) {
    if (phase_ == Phase::closed) return;
    if (phase_ == Phase::shaking && tls_->received_nothing() && reason.code == Errc::unavailable) {
        reason.detail =
            "it closed the connection before any TLS message: perhaps it does not use TLS";
    }
    close_descriptor();
    if (ready_) {
        const Ready ready = std::exchange(ready_, nullptr);
        ready(std::move(reason));
    } else if (observer_ != nullptr) {
        std::exchange(observer_, nullptr)->closed(reason);
    }
}

void Stream::close_descriptor() {
    phase_ = Phase::closed;
    if (descriptor_.is_open()) {
        // An explicit shutdown is needed: a forked child of the host process may still hold the
        // socket.
        ::shutdown(descriptor_.native_handle(), SHUT_RDWR);
        boost::system::error_code ignored;
        descriptor_.close(ignored);
    }
    release_output();
    loop_.give_back(std::exchange(plain_, {}));
    grace_.reset();
}

// --- Connection ----------------------------------------------------------------------------------

namespace {

class StreamConnection final : public Connection {
public:
    explicit StreamConnection(std::shared_ptr<Stream> stream) : stream_(std::move(stream)) {}
    ~StreamConnection() override { stream_->abandon(); }
    StreamConnection(const StreamConnection&) = delete;
    StreamConnection& operator=(const StreamConnection&) = delete;

    void start(Observer& observer) override { stream_->start(observer); }
    void send(Bytes data) override { stream_->send(data); }
    void finish(Duration grace) override { stream_->finish(grace); }
    std::size_t backlog_bytes() const override { return stream_->backlog_bytes(); }
    const Address& peer() const override { return stream_->peer(); }
    std::optional<std::string> peer_identity() const override { return stream_->peer_identity(); }

private:
    const std::shared_ptr<Stream> stream_;
};

}  // namespace

std::unique_ptr<Connection> make_connection(std::shared_ptr<Stream> stream) {
    return std::make_unique<StreamConnection>(std::move(stream));
}

}  // namespace understudy::platform
