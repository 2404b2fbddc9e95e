#include "apps/view/listing.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/escape.h"
#include "wire/json.h"

namespace understudy::apps {

using wire::Dynamic;

namespace {

const Dynamic nothing;

[[nodiscard]] const Dynamic& field(const Dynamic::Map& row, const std::string& key) {
    const auto found = row.find(key);
    return found == row.end() ? nothing : found->second;
}

[[nodiscard]] std::string_view colour(std::string_view title, std::string_view cell) {
    if (title != "ROLE") return {};
    if (cell == "active") return "\x1b[1;33m";
    return "\x1b[90m";
}

/// The last column is not padded, so there are no trailing blanks.
void append_cell(std::string& line, std::string_view text, std::size_t columns, bool last,
                 std::string_view style) {
    const std::string body = last ? std::string(text) : padded(text, columns);
    line += style.empty() ? body : fmt::format("{}{}\x1b[0m", style, body);
    if (!last) line += "  ";
}

[[nodiscard]] std::string to_table(const Listing& listing, Paint paint) {
    std::vector<const Column*> columns;
    for (const Column& column : listing.columns) {
        if (!column.title.empty()) columns.push_back(&column);
    }
    std::vector<std::vector<std::string>> cells;
    std::vector<std::size_t> widths;
    for (const Column* column : columns) widths.push_back(width(column->title));
    for (const Dynamic::Map& row : listing.rows) {
        auto& line = cells.emplace_back();
        for (std::size_t at = 0; at < columns.size(); ++at) {
            const Dynamic& value = field(row, columns[at]->key);
            line.push_back(columns[at]->shown != nullptr ? columns[at]->shown(value)
                                                         : cell_text(value));
            widths[at] = std::max(widths[at], width(line.back()));
        }
    }
    std::string out;
    for (std::size_t at = 0; at < columns.size(); ++at) {
        append_cell(out, columns[at]->title, widths[at], at + 1 == columns.size(),
                    paint == Paint::terminal ? "\x1b[1m" : "");
    }
    out += '\n';
    for (const auto& line : cells) {
        for (std::size_t at = 0; at < columns.size(); ++at) {
            const auto style =
                paint == Paint::terminal ? colour(columns[at]->title, line[at]) : "";
            append_cell(out, line[at], widths[at], at + 1 == columns.size(), style);
        }
        out += '\n';
    }
    return out;
}

/// RFC 4180, with the line ends of this system.
[[nodiscard]] std::string csv_cell(const Dynamic& value) {
    if (value.is_nil()) return {};
    const std::string* text = value.as<std::string>();
    const std::string plain = text != nullptr ? *text : wire::to_json(value);
    if (plain.find_first_of(",\"\r\n") == std::string::npos) return plain;
    std::string out = "\"";
    for (const char letter : plain) {
        if (letter == '"') out += '"';
        out += letter;
    }
    return out + '"';
}

[[nodiscard]] std::string to_csv(const Listing& listing) {
    std::string out;
    for (const Column& column : listing.columns) {
        out += fmt::format("{}{}", out.empty() ? "" : ",", column.key);
    }
    out += '\n';
    for (const Dynamic::Map& row : listing.rows) {
        bool first = true;
        for (const Column& column : listing.columns) {
            out += fmt::format("{}{}", first ? "" : ",", csv_cell(field(row, column.key)));
            first = false;
        }
        out += '\n';
    }
    return out;
}

[[nodiscard]] std::string to_json_list(const Listing& listing) {
    if (listing.rows.empty()) return "[]\n";
    std::string out = "[";
    for (std::size_t at = 0; at < listing.rows.size(); ++at) {
        out += fmt::format("{}\n  {}", at == 0 ? "" : ",", wire::to_json(listing.rows[at]));
    }
    return out + "\n]\n";
}

}  // namespace

Result<Format> parse_format(std::string_view text) {
    if (text == "table") return Format::table;
    if (text == "json") return Format::json;
    if (text == "jsonl") return Format::jsonl;
    if (text == "csv") return Format::csv;
    if (text == "name") return Format::name;
    return Error{
        .code = Errc::bad_config,
        .detail = fmt::format("unknown format {}; expected one of {}", text, format_choices)};
}

std::string to_text(const Listing& listing, Format format, Paint paint) {
    std::string out;
    switch (format) {
        case Format::table: return to_table(listing, paint);
        case Format::csv: return to_csv(listing);
        case Format::json: return to_json_list(listing);
        case Format::jsonl:
            for (const auto& row : listing.rows) out += to_json_line(row);
            return out;
        case Format::name:
            for (const auto& row : listing.rows) {
                out += cell_text(field(row, listing.name_key)) + '\n';
            }
            return out;
    }
    US_ASSERT(false);
    return out;
}

std::string to_json_line(const Dynamic& value) { return wire::to_json(value) + '\n'; }

std::string cell_text(const Dynamic& value) {
    if (value.is_nil()) return "-";
    if (const auto* text = value.as<std::string>()) return text->empty() ? "-" : printable(*text);
    return printable(wire::to_json(value));
}

std::string printable(std::string_view text) {
    std::string out;
    append_escaped(out, text, Escapes::terminal);
    return out;
}

std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char letter) {
        return (static_cast<unsigned char>(letter) & 0xc0) != 0x80;
    }));
}

std::string padded(std::string_view text, std::size_t columns) {
    std::string out(text);
    if (const std::size_t wide = width(text); wide < columns) out.append(columns - wide, ' ');
    return out;
}

std::vector<std::string> wrapped(std::string_view text, std::size_t bytes) {
    US_ASSERT(bytes > 0);
    std::vector<std::string> lines;
    while (text.size() > bytes) {
        const std::size_t blank = text.rfind(' ', bytes);
        const bool cut = blank == std::string_view::npos || blank == 0;
        lines.emplace_back(text.substr(0, cut ? bytes : blank));
        text.remove_prefix(cut ? bytes : blank + 1);
    }
    if (!text.empty() || lines.empty()) lines.emplace_back(text);
    return lines;
}

}  // namespace understudy::apps
