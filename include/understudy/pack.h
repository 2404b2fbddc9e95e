#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "understudy/types.h"

namespace understudy {

// Typed values as MessagePack. Immortals keep their state and send their arguments in this form.
//
// A value is: a truth value, a number, an enumeration or a Strong (as its number), a Duration (as
// nanoseconds), text, bytes, std::optional (nil or the value), std::vector, std::array, std::set,
// std::pair, std::tuple (arrays), std::map (a map), or a struct that lists its fields (an array of
// them):
//
//     struct Order {
//         std::string item;
//         std::int64_t pieces = 0;
//         template <class F> void fields(F& f) { f(item, pieces); }
//     };
//
// A struct may gain fields at its end. If it was written with fewer fields, the missing ones keep
// the value that they have. Equal values give equal bytes. Containers without an order are not
// supported: two copies of a service would write the same set as different bytes.

/// Appends values to a Buffer. Thread: any, one at a time.
class Packer {
public:
    explicit Packer(Buffer& out) : out_(out) {}

    template <class T>
    void put(const T& value);

    void array(std::size_t size) { sized(size, 0x90, 16, 0xdc, 0xdd); }
    void map(std::size_t size) { sized(size, 0x80, 16, 0xde, 0xdf); }

private:
    template <std::unsigned_integral Number>
    void lead(std::uint8_t byte, Number number) {
        std::byte raw[1 + sizeof number];
        raw[0] = std::byte{byte};
        for (std::size_t i = 0; i < sizeof number; ++i) {
            raw[sizeof number - i] = static_cast<std::byte>(number >> (8 * i));
        }
        out_.insert(out_.end(), std::begin(raw), std::end(raw));
    }
    void byte(std::uint8_t value) { out_.push_back(std::byte{value}); }
    void sized(std::size_t size, std::uint8_t small, std::size_t small_end, std::uint8_t two,
               std::uint8_t four) {
        if (size < small_end) return byte(static_cast<std::uint8_t>(small + size));
        if (size <= 0xffff) return lead(two, static_cast<std::uint16_t>(size));
        US_ASSERT(size <= 0xffff'ffff);
        lead(four, static_cast<std::uint32_t>(size));
    }
    void positive(std::uint64_t number) {
        if (number < 0x80) return byte(static_cast<std::uint8_t>(number));
        if (number <= 0xff) return lead(0xcc, static_cast<std::uint8_t>(number));
        if (number <= 0xffff) return lead(0xcd, static_cast<std::uint16_t>(number));
        if (number <= 0xffff'ffff) return lead(0xce, static_cast<std::uint32_t>(number));
        lead(0xcf, number);
    }
    void negative(std::int64_t number) {
        const auto bits = static_cast<std::uint64_t>(number);
        if (number >= -32) return byte(static_cast<std::uint8_t>(bits));
        if (number >= -0x80) return lead(0xd0, static_cast<std::uint8_t>(bits));
        if (number >= -0x8000) return lead(0xd1, static_cast<std::uint16_t>(bits));
        if (number >= -0x8000'0000LL) return lead(0xd2, static_cast<std::uint32_t>(bits));
        lead(0xd3, bits);
    }
    void text(std::string_view value) {
        if (value.size() >= 32 && value.size() <= 0xff) {
            lead(0xd9, static_cast<std::uint8_t>(value.size()));
        } else {
            sized(value.size(), 0xa0, 32, 0xda, 0xdb);
        }
        const Bytes raw = as_bytes(value);
        out_.insert(out_.end(), raw.begin(), raw.end());
    }
    void bytes(Bytes value) {
        if (value.size() <= 0xff) {
            lead(0xc4, static_cast<std::uint8_t>(value.size()));
        } else {
            sized(value.size(), 0, 0, 0xc5, 0xc6);
        }
        out_.insert(out_.end(), value.begin(), value.end());
    }

    Buffer& out_;
};

/// Takes values from the front of an input and never reads past its end. It fails if a value is
/// missing, of another type, or too large for its type; all later calls then fail too.
class Unpacker {
public:
    static constexpr std::size_t depth_max = 64;

    explicit Unpacker(Bytes input) : rest_(input) {}

    template <class T>
    bool take(T& value);

    /// The number of elements of the array or map that comes next.
    [[nodiscard]] std::optional<std::size_t> array() { return sized(0x90, 0xdc, 0xdd, 1); }
    [[nodiscard]] std::optional<std::size_t> map() { return sized(0x80, 0xde, 0xdf, 2); }

    [[nodiscard]] bool failed() const { return failed_; }
    [[nodiscard]] bool done() const { return !failed_ && rest_.empty(); }
    [[nodiscard]] Bytes rest() const { return rest_; }

private:
    struct Integer {
        std::uint64_t bits;
        bool negative;
    };

    bool fail() {
        failed_ = true;
        return false;
    }
    [[nodiscard]] std::optional<std::uint8_t> byte() {
        if (failed_ || rest_.empty()) {
            failed_ = true;
            return std::nullopt;
        }
        const auto value = std::to_integer<std::uint8_t>(rest_.front());
        rest_ = rest_.subspan(1);
        return value;
    }
    [[nodiscard]] std::optional<std::uint64_t> big_endian(std::size_t size) {
        if (failed_ || rest_.size() < size) {
            failed_ = true;
            return std::nullopt;
        }
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < size; ++i) {
            value = value << 8 | std::to_integer<std::uint64_t>(rest_[i]);
        }
        rest_ = rest_.subspan(size);
        return value;
    }
    /// Each element takes at least one byte, so a size that the input cannot hold is refused here.
    [[nodiscard]] std::optional<std::size_t> sized(std::uint8_t small, std::uint8_t two,
                                                   std::uint8_t four, std::size_t per_element) {
        const auto first = byte();
        std::optional<std::uint64_t> size;
        if (!first) return std::nullopt;
        if ((*first & 0xf0) == small) {
            size = *first & 0x0f;
        } else if (*first == two) {
            size = big_endian(2);
        } else if (*first == four) {
            size = big_endian(4);
        }
        if (!size || *size > rest_.size() / per_element) {
            failed_ = true;
            return std::nullopt;
        }
        return static_cast<std::size_t>(*size);
    }
    [[nodiscard]] std::optional<Integer> integer() {
        const auto first = byte();
        if (!first) return std::nullopt;
        if (*first < 0x80) return Integer{*first, false};
        if (*first >= 0xe0) return sign(*first, 1);
        if (*first >= 0xcc && *first <= 0xcf) {
            const auto bits = big_endian(std::size_t{1} << (*first - 0xcc));
            if (!bits) return std::nullopt;
            return Integer{*bits, false};
        }
        if (*first >= 0xd0 && *first <= 0xd3) {
            const std::size_t size = std::size_t{1} << (*first - 0xd0);
            const auto bits = big_endian(size);
            if (!bits) return std::nullopt;
            return sign(*bits, size);
        }
        failed_ = true;
        return std::nullopt;
    }
    [[nodiscard]] static Integer sign(std::uint64_t bits, std::size_t size) {
        const std::size_t unused = 64 - 8 * size;
        const auto value = static_cast<std::int64_t>(bits << unused) >> unused;
        return {static_cast<std::uint64_t>(value), value < 0};
    }
    [[nodiscard]] std::optional<Bytes> blob(std::size_t size) {
        if (rest_.size() < size) {
            failed_ = true;
            return std::nullopt;
        }
        const Bytes value = rest_.first(size);
        rest_ = rest_.subspan(size);
        return value;
    }
    [[nodiscard]] std::optional<Bytes> text() {
        const auto first = byte();
        if (!first) return std::nullopt;
        std::optional<std::uint64_t> size;
        if ((*first & 0xe0) == 0xa0) size = *first & 0x1f;
        if (*first >= 0xd9 && *first <= 0xdb) size = big_endian(std::size_t{1} << (*first - 0xd9));
        if (!size) {
            failed_ = true;
            return std::nullopt;
        }
        return blob(static_cast<std::size_t>(*size));
    }
    [[nodiscard]] std::optional<Bytes> bytes() {
        const auto first = byte();
        if (!first) return std::nullopt;
        std::optional<std::uint64_t> size;
        if (*first >= 0xc4 && *first <= 0xc6) size = big_endian(std::size_t{1} << (*first - 0xc4));
        if (!size) {
            failed_ = true;
            return std::nullopt;
        }
        return blob(static_cast<std::size_t>(*size));
    }

    Bytes rest_;
    bool failed_ = false;
    std::size_t depth_ = 0;
};

namespace detail {

template <class T, template <class...> class Template>
inline constexpr bool is_a = false;
template <template <class...> class Template, class... Args>
inline constexpr bool is_a<Template<Args...>, Template> = true;

template <class T>
inline constexpr bool is_std_array = false;
template <class T, std::size_t size>
inline constexpr bool is_std_array<std::array<T, size>> = true;

template <class T>
inline constexpr bool is_strong = false;
template <class Tag>
inline constexpr bool is_strong<Strong<Tag>> = true;

template <class T>
inline constexpr bool never = false;

/// Counts, then writes, what a struct lists.
struct FieldCount {
    std::size_t count = 0;
    template <class... Fields>
    void operator()(const Fields&...) {
        count += sizeof...(Fields);
    }
};
struct FieldPack {
    Packer& packer;
    template <class... Fields>
    void operator()(const Fields&... fields) {
        (packer.put(fields), ...);
    }
};
struct FieldUnpack {
    Unpacker& unpacker;
    std::size_t left;  ///< How many were written.
    template <class... Fields>
    void operator()(Fields&... fields) {
        (void)((left == 0 || (--left, unpacker.take(fields))) && ...);
    }
};

template <class T>
concept HasFields = requires(T& value, FieldCount& count) { value.fields(count); };

}  // namespace detail

template <class T>
void Packer::put(const T& value) {
    using namespace detail;
    if constexpr (std::same_as<T, bool>) {
        byte(value ? 0xc3 : 0xc2);
    } else if constexpr (std::is_enum_v<T>) {
        put(static_cast<std::underlying_type_t<T>>(value));
    } else if constexpr (std::unsigned_integral<T>) {
        positive(value);
    } else if constexpr (std::signed_integral<T>) {
        value < 0 ? negative(value) : positive(static_cast<std::uint64_t>(value));
    } else if constexpr (std::same_as<T, float>) {
        lead(0xca, std::bit_cast<std::uint32_t>(value));
    } else if constexpr (std::same_as<T, double>) {
        lead(0xcb, std::bit_cast<std::uint64_t>(value));
    } else if constexpr (is_strong<T>) {
        positive(value.value);
    } else if constexpr (std::same_as<T, Duration>) {
        put(static_cast<std::int64_t>(value.count()));
    } else if constexpr (std::same_as<T, Buffer> || std::same_as<T, Bytes>) {
        bytes(value);
    } else if constexpr (std::convertible_to<const T&, std::string_view>) {
        text(value);
    } else if constexpr (is_a<T, std::optional>) {
        static_assert(!is_a<typename T::value_type, std::optional>, "nil would mean two things");
        if (value) {
            put(*value);
        } else {
            byte(0xc0);
        }
    } else if constexpr (is_a<T, std::vector> || is_a<T, std::set> || is_std_array<T>) {
        array(value.size());
        for (const auto& element : value) put(element);
    } else if constexpr (is_a<T, std::map>) {
        map(value.size());
        for (const auto& [key, element] : value) {
            put(key);
            put(element);
        }
    } else if constexpr (is_a<T, std::pair> || is_a<T, std::tuple>) {
        array(std::tuple_size_v<T>);
        std::apply([this](const auto&... elements) { (this->put(elements), ...); }, value);
    } else if constexpr (HasFields<T>) {
        auto& listed =
            const_cast<T&>(value);  // fields() serves reading and writing; here it only reads.
        FieldCount count;
        listed.fields(count);
        array(count.count);
        FieldPack pack{*this};
        listed.fields(pack);
    } else {
        static_assert(never<T>, "no value: see the list above; a struct needs fields()");
    }
}

template <class T>
bool Unpacker::take(T& value) {
    using namespace detail;
    if (failed_) return false;
    if constexpr (std::same_as<T, bool>) {
        const auto first = byte();
        if (!first || (*first & 0xfe) != 0xc2) return fail();
        value = *first == 0xc3;
    } else if constexpr (std::is_enum_v<T>) {
        std::underlying_type_t<T> number{};
        if (!take(number)) return false;
        value = static_cast<T>(number);
    } else if constexpr (std::integral<T>) {
        const auto number = integer();
        if (!number) return false;
        value = static_cast<T>(number->bits);
        const bool fits = number->negative
                              ? std::signed_integral<T> &&
                                    static_cast<std::int64_t>(value) ==
                                        static_cast<std::int64_t>(number->bits)
                              : value >= T{} && static_cast<std::uint64_t>(value) == number->bits;
        if (!fits) return fail();
    } else if constexpr (std::same_as<T, float>) {
        if (byte() != 0xca) return fail();
        const auto bits = big_endian(4);
        if (!bits) return false;
        value = std::bit_cast<float>(static_cast<std::uint32_t>(*bits));
    } else if constexpr (std::same_as<T, double>) {
        if (byte() != 0xcb) return fail();
        const auto bits = big_endian(8);
        if (!bits) return false;
        value = std::bit_cast<double>(*bits);
    } else if constexpr (is_strong<T>) {
        return take(value.value);
    } else if constexpr (std::same_as<T, Duration>) {
        std::int64_t count = 0;
        if (!take(count)) return false;
        value = Duration(count);
    } else if constexpr (std::same_as<T, Buffer>) {
        const auto read = bytes();
        if (!read) return false;
        value.assign(read->begin(), read->end());
    } else if constexpr (std::same_as<T, std::string>) {
        const auto read = text();
        if (!read) return false;
        value.assign(as_text(*read));
    } else {
        if (++depth_ > depth_max) return fail();
        if constexpr (is_a<T, std::optional>) {
            if (rest_.empty()) return fail();
            if (rest_.front() == std::byte{0xc0}) {
                rest_ = rest_.subspan(1);
                value.reset();
            } else {
                take(value.emplace());
            }
        } else if constexpr (is_a<T, std::vector>) {
            const auto size = array();
            value.clear();
            for (std::size_t i = 0; size && i < *size; ++i) {
                typename T::value_type element{};
                if (!take(element)) return false;
                value.push_back(std::move(element));
            }
        } else if constexpr (is_std_array<T>) {
            const auto size = array();
            if (size && *size != value.size()) return fail();
            for (auto& element : value) take(element);
        } else if constexpr (is_a<T, std::set>) {
            const auto size = array();
            value.clear();
            for (std::size_t i = 0; size && i < *size; ++i) {
                typename T::value_type element{};
                if (!take(element)) return false;
                value.insert(std::move(element));
            }
        } else if constexpr (is_a<T, std::map>) {
            const auto size = map();
            value.clear();
            for (std::size_t i = 0; size && i < *size; ++i) {
                typename T::key_type key{};
                if (!take(key) || !take(value[std::move(key)])) return false;
            }
        } else if constexpr (is_a<T, std::pair> || is_a<T, std::tuple>) {
            const auto size = array();
            if (size && *size != std::tuple_size_v<T>) return fail();
            std::apply([this](auto&... elements) { (void)(this->take(elements) && ...); }, value);
        } else if constexpr (HasFields<T>) {
            FieldCount count;
            value.fields(count);
            const auto size = array();
            if (!size || *size > count.count) return fail();
            FieldUnpack unpack{*this, *size};
            value.fields(unpack);
        } else {
            static_assert(never<T>, "no value: see the list above; a struct needs fields()");
        }
        --depth_;
    }
    return !failed_;
}

}  // namespace understudy
