#include "record/codec.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "base/bytes.h"

namespace understudy::record {

namespace {

static_assert(fields_max < (1U << (7 * count_size_max)), "a count fits count_size_max bytes");

constexpr std::size_t field_size_min = 4;   // Name of one letter, type, empty text.
constexpr std::size_t name_size_min = 2;

Error corrupt(std::string_view what) {
    return {.code = Errc::corrupt, .detail = "record: " + std::string(what)};
}

std::size_t varint_size(std::size_t number) {
    std::size_t size = 1;
    for (; number >= 0x80; number >>= 7) ++size;
    return size;
}

std::size_t text_size(std::size_t size) { return varint_size(size) + size; }

std::size_t value_size_bytes(const ValueView& value) {
    if (value.type == ValueType::integer || value.type == ValueType::real) return 1 + 8;
    return 1 + text_size(value.bytes.size());
}

// --- Writing ---------------------------------------------------------------------------------

void write(const Value& value, ByteWriter& writer) {
    writer.fixed(static_cast<std::uint8_t>(value.type()));
    switch (value.type()) {
        case ValueType::text: writer.text(*value.text()); break;
        case ValueType::integer: writer.fixed(static_cast<std::uint64_t>(*value.integer())); break;
        case ValueType::real: writer.fixed(std::bit_cast<std::uint64_t>(*value.real())); break;
        case ValueType::bytes: writer.bytes(*value.bytes()); break;
    }
}

void write(const Fields& fields, ByteWriter& writer) {
    writer.varint(fields.size());
    for (const auto& [name, value] : fields) {
        writer.text(name);
        write(value, writer);
    }
}

void write(const DeltaSource& delta, const DeltaView::Section& section, ByteWriter& writer) {
    writer.varint(section.puts_end - section.puts_begin);
    for (std::size_t i = section.puts_begin; i < section.puts_end; ++i) {
        writer.text(delta.puts[i].name);
        write(*delta.puts[i].value, writer);
    }
    writer.varint(section.removed_end - section.removed_begin);
    for (std::size_t i = section.removed_begin; i < section.removed_end; ++i) {
        writer.text(delta.removed[i]);
    }
}

void add(DeltaSource& source, std::string_view submap, const Change& change) {
    DeltaView::Section section{.submap = submap,
                               .puts_begin = source.puts.size(),
                               .puts_end = source.puts.size() + change.puts.size(),
                               .removed_begin = source.removed.size(),
                               .removed_end = source.removed.size() + change.removed.size()};
    for (const auto& [name, value] : change.puts) source.puts.push_back({name, &value});
    for (const auto& [name, value] : change.removed) source.removed.push_back(name);
    source.sections.push_back(section);
}

// --- Reading ---------------------------------------------------------------------------------

class Decoder {
public:
    Decoder(Bytes input, DeltaView& view) : reader_(input), view_(view) {
        view_.sections.clear();
        view_.puts.clear();
        view_.removed.clear();
    }

    Result<void> image() {
        US_CHECK(begin_section({}));
        US_CHECK(puts());
        const auto submaps = US_TRY(count(name_size_min + 1 + field_size_min));
        for (std::size_t i = 0; i < submaps; ++i) {
            US_CHECK(begin_section(US_TRY(name(last_submap_))));
            US_CHECK(puts());
            if (view_.sections.back().puts_end == view_.sections.back().puts_begin) {
                return corrupt("empty sub-map");
            }
        }
        return end();
    }

    Result<void> delta() {
        US_CHECK(begin_section({}));
        US_CHECK(puts());
        US_CHECK(removed());
        const auto submaps = US_TRY(count(name_size_min + 1 + 1 + name_size_min));
        for (std::size_t i = 0; i < submaps; ++i) {
            US_CHECK(begin_section(US_TRY(name(last_submap_))));
            US_CHECK(puts());
            US_CHECK(removed());
            if (changes_nothing(view_.sections.back())) return corrupt("empty change of a sub-map");
        }
        if (submaps == 0 && changes_nothing(view_.sections.front())) return corrupt("empty delta");
        return end();
    }

private:
    static bool changes_nothing(const DeltaView::Section& section) {
        return section.puts_begin == section.puts_end &&
               section.removed_begin == section.removed_end;
    }

    Result<void> end() {
        if (!reader_.done()) return corrupt("bytes behind the end");
        if (view_.puts.size() > fields_max || view_.removed.size() > fields_max) {
            return Error{.code = Errc::limit_exceeded,
                         .detail = fmt::format("more than {} fields", fields_max)};
        }
        return {};
    }

