#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "understudy/result.h"

namespace understudy {

/// A directory of its own for a test or a benchmark, removed at the end.
class Scratch {
public:
    Scratch() {
        std::string pattern = std::filesystem::temp_directory_path() / "understudy-public-XXXXXX";
        US_ASSERT(::mkdtemp(pattern.data()) != nullptr);
        path = pattern;
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    ~Scratch() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }

    std::string path;
};

}  // namespace understudy
