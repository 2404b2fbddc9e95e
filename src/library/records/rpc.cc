#include "understudy/rpc.h"

#include <utility>

#include "record/arguments.h"
#include "understudy/limits.h"
#include "understudy/message_pack.h"
#include "wire/json.h"
#include "wire/msgpack.h"

namespace understudy {

using wire::Dynamic;

namespace {

// The value that a Value can hold; nothing if there is more to it.
[[nodiscard]] std::optional<Value> scalar(const Dynamic& value) {
    auto held = record::to_value(value);
    if (!held) return std::nullopt;
    return *std::move(held);
}

// JSON comes from the application, bytes come from a peer.
[[nodiscard]] Error as_config(Error error) {
    if (error.code == Errc::corrupt) error.code = Errc::bad_config;
    return error;
}

template <class T>
[[nodiscard]] const T* held(const Fields& values, std::string_view name,
                            const T* (Value::*read)() const) {
    const auto found = values.find(name);
    return found == values.end() ? nullptr : (found->second.*read)();
}

[[nodiscard]] std::optional<double> as_real(const Value& value) {
    if (const double* real = value.real()) return *real;
    if (const std::int64_t* integer = value.integer()) return static_cast<double>(*integer);
    return std::nullopt;
}

void write(MessagePackWriter& writer, const Value& value) {
    switch (value.type()) {
        case ValueType::text: return writer.text(*value.text());
        case ValueType::integer: return writer.integer(*value.integer());
        case ValueType::real: return writer.real(*value.real());
        case ValueType::bytes: return writer.bytes(*value.bytes());
    }
}

// The bytes were read or written by us before.
[[nodiscard]] std::string rich_to_json(const Buffer& message_pack) {
    const auto tree = wire::decode_msgpack(message_pack);
    US_ASSERT(tree);
    return wire::to_json(*tree);
}

[[nodiscard]] Result<Buffer> encode(const Dynamic& tree) {
    Buffer out;
    US_CHECK(wire::encode_msgpack(tree, out));
    return out;
}

// The scalars of the map. `rich` is set if there is more in it.
[[nodiscard]] Result<Fields> read(const Dynamic& tree, bool& rich) {
    const auto* map = tree.as<Dynamic::Map>();
    if (map == nullptr) {
        return Error{.code = Errc::bad_config,
                     .detail = "arguments: expected an object, found " +
                               std::string(wire::name(tree.kind()))};
    }
    Fields fields;
    for (const auto& [name, value] : *map) {
        if (auto simple = scalar(value)) {
            fields.emplace_hint(fields.end(), name, *std::move(simple));
        } else {
            rich = true;
        }
    }
    return fields;
}

}  // namespace

Result<Arguments> Arguments::from_json(std::string_view json) {
    auto tree = wire::parse_json(json);
    if (!tree) return as_config(std::move(tree).error());
    Arguments out;
    bool rich = false;
    out.values_ = US_TRY(read(*tree, rich));
    if (rich) out.rich_ = US_TRY(encode(*tree));
    US_CHECK(check_arguments_size(out.to_bytes().size()));
    return out;
}

Result<Arguments> Arguments::from_bytes(Bytes message_pack) {
    US_CHECK(check_arguments_size(message_pack.size()));
    const Dynamic tree = US_TRY(wire::decode_msgpack(message_pack));
    Arguments out;
    bool rich = false;
    out.values_ = US_TRY(read(tree, rich));
    if (rich) out.rich_ = Buffer(message_pack.begin(), message_pack.end());
    return out;
}

std::optional<std::string_view> Arguments::text(std::string_view name) const {
    const std::string* text = held(values_, name, &Value::text);
    if (text == nullptr) return std::nullopt;
    return *text;
}

std::optional<std::int64_t> Arguments::integer(std::string_view name) const {
    const std::int64_t* integer = held(values_, name, &Value::integer);
    if (integer == nullptr) return std::nullopt;
    return *integer;
}

std::optional<double> Arguments::real(std::string_view name) const {
    const auto found = values_.find(name);
    if (found == values_.end()) return std::nullopt;
    return as_real(found->second);
}

std::optional<Bytes> Arguments::bytes(std::string_view name) const {
    const Blob* bytes = held(values_, name, &Value::bytes);
    if (bytes == nullptr) return std::nullopt;
    return *bytes;
}

std::string Arguments::json() const {
    if (!rich_.empty()) return rich_to_json(rich_);
    Dynamic::Map map;
    for (const auto& [name, value] : values_) {
        map.emplace_hint(map.end(), name, record::to_dynamic(value));
    }
    return wire::to_json(Dynamic(std::move(map)));
}

Buffer Arguments::to_bytes() const {
    if (!rich_.empty()) return rich_;
    Buffer out;
    MessagePackWriter writer(out);
    writer.map(values_.size());
    for (const auto& [name, value] : values_) {
        writer.text(name);
        write(writer, value);
    }
    return out;
}

Result<CallResult> CallResult::from_json(std::string_view json) {
    auto tree = wire::parse_json(json);
    if (!tree) return as_config(std::move(tree).error());
    CallResult out;
    out.value_ = scalar(*tree);
    if (!out.value_ && !tree->is_nil()) out.rich_ = US_TRY(encode(*tree));
    US_CHECK(check_result_size(out.to_bytes().size()));
    return out;
}

Result<CallResult> CallResult::from_bytes(Bytes message_pack) {
    US_CHECK(check_result_size(message_pack.size()));
    if (message_pack.empty()) return CallResult();
    const Dynamic tree = US_TRY(wire::decode_msgpack(message_pack));
    CallResult out;
    out.value_ = scalar(tree);
    if (!out.value_ && !tree.is_nil()) {
        out.rich_ = Buffer(message_pack.begin(), message_pack.end());
    }
    return out;
}

std::optional<std::string_view> CallResult::text() const {
    if (!value_ || value_->text() == nullptr) return std::nullopt;
    return *value_->text();
}

std::optional<std::int64_t> CallResult::integer() const {
    if (!value_ || value_->integer() == nullptr) return std::nullopt;
    return *value_->integer();
}

std::optional<double> CallResult::real() const {
    if (!value_) return std::nullopt;
    return as_real(*value_);
}

std::string CallResult::json() const {
    if (!rich_.empty()) return rich_to_json(rich_);
    return wire::to_json(value_ ? record::to_dynamic(*value_) : Dynamic());
}

Buffer CallResult::to_bytes() const {
    if (!rich_.empty()) return rich_;
    Buffer out;
    MessagePackWriter writer(out);
    if (value_) {
        write(writer, *value_);
    } else {
        writer.nil();
    }
    return out;
}

}  // namespace understudy
