#pragma once

#include <cstdint>
#include <string_view>

namespace understudy::role {

/// Why a member got or lost the active role. Numbers are stored in journals: never renumber.
enum class Cause : std::uint8_t {
    first_member = 1,     ///< No member was active when it joined.
    process_gone = 2,     ///< The active member's process is proven dead.
    silence = 3,          ///< Its lease lapsed: hang, cut or dead host.
    new_incarnation = 4,  ///< The same member registered from a new process.
    left = 5,             ///< It unregistered.
    switchover = 6,       ///< An operator asked for it.
    reported = 7,         ///< A registry that had forgotten it learned that it holds the role.
    never_returned = 8,   ///< The reported holder did not come back within a lease.
    higher_epoch = 9,     ///< A higher epoch was reported; the same member goes on above it.
    elected = 10,         ///< The service's journal made it active, and no other cause is known.
};

[[nodiscard]] std::string_view name(Cause cause);

}  // namespace understudy::role
