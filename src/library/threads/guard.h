#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include "base/log.h"

namespace understudy::library {

/// Calls code of the application. An exception from it is caught and logged under `what`.
template <class Function>
void guarded(Log& log, std::string_view what, Function&& function) noexcept {
    try {
        std::forward<Function>(function)();
    } catch (const std::exception& exception) {
        log.error("callback.threw", {kv("callback", what), kv("what", exception.what())});
    } catch (...) {
        log.error("callback.threw", {kv("callback", what), kv("what", "not a std::exception")});
    }
}

}  // namespace understudy::library
