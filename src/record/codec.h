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
//     image   varint count, field[count];
//             varint count, {name, varint count > 0, field[count]}[count]
//     change  varint count, field[count] put; varint count, name[count] removed
//     delta   change; varint count, {name, change not empty}[count]; not empty as a whole
//
// Fields, names and sub-maps stand in strictly ascending byte order of their names, and no name is
// both put and removed: equal content has equal bytes.

/// A view of an encoded value.
struct ValueView {
    ValueType type = ValueType::text;
    std::uint64_t bits = 0;  ///< For an integer or a real.
    Bytes bytes = {};        ///< For text or bytes.

    [[nodiscard]] Value value() const;
    void assign_to(Value& value) const;  ///< Uses the memory of `value` again where possible.
};

struct FieldView {
    std::string_view name;
    ValueView value;
};

/// A decoded image or delta: views into its bytes. When it is used again, it allocates nothing.
struct DeltaView {
    /// The part of one map. The ranges are indexes into `puts` and `removed`.
    struct Section {
        std::string_view submap;
        std::size_t puts_begin = 0, puts_end = 0;
        std::size_t removed_begin = 0, removed_end = 0;
    };
    std::vector<Section> sections;  ///< The record's own fields first, then its sub-maps.
    std::vector<FieldView> puts;
    std::vector<std::string_view> removed;
};

/// The source of a delta: references to names and values that are kept elsewhere. As DeltaView.
struct DeltaSource {
    struct Put {
        std::string_view name;
        const Value* value;
    };
    std::vector<DeltaView::Section> sections;
    std::vector<Put> puts;
    std::vector<std::string_view> removed;
};

/// The size that record_size_max bounds: that of the encoded image with the widest counts. So a
/// field adds the same number of bytes in every place.
[[nodiscard]] std::size_t size_bytes(const RecordImage& image);
[[nodiscard]] std::size_t field_size_bytes(std::string_view name, const Value& value);
[[nodiscard]] std::size_t field_size_bytes(const FieldView& field);
[[nodiscard]] std::size_t submap_size_bytes(std::string_view name);
inline constexpr std::size_t count_size_max = 3;  ///< A varint up to fields_max.
inline constexpr std::size_t image_size_min = 2 * count_size_max;

/// The size of a delta between any two records: the names of all removed fields, and all put
/// fields. A removed field takes at least two bytes less than in the image, and at most 4,049
/// fields with the longest names fit in a record.
inline constexpr std::size_t delta_size_max = 2 * record_size_max - 4 * KiB;

/// The number of fields of an image, with those in sub-maps.
[[nodiscard]] std::size_t count_fields(const RecordImage& image);

/// Each replaces the content of `out`.
/// Requires: the order and the limits above.
void encode_image(const RecordImage& image, Buffer& out);
void encode_delta(const DeltaSource& delta, Buffer& out);
/// The delta that makes this change. Overwritten values are not part of it.
void encode_delta(const RecordChange& change, Buffer& out);

/// Each replaces the content of `view`. All is checked: types, names, order, limits, and that no
/// bytes are left over.
/// Errors: corrupt, limit_exceeded; the content of `view` is undefined then.
[[nodiscard]] Result<void> decode_image(Bytes image, DeltaView& view);
[[nodiscard]] Result<void> decode_delta(Bytes delta, DeltaView& view);
[[nodiscard]] Result<RecordImage> to_image(Bytes image);
/// The record that a decoded image describes.
[[nodiscard]] RecordImage make_image(const DeltaView& view);

}  // namespace understudy::record
