#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "understudy/types.h"

namespace understudy::apps {

/// Messages to a service manager that uses systemd's protocol: READY=1, STATUS=…, STOPPING=1,
/// WATCHDOG=1. Without a manager nothing happens.
///
/// Thread: any; immutable. Never waits: a message that the manager does not take is dropped.
class Supervisor {
public:
    /// The arguments are NOTIFY_SOCKET and WATCHDOG_USEC from the environment; empty: none.
    Supervisor(std::string socket, std::string_view watchdog_us);
    /// From this process's environment.
    [[nodiscard]] static Supervisor of_this_process();

    void tell(std::string_view message) const;
    /// How often WATCHDOG=1 must be sent: half of the manager's limit.
    [[nodiscard]] std::optional<Duration> watchdog_interval() const { return watchdog_; }

private:
    std::string socket_;
    std::optional<Duration> watchdog_;
};

}  // namespace understudy::apps
