#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "runtime/network.h"
#include "sim/network/stream.h"

namespace understudy::sim {

class SimRuntime;

/// A process's view of the network. Fabric and Stream implement it.
class SimNetwork final : public Network {
public:
    explicit SimNetwork(SimRuntime& runtime) : runtime_(runtime) {}

    [[nodiscard]] Result<std::unique_ptr<Listener>> listen(const Address& address,
                                                           const std::optional<TlsOptions>& tls,
                                                           Accepted accepted) override;
    [[nodiscard]] Result<std::unique_ptr<HeldPort>> hold_port(const std::string& host) override;
    [[nodiscard]] std::unique_ptr<Attempt> connect(const Address& address,
                                                   const std::optional<TlsOptions>& tls,
                                                   Duration timeout, Connected connected) override;

private:
    SimRuntime& runtime_;
};

/// A program's handle on one end of a Stream. After the death of the process it has no stream.
class SimConnection final : public Connection {
public:
    SimConnection(Stream& stream, Stream::Side side, Address peer,
                  std::optional<std::string> identity);
    SimConnection(const SimConnection&) = delete;
    SimConnection& operator=(const SimConnection&) = delete;
    ~SimConnection() override;

    void start(Observer& observer) override;
    void send(Bytes data) override;
    void finish(Duration grace) override;
    [[nodiscard]] std::size_t backlog_bytes() const override;
    [[nodiscard]] const Address& peer() const override { return peer_; }
    [[nodiscard]] std::optional<std::string> peer_identity() const override { return identity_; }

    void forget_stream() { stream_ = nullptr; }

private:
    Stream* stream_;
    const Stream::Side side_;
    const Address peer_;
    const std::optional<std::string> identity_;
    bool started_ = false;
};

}  // namespace understudy::sim