    Result<void> begin_section(std::string_view submap) {
        last_submap_ = submap;
        const std::size_t puts = view_.puts.size(), removed = view_.removed.size();
        view_.sections.push_back({submap, puts, puts, removed, removed});
        return {};
    }

    // A count of things that take `size_min` bytes each: more than fit is a lie.
    Result<std::size_t> count(std::size_t size_min) {
        const auto count = reader_.varint();
        if (!count || *count > reader_.rest().size() / size_min) return corrupt("count");
        return static_cast<std::size_t>(*count);
    }

    // Names stand in strictly ascending order, which also says that none comes twice.
    Result<std::string_view> name(std::string_view before) {
        const auto name = reader_.text();
        if (!name) return corrupt("name");
        if (const auto checked = check_name("field", *name); !checked) {
            return corrupt(checked.error().detail);
        }
        if (!(before < *name)) return corrupt("names out of order");
        return *name;
    }

    Result<void> puts() {
        const auto puts = US_TRY(count(field_size_min));
        std::string_view before;
        for (std::size_t i = 0; i < puts; ++i) {
            before = US_TRY(name(before));
            view_.puts.push_back({before, US_TRY(value())});
        }
        view_.sections.back().puts_end = view_.puts.size();
        return {};
    }

    Result<void> removed() {
        const auto removed = US_TRY(count(name_size_min));
        // Both lists ascend, so one walk finds a name that is in both.
        std::size_t put = view_.sections.back().puts_begin;
        std::string_view before;
        for (std::size_t i = 0; i < removed; ++i) {
            before = US_TRY(name(before));
            while (put < view_.puts.size() && view_.puts[put].name < before) ++put;
            if (put < view_.puts.size() && view_.puts[put].name == before) {
                return corrupt("name both put and removed");
            }
            view_.removed.push_back(before);
        }
        view_.sections.back().removed_end = view_.removed.size();
        return {};
    }

    Result<ValueView> value() {
        const auto type = reader_.fixed<std::uint8_t>();
        ValueView value{.type = static_cast<ValueType>(type.value_or(0))};
        switch (value.type) {
            case ValueType::text:
            case ValueType::bytes:
                value.bytes = reader_.bytes().value_or(Bytes());
                break;
            case ValueType::integer:
            case ValueType::real: value.bits = reader_.fixed<std::uint64_t>().value_or(0); break;
            default: return corrupt("type of a value");
        }
        if (reader_.failed()) return corrupt("value cut short");
        return value;
    }

