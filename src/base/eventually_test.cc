#include "base/eventually_test.h"

#include <chrono>
#include <optional>

#include <gtest/gtest.h>

namespace understudy {
namespace {

TEST(Eventually, AsksOncePerTryAndReturnsWhatItWasTold) {
    int asked = 0;
    // This is true only once.
    EXPECT_TRUE(eventually([&] { return ++asked == 3; }));
    EXPECT_EQ(asked, 3);

    const auto found = eventually([&]() -> std::optional<int> {
        if (++asked < 6) return std::nullopt;
        return asked;
    });
    EXPECT_EQ(found, 6);
}

TEST(Eventually, GivesUpWhenTimeIsUpAndAsksAtLeastOnce) {
    int asked = 0;
    EXPECT_FALSE(eventually([&] { return ++asked == 0; }, std::chrono::milliseconds(0)));
    EXPECT_EQ(asked, 1);
}

}  // namespace
}  // namespace understudy
