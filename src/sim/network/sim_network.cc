#include "sim/network/sim_network.h"

#include <utility>

#include "sim/network/fabric.h"
#include "sim/sim_runtime.h"
#include "sim/world.h"

namespace understudy::sim {

Result<std::unique_ptr<Listener>> SimNetwork::listen(const Address& address,
                                                     const std::optional<TlsOptions>& tls,
                                                     Accepted accepted) {
    US_ASSERT(accepted);
    return runtime_.world().fabric().listen(runtime_, address, tls, std::move(accepted));
}

Result<std::unique_ptr<HeldPort>> SimNetwork::hold_port(const std::string& host) {
    return runtime_.world().fabric().hold_port(runtime_, host);
}

std::unique_ptr<Attempt> SimNetwork::connect(const Address& address,
                                             const std::optional<TlsOptions>& tls, Duration timeout,
                                             Connected connected) {
    US_ASSERT(connected);
    return runtime_.world().fabric().dial(
        runtime_, {.address = address, .tls = tls, .timeout = timeout}, std::move(connected));
}

SimConnection::SimConnection(Stream& stream, Stream::Side side, Address peer,
                             std::optional<std::string> identity)
    : stream_(&stream), side_(side), peer_(std::move(peer)), identity_(std::move(identity)) {
    stream.attach(side, *this);
    stream.runtime(side).connection_made();
}

SimConnection::~SimConnection() {
    if (stream_ == nullptr) return;
    if (!started_) stream_->runtime(side_).connection_started();
    stream_->detach(side_);
}

void SimConnection::start(Observer& observer) {
    US_ASSERT(!started_);
    started_ = true;
    if (stream_ == nullptr) return;
    stream_->runtime(side_).connection_started();
    stream_->start(side_, observer);
}

void SimConnection::send(Bytes data) {
    if (stream_ != nullptr) stream_->send(side_, data);
}

void SimConnection::finish(Duration grace) {
    if (stream_ != nullptr) stream_->finish(side_, grace);
}

std::size_t SimConnection::backlog_bytes() const {
    return stream_ == nullptr ? 0 : stream_->backlog(side_);
}

}  // namespace understudy::sim
