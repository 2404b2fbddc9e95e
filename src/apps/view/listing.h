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
    std::string key;    ///< In JSON and CSV; stable.
    std::string title;  ///< In tables; empty: not in tables.
    /// Formats a value for people; without it, numbers and texts are shown unchanged.
    std::string (*shown)(const wire::Dynamic&) = nullptr;
};

/// Rows in every output format of the program.
///
/// A row may hold more fields than there are columns: JSON shows all of them, tables and CSV only
/// the columns.
struct Listing {
    std::vector<Column> columns;
    std::vector<wire::Dynamic::Map> rows;
    std::string name_key;  ///< The field that `-o name` prints.
};

/// Ends with a line end. Empty if there are no rows and each row would be a line.
[[nodiscard]] std::string to_text(const Listing& listing, Format format, Paint paint);

/// One object on one line.
[[nodiscard]] std::string to_json_line(const wire::Dynamic& value);

/// One value as a cell: "-" for nothing, and texts without control characters.
[[nodiscard]] std::string cell_text(const wire::Dynamic& value);
/// Control characters as \n, \t, \x1b; broken UTF-8 as \xNN, so that texts of others cannot control
/// a terminal.
[[nodiscard]] std::string printable(std::string_view text);
/// Columns on a terminal, with one column per character.
[[nodiscard]] std::size_t width(std::string_view text);
[[nodiscard]] std::string padded(std::string_view text, std::size_t columns);
/// Splits at blanks into lines of at most `width` bytes; a longer word is cut.
[[nodiscard]] std::vector<std::string> wrapped(std::string_view text, std::size_t width);

}  // namespace understudy::apps
