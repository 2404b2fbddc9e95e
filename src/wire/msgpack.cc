#include "wire/msgpack.h"

#include <bit>

#include <fmt/format.h>

#include "base/utf8.h"
#include "understudy/message_pack.h"

namespace understudy::wire {

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

namespace {

// Refuses what decode_msgpack() would refuse, so that the receiver can read it.
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

    MessagePackWriter writer_;
    std::size_t nodes_ = 0;
};

// --- Reading ---------------------------------------------------------------------------------

class Decoder {
public:
    explicit Decoder(Bytes input) : size_(input.size()), reader_(input) {}

    Result<Dynamic> whole() {
        Dynamic value = US_TRY(read(0));
        if (!reader_.rest().empty()) return corrupt("bytes behind the value");
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

    Result<Dynamic> text(std::uint64_t size) {
        const auto raw = reader_.raw(size);
        if (!raw) return corrupt("text longer than the input");
        if (!is_utf8(as_text(*raw))) return corrupt("text is not UTF-8");
        return Dynamic(as_text(*raw));
    }
    Result<Dynamic> bytes(std::uint64_t size) {
        const auto raw = reader_.raw(size);
        if (!raw) return corrupt("bytes longer than the input");
        return Dynamic(Buffer(raw->begin(), raw->end()));
    }

    // Each item takes at least one byte, so a count above the rest of the input is wrong. The bound
    // of nodes limits the memory that is used for a byte of input.
    Result<void> admit(std::uint64_t items, std::size_t depth) {
        if (depth >= Dynamic::depth_max) return limit("nested too deep");
        if (items > reader_.rest().size()) return corrupt("more items than input");
        if (items > Dynamic::nodes_max - nodes_) return limit("too many values");
        return {};
    }
    Result<Dynamic> array(std::uint64_t size, std::size_t depth) {
        US_CHECK(admit(size, depth));
        Dynamic::Array items;
        items.reserve(static_cast<std::size_t>(size));
        for (std::uint64_t i = 0; i < size; ++i) items.push_back(US_TRY(read(depth + 1)));
        return Dynamic(std::move(items));
    }
    Result<Dynamic> map(std::uint64_t size, std::size_t depth) {
        US_CHECK(admit(size, depth));
        Dynamic::Map items;
        for (std::uint64_t i = 0; i < size; ++i) {
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
        const auto item = reader_.next();
        if (!item) return corrupt("input ends early");
        const auto [kind, number] = *item;
        using Kind = MessagePackReader::Kind;
        switch (kind) {
            case Kind::nil: return Dynamic();
            case Kind::boolean: return Dynamic(number != 0);
            case Kind::integer: return Dynamic(number);
            case Kind::negative_integer: return Dynamic(static_cast<std::int64_t>(number));
            case Kind::short_real: {
                const auto bits = static_cast<std::uint32_t>(number);
                return Dynamic(static_cast<double>(std::bit_cast<float>(bits)));
            }
            case Kind::real: return Dynamic(std::bit_cast<double>(number));
            case Kind::text: return text(number);
            case Kind::bytes: return bytes(number);
            case Kind::array: return array(number, depth);
            case Kind::map: return map(number, depth);
            case Kind::unknown: break;
        }
        return corrupt(fmt::format("type byte 0x{:02x}", number));
    }

    const std::size_t size_;
    MessagePackReader reader_;
    std::size_t nodes_ = 0;
};

}  // namespace

Result<void> encode_msgpack(const Dynamic& value, Buffer& out) {
    return Encoder(out).write(value, 0);
}

Result<Dynamic> decode_msgpack(Bytes input) { return Decoder(input).whole(); }

}  // namespace understudy::wire
