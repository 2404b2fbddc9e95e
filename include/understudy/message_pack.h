#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string_view>

#include "understudy/types.h"

namespace understudy {

// MessagePack (the specification of that name, without its extension types), item by item. Typed
// values on top of it: pack.h.

/// Appends items to a Buffer, each in its shortest form. The size of an array is followed by that
/// many items, the size of a map by that many pairs of a key and a value.
///
/// Requires: texts, bytes, arrays and maps are smaller than 4 GiB or 2^32 items.
/// Thread: any, one at a time.
class MessagePackWriter {
public:
    explicit MessagePackWriter(Buffer& out) : out_(out) {}

    void nil() { byte(0xc0); }
    void boolean(bool truth) { byte(truth ? 0xc3 : 0xc2); }
    void integer(std::int64_t number) {
        const auto bits = static_cast<std::uint64_t>(number);
        if (number >= 0) return big_integer(bits);
        if (number >= -32) return byte(static_cast<std::uint8_t>(bits));
        if (number >= INT8_MIN) return lead(0xd0, static_cast<std::uint8_t>(bits));
        if (number >= INT16_MIN) return lead(0xd1, static_cast<std::uint16_t>(bits));
        if (number >= INT32_MIN) return lead(0xd2, static_cast<std::uint32_t>(bits));
        lead(0xd3, bits);
    }
    void big_integer(std::uint64_t number) {
        if (number < 0x80) return byte(static_cast<std::uint8_t>(number));
        if (number <= UINT8_MAX) return lead(0xcc, static_cast<std::uint8_t>(number));
        if (number <= UINT16_MAX) return lead(0xcd, static_cast<std::uint16_t>(number));
        if (number <= UINT32_MAX) return lead(0xce, static_cast<std::uint32_t>(number));
        lead(0xcf, number);
    }
    void short_real(float number) { lead(0xca, std::bit_cast<std::uint32_t>(number)); }
    void real(double number) { lead(0xcb, std::bit_cast<std::uint64_t>(number)); }
    void text(std::string_view text) {
        if (text.size() >= 32 && text.size() <= UINT8_MAX) {
            lead(0xd9, static_cast<std::uint8_t>(text.size()));
        } else {
            sized(text.size(), 0xa0, 32, 0xda);
        }
        raw(as_bytes(text));
    }
    void bytes(Bytes bytes) {
        if (bytes.size() <= UINT8_MAX) {
            lead(0xc4, static_cast<std::uint8_t>(bytes.size()));
        } else {
            sized(bytes.size(), 0, 0, 0xc5);
        }
        raw(bytes);
    }
    void array(std::size_t size) { sized(size, 0x90, 16, 0xdc); }
    void map(std::size_t size) { sized(size, 0x80, 16, 0xde); }

private:
    void byte(std::uint8_t value) { out_.push_back(std::byte{value}); }
    void raw(Bytes bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
    template <std::unsigned_integral Number>
    void lead(std::uint8_t first, Number number) {
        std::byte bytes[1 + sizeof number];
        bytes[0] = std::byte{first};
        for (std::size_t i = 0; i < sizeof number; ++i) {
            bytes[sizeof number - i] = static_cast<std::byte>(number >> (8 * i));
        }
        raw(bytes);
    }
    /// A size below `small_end` is part of the first byte; `two` announces one of two bytes, the
    /// number after it one of four.
    void sized(std::size_t size, std::uint8_t small, std::size_t small_end, std::uint8_t two) {
        if (size < small_end) return byte(static_cast<std::uint8_t>(small + size));
        if (size <= UINT16_MAX) return lead(two, static_cast<std::uint16_t>(size));
        US_ASSERT(size <= UINT32_MAX);
        lead(static_cast<std::uint8_t>(two + 1), static_cast<std::uint32_t>(size));
    }

    Buffer& out_;
};

/// Takes items from the front of an input and never reads past its end.
///
/// Thread: any, one at a time.
class MessagePackReader {
public:
    enum class Kind : std::uint8_t {
        nil, boolean, integer, negative_integer, short_real, real, text, bytes, array, map,
        unknown  ///< An extension type, or a byte with which no item begins.
    };
    struct Item {
        Kind kind;
        /// An integer, or its two's complement if it is negative; 0 or 1 of a boolean; the bits of
        /// a real; the size of a text, of bytes, of an array or of a map; the byte that is unknown.
        std::uint64_t number;
    };

