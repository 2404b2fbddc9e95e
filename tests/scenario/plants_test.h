#pragma once

namespace understudy::scenario {

// What a child process that hunts for a planted bug ends with.
inline constexpr int not_found_code = 0;
inline constexpr int found_code = 7;
inline constexpr int also_without_code = 8;  ///< The good code fails in the same run.

}  // namespace understudy::scenario
