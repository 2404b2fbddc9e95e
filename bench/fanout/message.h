#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "understudy/types.h"

namespace understudy::bench {

/// 100 bytes of text that every system carries: a number, its time of sending, and padding.
///
/// Shape: 16 hexadecimal digits, 16 more, then full stops.
class Message {
public:
    static constexpr std::size_t size = 100;

    Message() : text_(size, '.') {}

    [[nodiscard]] const std::string& write(std::uint64_t number, std::uint64_t sent_ns) {
        put(0, number);
        put(16, sent_ns);
        return text_;
    }

    struct Content {
        std::uint64_t number;
        std::uint64_t sent_ns;
    };
    [[nodiscard]] static std::optional<Content> read(std::string_view text) {
        Content content{};
        if (text.size() != size || !take(text, 0, content.number) ||
            !take(text, 16, content.sent_ns)) {
            return std::nullopt;
        }
        return content;
    }

private:
    void put(std::size_t at, std::uint64_t number) {
        for (std::size_t i = 16; i-- > 0; number >>= 4)
            text_[at + i] = "0123456789abcdef"[number & 15];
    }
    [[nodiscard]] static bool take(std::string_view text, std::size_t at, std::uint64_t& number) {
        const char* const end = text.data() + at + 16;
        return std::from_chars(text.data() + at, end, number, 16).ptr == end;
    }

    std::string text_;
};

}  // namespace understudy::bench
