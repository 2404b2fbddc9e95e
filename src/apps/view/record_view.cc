#include "apps/view/record_view.h"

#include <utility>

#include <fmt/format.h>

#include "understudy/limits.h"
#include "wire/json.h"

namespace understudy::apps {

using wire::Dynamic;

namespace {

[[nodiscard]] Dynamic::Map to_map(const Fields& fields) {
    Dynamic::Map map;
    for (const auto& [name, value] : fields) map.emplace(name, to_dynamic(value));
    return map;
}

[[nodiscard]] Dynamic::Map change_map(const Change& change) {
    Dynamic::Array removed;
    for (const auto& [name, value] : change.removed) removed.emplace_back(name);
    return {{"puts", to_map(change.puts)}, {"removed", std::move(removed)}};
}

void append_change(std::string& out, const std::string& prefix, const Change& change) {
    for (const auto& [name, value] : change.puts) {
        out += fmt::format("{}{}{} = {}", out.empty() ? "" : ", ", prefix, printable(name),
                           printable(value.to_text()));
    }
    for (const auto& [name, value] : change.removed) {
        out += fmt::format("{}-{}{}", out.empty() ? "" : ", ", prefix, printable(name));
    }
}

[[nodiscard]] Error bad_assignment(const std::string& assignment, std::string_view why) {
    return {
        .code = Errc::bad_config,
        .detail = fmt::format("\"{}\" is not an assignment: {}\ntry: FIELD=TEXT, FIELD:=NUMBER, "
                              "FIELD:=null, SUBMAP/FIELD=TEXT",
                              printable(assignment), why)};
}

}  // namespace

Dynamic to_dynamic(const Value& value) {
    switch (value.type()) {
        case ValueType::text: return *value.text();
        case ValueType::integer: return *value.integer();
        case ValueType::real: return *value.real();
        case ValueType::bytes: return *value.bytes();
    }
    US_ASSERT(false);
    return {};
}

Dynamic::Map record_json(const std::string& family, const std::string& record,
                         const RecordImage& image) {
    Dynamic::Map submaps;
    for (const auto& [name, fields] : image.submaps) submaps.emplace(name, to_map(fields));
    return {{"service", family},
            {"record", record},
            {"fields", to_map(image.fields)},
            {"submaps", std::move(submaps)}};
}

Listing list_fields(const RecordImage& image) {
    Listing listing{.columns = {{.key = "field", .title = "FIELD"},
                                {.key = "type", .title = "TYPE"},
                                {.key = "value", .title = "VALUE"}},
                    .rows = {},
                    .name_key = "field"};
    const auto add = [&](const std::string& prefix, const Fields& fields) {
        for (const auto& [field, value] : fields) {
            const bool bytes = value.type() == ValueType::bytes;
            listing.rows.push_back(
                {{"field", prefix + field},
                 {"type", std::string(name(value.type()))},
                 {"value", bytes ? Dynamic(value.to_text()) : to_dynamic(value)}});
        }
    };
    add("", image.fields);
    for (const auto& [submap, fields] : image.submaps) add(submap + "/", fields);
    return listing;
}

Dynamic::Map change_json(const std::string& family, const std::string& record,
                         const RecordChange& change) {
    Dynamic::Map json = change_map(change.fields);
    Dynamic::Map submaps;
    for (const auto& [name, one] : change.submaps) submaps.emplace(name, change_map(one));
    json.emplace("service", family);
    json.emplace("record", record);
    json.emplace("kind", change.is_image ? "image" : "change");
    json.emplace("epoch", change.epoch.value);
    json.emplace("sequence", change.sequence);
    json.emplace("submaps", std::move(submaps));
    return json;
}

std::string change_text(const RecordChange& change) {
    std::string what;
    append_change(what, "", change.fields);
    for (const auto& [name, one] : change.submaps) append_change(what, printable(name) + "/", one);
    return fmt::format("{}.{}  {}  {}\n", change.epoch.value, change.sequence,
                       change.is_image ? "image " : "change", what.empty() ? "(nothing)" : what);
}

Result<Dynamic::Map> parse_assignments(const std::string& record,
                                       const std::vector<std::string>& assignments) {
    US_CHECK(check_record_name(record));
    Dynamic::Map fields;
    Dynamic::Map submaps;
    for (const std::string& assignment : assignments) {
        const std::size_t equals = assignment.find('=');
        if (equals == std::string::npos) return bad_assignment(assignment, "it has no =");
        const bool typed = equals > 0 && assignment[equals - 1] == ':';
        std::string field = assignment.substr(0, typed ? equals - 1 : equals);
        const std::string text = assignment.substr(equals + 1);
        Dynamic value(text);
        if (typed) {
            auto parsed = wire::parse_json(text);
            if (!parsed) return bad_assignment(assignment, parsed.error().detail);
            value = *std::move(parsed);
        }
        Dynamic::Map* target = &fields;
        if (const std::size_t slash = field.find('/'); slash != std::string::npos) {
            const std::string submap = field.substr(0, slash);
            if (auto good = check_field_name(submap); !good) {
                return bad_assignment(assignment, good.error().detail);
            }
            target = submaps.try_emplace(submap, Dynamic::Map()).first->second.as<Dynamic::Map>();
            field.erase(0, slash + 1);
        }
        if (auto good = check_field_name(field); !good)
            return bad_assignment(assignment, good.error().detail);
        target->insert_or_assign(field, std::move(value));
    }
    return Dynamic::Map{
        {"record", record}, {"fields", std::move(fields)}, {"submaps", std::move(submaps)}};
}

}  // namespace understudy::apps
