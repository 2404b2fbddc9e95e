#include "understudy/value.h"

#include <bit>
#include <charconv>
#include <cmath>

namespace understudy {

namespace {

// The number, if the whole text is one.
template <class Number>
std::optional<Number> parse(std::string_view text) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

std::optional<std::int64_t> exactly(double number) {
    // The range of doubles that an int64 can hold. It excludes the upper bound, 2^63.
    constexpr double bound = 9223372036854775808.0;
    if (!(number >= -bound && number < bound) || std::trunc(number) != number) return std::nullopt;
    return static_cast<std::int64_t>(number);
}

std::string to_hexadecimal(Bytes bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(2 * bytes.size());
    for (const std::byte each : bytes) {
        text += digits[std::to_integer<unsigned>(each) >> 4];
        text += digits[std::to_integer<unsigned>(each) & 0xf];
    }
    return text;
}

}  // namespace

std::string_view name(ValueType type) {
    switch (type) {
        case ValueType::text: return "text";
        case ValueType::integer: return "integer";
        case ValueType::real: return "real";
        case ValueType::bytes: return "bytes";
    }
    return "unrecognized";
}

std::string Value::to_text() const {
    if (const auto* held = text()) return *held;
    if (const auto* held = integer()) return std::to_string(*held);
    if (const auto* held = real()) {
        char digits[32];  // The shortest form that reads back as the same number.
        const auto written = std::to_chars(digits, digits + sizeof digits, *held);
        return {digits, written.ptr};
    }
    return to_hexadecimal(*bytes());
}

std::optional<std::int64_t> Value::to_integer() const {
    if (const auto* held = integer()) return *held;
    if (const auto* held = real()) return exactly(*held);
    if (const auto* held = text()) return parse<std::int64_t>(*held);
    return std::nullopt;
}

std::optional<double> Value::to_real() const {
    if (const auto* held = real()) return *held;
    if (const auto* held = integer()) return static_cast<double>(*held);
    if (const auto* held = text()) return parse<double>(*held);
    return std::nullopt;
}

bool operator==(const Value& left, const Value& right) {
    if (left.state_.index() != right.state_.index()) return false;
    if (const auto* held = left.real()) {
        return std::bit_cast<std::uint64_t>(*held) == std::bit_cast<std::uint64_t>(*right.real());
    }
    return left.state_ == right.state_;
}

}  // namespace understudy
