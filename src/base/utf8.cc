#include "base/utf8.h"

#include <cstdint>
#include <cstring>

namespace understudy {

namespace {

constexpr std::uint64_t high_bits = 0x8080808080808080;

// The length of the sequence that `lead` opens, and the range of its second byte; 0: none.
struct Sequence {
    std::size_t size;
    unsigned char second_min, second_max;
};

Sequence sequence_of(unsigned char lead) {
    if (lead < 0xc2) return {0, 0, 0};  // A continuation, or an overlong form.
    if (lead < 0xe0) return {2, 0x80, 0xbf};
    if (lead == 0xe0) return {3, 0xa0, 0xbf};
    if (lead == 0xed) return {3, 0x80, 0x9f};  // Higher bytes would be surrogates.
    if (lead < 0xf0) return {3, 0x80, 0xbf};
    if (lead == 0xf0) return {4, 0x90, 0xbf};
    if (lead < 0xf4) return {4, 0x80, 0xbf};
    if (lead == 0xf4) return {4, 0x80, 0x8f};
    return {0, 0, 0};
}

}  // namespace

std::size_t character_size(std::string_view text) {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    if (text.empty()) return 0;
    if (byte(0) < 0x80) return 1;
    const Sequence sequence = sequence_of(byte(0));
    if (sequence.size == 0 || text.size() < sequence.size) return 0;
    if (byte(1) < sequence.second_min || byte(1) > sequence.second_max) return 0;
    for (std::size_t i = 2; i < sequence.size; ++i) {
        if ((byte(i) & 0xc0) != 0x80) return 0;
    }
    return sequence.size;
}

bool is_utf8(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
        if (text.size() - at >= sizeof(std::uint64_t)) {
            std::uint64_t word;
            std::memcpy(&word, text.data() + at, sizeof word);
            if ((word & high_bits) == 0) {
                at += sizeof word;
                continue;
            }
        }
        const std::size_t size = character_size(text.substr(at));
        if (size == 0) return false;
        at += size;
    }
    return true;
}

}  // namespace understudy
