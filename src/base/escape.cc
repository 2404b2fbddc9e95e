#include "base/escape.h"

#include <algorithm>
#include <cstddef>

#include "base/utf8.h"

namespace understudy {

namespace {

constexpr std::string_view digits = "0123456789abcdef";

[[nodiscard]] bool stays(char each, Escapes escapes) {
    if (each < ' ' || each > '~') return false;
    return escapes == Escapes::terminal || (each != '"' && each != '\\');
}

// The letter that stands for a character after a backslash; 0: there is none.
[[nodiscard]] char letter_of(char each, Escapes escapes) {
    switch (each) {
        case '\n': return 'n';
        case '\t': return 't';
        default: break;
    }
    if (escapes == Escapes::terminal) return 0;
    switch (each) {
        case '"':
        case '\\': return each;
        case '\b': return 'b';
        case '\f': return 'f';
        case '\r': return 'r';
        default: return 0;
    }
}

void append_number(std::string& out, std::string_view before, unsigned char number) {
    out += before;
    out += digits[number >> 4];
    out += digits[number & 0xf];
}

}  // namespace

void append_escaped(std::string& out, std::string_view text, Escapes escapes) {
    while (!text.empty()) {
        const auto plain = std::find_if_not(text.begin(), text.end(),
                                            [&](char each) { return stays(each, escapes); });
        const auto plain_size = static_cast<std::size_t>(plain - text.begin());
        out += text.substr(0, plain_size);
        text.remove_prefix(plain_size);
        if (text.empty()) return;

        const std::size_t size = character_size(text);
        const auto first = static_cast<unsigned char>(text.front());
        // U+0080 to U+009F are control characters of two bytes.
        const bool control = size == 1 || (size == 2 && first == 0xc2 &&
                                           static_cast<unsigned char>(text[1]) < 0xa0);
        if (size > 0 && !control) {
            out += text.substr(0, size);
            text.remove_prefix(size);
        } else if (const char letter = letter_of(text.front(), escapes); letter != 0) {
            out += '\\';
            out += letter;
            text.remove_prefix(1);
        } else if (escapes == Escapes::terminal) {
            append_number(out, "\\x", first);
            text.remove_prefix(1);
        } else if (size == 0) {
            out += "\\ufffd";
            text.remove_prefix(1);
        } else {
            append_number(out, "\\u00", static_cast<unsigned char>(text[size - 1]));
            text.remove_prefix(size);
        }
    }
}

void append_quoted(std::string& out, std::string_view text) {
    out += '"';
    append_escaped(out, text, Escapes::json);
    out += '"';
}

}  // namespace understudy
