// How close is our loop to the bare system calls?
//
// Bound by: a wake-up of the other core per message if both ends sleep; the processor if the client
// spins. Estimate: bare ping-pong 25 to 55 us asleep, ours 3 us more (an epoll_wait, an epoll_ctl
// and a second look per message and end); spinning 8 to 15 us.

#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <benchmark/benchmark.h>

#include "platform/asio_runtime.h"
#include "platform/network/socket.h"

namespace understudy::platform {
namespace {

constexpr std::size_t message_bytes = 16;

// Sends back what it receives, on its own thread.
class EchoServer final : Connection::Observer {
public:
    EchoServer() {
        auto listener = runtime_.network().listen(
            {"127.0.0.1", 0}, std::nullopt, [this](std::unique_ptr<Connection> connection) {
                connection_ = std::move(connection);
                connection_->start(*this);
            });
        US_ASSERT(static_cast<bool>(listener));
        listener_ = std::move(*listener);
        address_ = listener_->address();
        thread_ = std::thread([this] { runtime_.run(); });
    }
    ~EchoServer() override {
        runtime_.stop();
        thread_.join();
    }
    EchoServer(const EchoServer&) = delete;
    EchoServer& operator=(const EchoServer&) = delete;

    [[nodiscard]] const Address& address() const { return address_; }

private:
    void received(Bytes data) override { connection_->send(data); }
    void drained() override {}
    void closed(const Error&) override { connection_.reset(); }

    NullLog log_;
    AsioRuntime runtime_{log_};
    std::unique_ptr<Listener> listener_;
    std::unique_ptr<Connection> connection_;
    Address address_;
    std::thread thread_;
};

class Client final : Connection::Observer {
public:
    explicit Client(const Address& address) {
        attempt_ = runtime_.network().connect(address, std::nullopt, 5s, [this](auto result) {
            connection_ = std::move(result).value_or_throw();
            connection_->start(*this);
        });
        while (!connection_) runtime_.poll_for(1s);
    }

    void send(Bytes data) {
        sent_ += data.size();
        connection_->send(data);
    }
    [[nodiscard]] std::uint64_t outstanding() const { return sent_ - heard_; }
    [[nodiscard]] AsioRuntime& runtime() { return runtime_; }

private:
    void received(Bytes data) override { heard_ += data.size(); }
    void drained() override {}
    void closed(const Error& reason) override { throw Exception(reason); }

    NullLog log_;
    AsioRuntime runtime_{log_};
    std::unique_ptr<Attempt> attempt_;
    std::unique_ptr<Connection> connection_;
    std::uint64_t sent_ = 0;
    std::uint64_t heard_ = 0;
};

enum class Waiting { asleep, spinning };

void ping_pong(benchmark::State& state, Waiting waiting) {
    EchoServer server;
    Client client(server.address());
    const Buffer message(message_bytes);
    for (auto _ : state) {
        client.send(message);
        while (client.outstanding() > 0) {
            if (waiting == Waiting::spinning) {
                client.runtime().poll();
            } else {
                client.runtime().poll_for(1s);
            }
        }
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(ping_pong, asleep, Waiting::asleep)->UseRealTime();
BENCHMARK_CAPTURE(ping_pong, spinning, Waiting::spinning)->UseRealTime();

// The lower bound: the same two threads, and only blocking calls.
void bare_ping_pong(benchmark::State& state) {
    const auto listener = open_listener(*numeric_address({"127.0.0.1", 0})).value_or_throw();
    std::thread server([&listener] {
        Incoming incoming;
        while (!incoming.socket) incoming = accept_next(listener.get());
        (void)::fcntl(incoming.socket.get(), F_SETFL, 0);
        std::byte message[message_bytes];
        while (::read(incoming.socket.get(), message, sizeof message) > 0) {
            (void)::send(incoming.socket.get(), message, sizeof message, MSG_NOSIGNAL);
        }
    });
    const auto address = numeric_address(local_address(listener).value_or_throw());
    const Fd client = begin_connect(*address).value_or_throw();
    (void)::fcntl(client.get(), F_SETFL, 0);
    std::byte message[message_bytes] = {};
    for (auto _ : state) {
        (void)::send(client.get(), message, sizeof message, MSG_NOSIGNAL);
        US_ASSERT(::recv(client.get(), message, sizeof message, MSG_WAITALL) == sizeof message);
    }
    ::shutdown(client.get(), SHUT_RDWR);
    server.join();
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(bare_ping_pong)->UseRealTime();

// Echoed bytes per second with a window of 1 MiB, in messages of the size given.
void stream(benchmark::State& state) {
    EchoServer server;
    Client client(server.address());
    const Buffer message(static_cast<std::size_t>(state.range(0)));
    for (auto _ : state) {
        client.send(message);
        while (client.outstanding() > 1 * MiB) client.runtime().poll_for(1s);
    }
    while (client.outstanding() > 0) client.runtime().poll_for(1s);
    state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(stream)->Arg(100)->Arg(1024)->Arg(65536)->UseRealTime();

// A job of a worker and back: two wake-ups, or none if it runs inline.
void worker_round_trip(benchmark::State& state, Worker::Place place) {
    NullLog log;
    AsioRuntime runtime(log);
    bool done = false;
    for (auto _ : state) {
        done = false;
        runtime.worker("journal").submit([] {}, [&done] { done = true; }, place);
        while (!done) runtime.poll_for(1s);
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(worker_round_trip, thread, Worker::Place::worker_thread)->UseRealTime();
BENCHMARK_CAPTURE(worker_round_trip, inline_if_idle, Worker::Place::inline_if_idle)->UseRealTime();

// A timer that is set and cancelled, as for every call with a deadline.
void arm_and_cancel(benchmark::State& state) {
    NullLog log;
    AsioRuntime runtime(log);
    const auto earlier = runtime.at(runtime.now() + 1h, [] {});
    for (auto _ : state) benchmark::DoNotOptimize(runtime.at(runtime.now() + 2h, [] {}));
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(arm_and_cancel);

}  // namespace
}  // namespace understudy::platform
