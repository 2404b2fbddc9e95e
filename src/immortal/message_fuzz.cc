// Messages that an immortal or a client sends over a link, or that a journal has recorded. An
// accepted batch has as many messages as it says, each within its bounds, and is encoded to the
// same bytes again.
//
// The first byte selects the decoder.

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "immortal/command.h"
#include "immortal/message.h"

namespace {

using namespace understudy;
using namespace understudy::immortal;

void check_batch(Bytes input) {
    const auto batch = decode_batch(input);
    if (!batch) {
        US_ASSERT(batch.error().code == Errc::corrupt ||
                  batch.error().code == Errc::limit_exceeded);
        return;
    }
    US_ASSERT(batch->first.value > 0);
    US_ASSERT(batch->count > 0);
    US_ASSERT(batch->count <= batch_count_max);
    US_ASSERT(batch->messages.size() <= input.size());
    // Numbers may come in a longer form than ours, so only the second encoding must be the same.
    Buffer once = encode_batch_head(*batch);
    ByteReader messages(batch->messages);
    for (std::uint64_t i = 0; i < batch->count; ++i) {
        const auto message = decode_message(messages);
        US_ASSERT(message.has_value());
        US_ASSERT(message->body.size() <= message_size_max);
        encode(*message, once);
    }
    US_ASSERT(messages.done());
    const auto again = decode_batch(once);
    US_ASSERT(again.operator bool());
    US_ASSERT(again->first == batch->first);
    US_ASSERT(again->count == batch->count);
    Buffer twice = encode_batch_head(*again);
    ByteReader copies(again->messages);
    while (!copies.rest().empty()) encode(*decode_message(copies), twice);
    US_ASSERT(once == twice);
}

void check_refusal(Bytes input) {
    const Error error = decode_refusal(input);
    const Buffer once = encode_refusal(error);
    const Error again = decode_refusal(once);
    US_ASSERT(again.code == error.code);
    US_ASSERT(again.effect == error.effect);
    US_ASSERT(again.detail == error.detail);
}

void check_command(Bytes input) {
    const auto command = decode_command(input);
    if (!command) return;
    const Buffer once = encode(*command);
    const auto again = decode_command(once);
    US_ASSERT(again.operator bool());
    US_ASSERT(again->index() == command->index());
    US_ASSERT(encode(*again) == once);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const Bytes rest(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
    switch (data[0] % 3) {
        case 0: check_batch(rest); break;
        case 1: check_refusal(rest); break;
        default: check_command(rest); break;
    }
    return 0;
}
