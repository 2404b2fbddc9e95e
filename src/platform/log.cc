#include "platform/log.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "base/escape.h"

namespace understudy::platform {

namespace {

constexpr std::array<std::string_view, 4> level_names{"debug", "info", "warn", "error"};

bool is_plain(std::string_view text) {
    for (const char each : text) {
        if (each <= ' ' || each == '"' || each == '\\' || each == '=' || each > '~') return false;
    }
    return !text.empty();
}

// Both formats use the same escapes.
void append_field(std::string& out, LogFormat format, std::string_view key,
                  std::string_view value) {
    if (format == LogFormat::json) {
        out += out.empty() ? "{" : ",";
        append_quoted(out, key);
        out += ':';
        append_quoted(out, value);
        return;
    }
    if (!out.empty()) out += ' ';
    append_escaped(out, key, Escapes::json);
    out += '=';
    if (is_plain(value)) {
        out += value;
    } else {
        append_quoted(out, value);
    }
}

std::string timestamp(std::uint64_t wall_ms) {
    const auto seconds = static_cast<std::time_t>(wall_ms / 1000);
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    char text[48];
    const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    std::snprintf(text + size, sizeof text - size, ".%03uZ",
                  static_cast<unsigned>(wall_ms % 1000));
    return text;
}

// While this object exists, writing to a pipe without a reader is an error and not a signal.
class BrokenPipeGuard {
public:
    BrokenPipeGuard() {
        sigset_t pending;
        sigpending(&pending);
        was_pending_ = sigismember(&pending, SIGPIPE) == 1;
        sigemptyset(&pipe_);
        sigaddset(&pipe_, SIGPIPE);
        pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
    }
    ~BrokenPipeGuard() {
        const timespec at_once{};
        if (!was_pending_) sigtimedwait(&pipe_, nullptr, &at_once);
        pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    }
    BrokenPipeGuard(const BrokenPipeGuard&) = delete;
    BrokenPipeGuard& operator=(const BrokenPipeGuard&) = delete;

private:
    sigset_t pipe_;
    sigset_t before_;
    bool was_pending_ = false;
};

Error unknown_word(std::string_view what, std::string_view text, std::string_view known) {
    std::string detail = "no " + std::string(what) + " '" + std::string(text) + "'; there are ";
    detail += known;
    return Error{.code = Errc::bad_config, .detail = std::move(detail)};
}

}  // namespace

Result<LogLevel> parse_log_level(std::string_view text) {
    for (std::size_t i = 0; i < level_names.size(); ++i) {
        if (text == level_names[i]) return static_cast<LogLevel>(i);
    }
    return unknown_word("log level", text, "debug, info, warn, error");
}

std::string_view name(LogLevel level) {
    return level_names.at(static_cast<std::size_t>(level));
}

Result<LogFormat> parse_log_format(std::string_view text) {
    if (text == "logfmt") return LogFormat::logfmt;
    if (text == "json") return LogFormat::json;
    return unknown_word("log format", text, "logfmt, json");
}

std::string log_line(LogFormat format, std::uint64_t wall_ms, LogLevel level,
                     std::string_view event, const LogField* begin, const LogField* end) {
    constexpr std::size_t tail_bytes = 32;  // For truncated=true and the end of the line.
    std::string line;
    append_field(line, format, "ts", timestamp(wall_ms));
    append_field(line, format, "level", name(level));
    append_field(line, format, "event", event);
    for (const LogField* field = begin; field != end; ++field) {
        const std::size_t before = line.size();
        append_field(line, format, field->key, field->value);
        if (line.size() + tail_bytes <= log_line_bytes_max) continue;
        line.resize(before);
        append_field(line, format, "truncated", "true");
        break;
    }
    line += format == LogFormat::json ? "}\n" : "\n";
    return line;
}

void LineLog::write(LogLevel level, std::string_view event,
                    std::initializer_list<LogField> fields) {
    if (level < options_.level) return;
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto wall_ms = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(now).count());

    if (const std::uint64_t dropped = dropped_.exchange(0); dropped > 0) {
        const LogField lines = kv("lines", dropped);
        if (!put(log_line(options_.format, wall_ms, LogLevel::warn, "log.dropped", &lines,
                          &lines + 1))) {
            dropped_ += dropped + 1;
            return;
        }
    }
    if (!put(log_line(options_.format, wall_ms, level, event, fields.begin(), fields.end()))) {
        ++dropped_;
    }
}

// If poll() reports a pipe as writable, it has room for a whole line.
bool LineLog::put(const std::string& line) const {
    pollfd state{.fd = options_.descriptor, .events = POLLOUT, .revents = 0};
    if (::poll(&state, 1, 0) != 1 || (state.revents & POLLOUT) == 0) return false;
    const BrokenPipeGuard guard;
    for (;;) {
        const auto written = ::write(options_.descriptor, line.data(), line.size());
        if (written >= 0) return true;
        if (errno != EINTR) return false;
    }
}

}  // namespace understudy::platform
