// Any bytes of an application or a coordinator, in any pieces: an accepted frame is encoded to the
// same bytes again, and no more is kept than has arrived.
//
// Input: {size u8, bytes}, repeated: what arrives at once. 0xff: 2 KiB of these bytes, to fill it.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "immortal/coordinator_frame.h"

namespace {

using namespace understudy;
using namespace understudy::immortal;

/// Error texts are cut when they are encoded, so only the second encoding is the same.
bool has_reason(const AnyFrame& frame) {
    return std::holds_alternative<DoneFrame>(frame) || std::holds_alternative<EndFrame>(frame) ||
           std::holds_alternative<BrokenFrame>(frame);
}

void check(const FrameStream::Raw& raw) {
    const auto frame = decode_frame(raw.type, raw.body);
    if (!frame) {
        US_ASSERT(frame.error().code == Errc::corrupt);
        return;
    }
    const Buffer once = encode_frame(*frame);
    const Bytes body = Bytes(once).subspan(5);
    US_ASSERT(std::to_integer<std::uint8_t>(once[4]) == raw.type);
    if (!has_reason(*frame)) {
        US_ASSERT(std::equal(body.begin(), body.end(), raw.body.begin(), raw.body.end()));
    }
    US_ASSERT(body.size() <= raw.body.size());
    const auto again = decode_frame(raw.type, body);
    US_ASSERT(again.operator bool());
    US_ASSERT(encode_frame(*again) == once);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ByteReader in(Bytes(reinterpret_cast<const std::byte*>(data), size));
    FrameStream stream;
    std::size_t fed = 0;
    std::size_t taken = 0;
    bool first = true;
    while (const auto head = in.fixed<std::uint8_t>()) {
        const std::size_t wanted = *head == 0xff ? 2 * KiB : *head;
        const Bytes piece = *in.raw(std::min(wanted, in.rest().size()));
        stream.received(piece);
        fed += piece.size();
        for (;;) {
            const auto next = stream.next(first ? hello_frame_size_max : frame_size_max);
            if (!next) return 0;
            if (!*next) break;
            const FrameStream::Raw& raw = **next;
            US_ASSERT(raw.body.size() < (first ? hello_frame_size_max : frame_size_max));
            taken += 5 + raw.body.size();
            check(raw);
            first = false;
        }
        US_ASSERT(stream.waiting_bytes() == fed - taken);
    }
    return 0;
}
