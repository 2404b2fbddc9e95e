#include "understudy/record.h"

namespace understudy {

namespace {

const Value* find_in(const Fields& fields, std::string_view name) {
    const auto found = fields.find(name);
    return found == fields.end() ? nullptr : &found->second;
}

}  // namespace

const Value* RecordImage::find(std::string_view name) const { return find_in(fields, name); }

const Value* RecordImage::find(std::string_view submap_name, std::string_view name) const {
    const Fields* found = submap(submap_name);
    return found == nullptr ? nullptr : find_in(*found, name);
}

const Fields* RecordImage::submap(std::string_view name) const {
    const auto found = submaps.find(name);
    return found == submaps.end() ? nullptr : &found->second;
}

std::optional<std::string_view> RecordImage::text(std::string_view name) const {
    const Value* value = find(name);
    if (value == nullptr || value->text() == nullptr) return std::nullopt;
    return *value->text();
}

std::optional<std::int64_t> RecordImage::integer(std::string_view name) const {
    const Value* value = find(name);
    if (value == nullptr || value->integer() == nullptr) return std::nullopt;
    return *value->integer();
}

std::optional<double> RecordImage::real(std::string_view name) const {
    const Value* value = find(name);
    if (value == nullptr || value->real() == nullptr) return std::nullopt;
    return *value->real();
}

std::optional<Bytes> RecordImage::bytes(std::string_view name) const {
    const Value* value = find(name);
    if (value == nullptr || value->bytes() == nullptr) return std::nullopt;
    return *value->bytes();
}

std::string RecordImage::text(std::string_view name, std::string_view otherwise) const {
    return std::string(text(name).value_or(otherwise));
}

std::int64_t RecordImage::integer(std::string_view name, std::int64_t otherwise) const {
    return integer(name).value_or(otherwise);
}

double RecordImage::real(std::string_view name, double otherwise) const {
    return real(name).value_or(otherwise);
}

void RecordImage::clear() {
    fields.clear();
    submaps.clear();
}

}  // namespace understudy
