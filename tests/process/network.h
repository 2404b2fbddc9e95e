#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/process/process.h"

namespace understudy::process {

/// A network namespace; it exists as long as a process has it open.
class NetworkNamespace {
public:
    /// Throws Broken. Requires: root.
    NetworkNamespace();
    [[nodiscard]] int descriptor() const { return descriptor_.get(); }
    /// A path for programs that need a name; valid while this process lives.
    [[nodiscard]] std::string path() const;

private:
    Descriptor descriptor_;
};

/// The networks of two hosts and one cable between them, which can be cut in either direction.
///
/// Nothing has a name that others could see, so all of it disappears with the test, however that
/// ends.
class Cable {
public:
    static constexpr std::string_view left_host = "10.77.0.1";
    static constexpr std::string_view right_host = "10.77.0.2";

    Cable();
    [[nodiscard]] int left() const { return left_.descriptor(); }
    [[nodiscard]] int right() const { return right_.descriptor(); }

    /// Packets that arrive on that side are dropped silently.
    void deafen_left() { drop(left_); }
    void deafen_right() { drop(right_); }
    void cut() {
        deafen_left();
        deafen_right();
    }
    void heal();

private:
    static void drop(const NetworkNamespace& place);

    NetworkNamespace left_;
    NetworkNamespace right_;
};

/// The networks of several hosts on one switch. Packets from one to another can be dropped
/// silently.
class Switch {
public:
    explicit Switch(std::size_t hosts);
    [[nodiscard]] std::size_t hosts() const { return hosts_.size(); }
    [[nodiscard]] int network(std::size_t host) const { return hosts_[host].descriptor(); }
    [[nodiscard]] static std::string address(std::size_t host) {
        return "10.78.0." + std::to_string(host + 1);
    }

    /// What the first host sends does not arrive at the second; the reverse direction works.
    void cut(std::size_t from, std::size_t to);
    void cut_between(std::size_t one, std::size_t other) {
        cut(one, other);
        cut(other, one);
    }
    void heal();

private:
    NetworkNamespace middle_;
    std::vector<NetworkNamespace> hosts_;
};

/// Why network namespaces cannot be created here; empty if they can.
[[nodiscard]] std::string no_namespaces();

/// A TCP connection for bytes that none of our programs would send.
class RawPeer {
public:
    /// Throws Broken if the connection is not accepted.
    RawPeer(std::string_view host, std::uint16_t port);

    /// Returns false once the other end has closed.
    bool send(std::string_view bytes);
    /// What arrives until `limit` or the end of the stream.
    std::string receive(Clock::duration limit);
    /// True if the other end closes within `limit`; what it sends until then is ignored.
    [[nodiscard]] bool closed_within(Clock::duration limit);

private:
    Descriptor socket_;
};

/// The port of "HOST:PORT".
[[nodiscard]] std::uint16_t port_of(std::string_view address);

}  // namespace understudy::process
