// A checkpoint file of arbitrary bytes: what is accepted is what is written.
#include "journal/checkpoint.h"

#include <algorithm>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace understudy;
    using namespace understudy::journal;
    const Bytes input(reinterpret_cast<const std::byte*>(data), size);
    const auto loaded = decode_checkpoint(Buffer(input.begin(), input.end()));
    if (!loaded) return 0;
    US_ASSERT(loaded->state.size() + checkpoint_header_bytes == size);
    const Buffer header = encode_checkpoint_header(loaded->checkpoint, loaded->state);
    US_ASSERT(std::equal(header.begin(), header.end(), input.begin()));
    return 0;
}
