#pragma once

#include <cstddef>

#include "record/codec.h"
#include "understudy/record.h"
#include "understudy/types.h"

namespace understudy::record {

/// Makes `image` what the decoded image says, and returns its size_bytes(). `change`, if wanted,
/// gets its maps: every field as put, vanished ones as removed.
std::size_t replace(RecordImage& image, const DeltaView& view, RecordChange* change = nullptr);
/// Carries a decoded delta out on `image`; removing what is not there is no change. What was in the
/// maps of `change` is replaced, and its memory used again. Returns by how much size_bytes() grows.
std::ptrdiff_t apply(RecordImage& image, const DeltaView& view, RecordChange* change = nullptr);
/// What apply() would return.
[[nodiscard]] std::ptrdiff_t growth(const RecordImage& image, const DeltaView& view);
/// Will `image`, of `size_bytes`, keep to record_size_max? Looks closely only near the bound.
[[nodiscard]] Result<void> check_growth(const RecordImage& image, std::size_t size_bytes,
                                        const DeltaView& view);

}  // namespace understudy::record
