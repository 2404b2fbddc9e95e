#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "understudy/limits.h"
#include "understudy/record.h"
#include "understudy/types.h"
#include "understudy/value.h"

namespace understudy::record {

// Image and delta, little-endian (docs/formats/record.md):
//
//     value   type u8 (ValueType), then text, bytes: varint size, u8[size]; integer: i64; real: f64
//     field   name (varint size, UTF-8), value
//     image   varint count, field[count]; varint count, {name, varint count > 0,
//     field[count]}[count] change  varint count, field[count] put; varint count, name[count]
//     removed delta   change; varint count, {name, change not empty}[count]; not empty as a whole
//
// Fields, names and sub-maps stand in strictly ascending byte order of their names, and no name is
// both put and removed: equal content has equal bytes.

/// A value as it lies in encoded bytes.
struct ValueView {
    ValueType type = ValueType::text;
    std::uint64_t bits = 0;  ///< Of an integer or a real.
    Bytes bytes = {};        ///< Of a text or of bytes.

    [[nodiscard]] Value value() const;
    void assign_to(Value& value) const;  ///< Keeps the target's memory where it can.
};

struct FieldView {
    std::string_view name;
    ValueView value;
};

/// A decoded image or delta: views into its bytes. Reused, it allocates nothing.
struct DeltaView {
    /// What concerns one map; the ranges point into `puts` and `removed`.
    struct Section {
        std::string_view submap;
        std::size_t puts_begin = 0, puts_end = 0;
        std::size_t removed_begin = 0, removed_end = 0;
    };
    std::vector<Section> sections;  ///< The record's own fields first, then its sub-maps.
    std::vector<FieldView> puts;
    std::vector<std::string_view> removed;
};

/// What a delta is made from: references to names and values kept elsewhere. Shape as DeltaView.
struct DeltaSource {
    struct Put {
        std::string_view name;
        const Value* value;
    };
    std::vector<DeltaView::Section> sections;
    std::vector<Put> puts;
    std::vector<std::string_view> removed;
};

/// What counts against record_size_max: the image's encoded size with each count at its widest, so
/// that every field adds the same wherever it stands.
[[nodiscard]] std::size_t size_bytes(const RecordImage& image);
[[nodiscard]] std::size_t field_size_bytes(std::string_view name, const Value& value);
[[nodiscard]] std::size_t field_size_bytes(const FieldView& field);
[[nodiscard]] std::size_t submap_size_bytes(std::string_view name);
inline constexpr std::size_t count_size_max = 3;  ///< A varint up to fields_max.
inline constexpr std::size_t image_size_min = 2 * count_size_max;

/// Of any change from one record to another: the names of what goes, and what comes. A field that
/// goes leaves out two bytes at least, and of the longest names no more than 4,049 fit a record.
inline constexpr std::size_t delta_size_max = 2 * record_size_max - 4 * KiB;

/// Fields of an image, sub-maps included.
[[nodiscard]] std::size_t count_fields(const RecordImage& image);

/// Each replaces the content of `out`. Requires: the order and the limits above.
void encode_image(const RecordImage& image, Buffer& out);
void encode_delta(const DeltaSource& delta, Buffer& out);
/// The delta that makes this change; what is overwritten does not travel.
void encode_delta(const RecordChange& change, Buffer& out);

/// Each replaces the content of `view`. Every claim is checked: types, names, order, limits, that
/// nothing is left over. Errors: corrupt, limit_exceeded; `view` is then of no use.
[[nodiscard]] Result<void> decode_image(Bytes image, DeltaView& view);
[[nodiscard]] Result<void> decode_delta(Bytes delta, DeltaView& view);
[[nodiscard]] Result<RecordImage> to_image(Bytes image);
/// The record that a decoded image describes.
[[nodiscard]] RecordImage make_image(const DeltaView& view);

}  // namespace understudy::record
