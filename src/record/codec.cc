#include "record/codec.h"

#include <bit>

#include <fmt/format.h>

#include "base/bytes.h"

namespace understudy::record {

namespace {

static_assert(fields_max < (1U << (7 * count_size_max)), "a count fits count_size_max bytes");

constexpr std::size_t field_size_min = 4;   // Name of one letter, type, empty text.
constexpr std::size_t name_size_min = 2;

Error bad_record(std::string_view what) {
    return {.code = Errc::corrupt, .detail = "record: " + std::string(what)};
}

std::size_t varint_size(std::size_t number) {
    std::size_t size = 1;
    for (; number >= 0x80; number >>= 7) ++size;
    return size;
}

std::size_t text_size(std::size_t size) { return varint_size(size) + size; }

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
                return bad_record("empty sub-map");
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
            if (changes_nothing(view_.sections.back()))
                return bad_record("empty change of a sub-map");
        }
        if (submaps == 0 && changes_nothing(view_.sections.front()))
            return bad_record("empty delta");
        return end();
    }

private:
    static bool changes_nothing(const DeltaView::Section& section) {
        return section.puts_begin == section.puts_end &&
               section.removed_begin == section.removed_end;
    }

    Result<void> end() {
        if (!reader_.done()) return bad_record("bytes after the end");
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

    // A count of things that take at least `size_min` bytes each. More than fit is an error.
    Result<std::size_t> count(std::size_t size_min) {
        const auto count = reader_.varint();
        if (!count || *count > reader_.rest().size() / size_min) return bad_record("count");
        return static_cast<std::size_t>(*count);
    }

    // Names are in strictly ascending order, so none comes twice.
    Result<std::string_view> name(std::string_view before) {
        const auto name = reader_.text();
        if (!name) return bad_record("name");
        if (const auto checked = check_name("field", *name); !checked) {
            return bad_record(checked.error().detail);
        }
        if (!(before < *name)) return bad_record("names are out of order");
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
                return bad_record("a name is both put and removed");
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
            default:
                return bad_record("unknown type of a value");
        }
        if (reader_.failed()) return bad_record("a value is cut short");
        return value;
    }

    ByteReader reader_;
    DeltaView& view_;
    std::string_view last_submap_;
};

// The fields of a section of an image. They ascend, so each is inserted at the end.
Fields fields_of(const DeltaView& view, const DeltaView::Section& section) {
    Fields fields;
    for (std::size_t i = section.puts_begin; i < section.puts_end; ++i) {
        fields.emplace_hint(fields.end(), view.puts[i].name, view.puts[i].value.value());
    }
    return fields;
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

std::size_t field_size_bytes(const FieldView& field) {
    const bool number =
        field.value.type == ValueType::integer || field.value.type == ValueType::real;
    return text_size(field.name.size()) + 1 +
           (number ? 8 : text_size(field.value.bytes.size()));
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
    return make_image(view);
}

RecordImage make_image(const DeltaView& view) {
    RecordImage image;
    image.fields = fields_of(view, view.sections.front());
    for (std::size_t i = 1; i < view.sections.size(); ++i) {
        image.submaps.emplace_hint(image.submaps.end(), view.sections[i].submap,
                                   fields_of(view, view.sections[i]));
    }
    return image;
}

}  // namespace understudy::record
