#pragma once

#include <cstddef>
#include <string_view>

namespace understudy {

/// True if `text` is well-formed UTF-8: no overlong form, no surrogate, nothing above U+10FFFF.
/// Source: Unicode 15, table 3-7.
[[nodiscard]] bool is_utf8(std::string_view text);
/// The bytes of the character that `text` begins with; 0: none, or a malformed one.
[[nodiscard]] std::size_t character_size(std::string_view text);

}  // namespace understudy
