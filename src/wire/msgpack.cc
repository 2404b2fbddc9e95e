#include "wire/msgpack.h"

#include <bit>
#include <limits>
#include <type_traits>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/utf8.h"

namespace understudy::wire {

namespace {

// MessagePack is big-endian.
template <std::unsigned_integral Number>
Number swap_bytes(Number number) {
    if constexpr (sizeof number == 1) return number;
    if constexpr (sizeof number == 2) return __builtin_bswap16(number);
    if constexpr (sizeof number == 4) return __builtin_bswap32(number);
    if constexpr (sizeof number == 8) return __builtin_bswap64(number);
}

}  // namespace

std::string_view name(Dynamic::Kind kind) {
    switch (kind) {
        case Dynamic::Kind::nil: return "nil";
        case Dynamic::Kind::boolean: return "boolean";
        case Dynamic::Kind::integer:
        case Dynamic::Kind::big_integer: return "integer";
        case Dynamic::Kind::real: return "real";
        case Dynamic::Kind::text: return "text";
        case Dynamic::Kind::bytes: return "bytes";
        case Dynamic::Kind::array: return "array";
        case Dynamic::Kind::map: return "map";
    }
    return "unrecognized";
}

// --- Writing ---------------------------------------------------------------------------------

void MsgpackWriter::lead(std::uint8_t byte) { out_.push_back(std::byte{byte}); }

template <class Number>
void MsgpackWriter::lead(std::uint8_t byte, Number number) {
    lead(byte);
    ByteWriter(out_).fixed(swap_bytes(static_cast<std::make_unsigned_t<Number>>(number)));
}

void MsgpackWriter::nil() { lead(0xc0); }
void MsgpackWriter::boolean(bool truth) { lead(truth ? 0xc3 : 0xc2); }

void MsgpackWriter::integer(std::int64_t number) {
    if (number >= 0) return big_integer(static_cast<std::uint64_t>(number));
    if (number >= -32) return lead(static_cast<std::uint8_t>(number));
    if (number >= INT8_MIN) return lead(0xd0, static_cast<std::int8_t>(number));
    if (number >= INT16_MIN) return lead(0xd1, static_cast<std::int16_t>(number));
    if (number >= INT32_MIN) return lead(0xd2, static_cast<std::int32_t>(number));
    lead(0xd3, number);
}

void MsgpackWriter::big_integer(std::uint64_t number) {
    if (number < 0x80) return lead(static_cast<std::uint8_t>(number));
    if (number <= UINT8_MAX) return lead(0xcc, static_cast<std::uint8_t>(number));
    if (number <= UINT16_MAX) return lead(0xcd, static_cast<std::uint16_t>(number));
    if (number <= UINT32_MAX) return lead(0xce, static_cast<std::uint32_t>(number));
    lead(0xcf, number);
}

void MsgpackWriter::real(double number) { lead(0xcb, std::bit_cast<std::uint64_t>(number)); }

void MsgpackWriter::text(std::string_view text) {
    US_ASSERT(text.size() <= UINT32_MAX);
    if (text.size() < 32) {
        lead(static_cast<std::uint8_t>(0xa0 | text.size()));
    } else if (text.size() <= UINT8_MAX) {
        lead(0xd9, static_cast<std::uint8_t>(text.size()));
    } else if (text.size() <= UINT16_MAX) {
        lead(0xda, static_cast<std::uint16_t>(text.size()));
    } else {
        lead(0xdb, static_cast<std::uint32_t>(text.size()));
    }
    ByteWriter(out_).raw(as_bytes(text));
}

void MsgpackWriter::bytes(Bytes bytes) {
    US_ASSERT(bytes.size() <= UINT32_MAX);
    if (bytes.size() <= UINT8_MAX) {
        lead(0xc4, static_cast<std::uint8_t>(bytes.size()));
    } else if (bytes.size() <= UINT16_MAX) {
        lead(0xc5, static_cast<std::uint16_t>(bytes.size()));
    } else {
        lead(0xc6, static_cast<std::uint32_t>(bytes.size()));
    }
    ByteWriter(out_).raw(bytes);
}

void MsgpackWriter::array(std::size_t size) {
    US_ASSERT(size <= UINT32_MAX);
    if (size < 16) return lead(static_cast<std::uint8_t>(0x90 | size));
    if (size <= UINT16_MAX) return lead(0xdc, static_cast<std::uint16_t>(size));
    lead(0xdd, static_cast<std::uint32_t>(size));
}

void MsgpackWriter::map(std::size_t size) {
    US_ASSERT(size <= UINT32_MAX);
    if (size < 16) return lead(static_cast<std::uint8_t>(0x80 | size));
    if (size <= UINT16_MAX) return lead(0xde, static_cast<std::uint16_t>(size));
    lead(0xdf, static_cast<std::uint32_t>(size));
}

namespace {

// Refuses what decode_msgpack() would refuse, so that what is sent can be read.
class Encoder {
public:
    explicit Encoder(Buffer& out) : writer_(out) {}