    ByteReader reader_;
    DeltaView& view_;
    std::string_view last_submap_;
};

// --- Carrying out ----------------------------------------------------------------------------

std::ptrdiff_t difference(std::size_t after, std::size_t before) {
    return static_cast<std::ptrdiff_t>(after) - static_cast<std::ptrdiff_t>(before);
}

std::size_t put_size_bytes(const FieldView& field) {
    return text_size(field.name.size()) + value_size_bytes(field.value);
}

std::ptrdiff_t apply_section(Fields& fields, const DeltaView& view,
                             const DeltaView::Section& section, Change* change) {
    std::ptrdiff_t grown = 0;
    for (std::size_t i = section.puts_begin; i < section.puts_end; ++i) {
        const FieldView& put = view.puts[i];
        grown += static_cast<std::ptrdiff_t>(put_size_bytes(put));
        const auto at = fields.lower_bound(put.name);
        if (at != fields.end() && at->first == put.name) {
            grown -= static_cast<std::ptrdiff_t>(field_size_bytes(put.name, at->second));
            if (change != nullptr) {
                change->overwritten.emplace_hint(change->overwritten.end(), put.name,
                                                 std::move(at->second));
            }
            put.value.assign_to(at->second);
        } else {
            fields.emplace_hint(at, put.name, put.value.value());
        }
        if (change != nullptr) {
            change->puts.emplace_hint(change->puts.end(), put.name, put.value.value());
        }
    }
    for (std::size_t i = section.removed_begin; i < section.removed_end; ++i) {
        const auto at = fields.find(view.removed[i]);
        if (at == fields.end()) continue;
        grown -= static_cast<std::ptrdiff_t>(field_size_bytes(at->first, at->second));
        if (change != nullptr) {
            change->removed.emplace_hint(change->removed.end(), at->first, std::move(at->second));
        }
        fields.erase(at);
    }
    return grown;
}

std::ptrdiff_t growth_of_section(const Fields* fields, const DeltaView& view,
                                 const DeltaView::Section& section) {
    const auto size_of = [fields](std::string_view name) -> std::size_t {
        if (fields == nullptr) return 0;
        const auto found = fields->find(name);
        return found == fields->end() ? 0 : field_size_bytes(found->first, found->second);
    };
    std::ptrdiff_t grown = 0;
    for (std::size_t i = section.puts_begin; i < section.puts_end; ++i) {
        grown += difference(put_size_bytes(view.puts[i]), size_of(view.puts[i].name));
    }
    for (std::size_t i = section.removed_begin; i < section.removed_end; ++i) {
        grown -= static_cast<std::ptrdiff_t>(size_of(view.removed[i]));
    }
    return grown;
}

// The fields of a section of an image. They ascend, so each goes to the end.
Fields fields_of(const DeltaView& view, const DeltaView::Section& section) {
    Fields fields;
    for (std::size_t i = section.puts_begin; i < section.puts_end; ++i) {
        fields.emplace_hint(fields.end(), view.puts[i].name, view.puts[i].value.value());
    }
    return fields;
}

// From one map to another as an image tells it: all of `after` is put.
void note_replaced(Fields&& before, const Fields& after, Change& change) {
    change.puts = after;
    for (auto& [name, value] : before) {
        Fields& to = after.contains(name) ? change.overwritten : change.removed;
        to.emplace_hint(to.end(), name, std::move(value));
    }
}

void note_replaced(RecordImage&& before, const RecordImage& after, RecordChange& change) {
    note_replaced(std::move(before.fields), after.fields, change.fields);
    for (const auto& [name, fields] : after.submaps) {
        const auto was = before.submaps.find(name);
        note_replaced(was == before.submaps.end() ? Fields() : std::move(was->second), fields,
                      change.submaps[name]);
    }
    for (auto& [name, fields] : before.submaps) {
        if (!after.submaps.contains(name)) change.submaps[name].removed = std::move(fields);
    }
}

}  // namespace

Value ValueView::value() const {
    switch (type) {
        case ValueType::text: return as_text(bytes);
        case ValueType::integer: return static_cast<std::int64_t>(bits);
        case ValueType::real: return std::bit_cast<double>(bits);
        case ValueType::bytes: break;
    }
    return Blob(bytes.begin(), bytes.end());
}

void ValueView::assign_to(Value& value) const {
    if (type != ValueType::text || !value.assign_text(as_text(bytes))) value = this->value();
}

std::size_t field_size_bytes(std::string_view name, const Value& value) {
    switch (value.type()) {
        case ValueType::text: return text_size(name.size()) + 1 + text_size(value.text()->size());
        case ValueType::bytes: return text_size(name.size()) + 1 + text_size(value.bytes()->size());
        case ValueType::integer:
        case ValueType::real: break;
    }
    return text_size(name.size()) + 1 + 8;
}

std::size_t submap_size_bytes(std::string_view name) {
    return text_size(name.size()) + count_size_max;
}

std::size_t size_bytes(const RecordImage& image) {
    std::size_t size = image_size_min;
    for (const auto& [name, value] : image.fields) size += field_size_bytes(name, value);
    for (const auto& [name, fields] : image.submaps) {
        size += submap_size_bytes(name);
        for (const auto& [field, value] : fields) size += field_size_bytes(field, value);
    }
    return size;
}

std::size_t count_fields(const RecordImage& image) {
    std::size_t count = image.fields.size();
    for (const auto& [name, fields] : image.submaps) count += fields.size();
    return count;
}

void encode_image(const RecordImage& image, Buffer& out) {
    out.clear();
    ByteWriter writer(out);
    write(image.fields, writer);
    writer.varint(image.submaps.size());
    for (const auto& [name, fields] : image.submaps) {
        US_ASSERT(!fields.empty());
        writer.text(name);
        write(fields, writer);
    }
}

void encode_delta(const DeltaSource& delta, Buffer& out) {
    US_ASSERT(!delta.sections.empty());
    US_ASSERT(!delta.puts.empty() || !delta.removed.empty());
    out.clear();
    ByteWriter writer(out);
    write(delta, delta.sections.front(), writer);
    writer.varint(delta.sections.size() - 1);
    for (std::size_t i = 1; i < delta.sections.size(); ++i) {
        writer.text(delta.sections[i].submap);
        write(delta, delta.sections[i], writer);
    }
    US_ASSERT(out.size() <= delta_size_max);
}

void encode_delta(const RecordChange& change, Buffer& out) {
    DeltaSource source;
    add(source, {}, change.fields);
    for (const auto& [name, submap] : change.submaps) add(source, name, submap);
    encode_delta(source, out);
}

Result<void> decode_image(Bytes image, DeltaView& view) {
    US_CHECK(check_record_size(image.size()));
    return Decoder(image, view).image();
}

Result<void> decode_delta(Bytes delta, DeltaView& view) {
    if (delta.size() > delta_size_max) {
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("delta of {} bytes, at most {}", delta.size(),
                                           delta_size_max)};
    }
    return Decoder(delta, view).delta();
}

