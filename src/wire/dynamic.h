#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "understudy/types.h"

namespace understudy::wire {

/// A tree of values whose types are known only at run time: the content of a MessagePack value or a
/// JSON text. Arguments and results of calls are such trees.
///
/// A whole number is an int64 if it fits, and a uint64 only if it does not. So equal numbers
/// compare equal.
///
/// Bounds: decoders refuse trees deeper than depth_max or of more than nodes_max values.
/// Thread: the owner's.
class Dynamic {
public:
    using Array = std::vector<Dynamic>;
    using Map = std::map<std::string, Dynamic, std::less<>>;
    enum class Kind : std::uint8_t {
        nil, boolean, integer, big_integer, real, text, bytes, array, map
    };

    static constexpr std::size_t depth_max = 32;  ///< Arrays and maps around a value.
    static constexpr std::size_t nodes_max = 100'000;

    Dynamic() = default;  ///< nil
    Dynamic(std::same_as<bool> auto truth) : state_(truth) {}
    template <std::integral Number>
        requires(!std::same_as<Number, bool>)
    Dynamic(Number number) {
        if constexpr (sizeof(Number) == sizeof(std::uint64_t) && std::unsigned_integral<Number>) {
            if (number > static_cast<std::uint64_t>(INT64_MAX)) {
                state_ = static_cast<std::uint64_t>(number);
                return;
            }
        }
        state_ = static_cast<std::int64_t>(number);
    }
    Dynamic(double number) : state_(number) {}
    Dynamic(std::string text) : state_(std::move(text)) {}
    Dynamic(std::string_view text) : state_(std::string(text)) {}
    Dynamic(const char* text) : state_(std::string(text)) {}
    Dynamic(Buffer bytes) : state_(std::move(bytes)) {}
    Dynamic(Array array) : state_(std::move(array)) {}
    Dynamic(Map map) : state_(std::move(map)) {}

    [[nodiscard]] Kind kind() const { return static_cast<Kind>(state_.index()); }
    [[nodiscard]] bool is_nil() const { return kind() == Kind::nil; }

    /// The value, or null if it is of another kind.
    template <class Held>
    [[nodiscard]] const Held* as() const { return std::get_if<Held>(&state_); }
    template <class Held>
    [[nodiscard]] Held* as() { return std::get_if<Held>(&state_); }

    friend bool operator==(const Dynamic&, const Dynamic&) = default;

private:
    std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, Buffer,
                 Array, Map>
        state_;
};

[[nodiscard]] std::string_view name(Dynamic::Kind kind);

}  // namespace understudy::wire
