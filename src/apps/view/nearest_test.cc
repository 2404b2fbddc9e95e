#include "apps/view/nearest.h"

#include <gtest/gtest.h>

namespace understudy::apps {
namespace {

TEST(Nearest, NothingIsOfferedForAWordThatIsFarFromAll) {
    EXPECT_EQ(nearest("zzzzzz", {"registry", "service"}), std::nullopt);
    EXPECT_EQ(nearest("", {"a"}), std::nullopt);
    EXPECT_EQ(nearest("x", {}), std::nullopt);
}

TEST(Nearest, AVeryLongWordIsNotCompared) {
    EXPECT_EQ(nearest(std::string(65, 'a'), {std::string(65, 'a')}), std::nullopt);
}

TEST(Nearest, OneSlipIsFound) {
    EXPECT_EQ(nearest("servce", {"registry", "service", "record"}), "service");
    EXPECT_EQ(nearest("rgeistry", {"registry", "service"}), "registry");
    EXPECT_EQ(nearest("registry.lsten", {"registry.listen", "registry.data"}), "registry.listen");
}

TEST(Nearest, OfTwoTheNearerIsOffered) {
    EXPECT_EQ(nearest("get", {"set", "get"}), "get");
    EXPECT_EQ(nearest("lists", {"last", "list"}), "list");
}

}  // namespace
}  // namespace understudy::apps
