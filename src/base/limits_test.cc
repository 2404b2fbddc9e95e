#include "understudy/limits.h"

#include <string>

#include <gtest/gtest.h>

namespace understudy {
namespace {

Errc code_of(const Result<void>& result) { return result ? Errc{} : result.error().code; }

TEST(Limits, IdentifiersThatAreNoPathsAreRefused) {
    for (const std::string name : {"", ".", "..", ".hidden", "a/b", "a b", "a\n", "Zürich", "a*",
                                   "a:b", "a\\b", "\x7f"}) {
        EXPECT_EQ(code_of(check_identifier("service", name)), Errc::bad_config) << name;
    }
    EXPECT_EQ(code_of(check_service_name(std::string(129, 'a'))), Errc::limit_exceeded);
}

TEST(Limits, IdentifiersOfTheAllowedLettersAreTaken) {
    for (const std::string name : {"a", "Foo", "orders-2.eu_west", "-", "_", "0", "a.."}) {
        EXPECT_TRUE(check_member_name(name)) << name;
    }
    EXPECT_TRUE(check_service_name(std::string(128, 'a')));
}

TEST(Limits, NamesWithControlCharactersOrSlashesAreRefused) {
    for (const std::string name :
         {"", ".", ".x", "a/b", "/", "a\tb", "\x1b[2J", "\x7f", "\xc2\x9b" "2J", "\xff", "\xc3"}) {
        EXPECT_EQ(code_of(check_record_name(name)), Errc::bad_config) << name;
    }
    EXPECT_EQ(code_of(check_field_name(std::string("a\0b", 3))), Errc::bad_config);
    EXPECT_EQ(code_of(check_field_name(std::string(256, 'a'))), Errc::limit_exceeded);
}

TEST(Limits, NamesOfAnyLanguageAreTaken) {
    for (const std::string name : {"a", "price in €", "Zürich", "数量", "\xc2\xa0", "a..", "*"}) {
        EXPECT_TRUE(check_record_name(name)) << name;
    }
    EXPECT_TRUE(check_call_name(std::string(255, 'a')));
}

// A refused name may contain anything, for example a terminal's escape sequences.
TEST(Limits, RefusedCharactersAreNotRepeatedInTheError) {
    EXPECT_EQ(check_identifier("service", "a\x1b[2J").error().detail.find('\x1b'),
              std::string::npos);
    EXPECT_EQ(check_name("record", "a\x1b[2J").error().detail.find('\x1b'), std::string::npos);
}

TEST(Limits, SizesAreRefusedAboveTheirBoundOnly) {
    EXPECT_TRUE(check_record_size(record_size_max));
    EXPECT_TRUE(check_arguments_size(arguments_size_max));
    EXPECT_TRUE(check_result_size(result_size_max));
    EXPECT_EQ(code_of(check_record_size(record_size_max + 1)), Errc::limit_exceeded);
    EXPECT_EQ(code_of(check_arguments_size(arguments_size_max + 1)), Errc::limit_exceeded);
    EXPECT_EQ(code_of(check_result_size(result_size_max + 1)), Errc::limit_exceeded);
}

}  // namespace
}  // namespace understudy
