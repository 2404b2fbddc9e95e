#include "platform/network/tls_validity.h"

#include <gtest/gtest.h>

namespace understudy::platform {
namespace {

constexpr std::int64_t day = 86'400;
constexpr Validity year{.begins_s = 1000 * day, .ends_s = 1365 * day};

TEST(Validity, ACertificateIsGoodUntilThirtyDaysBeforeItsEnd) {
    EXPECT_EQ(standing(year, 1000 * day - 1), Standing::not_yet);
    EXPECT_EQ(standing(year, 1000 * day), Standing::good);
    EXPECT_EQ(standing(year, 1335 * day), Standing::good);
    EXPECT_EQ(standing(year, 1335 * day + 1), Standing::ends_soon);
    EXPECT_EQ(standing(year, 1365 * day), Standing::ends_soon);
    EXPECT_EQ(standing(year, 1365 * day + 1), Standing::expired);
}

TEST(Validity, OneThatIsRenewedDailyIsNotComplainedAboutAllDay) {
    const Validity a_day{.begins_s = 0, .ends_s = day};
    EXPECT_EQ(warned_before_s(a_day), day / 3);
    EXPECT_EQ(standing(a_day, day / 2), Standing::good);
    EXPECT_EQ(standing(a_day, day * 3 / 4), Standing::ends_soon);
}

TEST(ExpiryWatch, WhatIsNotGoodIsToldAtOnceAndThenOnceADay) {
    ExpiryWatch watch;
    EXPECT_TRUE(watch.worth_telling(Standing::ends_soon, 0));
    EXPECT_FALSE(watch.worth_telling(Standing::ends_soon, day - 1));
    EXPECT_TRUE(watch.worth_telling(Standing::ends_soon, day));
    EXPECT_FALSE(watch.worth_telling(Standing::ends_soon, day + 3600));
    EXPECT_TRUE(watch.worth_telling(Standing::ends_soon, 2 * day));
}

TEST(ExpiryWatch, ItsEndIsToldAtOnceAndGoodNewsNever) {
    ExpiryWatch watch;
    EXPECT_FALSE(watch.worth_telling(Standing::good, 0));
    EXPECT_FALSE(watch.worth_telling(Standing::good, 5 * day));
    EXPECT_TRUE(watch.worth_telling(Standing::ends_soon, 5 * day + 1));
    EXPECT_TRUE(watch.worth_telling(Standing::expired, 5 * day + 2));
    EXPECT_FALSE(watch.worth_telling(Standing::expired, 5 * day + 3));
    EXPECT_FALSE(watch.worth_telling(Standing::good, 5 * day + 4));
}

TEST(Validity, DatesAreInUniversalTime) {
    EXPECT_EQ(date_text(0), "1970-01-01 00:00:00 UTC");
    EXPECT_EQ(date_text(1'796'040'000), "2026-11-30 12:00:00 UTC");
}

}  // namespace
}  // namespace understudy::platform
