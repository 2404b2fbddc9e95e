// Messages between cores, from any sender: what decodes encodes to the same again, and no entry
// body is copied or lies outside the frame.
#include "consensus/message.h"

#include <cstdint>

namespace {

using namespace understudy;
using namespace understudy::consensus;

void check_views(const Message& message, Bytes frame) {
    const auto* request = std::get_if<AppendRequest>(&message);
    if (request == nullptr) return;
    for (const LogEntry& entry : request->entries) {
        const Bytes body = entry.body.bytes;
        if (body.empty()) continue;
        US_ASSERT(body.data() >= frame.data());
        US_ASSERT(body.data() + body.size() <= frame.data() + frame.size());
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Bytes input(reinterpret_cast<const std::byte*>(data), size);
    const auto decoded = decode({.owner = nullptr, .bytes = input});
    if (!decoded) return 0;
    check_views(*decoded, input);

    // Numbers may come in a longer form than ours, so it is the second writing that must be stable.
    Buffer once;
    Buffer twice;
    encode(*decoded, once);
    US_ASSERT(once.size() == encoded_size(*decoded) && once.size() <= size);
    const auto again = decode({.owner = nullptr, .bytes = once});
    US_ASSERT(again);
    encode(*again, twice);
    US_ASSERT(once == twice);
    return 0;
}
