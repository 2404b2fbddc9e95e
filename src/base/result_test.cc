#include "understudy/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

namespace understudy {
namespace {

Error refusal() { return {.code = Errc::refused, .detail = "no"}; }

Result<int> half(int number) {
    if (number % 2 != 0) return refusal();
    return number / 2;
}

Result<void> even(int number) {
    if (number % 2 != 0) return refusal();
    return {};
}

Result<std::string> quarter(int number) {
    const int once = US_TRY(half(number));
    US_CHECK(even(once));
    return std::to_string(US_TRY(half(once)));
}

TEST(Result, TryReturnsTheFirstError) {
    EXPECT_EQ(quarter(7).error().code, Errc::refused);
    EXPECT_EQ(quarter(6).error().detail, "no");
    EXPECT_EQ(*quarter(8), "2");
}

TEST(Result, MovesWhatCannotBeCopied) {
    Result<std::unique_ptr<int>> owned(std::make_unique<int>(3));
    const std::unique_ptr<int> taken = *std::move(owned);
    EXPECT_EQ(*taken, 3);
}

TEST(Result, ThrowsOnlyWhenAsked) {
    EXPECT_EQ(half(4).value_or_throw(), 2);
    EXPECT_NO_THROW(even(2).value_or_throw());
    try {
        (void)half(3).value_or_throw();
        FAIL();
    } catch (const Exception& exception) {
        EXPECT_EQ(exception.error().code, Errc::refused);
        EXPECT_STREQ(exception.what(), "refused: no (effect: none)");
    }
    EXPECT_THROW(even(3).value_or_throw(), Exception);
}

TEST(ResultDeathTest, TheWrongSideIsAnAssertion) {
    EXPECT_DEATH((void)*half(3), "broken expectation");
    EXPECT_DEATH((void)half(4).error(), "broken expectation");
    EXPECT_DEATH((void)even(4).error(), "broken expectation");
}

TEST(Error, PrintsCodeDetailAndEffect) {
    EXPECT_EQ(to_string(Error{Errc::not_active, Effect::none, "Foo/Bar1 is standby"}),
              "not_active: Foo/Bar1 is standby (effect: none)");
    EXPECT_EQ(to_string(Error{Errc::timed_out, Effect::unknown, ""}),
              "timed_out (effect: unknown)");
}

TEST(Errc, NamesAreDistinctAndEveryCodeHasOne) {
    std::set<std::string_view> names;
    for (std::uint16_t code = 1; code <= 17; ++code) {
        const std::string_view text = name(static_cast<Errc>(code));
        EXPECT_NE(text, "unrecognized") << code;
        EXPECT_TRUE(names.insert(text).second) << text;
    }
    EXPECT_EQ(name(static_cast<Errc>(60000)), "unrecognized");
}

}  // namespace
}  // namespace understudy
