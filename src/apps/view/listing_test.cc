#include "apps/view/listing.h"

#include <gtest/gtest.h>

namespace understudy::apps {
namespace {

using wire::Dynamic;

[[nodiscard]] Listing sample() {
    return {.columns = {{.key = "name", .title = "NAME"},
                        {.key = "size", .title = "SIZE"},
                        {.key = "secret", .title = ""}},
            .rows = {{{"name", "a"}, {"size", 12}, {"more", true}}, {{"name", "longer, \"b\""}}},
            .name_key = "name"};
}

TEST(Listing, AnUnknownFormatIsRefused) {
    const auto format = parse_format("yaml");
    ASSERT_FALSE(format);
    EXPECT_EQ(format.error().code, Errc::bad_config);
}

TEST(Listing, OthersTextsDoNotSteerTheTerminal) {
    EXPECT_EQ(printable("a\x1b[2Jb\n\tc\x7f"), "a\\x1b[2Jb\\n\\tc\\x7f");
    EXPECT_EQ(printable("\xc2\x9b!"), "\\xc2\\x9b!");  // CSI as one character.
    EXPECT_EQ(printable("\xff\xc3("), "\\xff\\xc3(");
    EXPECT_EQ(printable("caf\xc3\xa9 \xe2\x82\xac"), "caf\xc3\xa9 \xe2\x82\xac");
    EXPECT_EQ(printable("\xe2\x82"), "\\xe2\\x82");  // Cut short.
}

TEST(Listing, ATableAlignsItsColumnsAndHasNoTrailingBlanks) {
    EXPECT_EQ(to_text(sample(), Format::table, Paint::plain),
              "NAME         SIZE\n"
              "a            12\n"
              "longer, \"b\"  -\n");
}

TEST(Listing, ATableOnATerminalHasTheSameTextAndColours) {
    const std::string text = to_text(sample(), Format::table, Paint::terminal);
    EXPECT_NE(text.find("\x1b[1mSIZE\x1b[0m"), std::string::npos);
    EXPECT_EQ(to_text(sample(), Format::csv, Paint::terminal).find('\x1b'), std::string::npos);
}

TEST(Listing, JsonShowsAllOfARow) {
    EXPECT_EQ(to_text(sample(), Format::jsonl, Paint::plain),
              "{\"more\":true,\"name\":\"a\",\"size\":12}\n{\"name\":\"longer, \\\"b\\\"\"}\n");
    EXPECT_EQ(to_text({}, Format::json, Paint::plain), "[]\n");
    EXPECT_TRUE(to_text(sample(), Format::json, Paint::plain).starts_with("[\n  {\"more\""));
}

TEST(Listing, CsvQuotesWhatNeedsIt) {
    EXPECT_EQ(to_text(sample(), Format::csv, Paint::plain),
              "name,size,secret\na,12,\n\"longer, \"\"b\"\"\",,\n");
}

TEST(Listing, NamesStandOnePerLine) {
    EXPECT_EQ(to_text(sample(), Format::name, Paint::plain), "a\nlonger, \"b\"\n");
}

TEST(Listing, WidthCountsCharactersNotBytes) {
    EXPECT_EQ(width("\xe2\x82\xac"), 1U);
    EXPECT_EQ(padded("\xe2\x82\xac", 3), "\xe2\x82\xac  ");
    EXPECT_EQ(padded("abcd", 3), "abcd");
}

}  // namespace
}  // namespace understudy::apps
