#include "record/arguments.h"

#include <string>

#include "understudy/limits.h"
#include "wire/msgpack.h"

namespace understudy::record {

Result<void> encode_arguments(const Fields& arguments, Buffer& out) {
    out.clear();
    wire::Dynamic::Map map;
    for (const auto& [name, value] : arguments) {
        map.emplace_hint(map.end(), name, to_dynamic(value));
    }
    US_CHECK(wire::encode_msgpack(std::move(map), out));
    return check_arguments_size(out.size());
}

Result<Fields> decode_arguments(Bytes arguments) {
    US_CHECK(check_arguments_size(arguments.size()));
    const wire::Dynamic tree = US_TRY(wire::decode_msgpack(arguments));
    const auto* map = tree.as<wire::Dynamic::Map>();
    if (map == nullptr) return Error{.code = Errc::corrupt, .detail = "arguments are not a map"};

    Fields fields;
    for (const auto& [name, value] : *map) {
        auto plain = to_value(value);
        if (!plain) {
            Error error = std::move(plain).error();
            error.detail = "argument '" + name + "': " + error.detail;
            return error;
        }
        fields.emplace_hint(fields.end(), name, *std::move(plain));
    }
    return fields;
}

wire::Dynamic to_dynamic(const Value& value) {
    switch (value.type()) {
        case ValueType::text: return *value.text();
        case ValueType::integer: return *value.integer();
        case ValueType::real: return *value.real();
        case ValueType::bytes: break;
    }
    return *value.bytes();
}

Result<Value> to_value(const wire::Dynamic& value) {
    if (const auto* text = value.as<std::string>()) return Value(*text);
    if (const auto* integer = value.as<std::int64_t>()) return Value(*integer);
    if (const auto* real = value.as<double>()) return Value(*real);
    if (const auto* bytes = value.as<Buffer>()) return Value(*bytes);
    return Error{.code = Errc::bad_config,
                 .detail = "text, integer, real or bytes wanted, not " +
                           std::string(name(value.kind()))};
}

}  // namespace understudy::record
