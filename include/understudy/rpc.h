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

/// The named arguments of a call: values, or anything that JSON can say.
///
/// Thread: any, as a std::map.
class US_API Arguments {
public:
    Arguments() = default;
    /// {{"symbol", "ABC"}, {"quantity", 100}}
    Arguments(std::initializer_list<std::pair<const std::string, Value>> values)
        : values_(values) {}
    explicit Arguments(Fields values) : values_(std::move(values)) {}
    /// An object. Errors: bad_config (none; says where), limit_exceeded (none).
    [[nodiscard]] static Result<Arguments> from_json(std::string_view json);
    [[nodiscard]] static Result<Arguments> from_bytes(Bytes message_pack);

    /// Exactly this type, or nothing.
    [[nodiscard]] std::optional<std::string_view> text(std::string_view name) const;
    [[nodiscard]] std::optional<std::int64_t> integer(std::string_view name) const;
    [[nodiscard]] std::optional<double> real(std::string_view name) const;  ///< Integers too.
    [[nodiscard]] std::optional<Bytes> bytes(std::string_view name) const;

    /// The scalars; arrays, objects, booleans and null are only in json().
    [[nodiscard]] const Fields& values() const { return values_; }
    [[nodiscard]] std::string json() const;
    /// MessagePack, as it travels.
    [[nodiscard]] Buffer to_bytes() const;

private:
    Fields values_;
    Buffer rich_;  ///< MessagePack of the whole, if there is more in it than scalars.
};

/// What a call gives back: a value, JSON, or nothing.
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
    Buffer rich_;  ///< MessagePack of what is more than a scalar.
};

/// Runs a call. An Error's effect says whether something may have happened; failed (unknown) is
/// what a handler that gave up half-way returns.
using RpcHandler = std::function<Result<CallResult>(const Arguments&)>;

/// Where a handler of calls, or a listener of a record, runs.
enum class RunOn : std::uint8_t {
    callback_thread,  ///< May block and call others. In order with all other callbacks.
    loop_thread,      ///< Saves the thread changes. Must return in microseconds: while it runs,
                      ///< the agent sends no heartbeat. May publish, may not block or call.
};

struct CallOptions {
    Duration deadline = 5s;
    /// Running it twice does no harm: it is sent again when its outcome is unknown.
    bool repeatable = false;
};

}  // namespace understudy
