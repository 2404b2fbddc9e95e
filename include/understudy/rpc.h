#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "understudy/types.h"
#include "understudy/value.h"

namespace understudy {

/// The named arguments of a call: values, or anything that JSON can express.
///
/// Thread: any, as a std::map.
class US_API Arguments {
public:
    Arguments() = default;
    /// {{"symbol", "ABC"}, {"quantity", 100}}
    Arguments(std::initializer_list<std::pair<const std::string, Value>> values)
        : values_(values) {}
    explicit Arguments(Fields values) : values_(std::move(values)) {}
    /// Reads a JSON object. Errors: bad_config (none; says where), limit_exceeded (none).
    [[nodiscard]] static Result<Arguments> from_json(std::string_view json);
    [[nodiscard]] static Result<Arguments> from_bytes(Bytes message_pack);

    /// The argument if it has exactly this type.
    [[nodiscard]] std::optional<std::string_view> text(std::string_view name) const;
    [[nodiscard]] std::optional<std::int64_t> integer(std::string_view name) const;
    [[nodiscard]] std::optional<double> real(std::string_view name) const;  ///< Integers too.
    [[nodiscard]] std::optional<Bytes> bytes(std::string_view name) const;

    /// The scalar arguments. Arrays, objects, booleans and null are only in json().
    [[nodiscard]] const Fields& values() const { return values_; }
    [[nodiscard]] std::string json() const;
    /// The arguments as MessagePack, as they are sent.
    [[nodiscard]] Buffer to_bytes() const;

private:
    Fields values_;
    Buffer rich_;  ///< MessagePack of all arguments, if some are not scalars.
};

/// The result of a call: a value, JSON, or nothing.
class US_API CallResult {
public:
    CallResult() = default;
    CallResult(Value value) : value_(std::move(value)) {}
    /// Errors: bad_config (none; says where), limit_exceeded (none).
    [[nodiscard]] static Result<CallResult> from_json(std::string_view json);
    [[nodiscard]] static Result<CallResult> from_bytes(Bytes message_pack);

    [[nodiscard]] const std::optional<Value>& value() const { return value_; }
    [[nodiscard]] std::optional<std::string_view> text() const;
    [[nodiscard]] std::optional<std::int64_t> integer() const;
    [[nodiscard]] std::optional<double> real() const;
    [[nodiscard]] std::string json() const;
    [[nodiscard]] Buffer to_bytes() const;

private:
    std::optional<Value> value_;
    Buffer rich_;  ///< MessagePack of the result, if it is not a scalar.
};

/// Runs a call. The effect of a returned Error says whether something may have happened. A handler
/// that gave up half-way returns failed (unknown).
using RpcHandler = std::function<Result<CallResult>(const Arguments&)>;

/// Where a handler of calls or a listener of a record runs.
enum class RunOn : std::uint8_t {
    callback_thread,  ///< It may block and call others. It runs in order with all other callbacks.
    loop_thread,      ///< Saves the change of threads. It must return in microseconds, because the
                      ///< agent sends no heartbeat meanwhile. It may publish; it must not block or
                      ///< call.
};

struct CallOptions {
    Duration deadline = 5s;
    /// True if running it twice does no harm. It is then sent again when its outcome is unknown.
    bool repeatable = false;
};

}  // namespace understudy
