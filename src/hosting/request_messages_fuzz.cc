// What a client may send to a replica, and a replica to a client. The first byte chooses the
// decoder.

#include "hosting/request_messages.h"

#include <cstddef>
#include <cstdint>

#include "understudy/limits.h"

namespace {

using namespace understudy;
using namespace understudy::hosting;

template <class Decoded>
void check_error(const Decoded& decoded) {
    if (decoded) return;
    US_ASSERT(decoded.error().code == Errc::corrupt || decoded.error().code == Errc::refused);
    US_ASSERT(decoded.error().effect == Effect::none);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const Bytes rest(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
    switch (data[0] % 5) {
        case 0: {
            const auto hello = decode_request_hello(rest);
            check_error(hello);
            if (hello) US_ASSERT(*decode_request_hello(encode(*hello)) == *hello);
            break;
        }
        case 1: {
            const auto greeting = decode_request_greeting(rest);
            check_error(greeting);
            if (greeting) US_ASSERT(*decode_request_greeting(encode(*greeting)) == *greeting);
            break;
        }
        case 2: {
            const auto request = decode_submit(rest);
            check_error(request);
            if (request) US_ASSERT(request->number > request->answered);
            break;
        }
        case 3: {
            const auto answer = decode_answer(rest);
            check_error(answer);
            if (answer) US_ASSERT(answer->number.value != 0);
            break;
        }
        default:
            check_error(decode_outcome(rest));
    }
    return 0;
}
