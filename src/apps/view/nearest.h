#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace understudy::apps {

/// The candidate that was probably meant by `word`: the fewest letters apart, swaps counting as
/// one; nothing if even the best is too far away to be a slip.
[[nodiscard]] std::optional<std::string> nearest(std::string_view word,
                                                 const std::vector<std::string>& candidates);

}  // namespace understudy::apps
