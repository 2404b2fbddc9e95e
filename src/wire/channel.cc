#include "wire/channel.h"

#include <algorithm>
#include <cstring>
#include <string>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/errors.h"

namespace understudy::wire {

namespace {

// Payload of a hello (docs/formats/wire.md, section "Handshake"):
//     version_min u8, version_max u8, count u8, compression u8[count], opaque to the end
// Payload of a welcome:
//     0 u8, version u8, compression u8, opaque to the end
//     1 u8, code u16, effect u8, detail to the end: refused
constexpr std::uint8_t accepted = 0;
constexpr std::uint8_t not_accepted = 1;

constexpr std::size_t message_head_max = 5 + 1;  // Size as varint, type.
constexpr std::size_t channel_kept_size_max = 1 * MiB;  // Of out_ and rest_, once they are empty.

static_assert(Channel::message_size_max + message_head_max <= payload_size_max,
              "a frame holds one message at least");
static_assert(Channel::batch_size_max <= payload_size_max);
static_assert(Channel::refusal_detail_max + 4 <= handshake_size_max);

std::string to_text(VersionRange versions) {
    return versions.min == versions.max ? fmt::format("{}", versions.min)
                                        : fmt::format("{} to {}", versions.min, versions.max);
}

Result<void> check_opaque(Bytes opaque) {
    if (opaque.size() <= Channel::opaque_size_max) return {};
    return Error{.code = Errc::limit_exceeded,
                 .detail = fmt::format("handshake of {} bytes, at most {}", opaque.size(),
                                       Channel::opaque_size_max)};
}

std::optional<FrameKind> batch_kind(Compression compression) {
    switch (compression) {
        case Compression::none: return std::nullopt;
        case Compression::gzip: return FrameKind::batch_gzip;
        case Compression::zstd: return FrameKind::batch_zstd;
    }
    return std::nullopt;
}

}  // namespace

Channel::Channel(Side side, Options options)
    : side_(side),
      options_(std::move(options)),
      state_(side == Side::connecting ? State::fresh : State::waiting) {
    US_ASSERT(options_.versions.min >= 1);
    US_ASSERT(options_.versions.min <= options_.versions.max);
    US_ASSERT(options_.compressions.size() <= 16);
}

// --- Handshake -------------------------------------------------------------------------------

Result<void> Channel::hello(Bytes opaque) {
    US_ASSERT(side_ == Side::connecting);
    if (state_ == State::closed) return {};
    US_ASSERT(state_ == State::fresh);
    US_CHECK(check_opaque(opaque));

    Buffer head;
    ByteWriter writer(head);
    writer.fixed(options_.versions.min);
    writer.fixed(options_.versions.max);
    writer.fixed(static_cast<std::uint8_t>(options_.compressions.size()));
    for (const Compression each : options_.compressions) {
        writer.fixed(static_cast<std::uint8_t>(each));
    }
    put_handshake(FrameKind::hello, head, opaque);
    state_ = State::waiting;
    return {};
}

Result<void> Channel::welcome(Bytes opaque) {
    US_ASSERT(side_ == Side::accepting);
    if (state_ == State::closed) return {};
    US_ASSERT(state_ == State::answering);
    US_CHECK(check_opaque(opaque));

    const std::byte head[] = {std::byte{accepted}, std::byte{version_},
                              static_cast<std::byte>(compression_)};
    put_handshake(FrameKind::welcome, head, opaque);
    become_open();
    return {};
}

void Channel::refuse(const Error& reason) {
    US_ASSERT(side_ == Side::accepting);
    if (state_ == State::closed) return;
    US_ASSERT(state_ == State::answering);

    Buffer head;
    ByteWriter writer(head);
    writer.fixed(not_accepted);
    writer.fixed(static_cast<std::uint16_t>(reason.code));
    writer.fixed(static_cast<std::uint8_t>(reason.effect));
    put_handshake(FrameKind::welcome, head,
                  as_bytes(std::string_view(reason.detail).substr(0, refusal_detail_max)));
    close();
}

Result<void> Channel::take_hello(Bytes payload, Sink& sink) {
    if (side_ != Side::accepting || state_ != State::waiting) {
        return corrupt("hello at the wrong time");
    }
    ByteReader reader(payload);
    const auto min = reader.fixed<std::uint8_t>();
    const auto max = reader.fixed<std::uint8_t>();
    const auto count = reader.fixed<std::uint8_t>();
    const auto wanted = reader.raw(count.value_or(0));
    if (reader.failed() || *min < 1 || *min > *max) return corrupt("hello");
    state_ = State::answering;

    const VersionRange theirs{*min, *max};
    if (theirs.max < options_.versions.min || theirs.min > options_.versions.max) {
        const Error reason{.code = Errc::refused,
                           .detail = fmt::format("protocol version {} is spoken here, {} there",
                                                 to_text(options_.versions), to_text(theirs))};
        refuse(reason);
        return reason;
    }
    version_ = std::min(theirs.max, options_.versions.max);

    // Chooses the first compression of the peer that is known here. Unknown numbers are of a later
    // release.
    const auto& ours = options_.compressions;
    for (const std::byte each : *wanted) {
        const auto compression = static_cast<Compression>(each);
        if (std::find(ours.begin(), ours.end(), compression) == ours.end()) continue;
        compression_ = compression;
        break;
    }
    sink.hello(reader.rest());
    return {};
}

Result<void> Channel::take_welcome(Bytes payload, Sink& sink) {
    if (side_ != Side::connecting || state_ != State::waiting) {
        return corrupt("welcome at the wrong time");
    }
    ByteReader reader(payload);
    const auto status = reader.fixed<std::uint8_t>();
    if (status == not_accepted) {
        const auto code = reader.fixed<std::uint16_t>();
        const auto effect = reader.fixed<std::uint8_t>();
        if (reader.failed() || *effect > 1) return corrupt("refusal");
        close();
        sink.refused({.code = static_cast<Errc>(*code),
                      .effect = static_cast<Effect>(*effect),
                      .detail = std::string(as_text(reader.rest()))});
        return {};
    }

    const auto version = reader.fixed<std::uint8_t>();
    const auto compression = reader.fixed<std::uint8_t>();
    if (reader.failed() || status != accepted) return corrupt("welcome");
    if (*version < options_.versions.min || *version > options_.versions.max) {
        return corrupt(fmt::format("welcome with version {}, which nobody offered", *version));
    }
    compression_ = static_cast<Compression>(*compression);
    const auto& ours = options_.compressions;
    if (compression_ != Compression::none &&
        std::find(ours.begin(), ours.end(), compression_) == ours.end()) {
        return corrupt(fmt::format("welcome with compression {}, which nobody offered",
                                   *compression));
    }
    version_ = *version;
    become_open();
    sink.welcome(reader.rest());
    return {};
}

void Channel::become_open() {
    US_ASSERT(state_ == State::waiting || state_ == State::answering);
    state_ = State::open;
    // The messages that were put before follow in frames of their own.
    Buffer waited;
    waited.swap(waiting_);
    if (waited.empty()) return;
    Bytes rest = waited;
    while (!rest.empty()) {
        ByteReader reader(rest);
        const auto body_size = reader.varint();
        US_ASSERT(body_size.has_value());
        const std::size_t size = rest.size() - reader.rest().size() + 1 +
                                 static_cast<std::size_t>(*body_size);
        std::memcpy(begin_message(size), rest.data(), size);
        rest = rest.subspan(size);
    }
}

// --- Out -------------------------------------------------------------------------------------

Result<void> Channel::put(MessageType type, Bytes body) {
    return put(type, std::span<const Bytes>(&body, 1));
}

Result<void> Channel::put(MessageType type, std::span<const Bytes> parts) {
    US_ASSERT(static_cast<std::uint8_t>(type) != 0);
    std::size_t body_size = 0;
    for (const Bytes part : parts) body_size += part.size();
    if (body_size > message_size_max) [[unlikely]] {
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("message of {} bytes, at most {}", body_size,
                                           message_size_max)};
    }
    if (state_ == State::closed) [[unlikely]] return {};
    if (pending_bytes() + body_size + message_head_max > pending_size_max) [[unlikely]] {
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("{} bytes wait to be sent", pending_bytes())};
    }

    std::byte head[message_head_max];
    std::size_t head_size = 0;
    std::size_t left = body_size;
    for (; left >= 0x80; left >>= 7) head[head_size++] = static_cast<std::byte>(left | 0x80);
    head[head_size++] = static_cast<std::byte>(left);
    head[head_size++] = static_cast<std::byte>(type);

    std::byte* to = begin_message(head_size + body_size);
    for (std::size_t i = 0; i < head_size; ++i) *to++ = head[i];
    for (const Bytes part : parts) {
        if (part.empty()) continue;
        std::memcpy(to, part.data(), part.size());
        to += part.size();
    }
    return {};
}

