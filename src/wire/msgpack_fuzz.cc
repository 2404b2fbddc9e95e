// Everything that can be decoded is encoded to the same value again, in MessagePack and through
// JSON.
#include <algorithm>
#include <cstdint>

#include "wire/json.h"
#include "wire/msgpack.h"

namespace {

using namespace understudy;
using namespace understudy::wire;

// JSON has no infinite numbers, and an object that looks like bytes becomes bytes.
bool survives_json(const Dynamic& value) {
    if (const auto* number = value.as<double>()) return *number - *number == 0;
    if (const auto* array = value.as<Dynamic::Array>()) {
        return std::all_of(array->begin(), array->end(), survives_json);
    }
    if (const auto* map = value.as<Dynamic::Map>()) {
        return !map->contains("$bytes") &&
               std::all_of(map->begin(), map->end(),
                           [](const auto& each) { return survives_json(each.second); });
    }
    return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Bytes input(reinterpret_cast<const std::byte*>(data), size);
    if (const auto parsed = parse_json(as_text(input))) {
        const auto again = parse_json(to_json(*parsed));
        US_ASSERT(again && (*again == *parsed || !survives_json(*parsed)));
    }
    const auto decoded = decode_msgpack(input);
    if (!decoded) return 0;
    Buffer bytes;
    US_ASSERT(encode_msgpack(*decoded, bytes));
    US_ASSERT(bytes.size() <= input.size() || bytes.size() <= 3 * input.size());
    const auto again = decode_msgpack(bytes);
    US_ASSERT(again);
    if (!survives_json(*decoded)) return 0;  // A NaN does not equal itself.
    US_ASSERT(*again == *decoded);
    const auto parsed = parse_json(to_json(*decoded));
    US_ASSERT(parsed && *parsed == *decoded);
    return 0;
}
