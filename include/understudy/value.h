#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "understudy/types.h"

namespace understudy {

/// Bytes as the value of a field.
using Blob = Buffer;

/// What a Value holds. The numbers are part of the wire format: never reuse or renumber them.
enum class ValueType : std::uint8_t { text = 1, integer = 2, real = 3, bytes = 4 };
[[nodiscard]] US_API std::string_view name(ValueType type);

/// One field's value: a text, a 64-bit integer, a double or bytes.
///
/// Two values are equal if their types and bits are equal: a NaN equals itself, 0.0 differs from
/// -0.0, the integer 1 differs from the text "1". So no subscriber could tell equal values apart.
///
/// Thread: any, as a std::string.
class US_API Value {
public:
    Value() = default;  ///< The empty text.
    Value(std::string text) : state_(std::move(text)) {}
    Value(std::string_view text) : state_(std::string(text)) {}
    Value(const char* text) : state_(std::string(text)) {}
    /// Unsigned 64-bit numbers and truth values need an explicit cast, because they may not fit.
    template <std::integral Number>
        requires(!std::same_as<Number, bool> &&
                 (std::signed_integral<Number> || sizeof(Number) < sizeof(std::int64_t)))
    Value(Number number) : state_(static_cast<std::int64_t>(number)) {}
    template <std::floating_point Number>
    Value(Number number) : state_(static_cast<double>(number)) {}
    Value(Blob bytes) : state_(std::move(bytes)) {}

    [[nodiscard]] ValueType type() const { return static_cast<ValueType>(state_.index() + 1); }

    /// The value, or null if it has another type.
    [[nodiscard]] const std::string* text() const { return std::get_if<std::string>(&state_); }
    [[nodiscard]] const std::int64_t* integer() const { return std::get_if<std::int64_t>(&state_); }
    [[nodiscard]] const double* real() const { return std::get_if<double>(&state_); }
    [[nodiscard]] const Blob* bytes() const { return std::get_if<Blob>(&state_); }

    /// Text for display: numbers in the usual form, bytes in hexadecimal.
    [[nodiscard]] std::string to_text() const;
    /// The integer, if the value is one without loss: 3, 3.0 and "3" give 3; 3.5 and "3x" give
    /// nothing.
    [[nodiscard]] std::optional<std::int64_t> to_integer() const;
    /// The number, if the value is one: 3, 3.5 and "3.5". An integer may be rounded.
    [[nodiscard]] std::optional<double> to_real() const;

    /// Puts another text into the memory of the present text. Returns false, and changes nothing,
    /// if the value is not a text.
    bool assign_text(std::string_view text) {
        auto* held = std::get_if<std::string>(&state_);
        if (held == nullptr) return false;
        held->assign(text);
        return true;
    }

    friend US_API bool operator==(const Value& left, const Value& right);

private:
    std::variant<std::string, std::int64_t, double, Blob> state_;
};

/// Fields by name, in byte order of their names.
using Fields = std::map<std::string, Value, std::less<>>;

}  // namespace understudy
