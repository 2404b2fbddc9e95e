#include "base/lifetime.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>

namespace understudy {
namespace {

TEST(Lifetime, ACallbackRunsAsOftenAsItIsCalledWhileTheLifeGoesOn) {
    Lifetime life;
    std::string heard;
    const std::function<void(std::string)> callback =
        life.guarded([&](std::string word) { heard += word; });
    callback("a");
    callback("b");
    EXPECT_EQ(heard, "ab");
}

TEST(Lifetime, NothingRunsOnceItHasEnded) {
    std::optional<Lifetime> life(std::in_place);
    int runs = 0;
    const std::function<void()> callback = life->guarded([&] { ++runs; });
    const auto watch = life->watch();
    EXPECT_FALSE(watch.ended());
    life.reset();
    callback();
    EXPECT_EQ(runs, 0);
    EXPECT_TRUE(watch.ended());
}

TEST(Lifetime, WhatWasMadeForAnEarlierPartDoesNotRunInALaterOne) {
    Lifetime life;
    std::string heard;
    const std::function<void()> first = life.guarded([&] { heard += "first"; });
    life.begin_again();
    const std::function<void()> second = life.guarded([&] { heard += "second"; });
    first();
    EXPECT_EQ(heard, "");
    second();
    EXPECT_EQ(heard, "second");
    life.end();
    second();
    EXPECT_EQ(heard, "second");
    EXPECT_TRUE(life.watch().ended());
}

TEST(Lifetime, ACallbackMayEndTheLifeThatItIsFor) {
    struct Owner {
        Lifetime life;
    };
    auto owner = std::make_unique<Owner>();
    int runs = 0;
    const std::function<void()> callback = owner->life.guarded([&] {
        const auto here = owner->life.watch();
        ++runs;
        owner.reset();
        EXPECT_TRUE(here.ended());
    });
    callback();
    callback();
    EXPECT_EQ(runs, 1);
}

TEST(Lifetime, ArgumentsArePassedOnWithoutACopy) {
    Lifetime life;
    std::unique_ptr<int> taken;
    auto callback = life.guarded([&](std::unique_ptr<int> value) { taken = std::move(value); });
    callback(std::make_unique<int>(7));
    ASSERT_NE(taken, nullptr);
    EXPECT_EQ(*taken, 7);
}

}  // namespace
}  // namespace understudy
