#pragma once

#include <string>
#include <vector>

#include "apps/view/listing.h"
#include "understudy/record.h"

namespace understudy::apps {

// Records in the form that the commands print and read. JSON field names: docs/cli.md, stable.

[[nodiscard]] wire::Dynamic to_dynamic(const Value& value);
[[nodiscard]] wire::Dynamic::Map record_json(const std::string& family, const std::string& record,
                                             const RecordImage& image);
/// One row per field; fields of sub-maps are named SUBMAP/FIELD.
[[nodiscard]] Listing list_fields(const RecordImage& image);

[[nodiscard]] wire::Dynamic::Map change_json(const std::string& family, const std::string& record,
                                             const RecordChange& change);
/// "1.3  image  a message = Hello World (from Bar1)": epoch, sequence, kind and fields on one line.
[[nodiscard]] std::string change_text(const RecordChange& change);

/// Converts FIELD=TEXT, FIELD:=JSON (a number keeps its type, null removes the field) and
/// SUBMAP/FIELD=TEXT to the arguments of the call understudy.record.put.
/// Errors: bad_config (none): names the text that is not an assignment.
[[nodiscard]] Result<wire::Dynamic::Map> parse_assignments(
    const std::string& record, const std::vector<std::string>& assignments);

}  // namespace understudy::apps
