#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "understudy/result.h"

namespace understudy {

/// A temporary directory for a test or a benchmark. It is deleted at the end with its contents.
class Scratch {
public:
    Scratch() {
        path = std::filesystem::temp_directory_path() / "understudy-scratch-XXXXXX";
        US_ASSERT(::mkdtemp(path.data()) != nullptr);
    }
    ~Scratch() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    std::string path;
};

}  // namespace understudy
