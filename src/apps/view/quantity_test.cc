#include "apps/view/quantity.h"

#include <gtest/gtest.h>

#include "understudy/types.h"

namespace understudy::apps {
namespace {

TEST(Quantity, WhatIsNoSizeIsRefused) {
    for (const char* text : {"", "K", "1.5MiB", "-1", "1 XB", "99999999999999999999", "1MiB2"}) {
        EXPECT_EQ(parse_size(text), std::nullopt) << text;
    }
}

TEST(Quantity, ASizeThatDoesNotFitIsRefused) {
    EXPECT_EQ(parse_size("18446744073709551615GiB"), std::nullopt);
    EXPECT_EQ(parse_size("18446744073709551615"), 18446744073709551615ULL);
}

TEST(Quantity, SizesAreRead) {
    EXPECT_EQ(parse_size("4096"), 4096U);
    EXPECT_EQ(parse_size("64KiB"), 64 * KiB);
    EXPECT_EQ(parse_size("1 MiB"), 1 * MiB);
    EXPECT_EQ(parse_size("2G"), 2 * GiB);
}

TEST(Quantity, ADurationWithoutItsUnitIsRefused) {
    for (const char* text : {"", "5", "s", "5 parsecs", "-1s", "1.2.3s", "1e3s"}) {
        EXPECT_EQ(parse_duration_ms(text), std::nullopt) << text;
    }
}

TEST(Quantity, DurationsAreRead) {
    EXPECT_EQ(parse_duration_ms("200ms"), 200U);
    EXPECT_EQ(parse_duration_ms("1.5s"), 1500U);
    EXPECT_EQ(parse_duration_ms("2m"), 120'000U);
    EXPECT_EQ(parse_duration_ms("0ms"), 0U);
}

TEST(Quantity, WhoForgetsAUnitIsToldWhichThereAre) {
    EXPECT_EQ(duration_advice("5"), "the unit is missing, as in 5s (ms, s, m or h)");
    EXPECT_EQ(duration_advice("1.5"), "the unit is missing, as in 5s (ms, s, m or h)");
    EXPECT_EQ(duration_advice("5 parsecs"), "parsecs is not a unit here, as in 5s (ms, s, m or h)");
    EXPECT_EQ(duration_advice("soon"), "a number and its unit, as in 5s (ms, s, m or h)");
    EXPECT_EQ(duration_advice("1.2.3s"), "a number and its unit, as in 1.5s (ms, s, m or h)");
    EXPECT_EQ(size_advice("1MB"), "MB is not a unit here, as in 1MiB (B, KiB, MiB or GiB)");
    EXPECT_EQ(size_advice("1.5MiB"),
              "a whole number and its unit, as in 64MiB (B, KiB, MiB or GiB)");
    EXPECT_EQ(size_advice(""), "a number and its unit, as in 64MiB (B, KiB, MiB or GiB)");
    EXPECT_EQ(size_advice("18446744073709551615GiB"), "a smaller number");
}

TEST(Quantity, WhatIsWrittenReadsBack) {
    for (const std::uint64_t size : {0ULL, 1ULL, 1024ULL, 1025ULL, 3ULL << 20, 5ULL << 30}) {
        EXPECT_EQ(parse_size(format_size(size)), size);
    }
    for (const std::uint64_t duration : {0ULL, 1ULL, 999ULL, 1000ULL, 61'500ULL}) {
        EXPECT_EQ(parse_duration_ms(format_duration_ms(duration)), duration);
    }
}

TEST(Quantity, TimesForPeopleHaveThreeDigitsThatMatter) {
    EXPECT_EQ(humane_us(0), "0 us");
    EXPECT_EQ(humane_us(850), "850 us");
    EXPECT_EQ(humane_us(3421), "3.42 ms");
    EXPECT_EQ(humane_us(34210), "34.2 ms");
    EXPECT_EQ(humane_us(342100), "342 ms");
    EXPECT_EQ(humane_us(1'200'000), "1.20 s");
    EXPECT_EQ(humane_us(125ULL * 60'000'000), "2 h 5 min");
    EXPECT_EQ(humane_us(49ULL * 3'600'000'000), "2 d 1 h");
}

}  // namespace
}  // namespace understudy::apps
