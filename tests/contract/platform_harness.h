#pragma once

#include <memory>
#include <string>

#include "tests/contract/harness.h"

namespace understudy::contract {

/// Real loops on loopback, driven by the test's thread one after the other.
[[nodiscard]] std::unique_ptr<Harness> make_platform_harness(std::size_t nodes);
/// The same, and all streams are encrypted.
[[nodiscard]] std::unique_ptr<Harness> make_tls_harness(std::size_t nodes);

/// A directory that goes with all that is in it.
class ScratchDirectory {
public:
    ScratchDirectory();
    ~ScratchDirectory();
    ScratchDirectory(const ScratchDirectory&) = delete;
    ScratchDirectory& operator=(const ScratchDirectory&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
};

}  // namespace understudy::contract
