#include "base/utf8.h"

#include <string>

#include <gtest/gtest.h>

namespace understudy {
namespace {

TEST(Utf8, MalformedTextIsRefused) {
    for (const std::string text : {
             "\x80",              // A continuation byte alone.
             "\xc0\xaf",          // '/' in two bytes, a known attack on filters.
             "\xc1\xbf",          // Overlong.
             "\xe0\x80\xaf",      // Overlong.
             "\xf0\x80\x80\xaf",  // Overlong.
             "\xed\xa0\x80",      // A surrogate.
             "\xf4\x90\x80\x80",  // Above U+10FFFF.
             "\xf5\x80\x80\x80",
             "\xff",
             "\xc3",
             "\xe2\x82",
             "\xf0\x9f\x98",
             "\xc3(",
             "12345678\xc3",
             "1234567\xe2\x82",
         }) {
        EXPECT_FALSE(is_utf8(text)) << text;
    }
}

TEST(Utf8, WellFormedTextIsAccepted) {
    for (const std::string text :
         {"", "a", "plain text, longer than a word", "Zürich", "\xc2\x80", "\xdf\xbf", "€",
          "\xed\x9f\xbf", "\xee\x80\x80", "\xf0\x90\x80\x80", "😀", "\xf4\x8f\xbf\xbf",
          "1234567é89012345"}) {
        EXPECT_TRUE(is_utf8(text)) << text;
    }
}

// Every two-byte text is compared with the definition: U+0000 to U+007F twice, or one of U+0080 to
// U+07FF.
TEST(Utf8, EveryPairOfBytesIsJudgedRight) {
    for (unsigned first = 0; first < 256; ++first) {
        for (unsigned second = 0; second < 256; ++second) {
            const char text[] = {static_cast<char>(first), static_cast<char>(second)};
            const bool two_ascii = first < 0x80 && second < 0x80;
            const bool one_pair =
                first >= 0xc2 && first <= 0xdf && second >= 0x80 && second <= 0xbf;
            EXPECT_EQ(is_utf8({text, 2}), two_ascii || one_pair) << first << " " << second;
        }
    }
}

}  // namespace
}  // namespace understudy
