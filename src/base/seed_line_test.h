#pragma once

#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "base/repeat_line_test.h"

namespace understudy {

/// Prints the seed of a test that dies (RepeatLine). For tests that run many seeds.
class SeedLine {
public:
    explicit SeedLine(std::uint64_t seed)
        : line_("REPRO seed " + std::to_string(seed) + " of " + test()) {}

private:
    static std::string test() {
        const auto* const now = testing::UnitTest::GetInstance()->current_test_info();
        if (now == nullptr) return "no test";
        return std::string(now->test_suite_name()) + "." + now->name();
    }

    const RepeatLine line_;
};

}  // namespace understudy
