// Any bytes as a message of a subscriber or a publisher, or as an image or a delta.
//
// The first byte selects the decoder. What is decoded is encoded to the same bytes again. Images
// and deltas are applied to a mirror, which never holds more than a record may.
#include <algorithm>
#include <cstdint>

#include "base/bytes.h"
#include "record/arguments.h"
#include "record/messages.h"
#include "record/mirror.h"
#include "understudy/limits.h"

namespace {

using namespace understudy;
using namespace understudy::record;

// Numbers may come in a longer form than ours, so only the second encoding must be the same.
template <class Message, class Decode>
void check_message(const Result<Message>& decoded, Decode decode) {
    if (!decoded) return;
    Buffer once, twice;
    encode(*decoded, once);
    const auto again = decode(Bytes(once));
    US_ASSERT(again);
    encode(*again, twice);
    US_ASSERT(once == twice);
}

void check_event(wire::MessageType type, Bytes body) {
    const auto event = decode_event(type, body);
    check_message(event, [type](Bytes bytes) { return decode_event(type, bytes); });
    if (event && type == wire::MessageType::subscribe_refused) (void)reason(*event);
}

void check_image(Bytes input) {
    const auto image = to_image(input);
    if (!image) return;
    Buffer bytes;
    encode_image(*image, bytes);
    US_ASSERT(bytes.size() <= input.size());
    US_ASSERT(bytes.size() <= size_bytes(*image));
    US_ASSERT(to_image(bytes).value_or_throw() == *image);
}

// The input is a list of {how, size u16, bytes}: the life of one mirror.
void check_mirror(Bytes input) {
    ByteReader reader(input);
    Mirror mirror;
    std::uint64_t sequence = 0;
    for (;;) {
        const auto how = reader.fixed<std::uint8_t>();
        const auto size = reader.fixed<std::uint16_t>();
        if (reader.failed()) return;
        const Bytes bytes = *reader.raw(std::min<std::size_t>(*size, reader.rest().size()));
        const RecordImage before = mirror.image();
        RecordChange change;
        const Epoch epoch{std::uint64_t{*how} >> 6};
        const Sequence next{++sequence};
        switch (*how % 5) {
            case 0: (void)mirror.apply_image(epoch, next, bytes, &change); break;
            case 1: (void)mirror.apply_removed(epoch, next, &change); break;
            case 2: (void)mirror.apply_absent(epoch, &change); break;
            default: {
                const auto applied = mirror.apply_delta(epoch, next, bytes, &change);
                if (!applied || *applied != Applied::changed) {
                    US_ASSERT(mirror.image() == before);
                    sequence = mirror.sequence().value;
                }
            }
        }
        US_ASSERT(size_bytes(mirror.image()) <= record_size_max + image_size_min);
        for (const auto& [name, fields] : mirror.image().submaps) US_ASSERT(!fields.empty());
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const Bytes body(reinterpret_cast<const std::byte*>(data + 1), size - 1);
    switch (data[0] % 14) {
        case 0: check_message(decode_subscribe(body), decode_subscribe); break;
        case 1: check_message(decode_unsubscribe(body), decode_unsubscribe); break;
        case 2: check_message(decode_resync(body), decode_resync); break;
        case 3: check_event(wire::MessageType::absent, body); break;
        case 4: check_event(wire::MessageType::removed, body); break;
        case 5: check_event(wire::MessageType::subscribe_refused, body); break;
        case 6: check_message(decode_names(body), decode_names); break;
        case 7: check_message(decode_rpc_request(body), decode_rpc_request); break;
        case 8: check_message(decode_rpc_reply(body), decode_rpc_reply); break;
        case 9: check_event(wire::MessageType::image, body); break;
        case 10: check_event(wire::MessageType::delta, body); break;
        case 11: check_image(body); break;
        case 12: check_mirror(body); break;
        default: (void)decode_arguments(body); break;
    }
    return 0;
}
