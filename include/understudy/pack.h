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

#include "understudy/message_pack.h"
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

    void array(std::size_t size) { out_.array(size); }
    void map(std::size_t size) { out_.map(size); }

private:
    MessagePackWriter out_;
};

/// Takes values from the front of an input and never reads past its end. It fails if a value is
/// missing, of another type, or too large for its type; all later calls then fail too.
class Unpacker {
public:
    static constexpr std::size_t depth_max = 64;

    explicit Unpacker(Bytes input) : in_(input) {}

    template <class T>
    bool take(T& value);

    /// The number of elements of the array or map that comes next.
    [[nodiscard]] std::optional<std::size_t> array() { return sized(Kind::array, 1); }
    [[nodiscard]] std::optional<std::size_t> map() { return sized(Kind::map, 2); }

    [[nodiscard]] bool failed() const { return failed_; }
    [[nodiscard]] bool done() const { return !failed_ && rest().empty(); }
    [[nodiscard]] Bytes rest() const { return in_.rest(); }

private:
    using Kind = MessagePackReader::Kind;

    bool fail() {
        failed_ = true;
        return false;
    }
    /// The number of the item that comes next, if it is of this kind.
    [[nodiscard]] std::optional<std::uint64_t> next(Kind kind) {
        const auto item = failed_ ? std::nullopt : in_.next();
        if (item && item->kind == kind) return item->number;
        failed_ = true;
        return std::nullopt;
    }
    /// Each element takes a byte at least: a size that the input cannot hold is refused here.
    [[nodiscard]] std::optional<std::size_t> sized(Kind kind, std::size_t per_element) {
        const auto size = next(kind);
        if (size && *size <= rest().size() / per_element) return static_cast<std::size_t>(*size);
        failed_ = true;
        return std::nullopt;
    }
    /// The content of a text or of bytes.
    [[nodiscard]] std::optional<Bytes> content(Kind kind) {
        const auto size = next(kind);
        const auto raw = size ? in_.raw(*size) : std::nullopt;
        if (!raw) failed_ = true;
        return raw;
    }

    MessagePackReader in_;
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
        out_.boolean(value);
    } else if constexpr (std::is_enum_v<T>) {
        put(static_cast<std::underlying_type_t<T>>(value));
    } else if constexpr (std::unsigned_integral<T>) {
        out_.big_integer(value);
    } else if constexpr (std::signed_integral<T>) {
        out_.integer(value);
    } else if constexpr (std::same_as<T, float>) {
        out_.short_real(value);
    } else if constexpr (std::same_as<T, double>) {
        out_.real(value);
    } else if constexpr (is_strong<T>) {
        out_.big_integer(value.value);
    } else if constexpr (std::same_as<T, Duration>) {
        out_.integer(value.count());
    } else if constexpr (std::same_as<T, Buffer> || std::same_as<T, Bytes>) {
        out_.bytes(value);
    } else if constexpr (std::convertible_to<const T&, std::string_view>) {
        out_.text(value);
    } else if constexpr (is_a<T, std::optional>) {
        static_assert(!is_a<typename T::value_type, std::optional>, "nil would mean two things");
        if (value) {
            put(*value);
        } else {
            out_.nil();
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
        const auto truth = next(Kind::boolean);
        if (!truth) return false;
        value = *truth != 0;
    } else if constexpr (std::is_enum_v<T>) {
        std::underlying_type_t<T> number{};
        if (!take(number)) return false;
        value = static_cast<T>(number);
    } else if constexpr (std::integral<T>) {
        const auto item = in_.next();
        if (!item) return fail();
        value = static_cast<T>(item->number);
        const bool fits =
            item->kind == Kind::negative_integer
                ? std::signed_integral<T> &&
                      static_cast<std::int64_t>(value) == static_cast<std::int64_t>(item->number)
                : item->kind == Kind::integer && value >= T{} &&
                      static_cast<std::uint64_t>(value) == item->number;
        if (!fits) return fail();
    } else if constexpr (std::same_as<T, float>) {
        const auto bits = next(Kind::short_real);
        if (!bits) return false;
        value = std::bit_cast<float>(static_cast<std::uint32_t>(*bits));
    } else if constexpr (std::same_as<T, double>) {
        const auto bits = next(Kind::real);
        if (!bits) return false;
        value = std::bit_cast<double>(*bits);
    } else if constexpr (is_strong<T>) {
        return take(value.value);
    } else if constexpr (std::same_as<T, Duration>) {
        std::int64_t count = 0;
        if (!take(count)) return false;
        value = Duration(count);
    } else if constexpr (std::same_as<T, Buffer>) {
        const auto read = content(Kind::bytes);
        if (!read) return false;
        value.assign(read->begin(), read->end());
    } else if constexpr (std::same_as<T, std::string>) {
        const auto read = content(Kind::text);
        if (!read) return false;
        value.assign(as_text(*read));
    } else {
        if (++depth_ > depth_max) return fail();
        if constexpr (is_a<T, std::optional>) {
            if (in_.skip_nil()) {
                value.reset();
            } else {
                take(value.emplace());
            }
        } else if constexpr (is_a<T, std::vector> || is_a<T, std::set>) {
            const auto size = array();
            value.clear();
            for (std::size_t i = 0; size && i < *size; ++i) {
                typename T::value_type element{};
                if (!take(element)) return false;
                value.insert(value.end(), std::move(element));
            }
        } else if constexpr (is_std_array<T>) {
            const auto size = array();
            if (size && *size != value.size()) return fail();
            for (auto& element : value) take(element);
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