// Room for one message, in the present frame or among those that wait for the handshake.
std::byte* Channel::begin_message(std::size_t size) {
    if (state_ != State::open) [[unlikely]] {
        waiting_.resize(waiting_.size() + size);
        return waiting_.data() + waiting_.size() - size;
    }
    if (batch_start_ != no_batch &&
        out_used_ - batch_start_ - header_size + size > batch_size_max) [[unlikely]] {
        seal_batch();
    }
    if (batch_start_ == no_batch) [[unlikely]] {
        const std::size_t start = flushed_ ? 0 : out_used_;
        extend(header_size);
        batch_start_ = start;
    }
    return extend(size);
}

// The only place where out_ grows. After a flush, the first growth begins it again.
std::byte* Channel::extend(std::size_t size) {
    if (flushed_) [[unlikely]] {
        flushed_ = false;
        out_used_ = 0;
        if (out_.size() > channel_kept_size_max) Buffer().swap(out_);
    }
    if (out_.size() - out_used_ < size) [[unlikely]] {
        out_.resize(std::max({out_used_ + size, 2 * out_.size(), std::size_t{1024}}));
    }
    out_used_ += size;
    return out_.data() + out_used_ - size;
}

void Channel::seal_batch() {
    US_ASSERT(batch_start_ != no_batch);
    const std::span<std::byte> frame =
        std::span(out_).subspan(batch_start_, out_used_ - batch_start_);
    batch_start_ = no_batch;
    const std::span<std::byte> payload = frame.subspan(header_size);

    if (const auto kind = batch_kind(compression_); kind && payload.size() > compress_size_min) {
        if (const auto smaller = compressor().compress(compression_, payload)) {
            US_ASSERT(smaller->size() < payload.size());
            std::memcpy(payload.data(), smaller->data(), smaller->size());
            out_used_ -= payload.size() - smaller->size();
            seal(*kind, frame.first(header_size + smaller->size()));
            return;
        }
    }
    seal(FrameKind::batch, frame);
}

