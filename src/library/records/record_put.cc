#include "library/records/record_put.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/errors.h"
#include "record/arguments.h"
#include "understudy/limits.h"
#include "wire/json.h"

namespace understudy::library {

using wire::Dynamic;

namespace {

/// A field and its new value. No value: the field is removed. No sub-map: an empty name.
struct Assignment {
    std::string submap;
    std::string field;
    std::optional<Value> value;
};

[[nodiscard]] Result<void> read_fields(const std::string& submap, const Dynamic& fields,
                                       std::vector<Assignment>& out) {
    const auto* map = fields.as<Dynamic::Map>();
    if (map == nullptr) return bad_config("fields must be an object");
    for (const auto& [name, value] : *map) {
        US_CHECK(check_field_name(name));
        std::optional<Value> wanted;
        if (!value.is_nil()) {
            auto read = record::to_value(value);
            if (!read) return bad_config(fmt::format("field {}: {}", name, read.error().detail));
            wanted = *std::move(read);
        }
        out.push_back({submap, name, std::move(wanted)});
    }
    return {};
}

[[nodiscard]] Result<std::vector<Assignment>> read_assignments(const Dynamic::Map& arguments) {
    std::vector<Assignment> assignments;
    if (const auto fields = arguments.find("fields"); fields != arguments.end()) {
        US_CHECK(read_fields("", fields->second, assignments));
    }
    if (const auto submaps = arguments.find("submaps"); submaps != arguments.end()) {
        const auto* map = submaps->second.as<Dynamic::Map>();
        if (map == nullptr) return bad_config("submaps must be an object");
        for (const auto& [name, fields] : *map) {
            US_CHECK(check_name("sub-map", name));
            US_CHECK(read_fields(name, fields, assignments));
        }
    }
    return assignments;
}

[[nodiscard]] Result<void> assign(Record& record, const Assignment& wanted) {
    if (!wanted.value) {
        (void)(wanted.submap.empty() ? record.remove(wanted.field)
                                     : record.remove(wanted.submap, wanted.field));
        return {};
    }
    return wanted.submap.empty() ? record.put(wanted.field, *wanted.value)
                                 : record.put(wanted.submap, wanted.field, *wanted.value);
}

[[nodiscard]] Assignment as_it_is(const RecordImage& image, const Assignment& wanted) {
    const Value* now = wanted.submap.empty() ? image.find(wanted.field)
                                             : image.find(wanted.submap, wanted.field);
    return {wanted.submap, wanted.field, now == nullptr ? std::nullopt : std::optional(*now)};
}

[[nodiscard]] Result<CallResult> put(Service& service, const Arguments& arguments) {
    const Dynamic tree = US_TRY(wire::parse_json(arguments.json()));
    const auto name = arguments.text("record");
    if (!name) return bad_config("record: the name of the record is missing");
    const auto assignments = US_TRY(read_assignments(*tree.as<Dynamic::Map>()));

    auto record = US_TRY(service.record(*name));
    const RecordImage before = record.image();
    for (std::size_t done = 0; done < assignments.size(); ++done) {
        auto assigned = assign(record, assignments[done]);
        if (assigned) continue;
        while (done-- > 0) (void)assign(record, as_it_is(before, assignments[done]));
        return std::move(assigned).error();
    }
    US_CHECK(service.publish(record));
    return CallResult::from_json(
        wire::to_json(Dynamic::Map{{"record", *name}, {"assigned", assignments.size()}}));
}

}  // namespace

Result<void> publish_record_put(Service& service) {
    return service.publish_rpc(record_put_call,
                               [service](const Arguments& arguments) mutable {
                                   return put(service, arguments);
                               });
}

}  // namespace understudy::library
