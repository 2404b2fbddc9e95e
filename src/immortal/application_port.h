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

/// Where application processes find their coordinator.
///
/// One application acts; others that come wait for its end, without having been told anything, and
/// the earliest is next. That is how a process that is restarted finds its place again at once.
///
/// Thread: loop only.
/// Bounds: candidates_max; then the one that has said nothing for longest is refused with
/// limit_exceeded, be it the one that comes.
class ApplicationPort final : private RemoteApplication::Owner {
public:
    static constexpr std::size_t candidates_max = 16;

    using Arrived = std::function<void(std::unique_ptr<RemoteApplication>)>;

    /// Errors: those of Network::listen (none): the address.
    [[nodiscard]] static Result<std::unique_ptr<ApplicationPort>> open(
        Runtime& runtime, Log& log, const Address& listen, RemoteApplication::Options options);
    ~ApplicationPort() override;
    ApplicationPort(const ApplicationPort&) = delete;
    ApplicationPort& operator=(const ApplicationPort&) = delete;

    /// Hands over the next one, once, never within this call: give_to() and welcome() are to be
    /// called on it then.
    void want(Arrived arrived);
    /// The reason is told to all that wait; nobody is taken any more.
    void close(const Error& reason);

    [[nodiscard]] const Address& address() const { return listener_->address(); }
    [[nodiscard]] std::size_t waiting() const { return ready_.size(); }

private:
    using Candidates = std::list<std::unique_ptr<RemoteApplication>>;

    ApplicationPort(Runtime& runtime, Log& log, RemoteApplication::Options options);

    void accepted(std::unique_ptr<Connection> connection);
    void hand_over_later();
    void hand_over();
    void bury_later();

    void application_here(RemoteApplication& application) override;
    void application_impulse(RemoteApplication&, std::uint64_t, std::string_view, Bytes) override;
    void application_upgrade(RemoteApplication&, std::uint64_t, std::uint32_t) override;
    void application_ended(RemoteApplication& application, const Error& reason) override;

    Runtime& runtime_;
    Log& log_;
    const RemoteApplication::Options options_;
    Candidates silent_;  ///< No hello yet.
    Candidates ready_;   ///< In order of their hello.
    Candidates ended_;
    Arrived wanted_;
    bool closing_ = false;
    std::unique_ptr<Timer> burial_;
    Lifetime life_;
    std::unique_ptr<Listener> listener_;
};

}  // namespace understudy::immortal