    explicit MessagePackReader(Bytes input) : rest_(input) {}

    /// The next item. The content of a text or of bytes is not taken: that is for raw().
    /// Nullopt: the input ends in the middle of it.
    [[nodiscard]] std::optional<Item> next() {
        if (rest_.empty()) return std::nullopt;
        const auto first = std::to_integer<std::uint8_t>(rest_.front());
        rest_ = rest_.subspan(1);
        if (first < 0x80) return Item{Kind::integer, first};
        if (first < 0x90) return Item{Kind::map, first & 0x0fU};
        if (first < 0xa0) return Item{Kind::array, first & 0x0fU};
        if (first < 0xc0) return Item{Kind::text, first & 0x1fU};
        if (first >= 0xe0) return signed_integer(first, 1);
        switch (first) {
            case 0xc0: return Item{Kind::nil, 0};
            case 0xc2: return Item{Kind::boolean, 0};
            case 0xc3: return Item{Kind::boolean, 1};
            case 0xc4: return numbered(Kind::bytes, 1);
            case 0xc5: return numbered(Kind::bytes, 2);
            case 0xc6: return numbered(Kind::bytes, 4);
            case 0xca: return numbered(Kind::short_real, 4);
            case 0xcb: return numbered(Kind::real, 8);
            case 0xcc: return numbered(Kind::integer, 1);
            case 0xcd: return numbered(Kind::integer, 2);
            case 0xce: return numbered(Kind::integer, 4);
            case 0xcf: return numbered(Kind::integer, 8);
            case 0xd0: return numbered(Kind::negative_integer, 1);
            case 0xd1: return numbered(Kind::negative_integer, 2);
            case 0xd2: return numbered(Kind::negative_integer, 4);
            case 0xd3: return numbered(Kind::negative_integer, 8);
            case 0xd9: return numbered(Kind::text, 1);
            case 0xda: return numbered(Kind::text, 2);
            case 0xdb: return numbered(Kind::text, 4);
            case 0xdc: return numbered(Kind::array, 2);
            case 0xdd: return numbered(Kind::array, 4);
            case 0xde: return numbered(Kind::map, 2);
            case 0xdf: return numbered(Kind::map, 4);
            default: return Item{Kind::unknown, first};
        }
    }
    /// Nullopt: fewer bytes are left. None is taken.
    [[nodiscard]] std::optional<Bytes> raw(std::uint64_t size) {
        if (size > rest_.size()) return std::nullopt;
        const Bytes taken = rest_.first(static_cast<std::size_t>(size));
        rest_ = rest_.subspan(taken.size());
        return taken;
    }
    /// Takes the next item if it is a nil.
    [[nodiscard]] bool skip_nil() {
        if (rest_.empty() || rest_.front() != std::byte{0xc0}) return false;
        rest_ = rest_.subspan(1);
        return true;
    }
    [[nodiscard]] Bytes rest() const { return rest_; }

private:
    [[nodiscard]] std::optional<Item> numbered(Kind kind, std::size_t size) {
        const auto bytes = raw(size);
        if (!bytes) return std::nullopt;
        std::uint64_t number = 0;
        for (const std::byte each : *bytes) {
            number = number << 8 | std::to_integer<std::uint64_t>(each);
        }
        if (kind == Kind::negative_integer) return signed_integer(number, size);
        return Item{kind, number};
    }
    /// Of `size` bytes; a negative one is extended to 64 bits.
    [[nodiscard]] static Item signed_integer(std::uint64_t bits, std::size_t size) {
        const std::size_t unused = 64 - 8 * size;
        const auto number = static_cast<std::int64_t>(bits << unused) >> unused;
        return {number < 0 ? Kind::negative_integer : Kind::integer,
                static_cast<std::uint64_t>(number)};
    }

    Bytes rest_;
};

}  // namespace understudy
