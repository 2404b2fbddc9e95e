#include "replicated/group/founding.h"

#include <gtest/gtest.h>

namespace understudy::replicated {
namespace {

const std::vector<Member> founders = {{"a", {"a", 1}, MemberKind::data},
                                      {"b", {"b", 1}, MemberKind::data},
                                      {"w", {"w", 1}, MemberKind::witness}};
constexpr GroupId group{9};

TEST(Founding, TheFirstWaitsForEverybody) {
    Founding founding(group, "a", founders);
    EXPECT_TRUE(founding.collects());
    founding.heard("b", 20);
    founding.heard("stranger", 40);
    EXPECT_FALSE(founding.complete(10));
    EXPECT_EQ(founding.missing(), std::vector<std::string>{"w"});
    founding.heard("w", 30);
    const auto members = founding.complete(10);
    ASSERT_TRUE(members);
    ASSERT_EQ(members->rows().size(), 3u);
    EXPECT_EQ(members->rows()[1].id, server_of(20, group));
    EXPECT_EQ(members->rows()[2].member.kind, MemberKind::witness);
}

TEST(Founding, WhoHasLeftIsHeardAnew) {
    Founding founding(group, "a", founders);
    founding.heard("b", 20);
    founding.heard("w", 30);
    founding.lost("b");
    EXPECT_FALSE(founding.complete(10));
    founding.heard("b", 21);
    EXPECT_EQ(founding.complete(10)->rows()[1].id, server_of(21, group));
}

TEST(Founding, AListOfOtherFoundersIsRefused) {
    Founding first(group, "a", founders);
    first.heard("b", 20);
    first.heard("w", 30);
    const Members members = *first.complete(10);
    EXPECT_TRUE(Founding(group, "b", founders).accept(members, 20));
    EXPECT_EQ(Founding(group, "b", {founders[1], founders[0], founders[2]})
                  .accept(members, 20)
                  .error()
                  .code,
              Errc::bad_config);
    EXPECT_EQ(Founding(group, "b", founders).accept(members, 21).error().code, Errc::corrupt);
}

TEST(Founding, ThoseThatAreMissingForLongAreNamedOnce) {
    using Names = std::vector<std::string>;
    const TimePoint start = TimePoint{} + 1h;
    Founding founding(group, "a", founders);
    EXPECT_EQ(founding.long_missing(start), Names{});
    EXPECT_EQ(founding.long_missing(start + 999ms), Names{});
    EXPECT_EQ(founding.long_missing(start + Founding::patience), (Names{"b", "w"}));
    EXPECT_EQ(founding.long_missing(start + 1min), Names{});
    founding.heard("b", 20);
    EXPECT_EQ(founding.long_missing(start + 1min), Names{}) << "others are missing than before";
    EXPECT_EQ(founding.long_missing(start + 2min), Names{"w"});
}

}  // namespace
}  // namespace understudy::replicated
