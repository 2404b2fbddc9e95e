#include "apps/config/configuration.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace understudy::apps {
namespace {

using testing::HasSubstr;

[[nodiscard]] std::string first_problem(std::string_view toml) {
    const ConfigFile file = read_config(toml, "f");
    if (file.problems.empty()) return "";
    return std::to_string(file.problems[0].line) + ":" + std::to_string(file.problems[0].column) +
           ": " + file.problems[0].text;
}

TEST(Configuration, AnUnknownKeyIsNamedWithItsLineAndTheNearest) {
    EXPECT_EQ(first_problem("[registry]\nlsten = \"127.0.0.1:1\"\n"),
              "2:1: unknown key registry.lsten; did you mean registry.listen?");
    EXPECT_EQ(first_problem("[registr]\n"), "1:2: unknown section registr; did you mean registry?");
    EXPECT_EQ(first_problem("listen = 3\n"), "1:1: unknown key listen");
    EXPECT_EQ(first_problem("registry = 3\n"), "1:1: registry is a section: [registry]");
}

TEST(Configuration, AValueOutOfRangeIsRefusedNotClamped) {
    EXPECT_THAT(first_problem("[registry]\nsegment_size = \"1KiB\"\n"),
                HasSubstr("2:16: registry.segment_size = \"1KiB\": expected 64KiB to 4GiB"));
    EXPECT_THAT(first_problem("[registry]\nsegment_size = 65537\n"),
                HasSubstr("expected a multiple of 4KiB"));
    EXPECT_THAT(first_problem("[registry]\nlog_level = \"loud\"\n"),
                HasSubstr("expected one of debug|info|warn|error"));
    EXPECT_THAT(first_problem("[registry]\nlisten = \"nowhere\"\n"),
                HasSubstr("expected HOST:PORT"));
    EXPECT_THAT(first_problem("[registry]\nlisten = \"::1:22222\"\n"),
                HasSubstr("an IPv6 host goes in brackets: [::1]:22222"));
    EXPECT_THAT(first_problem("[client]\nregistry = \"a:1,fe80::2:7\"\n"),
                HasSubstr("address 'fe80::2:7': an IPv6 host goes in brackets: [fe80::2]:7"));
    EXPECT_THAT(first_problem("[registry]\nlisten = \"a:70000\"\n"),
                HasSubstr("a port is a number from 0 to 65535"));
    EXPECT_THAT(first_problem("[registry]\npeers = \"r1=::1:7\"\n"),
                HasSubstr("an IPv6 host goes in brackets: [::1]:7"));
    EXPECT_THAT(first_problem("[client]\ntimeout = \"5\"\n"),
                HasSubstr("expected 1ms to 3600s: the unit is missing, as in 5s (ms, s, m or h)"));
    EXPECT_THAT(first_problem("[registry]\nsegment_size = \"1MB\"\n"),
                HasSubstr("expected 64KiB to 4GiB: MB is not a unit here, as in 1MiB"));
    EXPECT_THAT(first_problem("[client]\nregistry = \"a:1,b\"\n"), HasSubstr("expected HOST:PORT"));
}

TEST(Configuration, AValueOfTheWrongTypeIsRefused) {
    EXPECT_THAT(first_problem("[registry]\ninsecure = \"true\"\n"),
                HasSubstr("a text is not a valid value"));
    EXPECT_THAT(first_problem("[client]\ntimeout = 5\n"), HasSubstr("a number without a unit"));
    EXPECT_THAT(first_problem("[registry]\nlisten = true\n"), HasSubstr("a truth value"));
    EXPECT_THAT(first_problem("[registry]\ndata = [1]\n"), HasSubstr("a list"));
}

TEST(Configuration, BrokenTomlIsAProblemWithItsPlace) {
    EXPECT_THAT(first_problem("[registry]\nlisten = \n"), HasSubstr("2:"));
    EXPECT_NE(first_problem("[registry\n"), "");
}

TEST(Configuration, EveryProblemIsFoundInTheOrderOfLines) {
    const ConfigFile file = read_config("[registry]\nzzz = 1\nlisten = \"x\"\ndata = \"d\"\n"
                                        "[client]\ntimeout = \"0s\"\n", "f");
    ASSERT_EQ(file.problems.size(), 3U);
    EXPECT_EQ(file.problems[0].line, 2U);
    EXPECT_EQ(file.problems[1].line, 3U);
    EXPECT_EQ(file.problems[2].line, 6U);
    ASSERT_EQ(file.given.size(), 1U);
    EXPECT_EQ(file.given[0].origin, "f:4");
}

TEST(Configuration, AVariableThatIsNoOptionIsRefusedWithTheNearest) {
    const auto result = read_environment({{"UNDERSTUDY__REGISTRY__LSTEN", "x"}});
    ASSERT_FALSE(result);
    EXPECT_THAT(result.error().detail, HasSubstr("did you mean UNDERSTUDY__REGISTRY__LISTEN?"));
}

TEST(Configuration, VariablesOfOthersAreLeftAlone) {
    const auto result = read_environment({{"HOME", "/"}, {"UNDERSTUDY_PROGRAM", "x"}});
    ASSERT_TRUE(result);
    EXPECT_TRUE(result->empty());
}

TEST(Configuration, TheLongVariableWinsOverTheShortOne) {
    const auto given = read_environment({{"UNDERSTUDY__CLIENT__REGISTRY", "a:1"},
                                         {"UNDERSTUDY_REGISTRY", "b:2"}});
    ASSERT_TRUE(given);
    const auto effective = merge(*given);
    ASSERT_TRUE(effective);
    EXPECT_EQ(effective->settings.client.registry, "a:1");
}

TEST(Configuration, TheLastWordCountsAndItsOriginIsKept) {
    const auto effective =
        merge({{"registry.listen", "127.0.0.1:1", "f:2"},
               {"registry.listen", "127.0.0.1:2", "UNDERSTUDY__REGISTRY__LISTEN"},
               {"registry.listen", "127.0.0.1:3", "--listen"}});
    ASSERT_TRUE(effective);
    EXPECT_EQ(effective->settings.registry.listen, "127.0.0.1:3");
    EXPECT_EQ(effective->origins.at("registry.listen"), "--listen");
}

TEST(Configuration, ABadValueIsReportedWithItsOrigin) {
    const auto effective = merge({{"client.timeout", "soon", "--timeout"}});
    ASSERT_FALSE(effective);
    EXPECT_EQ(effective.error().code, Errc::bad_config);
    EXPECT_THAT(effective.error().detail, HasSubstr("--timeout: client.timeout = \"soon\""));
}

TEST(Configuration, WhatIsShownReadsBackTheSame) {
    const auto effective = merge({{"registry.data", "/a \"b\"\\c", "x"},
                                  {"registry.insecure", "true", "x"},
                                  {"registry.segment_size", "128KiB", "x"},
                                  {"client.timeout", "1500ms", "x"}});
    ASSERT_TRUE(effective);
    for (const ShowOrigin origin : {ShowOrigin::no, ShowOrigin::yes}) {
        const ConfigFile file = read_config(to_toml(*effective, origin), "f");
        ASSERT_TRUE(file.problems.empty()) << file.problems[0].text;
        const auto again = merge(file.given);
        ASSERT_TRUE(again);
        EXPECT_EQ(to_toml(*again, ShowOrigin::no), to_toml(*effective, ShowOrigin::no));
    }
}

TEST(Configuration, EveryOptionsDefaultIsAValueItTakes) {
    for (const OptionSpec& spec : option_specs()) {
        Settings settings;
        const std::string value = value_text(settings, spec);
        if (value.empty()) continue;  // It is required, or off.
        EXPECT_TRUE(assign(settings, spec, value)) << spec.name();
    }
}

TEST(Configuration, NoTwoOptionsShareANameAFlagOrAVariable) {
    std::set<std::string> names;
    std::set<std::string> variables;
    for (const OptionSpec& spec : option_specs()) {
        EXPECT_TRUE(names.insert(spec.name()).second) << spec.name();
        EXPECT_TRUE(variables.insert(spec.variable()).second) << spec.variable();
        EXPECT_EQ(find_option(spec.name()), &spec);
        EXPECT_FALSE(spec.doc.empty());
    }
    const OptionSpec* size = find_option("registry.segment_size");
    ASSERT_NE(size, nullptr);
    EXPECT_EQ(size->flag(), "--segment-size");
    EXPECT_EQ(size->variable(), "UNDERSTUDY__REGISTRY__SEGMENT_SIZE");
}

}  // namespace
}  // namespace understudy::apps
