#pragma once

namespace understudy::scenario {

// The exit codes of a child process that searches for a planted bug.
inline constexpr int not_found_code = 0;
inline constexpr int found_code = 7;
inline constexpr int also_without_code = 8;  ///< The code without the bug also fails in this run.

}  // namespace understudy::scenario
