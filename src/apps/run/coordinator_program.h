#pragma once

#include <memory>
#include <optional>
#include <string>

#include "apps/run/coordinator.h"
#include "apps/run/supervisor.h"
#include "hosting/places.h"
#include "hosting/process_nodes.h"
#include "platform/asio_runtime.h"
#include "platform/machine/signals.h"
#include "understudy/replica.h"

namespace understudy::apps {

/// The directory of the journal.
[[nodiscard]] std::string directory_of(const ReplicaOptions& journal);

/// A coordinator as the main task of this process, from its first application to a clean end.
///
/// It prints one line when applications may connect, and one for each change of this copy's state.
/// SIGTERM and SIGINT make it give up the role and end; a second signal ends it at once.
///
/// Thread: the one that calls run(). Bounds: closing takes at most `close_limit`.
class CoordinatorProgram : private Coordinator::Observer {
public:
    static constexpr Duration close_limit = 5s;

    struct Options {
        Coordinator::Options coordinator;
        ReplicaOptions journal;
        hosting::Places::Options places;
    };

    CoordinatorProgram(platform::AsioRuntime& runtime, Log& log, Supervisor supervisor);

    /// Returns when everything is closed. Errors: those of Network::listen() (none); those of the
    /// journal, if it cannot be used now (not_permitted, bad_path) or never again.
    [[nodiscard]] Result<void> run(Options options);

private:
    void waiting_for_application() override;
    void opened(const node::ImmortalMember& member) override;
    void standing_changed(Role role, Epoch epoch) override;
    void refused(const Error& reason) override;
    void nobody_active() override;
    void failed(const Error& error) override;

    void close();
    void close_places();
    void end(std::optional<Error> error);
    void keep_watchdog_quiet();
    void say(const std::string& what);

    platform::AsioRuntime& runtime_;
    Log& log_;
    const Supervisor supervisor_;
    std::string name_;  ///< server/replica-0
    bool ready_ = false;
    bool closing_ = false;
    std::optional<Error> error_;
    std::string said_;
    hosting::ProcessNodes nodes_{log_};
    std::unique_ptr<hosting::Places> places_;
    std::unique_ptr<Coordinator> coordinator_;
    std::unique_ptr<platform::Signals> signals_;
    std::unique_ptr<Timer> close_timer_;
    std::unique_ptr<Timer> watchdog_timer_;
};

}  // namespace understudy::apps
