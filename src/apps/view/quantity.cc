#include "apps/view/quantity.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>

#include <fmt/format.h>

#include "understudy/types.h"

namespace understudy::apps {

namespace {

struct Split {
    std::string_view number;
    std::string_view unit;
};

[[nodiscard]] Split split_unit(std::string_view text) {
    const std::size_t end = text.find_first_not_of("0123456789.");
    if (end == std::string_view::npos) return {text, {}};
    std::string_view unit = text.substr(end);
    while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
    return {text.substr(0, end), unit};
}

[[nodiscard]] std::optional<std::uint64_t> whole(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

[[nodiscard]] std::optional<std::uint64_t> times(std::uint64_t value, std::uint64_t factor) {
    if (value > std::numeric_limits<std::uint64_t>::max() / factor) return std::nullopt;
    return value * factor;
}

[[nodiscard]] std::string unit_advice(std::string_view text, std::string_view units,
                                      std::string_view unit, std::string_view usual) {
    const auto [number, given] = split_unit(text);
    if (number.empty()) return fmt::format("a number and its unit, as in {} ({})", usual, units);
    const std::string example =
        whole(number) ? fmt::format("{}{}", number, unit) : std::string(usual);
    if (given.empty()) return fmt::format("the unit is missing, as in {} ({})", example, units);
    return fmt::format("{} is not a unit here, as in {} ({})", given, example, units);
}

}  // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) {
    const auto [number, unit] = split_unit(text);
    const auto value = whole(number);
    if (!value) return std::nullopt;
    if (unit.empty() || unit == "B") return *value;
    if (unit == "KiB" || unit == "K") return times(*value, KiB);
    if (unit == "MiB" || unit == "M") return times(*value, MiB);
    if (unit == "GiB" || unit == "G") return times(*value, GiB);
    return std::nullopt;
}

std::optional<std::uint64_t> parse_duration_ms(std::string_view text) {
    const auto [number, unit] = split_unit(text);
    std::uint64_t factor = 0;
    if (unit == "ms") factor = 1;
    if (unit == "s") factor = 1000;
    if (unit == "m" || unit == "min") factor = 60'000;
    if (unit == "h") factor = 3'600'000;
    if (factor == 0) return std::nullopt;
    if (const auto value = whole(number)) return times(*value, factor);
    double value = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (error != std::errc{} || end != number.data() + number.size()) return std::nullopt;
    const double milliseconds = std::round(value * static_cast<double>(factor));
    if (!(milliseconds >= 0 && milliseconds < 1e15)) return std::nullopt;
    return static_cast<std::uint64_t>(milliseconds);
}

std::string size_advice(std::string_view text) {
    constexpr std::string_view units = "B, KiB, MiB or GiB";
    const auto [number, unit] = split_unit(text);
    if (!number.empty() && !whole(number)) {
        return fmt::format("a whole number and its unit, as in 64MiB ({})", units);
    }
    if (!number.empty() && parse_size(fmt::format("1{}", unit))) return "a smaller number";
    return unit_advice(text, units, "MiB", "64MiB");
}

std::string duration_advice(std::string_view text) {
    constexpr std::string_view units = "ms, s, m or h";
    const auto [number, unit] = split_unit(text);
    if (!number.empty() && parse_duration_ms(fmt::format("1{}", unit))) {
        return fmt::format("a number and its unit, as in 1.5s ({})", units);
    }
    return unit_advice(text, units, "s", "5s");
}

std::string format_size(std::uint64_t bytes) {
    if (bytes != 0 && bytes % GiB == 0) return fmt::format("{}GiB", bytes / GiB);
    if (bytes != 0 && bytes % MiB == 0) return fmt::format("{}MiB", bytes / MiB);
    if (bytes != 0 && bytes % KiB == 0) return fmt::format("{}KiB", bytes / KiB);
    return fmt::format("{}", bytes);
}

std::string format_duration_ms(std::uint64_t milliseconds) {
    if (milliseconds % 1000 == 0) return fmt::format("{}s", milliseconds / 1000);
    return fmt::format("{}ms", milliseconds);
}

std::string humane_us(std::uint64_t microseconds) {
    if (microseconds < 1000) return fmt::format("{} us", microseconds);
    const auto digits = [](double value) { return value < 10 ? 2 : value < 100 ? 1 : 0; };
    const double milliseconds = static_cast<double>(microseconds) / 1e3;
    if (milliseconds < 1000) return fmt::format("{:.{}f} ms", milliseconds, digits(milliseconds));
    const double seconds = milliseconds / 1e3;
    if (seconds < 120) return fmt::format("{:.{}f} s", seconds, digits(seconds));
    const std::uint64_t minutes = microseconds / 60'000'000;
    if (minutes < 60) return fmt::format("{} min {} s", minutes, microseconds / 1'000'000 % 60);
    if (minutes < 48 * 60) return fmt::format("{} h {} min", minutes / 60, minutes % 60);
    return fmt::format("{} d {} h", minutes / 1440, minutes / 60 % 24);
}

}  // namespace understudy::apps
