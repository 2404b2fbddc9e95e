#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "wire/dynamic.h"

namespace understudy::apps {

enum class Format : std::uint8_t { table, json, jsonl, csv, name };
inline constexpr std::string_view format_choices = "table|json|jsonl|csv|name";

/// Errors: bad_config (none).
[[nodiscard]] Result<Format> parse_format(std::string_view text);

enum class Paint : std::uint8_t { plain, terminal };

struct Column {
    std::string key;    ///< In JSON and CSV: stable.
    std::string title;  ///< In tables. Empty: not in tables.
    /// For people; without it numbers and texts are shown as they are.
    std::string (*shown)(const wire::Dynamic&) = nullptr;
};

/// Rows of something, in every format the program speaks.
///
/// A row may hold more than the columns: JSON shows all of it, tables and CSV only columns.
struct Listing {
    std::vector<Column> columns;
    std::vector<wire::Dynamic::Map> rows;
    std::string name_key;  ///< What `-o name` prints.
};

/// With its last end of line; empty for no rows where a line stands for a row.
[[nodiscard]] std::string to_text(const Listing& listing, Format format, Paint paint);

/// One object on one line.
[[nodiscard]] std::string to_json_line(const wire::Dynamic& value);

/// One value as a cell: "-" for nothing, texts without what a terminal would obey.
[[nodiscard]] std::string cell_text(const wire::Dynamic& value);
/// Control characters as \n, \t, \x1b; broken UTF-8 as \xNN: others' texts do not steer a terminal.
[[nodiscard]] std::string printable(std::string_view text);
/// Columns of a terminal, taking each character for one.
[[nodiscard]] std::size_t width(std::string_view text);
[[nodiscard]] std::string padded(std::string_view text, std::size_t columns);
/// Splits at blanks into lines of at most `width` bytes; a longer word is cut.
[[nodiscard]] std::vector<std::string> wrapped(std::string_view text, std::size_t width);

}  // namespace understudy::apps
