#pragma once

#include <initializer_list>
#include <string_view>

#include "base/log.h"

namespace understudy::sim {

class Process;
class World;

/// A process's log. It goes into the trace, with virtual time. An error fails the run unless the
/// scenario expects it (World::expect_error). A dead process logs nothing.
class SimLog final : public Log {
public:
    SimLog(World& world, Process& process) : world_(world), process_(process) {}

    void write(LogLevel level, std::string_view event,
               std::initializer_list<LogField> fields) override;

private:
    World& world_;
    Process& process_;
};

}  // namespace understudy::sim