void Channel::put_handshake(FrameKind kind, Bytes head, Bytes opaque) {
    US_ASSERT(batch_start_ == no_batch);
    const std::size_t size = header_size + head.size() + opaque.size();
    std::byte* frame = extend(size);
    std::memcpy(frame + header_size, head.data(), head.size());
    if (!opaque.empty()) {
        std::memcpy(frame + header_size + head.size(), opaque.data(), opaque.size());
    }
    seal(kind, {frame, size});
}

Bytes Channel::flush() {
    if (flushed_) return {};
    if (batch_start_ != no_batch) seal_batch();
    flushed_ = true;
    return Bytes(out_).first(out_used_);
}

std::size_t Channel::pending_bytes() const {
    return (flushed_ ? 0 : out_used_) + waiting_.size();
}

void Channel::close() {
    if (batch_start_ != no_batch) seal_batch();
    Buffer().swap(waiting_);
    state_ = State::closed;
}

Compressor& Channel::compressor() {
    if (options_.compressor != nullptr) return *options_.compressor;
    if (!own_compressor_) own_compressor_ = std::make_unique<Compressor>();
    return *own_compressor_;
}

// --- In --------------------------------------------------------------------------------------

Result<void> Channel::receive(Bytes data, Sink& sink) {
    while (!data.empty() && state_ != State::closed) {
        // The common case: whole frames, which are not copied.
        if (rest_.empty()) {
            auto frame = decode(data, payload_max());
            if (!frame) return fail(std::move(frame).error());
            if (!*frame) {
                rest_.assign(data.begin(), data.end());
                return {};
            }
            if (auto taken = take(**frame, sink); !taken) return fail(std::move(taken).error());
            data = data.subspan((*frame)->size_bytes);
        } else {
            US_CHECK(receive_rest(data, sink));
        }
    }
    return {};
}

// Completes the frame that rest_ begins, with no byte more than it needs. The bytes that follow in
// `data` are then not copied.
Result<void> Channel::receive_rest(Bytes& data, Sink& sink) {
    const std::size_t more = std::min(missing(rest_), data.size());
    rest_.insert(rest_.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(more));
    data = data.subspan(more);

    auto frame = decode(rest_, payload_max());
    if (!frame) return fail(std::move(frame).error());
    if (!*frame) return {};
    US_ASSERT((*frame)->size_bytes == rest_.size());
    if (auto taken = take(**frame, sink); !taken) return fail(std::move(taken).error());
    if (rest_.capacity() > channel_kept_size_max) {
        Buffer().swap(rest_);
    } else {
        rest_.clear();
    }
    return {};
}

Result<void> Channel::take(const Frame& frame, Sink& sink) {
    switch (frame.kind) {
        case FrameKind::hello: return take_hello(frame.payload, sink);
        case FrameKind::welcome: return take_welcome(frame.payload, sink);
        case FrameKind::batch:
        case FrameKind::batch_gzip:
        case FrameKind::batch_zstd: return take_batch(frame.kind, frame.payload, sink);
    }
    return corrupt("frame kind");
}

Result<void> Channel::take_batch(FrameKind kind, Bytes payload, Sink& sink) {
    if (state_ != State::open) return corrupt("batch before the handshake");
    if (kind == FrameKind::batch) return take_messages(payload, sink);
    if (kind != batch_kind(compression_)) return corrupt("batch compressed in an unagreed way");
    return take_messages(
        US_TRY(compressor().restore(compression_, payload, payload_size_max)), sink);
}

Result<void> Channel::take_messages(Bytes messages, Sink& sink) {
    while (!messages.empty()) {
        ByteReader reader(messages);
        const auto size = reader.varint();
        const auto type = reader.fixed<std::uint8_t>();
        if (size && *size > message_size_max) {
            return Error{.code = Errc::limit_exceeded,
                         .detail = fmt::format("message of {} bytes, at most {}", *size,
                                               message_size_max)};
        }
        const auto body = reader.raw(size.value_or(0));
        if (reader.failed() || *type == 0) return corrupt("message in a batch");
        messages = reader.rest();

        sink.message(static_cast<MessageType>(*type), *body);
        if (state_ == State::closed) return {};  // The sink has closed it.
    }
    return {};
}

std::size_t Channel::payload_max() const {
    return state_ == State::open ? payload_size_max : handshake_size_max;
}

Error Channel::fail(Error error) {
    close();
    Buffer().swap(rest_);
    return error;
}

}  // namespace understudy::wire
