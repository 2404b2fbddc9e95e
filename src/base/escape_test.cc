#include "base/escape.h"

#include <gtest/gtest.h>

namespace understudy {
namespace {

[[nodiscard]] std::string escaped(std::string_view text, Escapes escapes) {
    std::string out;
    append_escaped(out, text, escapes);
    return out;
}

TEST(Escape, JsonHasShortAndNumberedForms) {
    EXPECT_EQ(escaped("\"\\\b\f\n\r\t", Escapes::json), "\\\"\\\\\\b\\f\\n\\r\\t");
    EXPECT_EQ(escaped({"\0\x1b\x7f", 3}, Escapes::json), "\\u0000\\u001b\\u007f");
    EXPECT_EQ(escaped("a\xc2\x9b!", Escapes::json), "a\\u009b!");
}

TEST(Escape, ForATerminalQuotesStay) {
    EXPECT_EQ(escaped("\"\\\b\f\n\r\t", Escapes::terminal), "\"\\\\x08\\x0c\\n\\x0d\\t");
    EXPECT_EQ(escaped("a\xc2\x9b!", Escapes::terminal), "a\\xc2\\x9b!");
}

TEST(Escape, BytesThatAreNotUtf8AreReplacedOneByOne) {
    EXPECT_EQ(escaped("\xff\xe2\x82", Escapes::json), "\\ufffd\\ufffd\\ufffd");
    EXPECT_EQ(escaped("\xff\xe2\x82", Escapes::terminal), "\\xff\\xe2\\x82");
}

TEST(Escape, OtherCharactersStay) {
    for (const Escapes escapes : {Escapes::json, Escapes::terminal}) {
        EXPECT_EQ(escaped("", escapes), "");
        EXPECT_EQ(escaped("caf\xc3\xa9 \xe2\x82\xac", escapes), "caf\xc3\xa9 \xe2\x82\xac");
    }
    std::string quoted = "x=";
    append_quoted(quoted, "a\"b");
    EXPECT_EQ(quoted, "x=\"a\\\"b\"");
}

}  // namespace
}  // namespace understudy
