#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace understudy {

enum class Escapes : std::uint8_t {
    json,      ///< As JSON has them: \" \\ \n \u001b. A byte that is not UTF-8 becomes U+FFFD.
    /// For people: \n \t \x1b, quotes as they are. A byte that is not UTF-8 becomes \xff.
    terminal,
};

/// Appends `text` as one line of UTF-8 without control characters, so that a text from elsewhere
/// cannot control a terminal.
void append_escaped(std::string& out, std::string_view text, Escapes escapes);

/// Appends `text` as a JSON string, with its quotes.
void append_quoted(std::string& out, std::string_view text);

}  // namespace understudy