    // Recursion is bounded by depth_max.
    Result<void> write(const Dynamic& value, std::size_t depth) {
        US_CHECK(admit());
        switch (value.kind()) {
            case Dynamic::Kind::nil: writer_.nil(); break;
            case Dynamic::Kind::boolean: writer_.boolean(*value.as<bool>()); break;
            case Dynamic::Kind::integer: writer_.integer(*value.as<std::int64_t>()); break;
            case Dynamic::Kind::big_integer:
                writer_.big_integer(*value.as<std::uint64_t>());
                break;
            case Dynamic::Kind::real: writer_.real(*value.as<double>()); break;
            case Dynamic::Kind::text: return text(*value.as<std::string>());
            case Dynamic::Kind::bytes: writer_.bytes(*value.as<Buffer>()); break;
            case Dynamic::Kind::array: return array(*value.as<Dynamic::Array>(), depth);
            case Dynamic::Kind::map: return map(*value.as<Dynamic::Map>(), depth);
        }
        return {};
    }

private:
    Result<void> admit() {
        if (++nodes_ <= Dynamic::nodes_max) return {};
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("more than {} values", Dynamic::nodes_max)};
    }
    Result<void> check_depth(std::size_t depth) {
        if (depth < Dynamic::depth_max) return {};
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("value nested deeper than {}", Dynamic::depth_max)};
    }
    Result<void> text(std::string_view text) {
        if (!is_utf8(text)) {
            return Error{.code = Errc::bad_config, .detail = "text that is not UTF-8"};
        }
        writer_.text(text);
        return {};
    }
    Result<void> array(const Dynamic::Array& array, std::size_t depth) {
        US_CHECK(check_depth(depth));
        writer_.array(array.size());
        for (const Dynamic& each : array) US_CHECK(write(each, depth + 1));
        return {};
    }
    Result<void> map(const Dynamic::Map& map, std::size_t depth) {
        US_CHECK(check_depth(depth));
        writer_.map(map.size());
        for (const auto& [key, each] : map) {
            US_CHECK(admit());
            US_CHECK(text(key));
            US_CHECK(write(each, depth + 1));
        }
        return {};
    }

    MsgpackWriter writer_;
    std::size_t nodes_ = 0;
};

// --- Reading ---------------------------------------------------------------------------------

class Decoder {
public:
    explicit Decoder(Bytes input) : size_(input.size()), reader_(input) {}

    Result<Dynamic> whole() {
        Dynamic value = US_TRY(read(0));
        if (!reader_.done()) return corrupt("bytes behind the value");
        return value;
    }

private:
    Error corrupt(std::string_view what) const {
        return {.code = Errc::corrupt,
                .detail = fmt::format("MessagePack, byte {}: {}", position(), what)};
    }
    Error limit(std::string_view what) const {
        return {.code = Errc::limit_exceeded,
                .detail = fmt::format("MessagePack, byte {}: {}", position(), what)};
    }
    std::size_t position() const { return size_ - reader_.rest().size(); }

    template <class Number>
    Result<Number> number() {
        const auto raw = reader_.fixed<std::make_unsigned_t<Number>>();
        if (!raw) return corrupt("input ends early");
        return static_cast<Number>(swap_bytes(*raw));
    }
    template <class Number>
    Result<Dynamic> whole_number() {
        return Dynamic(US_TRY(number<Number>()));
    }

    Result<Dynamic> text(std::size_t size) {
        const auto raw = reader_.raw(size);
        if (!raw) return corrupt("text longer than the input");
        if (!is_utf8(as_text(*raw))) return corrupt("text is not UTF-8");
        return Dynamic(as_text(*raw));
    }
    Result<Dynamic> bytes(std::size_t size) {
        const auto raw = reader_.raw(size);
        if (!raw) return corrupt("bytes longer than the input");
        return Dynamic(Buffer(raw->begin(), raw->end()));
    }

