#include "tests/process/network.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

namespace understudy::process {

namespace {

constexpr const char* this_network = "/proc/thread-self/ns/net";
constexpr const char* ip_program = "/sbin/ip";
constexpr const char* nft_program = "/usr/sbin/nft";

void must_run(Command command) {
    std::string shown;
    for (const std::string& one : command.arguments) shown += one + " ";
    const Finished finished = run(std::move(command));
    if (finished.ending.code != 0) throw Broken(shown + "failed: " + finished.errors);
}

void run_inside(const NetworkNamespace& place, std::vector<std::string> arguments) {
    must_run({.arguments = std::move(arguments), .network = place.descriptor()});
}

/// An interface with an address, and a place for rules about incoming packets.
void bring_up(const NetworkNamespace& place, std::string_view host) {
    run_inside(place, {ip_program, "link", "set", "lo", "up"});
    run_inside(place, {ip_program, "address", "add", std::string(host) + "/24", "dev", "cable"});
    run_inside(place, {ip_program, "link", "set", "cable", "up"});
    run_inside(place, {nft_program, "add", "table", "inet", "cut"});
    run_inside(place,
               {nft_program, "add chain inet cut in { type filter hook input priority 0; }"});
}

void end_cuts(const NetworkNamespace& place) {
    run_inside(place, {nft_program, "flush", "chain", "inet", "cut", "in"});
}

}  // namespace

NetworkNamespace::NetworkNamespace() {
    std::string error;
    // Only a short-lived thread changes its namespace.
    std::thread([&] {
        if (::unshare(CLONE_NEWNET) != 0) {
            error = std::strerror(errno);
            return;
        }
        descriptor_ = Descriptor(::open(this_network, O_RDONLY | O_CLOEXEC));
    }).join();
    if (!descriptor_.valid()) throw Broken("no network namespace: " + error);
}

std::string NetworkNamespace::path() const {
    return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(descriptor());
}

Cable::Cable() {
    run_inside(left_, {ip_program, "link", "add", "cable", "type", "veth", "peer", "name", "cable",
                       "netns", right_.path()});
    bring_up(left_, left_host);
    bring_up(right_, right_host);
}

void Cable::drop(const NetworkNamespace& place) {
    run_inside(place, {nft_program, "add rule inet cut in iifname cable drop"});
}

void Cable::heal() {
    end_cuts(left_);
    end_cuts(right_);
}

Switch::Switch(std::size_t hosts) : hosts_(hosts) {
    run_inside(middle_, {ip_program, "link", "add", "switch", "type", "bridge"});
    run_inside(middle_, {ip_program, "link", "set", "switch", "up"});
    for (std::size_t i = 0; i < hosts; ++i) {
        const std::string port = "port" + std::to_string(i);
        run_inside(middle_, {ip_program, "link", "add", port, "type", "veth", "peer", "name",
                             "cable", "netns", hosts_[i].path()});
        run_inside(middle_, {ip_program, "link", "set", port, "master", "switch", "up"});
        bring_up(hosts_[i], address(i));
    }
}

void Switch::cut(std::size_t from, std::size_t to) {
    run_inside(hosts_[to],
               {nft_program, "add rule inet cut in ip saddr " + address(from) + " drop"});
}

void Switch::heal() {
    for (const NetworkNamespace& host : hosts_) end_cuts(host);
}

std::string no_namespaces() {
    if (::geteuid() != 0) return "needs root for network namespaces";
    for (const char* const program : {ip_program, nft_program}) {
        if (::access(program, X_OK) != 0) return std::string("needs ") + program;
    }
    return {};
}

RawPeer::RawPeer(std::string_view host, std::uint16_t port)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    if (::inet_pton(AF_INET, std::string(host).c_str(), &address.sin_addr) != 1 ||
        ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
            0) {
        throw Broken("connect to port " + std::to_string(port) + ": " + std::strerror(errno));
    }
}

bool RawPeer::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

std::string RawPeer::receive(Clock::duration limit) {
    const auto deadline = Clock::now() + limit;
    std::string out;
    std::array<char, 16384> buffer{};
    while (true) {
        pollfd one{.fd = socket_.get(), .events = POLLIN, .revents = 0};
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            std::max(deadline - Clock::now(), Clock::duration::zero()));
        if (::poll(&one, 1, static_cast<int>(left.count())) <= 0) return out;
        const ssize_t count = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
        if (count <= 0) return out;
        out.append(buffer.data(), static_cast<std::size_t>(count));
    }
}

bool RawPeer::closed_within(Clock::duration limit) {
    const auto deadline = Clock::now() + limit;
    std::array<char, 16384> buffer{};
    while (true) {
        pollfd one{.fd = socket_.get(), .events = POLLIN, .revents = 0};
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            std::max(deadline - Clock::now(), Clock::duration::zero()));
        if (::poll(&one, 1, static_cast<int>(left.count())) <= 0) return false;
        if (::recv(socket_.get(), buffer.data(), buffer.size(), 0) <= 0) return true;
    }
}

std::uint16_t port_of(std::string_view address) {
    const std::string_view digits = address.substr(address.rfind(':') + 1);
    std::uint16_t port = 0;
    const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), port).ptr;
    if (end != digits.data() + digits.size() || port == 0) {
        throw Broken("no port in " + std::string(address));
    }
    return port;
}

}  // namespace understudy::process
