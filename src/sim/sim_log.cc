#include "sim/sim_log.h"

#include <string>

#include "sim/process.h"
#include "sim/world.h"

namespace understudy::sim {
namespace {

std::string_view name_of(LogLevel level) {
    switch (level) {
        case LogLevel::debug:
            return "log.debug";
        case LogLevel::info:
            return "log.info";
        case LogLevel::warn:
            return "log.warn";
        case LogLevel::error:
            return "log.error";
    }
    return "log.unknown";
}

}  // namespace

void SimLog::write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
    // It is also alive while the program is created and destroyed, and then logs as well.
    if (!process_.alive()) return;
    std::string text(event);
    for (const LogField& field : fields) {
        text += ' ';
        text += field.key;
        text += '=';
        text += field.value;
    }
    if (level == LogLevel::error) world_.record_error(process_.name(), event, text);
    world_.hear_log(process_, event, text);
    world_.trace().line(world_.now(), process_.name(), name_of(level), std::move(text));
}

}  // namespace understudy::sim
