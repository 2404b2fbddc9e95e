#pragma once

#include <memory>
#include <string>

#include "tests/contract/harness.h"

namespace understudy::contract {

/// Real loops on loopback, driven by the test's thread one after the other.
[[nodiscard]] std::unique_ptr<Harness> make_platform_harness(std::size_t nodes);
/// The same, and all streams are encrypted.
[[nodiscard]] std::unique_ptr<Harness> make_tls_harness(std::size_t nodes);

}  // namespace understudy::contract
