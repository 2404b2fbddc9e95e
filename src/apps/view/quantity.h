#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace understudy::apps {

// Sizes and times in the form that people write.

/// Converts "4096", "64KiB", "1 MiB", "2GiB" to bytes; nothing if it has another form or does not
/// fit.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);
/// Converts "200ms", "5s", "1.5s", "2m" to milliseconds. A number without a unit is refused,
/// because it is ambiguous.
[[nodiscard]] std::optional<std::uint64_t> parse_duration_ms(std::string_view text);

/// What to write instead of a text that parse_size() refuses: the units and an example.
[[nodiscard]] std::string size_advice(std::string_view text);
/// The same for parse_duration_ms().
[[nodiscard]] std::string duration_advice(std::string_view text);

/// "64KiB" if the size is a whole number of KiB, otherwise bytes; parse_size() reads it back.
[[nodiscard]] std::string format_size(std::uint64_t bytes);
/// "1500ms", "5s"; parse_duration_ms() reads it back.
[[nodiscard]] std::string format_duration_ms(std::uint64_t milliseconds);
/// Three significant digits: "850 us", "3.42 ms", "1.20 s", "2 h 5 min".
[[nodiscard]] std::string humane_us(std::uint64_t microseconds);

}  // namespace understudy::apps
