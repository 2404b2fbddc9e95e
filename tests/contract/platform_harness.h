#pragma once

#include <memory>
#include <string>

#include "tests/contract/harness.h"

namespace understudy::contract {

/// Real loops on loopback; the test's thread runs them one after the other.
[[nodiscard]] std::unique_ptr<Harness> make_platform_harness(std::size_t nodes);
/// The same with encrypted streams.
[[nodiscard]] std::unique_ptr<Harness> make_tls_harness(std::size_t nodes);

}  // namespace understudy::contract
