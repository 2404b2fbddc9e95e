#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "understudy/types.h"

namespace understudy {

/// One field of an event. There is no overload for Bytes: payloads and secrets are never logged.
struct LogField {
    std::string_view key;
    std::string value;
};

[[nodiscard]] inline LogField kv(std::string_view key, std::string_view value) {
    return {key, std::string(value)};
}
template <std::integral Number>
[[nodiscard]] LogField kv(std::string_view key, Number value) {
    if constexpr (std::same_as<Number, bool>) {
        return {key, value ? "true" : "false"};
    } else {
        return {key, std::to_string(value)};
    }
}
[[nodiscard]] inline LogField kv(std::string_view key, Epoch epoch) {
    return {key, std::to_string(epoch.value)};
}
[[nodiscard]] inline LogField kv(std::string_view key, const Error& error) {
    return {key, to_string(error)};
}

enum class LogLevel : std::uint8_t {
    debug,  ///< Off in production.
    info,   ///< A state changed.
    warn,   ///< The platform recovered from a fault.
    error,  ///< A person must act. Fails a simulated run unless the scenario expects it.
};

/// The destination of log events. It is passed in and is never global.
///
/// An event is a dotted name, fixed at compile time, and fields. It contains no sentences that must
/// be parsed.
/// Thread: any.
class Log {
public:
    virtual ~Log() = default;
    virtual void write(LogLevel level, std::string_view event,
                       std::initializer_list<LogField> fields) = 0;

    void debug(std::string_view event, std::initializer_list<LogField> fields = {}) {
        write(LogLevel::debug, event, fields);
    }
    void info(std::string_view event, std::initializer_list<LogField> fields = {}) {
        write(LogLevel::info, event, fields);
    }
    void warn(std::string_view event, std::initializer_list<LogField> fields = {}) {
        write(LogLevel::warn, event, fields);
    }
    void error(std::string_view event, std::initializer_list<LogField> fields = {}) {
        write(LogLevel::error, event, fields);
    }
};

/// Discards all events.
class NullLog final : public Log {
public:
    void write(LogLevel, std::string_view, std::initializer_list<LogField>) override {}
};

}  // namespace understudy
