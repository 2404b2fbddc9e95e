#pragma once

#include <cstdint>
#include <string>

namespace understudy::wire {

// What the numbers in a Definition mean (control.proto). Stored in journals: never renumber.

enum class ServiceKind : std::uint32_t { immortal = 1 };
enum class JournalKind : std::uint32_t { shared_directory = 1, replicated = 2 };

/// The member that a replica of a defined service registers as.
[[nodiscard]] inline std::string replica_member(std::uint32_t number) {
    return "replica-" + std::to_string(number);
}

}  // namespace understudy::wire
