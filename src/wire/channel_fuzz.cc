// Both sides of a connection against a peer that sends anything.
//
// The first byte chooses the side, the state and the size of pieces; what follows is the stream.
// Checksums would stop most inputs, so the stream is a list of frames {kind, size u16, payload}
// that are sealed here, unless the first byte says to pass it on as it is.
#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "wire/channel.h"

namespace {

using namespace understudy;
using namespace understudy::wire;

class Answering final : public Channel::Sink {
public:
    explicit Answering(Channel& channel) : channel_(channel) {}
    void hello(Bytes opaque) override { US_ASSERT(channel_.welcome(opaque)); }
    void welcome(Bytes) override {}
    void refused(const Error&) override { US_ASSERT(channel_.closed()); }
    void message(MessageType type, Bytes body) override {
        US_ASSERT(channel_.open());
        US_ASSERT(body.size() <= Channel::message_size_max);
        seen = hash64(body, seen + static_cast<std::uint8_t>(type));
        if (channel_.pending_bytes() < 1 * MiB) US_ASSERT(channel_.put(type, body));
    }
    std::uint64_t seen = 0;

private:
    static std::uint64_t hash64(Bytes body, std::uint64_t sum) {
        for (const std::byte each : body) sum = sum * 31 + std::to_integer<std::uint64_t>(each);
        return sum;
    }
    Channel& channel_;
};

Buffer stream_of(ByteReader& input, bool sealed) {
    if (!sealed) return Buffer(input.rest().begin(), input.rest().end());
    Buffer stream;
    for (;;) {
        const auto kind = input.fixed<std::uint8_t>();
        const auto size = input.fixed<std::uint16_t>();
        if (input.failed()) return stream;
        const Bytes payload = input.rest().first(std::min<std::size_t>(*size, input.rest().size()));
        const std::size_t start = stream.size();
        stream.resize(start + header_size);
        stream.insert(stream.end(), payload.begin(), payload.end());
        seal(static_cast<FrameKind>(1 + *kind % kind_max), std::span(stream).subspan(start));
        US_ASSERT(input.raw(payload.size()));
    }
}

// The result of a channel for a stream. It does not depend on how the stream is cut.
std::uint64_t outcome(Side side, Compression compression, Bytes stream, std::size_t piece) {
    Channel channel(side, {.versions = {1, 2}, .compressions = {compression}});
    Answering sink(channel);
    if (side == Side::connecting) US_ASSERT(channel.hello({}));
    while (!stream.empty()) {
        const Bytes data = stream.first(std::min(piece, stream.size()));
        stream = stream.subspan(data.size());
        const auto received = channel.receive(data, sink);
        US_ASSERT(received || channel.closed());
        (void)channel.flush();
    }
    return sink.seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ByteReader input(Bytes(reinterpret_cast<const std::byte*>(data), size));
    const auto choice = input.fixed<std::uint8_t>();
    if (!choice) return 0;
    const Side side = (*choice & 1) != 0 ? Side::connecting : Side::accepting;
    const auto compression = static_cast<Compression>((*choice >> 1) % 3);
    const Buffer stream = stream_of(input, (*choice & 0x80) == 0);

    const std::size_t piece = 1 + ((*choice >> 4) & 7);
    US_ASSERT(outcome(side, compression, stream, stream.size()) ==
              outcome(side, compression, stream, piece));
    return 0;
}
