#include "apps/view/nearest.h"

#include <algorithm>
#include <cstddef>

namespace understudy::apps {

namespace {

/// Optimal string alignment: insertions, removals, replacements and swaps of neighbours.
[[nodiscard]] std::size_t distance(std::string_view left, std::string_view right) {
    const std::size_t width = right.size() + 1;
    std::vector<std::size_t> table((left.size() + 1) * width);
    const auto at = [&](std::size_t row, std::size_t column) -> std::size_t& {
        return table[row * width + column];
    };
    for (std::size_t row = 0; row <= left.size(); ++row) at(row, 0) = row;
    for (std::size_t column = 0; column < width; ++column) at(0, column) = column;
    for (std::size_t row = 1; row <= left.size(); ++row) {
        for (std::size_t column = 1; column < width; ++column) {
            const std::size_t differs = left[row - 1] == right[column - 1] ? 0 : 1;
            at(row, column) = std::min({at(row - 1, column) + 1, at(row, column - 1) + 1,
                                        at(row - 1, column - 1) + differs});
            if (row > 1 && column > 1 && left[row - 1] == right[column - 2] &&
                left[row - 2] == right[column - 1]) {
                at(row, column) = std::min(at(row, column), at(row - 2, column - 2) + 1);
            }
        }
    }
    return table.back();
}

// So long a word is hardly a misspelled one, and the table is quadratic.
constexpr std::size_t word_size_max = 64;

}  // namespace

std::optional<std::string> nearest(std::string_view word,
                                   const std::vector<std::string>& candidates) {
    if (word.empty() || word.size() > word_size_max) return std::nullopt;
    std::optional<std::string> best;
    std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
    for (const std::string& candidate : candidates) {
        if (candidate.size() > word_size_max) continue;
        const std::size_t apart = distance(word, candidate);
        if (apart < best_distance) {
            best = candidate;
            best_distance = apart;
        }
    }
    return best;
}

}  // namespace understudy::apps
