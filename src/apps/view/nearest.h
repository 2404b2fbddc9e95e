#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace understudy::apps {

/// The candidate that was probably meant by `word`: the one with the fewest different letters,
/// where a swap counts as one. Nothing if even the best differs too much for a typing error.
[[nodiscard]] std::optional<std::string> nearest(std::string_view word,
                                                 const std::vector<std::string>& candidates);

}  // namespace understudy::apps
