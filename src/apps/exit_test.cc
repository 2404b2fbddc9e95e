#include "apps/exit.h"

#include <set>

#include <gtest/gtest.h>

#include "apps/commands/error_codes.h"

namespace understudy::apps {
namespace {

TEST(Exit, AnUnknownOutcomeIsAlwaysTryAgain) {
    for (const ErrorCode& one : error_codes()) {
        if (one.code == Errc::denied || one.code == Errc::not_permitted) continue;
        if (one.code == Errc::failed) continue;
        EXPECT_EQ(exit_of({.code = one.code, .effect = Effect::unknown}), Exit::again)
            << name(one.code);
    }
}

TEST(Exit, WhatRanAndFailedIsNoEvenIfNobodyKnowsHowFarItCame) {
    EXPECT_EQ(exit_of({.code = Errc::failed, .effect = Effect::unknown}), Exit::no);
    EXPECT_EQ(exit_of({.code = Errc::failed}), Exit::no);
}

TEST(Exit, EachSortOfTroubleHasItsCode) {
    EXPECT_EQ(exit_of({.code = Errc::bad_config}), Exit::usage);
    EXPECT_EQ(exit_of({.code = Errc::unavailable}), Exit::unreachable);
    EXPECT_EQ(exit_of({.code = Errc::timed_out}), Exit::again);
    EXPECT_EQ(exit_of({.code = Errc::denied}), Exit::denied);
    EXPECT_EQ(exit_of({.code = Errc::not_permitted}), Exit::denied);
    EXPECT_EQ(exit_of({.code = Errc::no_descriptors}), Exit::again);
    EXPECT_EQ(exit_of({.code = Errc::no_memory}), Exit::again);
    EXPECT_EQ(exit_of({.code = Errc::bad_path}), Exit::usage);
    EXPECT_EQ(exit_of({.code = Errc::no_such_file}), Exit::no);
    EXPECT_EQ(exit_of({.code = Errc::not_found}), Exit::no);
    EXPECT_EQ(exit_of({.code = Errc::in_use}), Exit::no);
    EXPECT_EQ(exit_of({.code = static_cast<Errc>(999)}), Exit::no);
}

TEST(Exit, AMessageIsASentenceItsCodeAndTheNextCommand) {
    const Error error{.code = Errc::not_found, .detail = "no service Foo"};
    EXPECT_EQ(error_text(error), "understudy: no service Foo [not_found]\n");
    EXPECT_EQ(error_text(advise(error, "understudy service list")),
              "understudy: no service Foo [not_found]\ntry: understudy service list\n");
    EXPECT_EQ(
        error_text({.code = Errc::timed_out, .effect = Effect::unknown, .detail = "no answer"}),
        "understudy: no answer [timed_out, outcome unknown]\n");
    EXPECT_EQ(error_text({.code = Errc::closed}), "understudy: closed\n");
}

TEST(Exit, TheFirstAdviceStays) {
    const Error once = advise({.code = Errc::refused, .detail = "no"}, "this");
    EXPECT_EQ(advise(once, "that").detail, "no\ntry: this");
}

TEST(Exit, EveryErrorCodeIsExplained) {
    std::set<std::string_view> names;
    for (const ErrorCode& one : error_codes()) {
        EXPECT_FALSE(one.meaning.empty());
        EXPECT_FALSE(one.what_to_do.empty());
        names.insert(name(one.code));
    }
    for (std::uint16_t number = 1; number < 1000; ++number) {
        const auto code = name(static_cast<Errc>(number));
        EXPECT_TRUE(code == "unrecognized" || names.contains(code)) << code;
    }
}

}  // namespace
}  // namespace understudy::apps
