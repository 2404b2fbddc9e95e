#include "library/registry/registry_nodes.h"

#include <gtest/gtest.h>

#include "library/engine.h"

namespace understudy::library {
namespace {

TEST(RegistryNodes, AreReadInTheOrderGiven) {
    const auto nodes = parse_nodes("r2=10.0.0.2:22222,r1=[::1]:7");
    ASSERT_TRUE(nodes);
    ASSERT_EQ(nodes->size(), 2u);
    EXPECT_EQ((*nodes)[0], (registry::Node{"r2", {"10.0.0.2", 22222}}));
    EXPECT_EQ((*nodes)[1], (registry::Node{"r1", {"::1", 7}}));
}

TEST(RegistryNodes, WhatOthersCouldNotDialIsRefused) {
    for (const char* text : {"", "r1", "r1=", "r1=host", "r1=:22222", "r1=host:0", "=host:1",
                             "../r1=host:1", "r1=host:1,", "r1=host:1,,r2=host:2"}) {
        const auto nodes = parse_nodes(text);
        ASSERT_FALSE(nodes) << text;
        EXPECT_EQ(nodes.error().code, Errc::bad_config) << text;
    }
}

class Several : public testing::Test {
protected:
    void SetUp() override {
        if (engine() == nullptr) GTEST_SKIP() << "this build has no replicated journal";
    }
    std::vector<registry::Node> three = *parse_nodes("r1=a:1,r2=a:2,r3=a:3");
};

TEST_F(Several, ANodeAmongItsPeersIsFoundAtItsPlace) {
    const auto several = several_nodes("r2", three, std::nullopt);
    ASSERT_TRUE(several);
    EXPECT_EQ(several->address, (Address{"a", 2}));
    EXPECT_EQ(several->founders.size(), 3u);
}

TEST_F(Several, WhatIsAdvertisedCountsMore) {
    const auto several = several_nodes("r2", three, Address{"outside", 9});
    ASSERT_TRUE(several);
    EXPECT_EQ(several->address, (Address{"outside", 9}));
}

TEST_F(Several, ANodeThatIsNotAmongItsPeersSaysWhereItIs) {
    EXPECT_FALSE(several_nodes("r4", three, std::nullopt));
    const auto several = several_nodes("r4", three, Address{"a", 4});
    ASSERT_TRUE(several);
    EXPECT_EQ(several->address, (Address{"a", 4}));
}

TEST_F(Several, TwoOfOneNameOrAddressAreRefused) {
    EXPECT_FALSE(several_nodes("r1", *parse_nodes("r1=a:1,r1=a:2"), std::nullopt));
    EXPECT_FALSE(several_nodes("r1", *parse_nodes("r1=a:1,r2=a:1"), std::nullopt));
}

TEST_F(Several, OneAloneIsNotSeveral) {
    EXPECT_FALSE(several_nodes("r1", *parse_nodes("r1=a:1"), std::nullopt));
}

}  // namespace
}  // namespace understudy::library
