#include "wire/json.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <vector>

#include <boost/json/basic_parser_impl.hpp>
#include <fmt/format.h>

#include "base/escape.h"

namespace understudy::wire {

namespace {

namespace json = boost::json;

constexpr std::string_view bytes_key = "$bytes";
constexpr std::string_view digits = "0123456789abcdef";

// --- Writing ---------------------------------------------------------------------------------

void write_real(double number, std::string& out) {
    if (!std::isfinite(number)) {
        out += "null";
        return;
    }
    char shortest[32];
    const auto end = std::to_chars(shortest, shortest + sizeof shortest, number).ptr;
    const std::string_view text(shortest, static_cast<std::size_t>(end - shortest));
    out += text;
    if (text.find_first_of(".e") == std::string_view::npos) out += ".0";
}

void write_bytes(Bytes bytes, std::string& out) {
    out.append("{\"").append(bytes_key).append("\":\"");
    for (const std::byte each : bytes) {
        out += digits[std::to_integer<unsigned>(each) >> 4];
        out += digits[std::to_integer<unsigned>(each) & 0xf];
    }
    out += "\"}";
}

void write(const Dynamic& value, std::string& out) {
    switch (value.kind()) {
        case Dynamic::Kind::nil: out += "null"; break;
        case Dynamic::Kind::boolean: out += *value.as<bool>() ? "true" : "false"; break;
        case Dynamic::Kind::integer: out += std::to_string(*value.as<std::int64_t>()); break;
        case Dynamic::Kind::big_integer: out += std::to_string(*value.as<std::uint64_t>()); break;
        case Dynamic::Kind::real: write_real(*value.as<double>(), out); break;
        case Dynamic::Kind::text: append_quoted(out, *value.as<std::string>()); break;
        case Dynamic::Kind::bytes: write_bytes(*value.as<Buffer>(), out); break;
        case Dynamic::Kind::array: {
            char before = '[';
            for (const Dynamic& each : *value.as<Dynamic::Array>()) {
                out += before;
                write(each, out);
                before = ',';
            }
            out += before == '[' ? "[]" : "]";
            break;
        }
        case Dynamic::Kind::map: {
            char before = '{';
            for (const auto& [key, each] : *value.as<Dynamic::Map>()) {
                out += before;
                append_quoted(out, key);
                out += ':';
                write(each, out);
                before = ',';
            }
            out += before == '{' ? "{}" : "}";
            break;
        }
    }
}

// --- Reading ---------------------------------------------------------------------------------

std::optional<Buffer> from_hexadecimal(std::string_view text) {
    if (text.size() % 2 != 0) return std::nullopt;
    Buffer bytes;
    bytes.reserve(text.size() / 2);
    for (std::size_t at = 0; at < text.size(); at += 2) {
        unsigned byte = 0;
        const auto [end, error] = std::from_chars(text.data() + at, text.data() + at + 2, byte, 16);
        if (error != std::errc() || end != text.data() + at + 2) return std::nullopt;
        bytes.push_back(static_cast<std::byte>(byte));
    }
    return bytes;
}

// Builds the tree from the parser's events. If it refuses one, for example because of the bounds,
// it stops the parser and puts the reason into `problem`.
struct Builder {
    static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

    using Code = boost::system::error_code;

    bool refuse(Errc code, std::string_view why, Code& ec) {
        problem = Error{.code = code, .detail = std::string(why)};
        ec = json::error::syntax;
        return false;
    }
    bool add(Dynamic value, Code& ec) {
        if (++nodes > Dynamic::nodes_max) {
            return refuse(Errc::limit_exceeded, "too many values", ec);
        }
        if (open.empty()) {
            root = std::move(value);
        } else if (auto* array = open.back().value.as<Dynamic::Array>()) {
            array->push_back(std::move(value));
        } else {
            auto& map = *open.back().value.as<Dynamic::Map>();
            if (!map.emplace(std::move(open.back().key), std::move(value)).second) {
                return refuse(Errc::corrupt, "key twice", ec);
            }
        }
        return true;
    }
    bool begin(Dynamic container, Code& ec) {
        if (open.size() >= Dynamic::depth_max) {
            return refuse(Errc::limit_exceeded, "nested too deep", ec);
        }
        open.push_back({std::move(container), {}});
        return true;
    }
    bool end(Code& ec) {
        Dynamic done = std::move(open.back().value);
        open.pop_back();
        return add(std::move(done), ec);
    }

