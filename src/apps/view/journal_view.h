#pragma once

#include <string>

#include "apps/view/listing.h"
#include "journal/walk/walk.h"
#include "wire/dynamic.h"

namespace understudy::apps {

enum class BodyAs : std::uint8_t { none, text, hex };

[[nodiscard]] std::string_view entry_type(journal::EntryType type);
/// What `inspect` shows people: a few lines, then tables.
[[nodiscard]] std::string walked_text(const journal::Walked& walked, const std::string& directory,
                                      Paint paint);
[[nodiscard]] wire::Dynamic::Map walked_json(const journal::Walked& walked,
                                             const std::string& directory);
[[nodiscard]] Listing list_segments(const journal::Walked& walked);
[[nodiscard]] Listing list_damages(const journal::Walked& walked);
/// What `verify` says of a journal that is as it should be, or of one that is not.
[[nodiscard]] std::string verdict_text(const journal::Walked& walked, const std::string& directory);
[[nodiscard]] wire::Dynamic::Map verdict_json(const journal::Walked& walked,
                                              const std::string& directory);

/// Nothing for BodyAs::none.
[[nodiscard]] wire::Dynamic body_as(Bytes body, BodyAs how);

}  // namespace understudy::apps
