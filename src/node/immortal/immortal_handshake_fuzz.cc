// The first messages of any peer that dials an immortal or answers as one, and the other message of
// a link that is not a batch: an accepted message is encoded and decoded to the same again, and
// names are short.
//
// The first byte selects the decoder.

#include "node/immortal/immortal_handshake.h"

#include <cstddef>
#include <cstdint>

#include "understudy/limits.h"

namespace {

using namespace understudy;
using namespace understudy::node;

/// Numbers may come in a longer form than ours, so the new encoding may be shorter but not longer.
template <class Decode>
auto check(Bytes input, Decode decode) {
    auto decoded = decode(input);
    if (!decoded) {
        US_ASSERT(decoded.error().code == Errc::corrupt || decoded.error().code == Errc::refused);
        US_ASSERT(decoded.error().effect == Effect::none);
        return decoded;
    }
    const Buffer written = encode(*decoded);
    US_ASSERT(written.size() <= input.size());
    const auto again = decode(Bytes(written));
    US_ASSERT(again.operator bool());
    US_ASSERT(*again == *decoded);
    return decoded;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const Bytes rest(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
    if (data[0] % 3 == 0) {
        const auto hello = check(rest, [](Bytes bytes) { return decode_hello(bytes); });
        if (!hello) return 0;
        US_ASSERT(!hello->service.empty());
        US_ASSERT(hello->service.size() <= identifier_size_max);
        US_ASSERT(!hello->name.empty());
        US_ASSERT(hello->name.size() <= identifier_size_max);
        US_ASSERT(hello->member.size() <= identifier_size_max);
        US_ASSERT(hello->instance != 0);
    } else if (data[0] % 3 == 1) {
        (void)check(rest, [](Bytes bytes) { return decode_answer(bytes); });
    } else {
        (void)check(rest, [](Bytes bytes) { return decode_durable(bytes); });
    }
    return 0;
}
