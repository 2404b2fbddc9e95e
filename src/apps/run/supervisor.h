#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "understudy/types.h"

namespace understudy::apps {

/// What a service manager that speaks systemd's protocol is told: READY=1, STATUS=…, STOPPING=1,
/// WATCHDOG=1. Without one, nothing happens.
///
/// Thread: any; immutable. Never waits: a message that the manager does not take is dropped.
class Supervisor {
public:
    /// Takes NOTIFY_SOCKET and WATCHDOG_USEC as the environment has them; empty: none.
    Supervisor(std::string socket, std::string_view watchdog_us);
    /// From this process's environment.
    [[nodiscard]] static Supervisor of_this_process();

    void tell(std::string_view message) const;
    /// How often WATCHDOG=1 must be told: half of what the manager waits.
    [[nodiscard]] std::optional<Duration> watchdog_interval() const { return watchdog_; }

private:
    std::string socket_;
    std::optional<Duration> watchdog_;
};

}  // namespace understudy::apps
