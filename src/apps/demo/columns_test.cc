#include "apps/demo/columns.h"

#include <gtest/gtest.h>

namespace understudy::apps::demo {
namespace {

TEST(Columns, ALineStandsInItsColumn) {
    const Columns columns({{"One", 4}, {"Two", 6}}, Paint::plain);
    EXPECT_EQ(columns.header(), "     ms | One  | Two\n--------+------+-------\n");
    EXPECT_EQ(columns.line(12, 0, "abc"), "     12 | abc  |\n");
    EXPECT_EQ(columns.line(3, 1, "x"), "      3 |      | x\n");
    EXPECT_EQ(columns.act("kill"), "--- kill\n");
}

TEST(Columns, ALongLineIsWrappedAtBlanks) {
    EXPECT_EQ(wrapped("one two three", 7), (std::vector<std::string>{"one two", "three"}));
    EXPECT_EQ(wrapped("abcdefgh", 3), (std::vector<std::string>{"abc", "def", "gh"}));
    EXPECT_EQ(wrapped("", 3), (std::vector<std::string>{""}));
    const Columns columns({{"One", 4}, {"Two", 6}}, Paint::plain);
    EXPECT_EQ(columns.line(1, 0, "ab cdefg"),
              "      1 | ab   |\n        | cdef |\n        | g    |\n");
}

}  // namespace
}  // namespace understudy::apps::demo
