#include "apps/demo/columns.h"

#include <utility>

#include <fmt/format.h>

namespace understudy::apps::demo {

namespace {
constexpr std::size_t time_width = 7;
}

Columns::Columns(std::vector<Column> columns, Paint paint)
    : columns_(std::move(columns)), paint_(paint) {}

std::string Columns::row(std::string_view time, std::size_t at, std::string_view text) const {
    std::string out = fmt::format("{:>{}}", time, time_width);
    for (std::size_t column = 0; column < columns_.size(); ++column) {
        out += " | ";
        std::string cell = column == at ? std::string(text) : std::string();
        // The last column is not padded, so there are no trailing blanks.
        if (column + 1 < columns_.size()) cell = padded(cell, columns_[column].width);
        const bool lit = column == at && paint_ == Paint::terminal && text == "MASTER";
        out += lit ? fmt::format("\x1b[1;33m{}\x1b[0m", cell) : cell;
    }
    while (out.ends_with(' ')) out.pop_back();
    return out + '\n';
}

std::string Columns::header() const {
    std::string titles = fmt::format("{:>{}}", "ms", time_width);
    std::string rule(time_width, '-');
    for (std::size_t column = 0; column < columns_.size(); ++column) {
        const bool last = column + 1 == columns_.size();
        titles +=
            fmt::format(" | {}", last ? columns_[column].title
                                      : padded(columns_[column].title, columns_[column].width));
        rule += fmt::format("-+-{}", std::string(columns_[column].width, '-'));
    }
    return paint_ == Paint::terminal ? fmt::format("\x1b[1m{}\x1b[0m\n{}\n", titles, rule)
                                     : fmt::format("{}\n{}\n", titles, rule);
}

std::string Columns::line(std::uint64_t milliseconds, std::size_t at, std::string_view text) const {
    std::string out;
    std::string time = fmt::format("{}", milliseconds);
    for (const std::string& part : wrapped(printable(text), columns_.at(at).width)) {
        out += row(std::exchange(time, ""), at, part);
    }
    return out;
}

std::string Columns::act(std::string_view text) const {
    return paint_ == Paint::terminal ? fmt::format("\x1b[1m--- {}\x1b[0m\n", text)
                                     : fmt::format("--- {}\n", text);
}

}  // namespace understudy::apps::demo
