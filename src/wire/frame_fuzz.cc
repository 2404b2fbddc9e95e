// For any input, decode() reads only its input, and what it accepts is what seal() writes.
#include <algorithm>
#include <cstdint>

#include "wire/frame.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace understudy;
    using namespace understudy::wire;
    const Bytes input(reinterpret_cast<const std::byte*>(data), size);
    const auto decoded = decode(input, payload_size_max);
    if (!decoded) return 0;
    if (!*decoded) {
        US_ASSERT(missing(input) > 0);
        return 0;
    }
    const Frame& frame = **decoded;
    US_ASSERT(frame.size_bytes == header_size + frame.payload.size());
    US_ASSERT(frame.size_bytes <= input.size());
    Buffer again(header_size);
    again.insert(again.end(), frame.payload.begin(), frame.payload.end());
    seal(frame.kind, again);
    US_ASSERT(std::equal(again.begin(), again.end(), input.begin()));
    return 0;
}
