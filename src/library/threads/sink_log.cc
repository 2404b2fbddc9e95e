#include "library/threads/sink_log.h"

#include <chrono>
#include <utility>

#include "platform/log.h"

namespace understudy::library {

namespace {

class SinkLog final : public Log {
public:
    explicit SinkLog(LogSink sink) : sink_(std::move(sink)) {}

    void write(LogLevel level, std::string_view event,
               std::initializer_list<LogField> fields) override {
        if (level < LogLevel::info) return;
        const auto wall = std::chrono::system_clock::now().time_since_epoch();
        const auto wall_ms = std::chrono::duration_cast<std::chrono::milliseconds>(wall).count();
        std::string line = platform::log_line(platform::LogFormat::logfmt,
                                              static_cast<std::uint64_t>(wall_ms), level, event,
                                              fields.begin(), fields.end());
        while (!line.empty() && line.back() == '\n') line.pop_back();
        try {
            sink_(line);
        } catch (...) {
        }
    }

private:
    const LogSink sink_;
};

}  // namespace

std::shared_ptr<Log> make_log(LogSink sink) {
    if (sink) return std::make_shared<SinkLog>(std::move(sink));
    return std::make_shared<platform::LineLog>(
        platform::LineLog::Options{.level = LogLevel::warn});
}

}  // namespace understudy::library
