#pragma once

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "understudy/result.h"

namespace understudy {

/// A view of bytes. It lives as long as the call that passes it.
using Bytes = std::span<const std::byte>;
/// Bytes that are owned.
using Buffer = std::vector<std::byte>;

[[nodiscard]] inline Bytes as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
[[nodiscard]] inline std::string_view as_text(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline constexpr std::uint64_t KiB = 1024;
inline constexpr std::uint64_t MiB = 1024 * KiB;
inline constexpr std::uint64_t GiB = 1024 * MiB;

/// A number that the compiler does not confuse with another kind of number.
template <class Tag>
struct Strong {
    std::uint64_t value = 0;
    friend constexpr auto operator<=>(Strong, Strong) = default;
    [[nodiscard]] constexpr Strong next() const { return {value + 1}; }
};

using Epoch = Strong<struct EpochTag>;  ///< One tenure of one active member; 0 means none yet.
using Index = Strong<struct IndexTag>;  ///< Position in a journal; the first entry is 1.

/// This clock type has no now(): our code gets the time as an argument.
struct Monotonic {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<Monotonic>;
    static constexpr bool is_steady = true;
};

using Duration = Monotonic::duration;
using TimePoint = Monotonic::time_point;

using namespace std::chrono_literals;  // NOLINT: durations read as 500ms everywhere in our API.

/// Where something listens. IPv6 hosts have no brackets here and have them in text.
struct Address {
    std::string host;
    std::uint16_t port = 0;
    friend auto operator<=>(const Address&, const Address&) = default;
};

/// Reads "HOST:PORT", "[::1]:PORT" or ":PORT" (the host is then empty).
/// Errors: bad_config (none).
[[nodiscard]] US_API Result<Address> parse_address(std::string_view text);
/// A host that contains '/' is the path of a Unix-domain socket. It is printed without a port.
[[nodiscard]] US_API std::string to_string(const Address& address);

/// What a member does for its service.
enum class Role : std::uint8_t {
    joining = 0,  ///< Not registered yet, or catching up.
    standby = 1,
    active = 2,
    checkpointer = 3,
};
[[nodiscard]] US_API std::string_view name(Role role);

/// How the members of a service share its work.
enum class Redundancy : std::uint8_t {
    fault_tolerant = 1,  ///< One member is active, the others stand by in joining order.
    load_balanced = 2,   ///< All members are active; new connections are spread over them.
    journaled = 3,       ///< One member is active; the service's journal says which.
};
[[nodiscard]] US_API std::string_view name(Redundancy redundancy);

/// What a member does when its registry is away and its lease has expired.
enum class OnRegistryLoss : std::uint8_t {
    by_registry = 0,  ///< keep with a registry of one node; step_down with a registry of several,
                      ///< because then a loss means that *this* member is cut off.
    keep = 1,  ///< The member goes on. Clients that are cut off together with it may hear it until
               ///< they hear a higher epoch.
    step_down = 2,  ///< The member stops answering.
};

}  // namespace understudy
