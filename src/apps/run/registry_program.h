#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "apps/config/settings.h"
#include "apps/exit.h"
#include "apps/run/supervisor.h"
#include "node/registry/registry_server.h"
#include "platform/asio_runtime.h"
#include "platform/machine/signals.h"

namespace understudy::apps {

/// Checks what can be checked without opening anything, and converts it for the server.
/// Errors: bad_config (none).
[[nodiscard]] Result<node::RegistryServer::Options> registry_options(
    const RegistrySettings& settings);

/// A registry as the main task of this process, from recovery to a clean end.
///
/// On SIGTERM and SIGINT, what was accepted becomes durable, all connections are closed, and it
/// ends; a second signal ends it at once. After a disk failure it ends by itself.
///
/// Thread: the one that calls run(). Bounds: closing takes at most `close_limit`.
class RegistryProgram {
public:
    static constexpr Duration close_limit = 5s;

    RegistryProgram(platform::AsioRuntime& runtime, Log& log, Supervisor supervisor);

    /// Opens, calls `ready` once when agents are served, returns when everything is closed.
    /// Errors: those of RegistryServer; disk_failed (unknown) if it ended by itself.
    [[nodiscard]] Result<void> run(node::RegistryServer::Options options,
                                   std::function<void(const node::RegistryServer&)> ready);

    /// Ends run() without an error. Thread: the loop.
    void close();

private:
    void opened(const Result<void>& result);
    void end(std::optional<Error> error);
    void keep_watchdog_quiet();

    platform::AsioRuntime& runtime_;
    Log& log_;
    const Supervisor supervisor_;
    std::function<void(const node::RegistryServer&)> ready_;
    std::optional<Error> error_;
    bool closing_ = false;
    std::unique_ptr<node::RegistryServer> server_;
    std::unique_ptr<platform::Signals> signals_;
    std::unique_ptr<Timer> close_timer_;
    std::unique_ptr<Timer> watchdog_timer_;
};

}  // namespace understudy::apps
