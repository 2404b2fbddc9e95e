// What is the best that this machine can do: a TCP round trip, a flush of 4 KiB?
//
// No code of ours runs here. Compare other figures of the same run with these.
// Bound by: the kernel's wake-up of a sleeping thread; the disk.
// Estimate before it was run: 13 us there and back on one core, 55 us across two (a sleeping core
//   must be woken); 100 us for a flush of a page that was written before.

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/harness/bench.h"
#include "bench/harness/checksum.h"
#include "bench/harness/clock.h"
#include "bench/harness/fd.h"
#include "bench/harness/place.h"

namespace understudy::bench {

namespace {

constexpr std::size_t message_size = 16;
using Message = std::array<char, message_size>;

[[nodiscard]] Error system_error(const char* what) {
    return {.code = Errc::failed, .detail = std::string(what) + ": " + std::strerror(errno)};
}

void stay_on(int processor) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    ::sched_setaffinity(0, sizeof set, &set);
}

struct Pair {
    Fd client;
    Fd server;
};

[[nodiscard]] Result<Pair> connect_pair() {
    const Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener.get(), any, size) != 0 || ::listen(listener.get(), 1) != 0 ||
        ::getsockname(listener.get(), any, &size) != 0) {
        return system_error("listen");
    }
    Pair pair{.client = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), .server = Fd()};
    if (::connect(pair.client.get(), any, size) != 0) return system_error("connect");
    pair.server = Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const int on = 1;
    for (const int end : {pair.client.get(), pair.server.get()}) {
        ::setsockopt(end, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    return pair;
}

// Messages this small arrive whole on loopback.
bool receive(int socket, Message& message) {
    return ::recv(socket, message.data(), message.size(), MSG_WAITALL) ==
           static_cast<ssize_t>(message.size());
}
bool send(int socket, const Message& message) {
    return ::send(socket, message.data(), message.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(message.size());
}

Result<void> ping_pong(Bench& bench, const std::string& where, int other_processor) {
    Pair pair = US_TRY(connect_pair());
    std::thread echo([&] {
        stay_on(other_processor);
        Message message;
        while (receive(pair.server.get(), message) && send(pair.server.get(), message)) {
        }
    });
    Samples times;
    Checksum checksum;
    std::thread([&] {
        stay_on(0);
        Message message{};
        const TimePoint start = now();
        const Duration span = bench.span(2s);
        for (TimePoint before = start; before - start < span;) {
            std::memcpy(message.data(), &before, sizeof before);
            if (!send(pair.client.get(), message) || !receive(pair.client.get(), message)) return;
            const TimePoint after = now();
            times.add(after - before);
            before = after;
        }
    }).join();
    ::shutdown(pair.client.get(), SHUT_RDWR);
    echo.join();
    if (times.count() == 0) return system_error("ping-pong");
    checksum.add(message_size);
    bench.report.add({.what = "TCP there and back, 16 B, " + where,
                      .latency = times,
                      .per_second = 1 / in_seconds(times.at(0.5)),
                      .checksum = checksum.value(),
                      .configuration = {{"message_bytes", message_size}}});
    return {};
}

Result<void> flush(Bench& bench) {
    constexpr std::size_t page = 4096;
    constexpr std::size_t pages = 4096;
    const Place place = US_TRY(Place::make(bench.directory));
    const Fd file(::open((place / "flushed").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    std::vector<char> bytes(page);
    for (std::size_t i = 0; i < pages; ++i) {
        if (::write(file.get(), bytes.data(), page) != static_cast<ssize_t>(page)) {
            return system_error("write");
        }
    }
    if (::fsync(file.get()) != 0) return system_error("fsync");

    Samples times;
    Checksum checksum;
    const TimePoint start = now();
    const Duration span = bench.span(2s);
    std::size_t count = 0;
    for (TimePoint before = start; before - start < span; ++count) {
        bytes[0] = static_cast<char>(count);
        const auto offset = static_cast<off_t>(count % pages * page);
        if (::pwrite(file.get(), bytes.data(), page, offset) != static_cast<ssize_t>(page) ||
            ::fdatasync(file.get()) != 0) {
            return system_error("fdatasync");
        }
        const TimePoint after = now();
        times.add(after - before);
        before = after;
    }
    checksum.add(page);
    bench.report.add({.what = "overwrite 4 KiB + fdatasync",
                      .latency = times,
                      .per_second = static_cast<double>(count) / in_seconds(now() - start),
                      .checksum = checksum.value(),
                      .configuration = {{"file_pages", pages}}});
    return {};
}

}  // namespace

Result<void> floors(Bench& bench) {
    US_CHECK(ping_pong(bench, "one core", 0));
    if (std::thread::hardware_concurrency() > 1) US_CHECK(ping_pong(bench, "two cores", 1));
    return flush(bench);
}

}  // namespace understudy::bench
