#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "apps/view/listing.h"

namespace understudy::apps::demo {

/// Prints lines of several processes side by side, each in the column of its process, with the
/// time.
///
/// Thread: any; immutable.
class Columns {
public:
    struct Column {
        std::string title;
        std::size_t width;
    };

    Columns(std::vector<Column> columns, Paint paint);

    /// The titles, and a line below them.
    [[nodiscard]] std::string header() const;
    /// `text` in column `at`, on as many lines as it needs.
    [[nodiscard]] std::string line(std::uint64_t milliseconds, std::size_t at,
                                   std::string_view text) const;
    /// A line across all columns, for steps of the demonstration.
    [[nodiscard]] std::string act(std::string_view text) const;

private:
    [[nodiscard]] std::string row(std::string_view time, std::size_t at,
                                  std::string_view text) const;

    const std::vector<Column> columns_;
    const Paint paint_;
};

}  // namespace understudy::apps::demo
