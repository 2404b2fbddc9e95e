#pragma once

#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "base/repeat_line_test.h"

namespace understudy {

/// Says of which seed a test ran when it died (RepeatLine), for tests that run many.
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
