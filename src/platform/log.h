#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/log.h"

namespace understudy::platform {

enum class LogFormat : std::uint8_t {
    logfmt,  ///< ts=2026-01-31T12:00:00.000Z level=info event=role.active service=orders
    json,    ///< {"ts":"…","level":"info","event":"role.active","service":"orders"}
};

/// "debug", "info", "warn", "error". Errors: bad_config (none).
[[nodiscard]] Result<LogLevel> parse_log_level(std::string_view text);
[[nodiscard]] std::string_view name(LogLevel level);
/// "logfmt", "json". Errors: bad_config (none).
[[nodiscard]] Result<LogFormat> parse_log_format(std::string_view text);

/// One event as one line, with its end of line. For any values it stays one line, contains no
/// control character, and is valid UTF-8. In JSON all values are text.
/// Bounds: at most log_line_bytes_max; a longer line loses its last fields and says truncated=true.
[[nodiscard]] std::string log_line(LogFormat format, std::uint64_t wall_ms, LogLevel level,
                                   std::string_view event, const LogField* begin,
                                   const LogField* end);

/// The kernel writes this many bytes to a pipe at once and without mixing (PIPE_BUF).
inline constexpr std::size_t log_line_bytes_max = 4096;

/// Writes events to a descriptor, usually standard error.
///
/// It never waits. While the reader of a full pipe does not read, lines are dropped and counted,
/// and log.dropped precedes the next line that is written. A blocked log must not stop a service.
/// Thread: any.
class LineLog final : public Log {
public:
    struct Options {
        LogLevel level = LogLevel::info;  ///< Events below it are not written.
        LogFormat format = LogFormat::logfmt;
        int descriptor = 2;  ///< Not owned.
    };

    explicit LineLog(const Options& options) : options_(options) {}

    void write(LogLevel level, std::string_view event,
               std::initializer_list<LogField> fields) override;

private:
    [[nodiscard]] bool put(const std::string& line) const;

    const Options options_;
    std::atomic<std::uint64_t> dropped_{0};
};

}  // namespace understudy::platform
