#pragma once

#include <cstddef>

#include "record/codec.h"
#include "understudy/record.h"
#include "understudy/types.h"

namespace understudy::record {

/// Sets `image` to the decoded image and returns its size_bytes(). `change`, if not null, gets what
/// changed: every field of the new image as put, every field that it lacks as removed.
std::size_t replace(RecordImage& image, const DeltaView& view, RecordChange* change = nullptr);
/// Applies a decoded delta to `image`. To remove a field that is not there is no change. The maps
/// of `change` are replaced, and their memory is used again. Returns by how much size_bytes()
/// grows.
std::ptrdiff_t apply(RecordImage& image, const DeltaView& view, RecordChange* change = nullptr);
/// The return value that apply() would have.
[[nodiscard]] std::ptrdiff_t growth(const RecordImage& image, const DeltaView& view);
/// Checks that `image`, which has `size_bytes` now, does not exceed record_size_max with the delta.
/// Counts exactly only near the bound.
[[nodiscard]] Result<void> check_growth(const RecordImage& image, std::size_t size_bytes,
                                        const DeltaView& view);

}  // namespace understudy::record
