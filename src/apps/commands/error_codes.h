#pragma once

#include <span>
#include <string_view>

#include "understudy/result.h"

namespace understudy::apps {

struct ErrorCode {
    Errc code;
    std::string_view meaning;
    std::string_view what_to_do;
};

/// All codes, in the order of their numbers.
[[nodiscard]] std::span<const ErrorCode> error_codes();

}  // namespace understudy::apps
