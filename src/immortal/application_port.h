#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>

#include "base/lifetime.h"
#include "base/log.h"
#include "immortal/remote.h"
#include "runtime/runtime.h"

namespace understudy::immortal {

/// The port at which application processes connect to their coordinator.
///
/// One application is in use. Others that connect wait for its end without any input, and the
/// earliest is next. So a process that is restarted is used again at once.
///
/// Thread: loop only.
/// Bounds: candidates_max. Beyond it, the connection that has been silent for longest is refused
/// with limit_exceeded; that may be the new one.
class ApplicationPort final : private RemoteApplication::Owner {
public:
    static constexpr std::size_t candidates_max = 16;

    using Arrived = std::function<void(std::unique_ptr<RemoteApplication>)>;

    /// Errors: those of Network::listen() for the address (none).
    [[nodiscard]] static Result<std::unique_ptr<ApplicationPort>> open(
        Runtime& runtime, Log& log, const Address& listen, RemoteApplication::Options options);
    ~ApplicationPort() override;
    ApplicationPort(const ApplicationPort&) = delete;
    ApplicationPort& operator=(const ApplicationPort&) = delete;

    /// Delivers the next application, once, never within this call. The caller then calls
    /// set_owner() and welcome() on it.
    void want(Arrived arrived);
    /// Gives the reason to all that wait, and accepts no connection from now on.
    void close(const Error& reason);

    [[nodiscard]] const Address& address() const { return listener_->address(); }
    [[nodiscard]] std::size_t waiting() const { return ready_.size(); }

private:
    using Candidates = std::list<std::unique_ptr<RemoteApplication>>;

    ApplicationPort(Runtime& runtime, Log& log, RemoteApplication::Options options);

    void accepted(std::unique_ptr<Connection> connection);
    void hand_over_later();
    void hand_over();
    void remove_ended_later();

    void application_here(RemoteApplication& application) override;
    void application_impulse(RemoteApplication&, std::uint64_t, std::string_view, Bytes) override;
    void application_upgrade(RemoteApplication&, std::uint64_t, std::uint32_t) override;
    void application_ended(RemoteApplication& application, const Error& reason) override;

    Runtime& runtime_;
    Log& log_;
    const RemoteApplication::Options options_;
    Candidates silent_;  ///< They have not sent a hello yet.
    Candidates ready_;   ///< In the order of their hello.
    Candidates ended_;
    Arrived wanted_;
    bool closing_ = false;
    std::unique_ptr<Timer> removal_;
    Lifetime life_;
    std::unique_ptr<Listener> listener_;
};

}  // namespace understudy::immortal