Result<RecordImage> to_image(Bytes image) {
    DeltaView view;
    US_CHECK(decode_image(image, view));
    RecordImage made;
    replace(made, view);
    return made;
}

std::size_t replace(RecordImage& image, const DeltaView& view, RecordChange* change) {
    RecordImage made;
    made.fields = fields_of(view, view.sections.front());
    for (std::size_t i = 1; i < view.sections.size(); ++i) {
        made.submaps.emplace_hint(made.submaps.end(), view.sections[i].submap,
                                  fields_of(view, view.sections[i]));
    }
    std::swap(image, made);
    if (change != nullptr) note_replaced(std::move(made), image, *change);
    return size_bytes(image);
}

std::ptrdiff_t apply(RecordImage& image, const DeltaView& view, RecordChange* change) {
    std::ptrdiff_t grown = apply_section(image.fields, view, view.sections.front(),
                                         change == nullptr ? nullptr : &change->fields);
    for (std::size_t i = 1; i < view.sections.size(); ++i) {
        const DeltaView::Section& section = view.sections[i];
        auto at = image.submaps.lower_bound(section.submap);
        if (at == image.submaps.end() || at->first != section.submap) {
            if (section.puts_begin == section.puts_end) continue;  // Removes what is not there.
            at = image.submaps.emplace_hint(at, section.submap, Fields());
            grown += static_cast<std::ptrdiff_t>(submap_size_bytes(section.submap));
        }
        Change noted;
        grown += apply_section(at->second, view, section, change == nullptr ? nullptr : &noted);
        if (change != nullptr && !noted.empty()) {
            change->submaps.emplace_hint(change->submaps.end(), section.submap, std::move(noted));
        }
        if (at->second.empty()) {
            image.submaps.erase(at);
            grown -= static_cast<std::ptrdiff_t>(submap_size_bytes(section.submap));
        }
    }
    return grown;
}

std::ptrdiff_t growth(const RecordImage& image, const DeltaView& view) {
    std::ptrdiff_t grown = growth_of_section(&image.fields, view, view.sections.front());
    for (std::size_t i = 1; i < view.sections.size(); ++i) {
        const DeltaView::Section& section = view.sections[i];
        const Fields* fields = image.submap(section.submap);
        grown += growth_of_section(fields, view, section);
        if (fields == nullptr) {
            if (section.puts_begin == section.puts_end) continue;
            grown += static_cast<std::ptrdiff_t>(submap_size_bytes(section.submap));
        } else if (section.puts_begin == section.puts_end) {
            const auto is_there = [&](std::string_view name) { return fields->contains(name); };
            const auto gone = std::count_if(
                view.removed.begin() + static_cast<std::ptrdiff_t>(section.removed_begin),
                view.removed.begin() + static_cast<std::ptrdiff_t>(section.removed_end), is_there);
            if (static_cast<std::size_t>(gone) == fields->size()) {
                grown -= static_cast<std::ptrdiff_t>(submap_size_bytes(section.submap));
            }
        }
    }
    return grown;
}

Result<void> check_growth(const RecordImage& image, std::size_t size_bytes, const DeltaView& view) {
    std::size_t at_most = size_bytes;
    for (const FieldView& put : view.puts) at_most += put_size_bytes(put);
    for (const auto& section : view.sections) at_most += submap_size_bytes(section.submap);
    if (at_most <= record_size_max) return {};
    const std::ptrdiff_t after = static_cast<std::ptrdiff_t>(size_bytes) + growth(image, view);
    US_ASSERT(after >= 0);
    return check_record_size(static_cast<std::size_t>(after));
}

}  // namespace understudy::record