    // Each item has a byte at least, so a count above what is left is a lie; and the budget of
    // nodes bounds the memory that a byte of input can cost.
    Result<void> admit(std::size_t items, std::size_t depth) {
        if (depth >= Dynamic::depth_max) return limit("nested too deep");
        if (items > reader_.rest().size()) return corrupt("more items than input");
        if (items > Dynamic::nodes_max - nodes_) return limit("too many values");
        return {};
    }
    Result<Dynamic> array(std::size_t size, std::size_t depth) {
        US_CHECK(admit(size, depth));
        Dynamic::Array items;
        items.reserve(size);
        for (std::size_t i = 0; i < size; ++i) items.push_back(US_TRY(read(depth + 1)));
        return Dynamic(std::move(items));
    }
    Result<Dynamic> map(std::size_t size, std::size_t depth) {
        US_CHECK(admit(size, depth));
        Dynamic::Map items;
        for (std::size_t i = 0; i < size; ++i) {
            Dynamic key = US_TRY(read(Dynamic::depth_max));
            auto* text = key.as<std::string>();
            if (text == nullptr) return corrupt("map key that is not text");
            Dynamic value = US_TRY(read(depth + 1));
            if (!items.emplace(std::move(*text), std::move(value)).second) {
                return corrupt("map key twice");
            }
        }
        return Dynamic(std::move(items));
    }

    // Recursion is bounded by depth_max: admit() refuses to go deeper.
    Result<Dynamic> read(std::size_t depth) {
        if (++nodes_ > Dynamic::nodes_max) return limit("too many values");
        const auto lead = reader_.fixed<std::uint8_t>();
        if (!lead) return corrupt("input ends early");
        if (*lead < 0x80) return Dynamic(*lead);
        if (*lead < 0x90) return map(*lead & 0xfU, depth);
        if (*lead < 0xa0) return array(*lead & 0xfU, depth);
        if (*lead < 0xc0) return text(*lead & 0x1fU);
        if (*lead >= 0xe0) return Dynamic(static_cast<std::int8_t>(*lead));
        switch (*lead) {
            case 0xc0: return Dynamic();
            case 0xc2: return Dynamic(false);
            case 0xc3: return Dynamic(true);
            case 0xc4: return bytes(US_TRY(number<std::uint8_t>()));
            case 0xc5: return bytes(US_TRY(number<std::uint16_t>()));
            case 0xc6: return bytes(US_TRY(number<std::uint32_t>()));
            case 0xca: {
                const auto bits = US_TRY(number<std::uint32_t>());
                return Dynamic(static_cast<double>(std::bit_cast<float>(bits)));
            }
            case 0xcb: return Dynamic(std::bit_cast<double>(US_TRY(number<std::uint64_t>())));
            case 0xcc: return whole_number<std::uint8_t>();
            case 0xcd: return whole_number<std::uint16_t>();
            case 0xce: return whole_number<std::uint32_t>();
            case 0xcf: return whole_number<std::uint64_t>();
            case 0xd0: return whole_number<std::int8_t>();
            case 0xd1: return whole_number<std::int16_t>();
            case 0xd2: return whole_number<std::int32_t>();
            case 0xd3: return whole_number<std::int64_t>();
            case 0xd9: return text(US_TRY(number<std::uint8_t>()));
            case 0xda: return text(US_TRY(number<std::uint16_t>()));
            case 0xdb: return text(US_TRY(number<std::uint32_t>()));
            case 0xdc: return array(US_TRY(number<std::uint16_t>()), depth);
            case 0xdd: return array(US_TRY(number<std::uint32_t>()), depth);
            case 0xde: return map(US_TRY(number<std::uint16_t>()), depth);
            case 0xdf: return map(US_TRY(number<std::uint32_t>()), depth);
            default: return corrupt(fmt::format("type byte 0x{:02x}", *lead));
        }
    }

    const std::size_t size_;
    ByteReader reader_;
    std::size_t nodes_ = 0;
};

}  // namespace

Result<void> encode_msgpack(const Dynamic& value, Buffer& out) {
    return Encoder(out).write(value, 0);
}

Result<Dynamic> decode_msgpack(Bytes input) { return Decoder(input).whole(); }

}  // namespace understudy::wire
