#pragma once

#include <string>

#include "apps/view/listing.h"
#include "journal/walk/walk.h"
#include "wire/dynamic.h"

namespace understudy::apps {

enum class BodyAs : std::uint8_t { none, text, hex };

[[nodiscard]] std::string_view entry_type(journal::EntryType type);
/// The output of `inspect` for people: a few lines, then tables.
[[nodiscard]] std::string walked_text(const journal::Walked& walked, const std::string& directory,
                                      Paint paint);
[[nodiscard]] wire::Dynamic::Map walked_json(const journal::Walked& walked,
                                             const std::string& directory);
[[nodiscard]] Listing list_segments(const journal::Walked& walked);
[[nodiscard]] Listing list_damages(const journal::Walked& walked);
/// The output of `verify`, for an intact or a damaged journal.
[[nodiscard]] std::string verdict_text(const journal::Walked& walked, const std::string& directory);
[[nodiscard]] wire::Dynamic::Map verdict_json(const journal::Walked& walked,
                                              const std::string& directory);

/// The body in the given form; empty for BodyAs::none.
[[nodiscard]] wire::Dynamic body_as(Bytes body, BodyAs how);

}  // namespace understudy::apps
