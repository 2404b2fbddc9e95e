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

/// One event as one line, with its end of line. Whatever the values hold, it stays one line, shows
/// no control character to a terminal, and is valid UTF-8; values are all text in JSON.
/// Bounds: at most log_line_bytes_max; a longer one loses its last fields, and says truncated=true.
[[nodiscard]] std::string log_line(LogFormat format, std::uint64_t wall_ms, LogLevel level,
                                   std::string_view event, const LogField* begin,
                                   const LogField* end);

/// The kernel writes this much to a pipe at once and unmixed (PIPE_BUF).
inline constexpr std::size_t log_line_bytes_max = 4096;

/// Writes events to a descriptor, standard error as a rule.
///
/// Never waits: while the reader of a full pipe does not read, lines are dropped and counted, and
/// the next that gets through is preceded by log.dropped. A stuck log must not stop a service.
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