    bool on_document_begin(Code&) { return true; }
    bool on_document_end(Code&) { return true; }
    bool on_array_begin(Code& ec) { return begin(Dynamic::Array(), ec); }
    bool on_array_end(std::size_t, Code& ec) { return end(ec); }
    bool on_object_begin(Code& ec) { return begin(Dynamic::Map(), ec); }
    bool on_object_end(std::size_t, Code& ec) {
        const auto& map = *open.back().value.as<Dynamic::Map>();
        if (map.size() == 1 && map.begin()->first == bytes_key) {
            if (const auto* held = map.begin()->second.as<std::string>()) {
                if (auto bytes = from_hexadecimal(*held)) open.back().value = std::move(*bytes);
            }
        }
        return end(ec);
    }
    bool on_key_part(json::string_view part, std::size_t, Code&) {
        text.append(part.data(), part.size());
        return true;
    }
    bool on_key(json::string_view part, std::size_t, Code& ec) {
        if (++nodes > Dynamic::nodes_max) {
            return refuse(Errc::limit_exceeded, "too many values", ec);
        }
        text.append(part.data(), part.size());
        open.back().key = std::move(text);
        text.clear();
        return true;
    }
    bool on_string_part(json::string_view part, std::size_t, Code&) {
        text.append(part.data(), part.size());
        return true;
    }
    bool on_string(json::string_view part, std::size_t, Code& ec) {
        text.append(part.data(), part.size());
        Dynamic value(std::move(text));
        text.clear();
        return add(std::move(value), ec);
    }
    bool on_number_part(json::string_view part, Code&) {
        number.append(part.data(), part.size());
        return true;
    }
    bool on_int64(std::int64_t value, json::string_view, Code& ec) {
        number.clear();
        return add(Dynamic(value), ec);
    }
    bool on_uint64(std::uint64_t value, json::string_view, Code& ec) {
        number.clear();
        return add(Dynamic(value), ec);
    }
    // The parser's number may be wrong in the last digit, so the text is converted again.
    bool on_double(double nearly, json::string_view part, Code& ec) {
        number.append(part.data(), part.size());
        double value = nearly;
        const auto [last, error] =
            std::from_chars(number.data(), number.data() + number.size(), value);
        if (error != std::errc() || last != number.data() + number.size()) value = nearly;
        number.clear();
        if (!std::isfinite(value)) return refuse(Errc::limit_exceeded, "number too big", ec);
        return add(Dynamic(value), ec);
    }
    bool on_bool(bool value, Code& ec) { return add(Dynamic(value), ec); }
    bool on_null(Code& ec) { return add(Dynamic(), ec); }
    bool on_comment_part(json::string_view, Code&) { return true; }
    bool on_comment(json::string_view, Code&) { return true; }

    struct Open {
        Dynamic value;    // The array or map being filled.
        std::string key;  // Of the member whose value comes next.
    };
    std::vector<Open> open;
    Dynamic root;
    std::string text;
    std::string number;
    std::size_t nodes = 0;
    std::optional<Error> problem;
};

}  // namespace

std::string to_json(const Dynamic& value) {
    std::string out;
    write(value, out);
    return out;
}

Result<Dynamic> parse_json(std::string_view text) {
    json::parse_options options;
    options.max_depth = Dynamic::depth_max;
    json::basic_parser<Builder> parser(options);
    boost::system::error_code ec;
    const std::size_t read = parser.write_some(false, text.data(), text.size(), ec);
    if (!ec && read < text.size()) ec = json::error::extra_data;
    if (!ec) return std::move(parser.handler().root);

    Error error{.code = ec == json::error::too_deep ? Errc::limit_exceeded : Errc::corrupt,
                .detail = ec.message()};
    if (auto& problem = parser.handler().problem) error = std::move(*problem);
    error.detail = fmt::format("JSON, byte {}: {}", read, error.detail);
    return error;
}

}  // namespace understudy::wire
