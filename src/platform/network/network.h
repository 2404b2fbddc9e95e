#pragma once

#include "platform/loop.h"
#include "platform/network/resolver.h"
#include "platform/network/tls.h"
#include "runtime/network.h"

namespace understudy::platform {

/// TCP and Unix-domain sockets, with TLS 1.3 if certificates are given.
class SocketNetwork final : public Network {
public:
    static constexpr Duration handshake_time_max = 5s;
    /// Incoming connections of one listener that have not proven their identity. At the bound the
    /// oldest one is closed.
    static constexpr std::size_t handshakes_max = 256;
    /// Connections of one listener that have sent nothing, after the handshake if there is one. At
    /// the bound the one that has been silent for longest is closed.
    static constexpr std::size_t silent_max = 256;
    /// If no descriptor is left, a connection that has been silent for this long is closed.
    static constexpr Duration silence_min = 1s;
    /// How long a listener pauses if no descriptor is left. Clients wait meanwhile.
    static constexpr Duration accept_pause = 100ms;

    /// How often the dates of certificates are checked.
    static constexpr Duration certificates_watch = 1h;

    explicit SocketNetwork(Loop& loop) : loop_(loop), resolver_(loop), contexts_(loop.log()) {}

    [[nodiscard]] Result<std::unique_ptr<Listener>> listen(const Address& address,
                                                           const std::optional<TlsOptions>& tls,
                                                           Accepted accepted) override;
    [[nodiscard]] Result<std::unique_ptr<HeldPort>> hold_port(const std::string& host) override;
    [[nodiscard]] std::unique_ptr<Attempt> connect(const Address& address,
                                                   const std::optional<TlsOptions>& tls,
                                                   Duration timeout,
                                                   Connected connected) override;

private:
    void watch_certificates();

    Loop& loop_;
    Resolver resolver_;
    TlsContexts contexts_;
    std::unique_ptr<Timer> certificates_timer_;
};

}  // namespace understudy::platform
