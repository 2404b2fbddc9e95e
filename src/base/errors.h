#pragma once

#include <string>
#include <utility>

#include "understudy/result.h"

namespace understudy {

// The errors that most functions return. Effect: none.

/// Bytes contradict their checksum or their format.
[[nodiscard]] inline Error corrupt(std::string detail) {
    return {.code = Errc::corrupt, .detail = std::move(detail)};
}

/// An option or an argument is wrong.
[[nodiscard]] inline Error bad_config(std::string detail) {
    return {.code = Errc::bad_config, .detail = std::move(detail)};
}

/// The same error with effect none, for an operation that had no effect when it failed.
[[nodiscard]] inline Error without_effect(Error error) {
    error.effect = Effect::none;
    return error;
}

}  // namespace understudy
