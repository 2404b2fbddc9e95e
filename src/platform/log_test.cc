#include "platform/log.h"

#include <csignal>

#include <fcntl.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "platform/network/fd.h"

namespace understudy::platform {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

constexpr std::uint64_t noon_ms = 1'769'860'800'007;  // 2026-01-31 12:00:00.007 UTC

std::string line_of(LogFormat format, std::initializer_list<LogField> fields) {
    return log_line(format, noon_ms, LogLevel::info, "role.active", fields.begin(), fields.end());
}

TEST(LogLevel, AnUnknownWordIsRefusedAndTheKnownOnesAreNamed) {
    const auto level = parse_log_level("verbose");

    ASSERT_FALSE(level);
    EXPECT_EQ(level.error().code, Errc::bad_config);
    EXPECT_THAT(level.error().detail, HasSubstr("debug, info, warn, error"));
    EXPECT_FALSE(parse_log_format("xml"));
}

TEST(LogLevel, EachNameParsesToItself) {
    for (const auto level : {LogLevel::debug, LogLevel::info, LogLevel::warn, LogLevel::error}) {
        const auto parsed = parse_log_level(name(level));
        ASSERT_TRUE(parsed) << name(level);
        EXPECT_EQ(*parsed, level);
    }
}

TEST(LogLine, LogfmtQuotesOnlyWhatNeedsIt) {
    EXPECT_EQ(line_of(LogFormat::logfmt, {kv("service", "orders"), kv("why", "a b"), kv("to", "")}),
              "ts=2026-01-31T12:00:00.007Z level=info event=role.active service=orders "
              "why=\"a b\" to=\"\"\n");
}

TEST(LogLine, JsonIsOneObject) {
    EXPECT_EQ(line_of(LogFormat::json, {kv("service", "orders"), kv("epoch", 7)}),
              "{\"ts\":\"2026-01-31T12:00:00.007Z\",\"level\":\"info\",\"event\":\"role.active\","
              "\"service\":\"orders\",\"epoch\":\"7\"}\n");
}

// A value from the network may try to forge a line, to control a terminal, or to break the
// encoding.
TEST(LogLine, ControlCharactersAndBrokenTextAreEscaped) {
    const std::string_view hostile = "a\nb\x1b[2J\x7f\"\\\xc2\x9b\xff\xc3\xa4";
    const std::string_view escaped = "a\\nb\\u001b[2J\\u007f\\\"\\\\\\u009b\\ufffd\xc3\xa4";

    for (const auto format : {LogFormat::logfmt, LogFormat::json}) {
        EXPECT_THAT(line_of(format, {kv("value", hostile)}), HasSubstr(std::string(escaped)));
    }
}

TEST(LogLine, EveryByteAloneStaysOneLineOfPlainText) {
    for (int byte = 0; byte < 256; ++byte) {
        const std::string line =
            line_of(LogFormat::logfmt, {kv("value", std::string(1, static_cast<char>(byte)))});
        for (std::size_t i = 0; i + 1 < line.size(); ++i) {
            ASSERT_TRUE(line[i] >= ' ' && line[i] <= '~') << "byte " << byte;
        }
        ASSERT_EQ(line.back(), '\n') << "byte " << byte;
    }
}

TEST(LogLine, ALongLineLosesItsLastFieldsAndSaysSo) {
    const std::string line =
        line_of(LogFormat::logfmt, {kv("short", "x"), kv("long", std::string(5000, 'y'))});

    EXPECT_LE(line.size(), log_line_bytes_max);
    EXPECT_THAT(line, EndsWith("short=x truncated=true\n"));
}

class LineLogTest : public testing::Test {
protected:
    LineLogTest() {
        int ends[2] = {-1, -1};
        US_ASSERT(::pipe2(ends, O_CLOEXEC) == 0);
        reader_ = Fd(ends[0]);
        writer_ = Fd(ends[1]);
    }

    std::string read_some() {
        std::string text(1 << 20, '\0');
        const auto size = ::read(reader_.get(), text.data(), text.size());
        text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
        return text;
    }

    Fd reader_;
    Fd writer_;
};

TEST_F(LineLogTest, EventsBelowTheLevelAreNotWritten) {
    LineLog log({.level = LogLevel::warn, .descriptor = writer_.get()});

    log.info("role.standby");
    log.warn("role.active");

    EXPECT_THAT(read_some(), EndsWith("level=warn event=role.active\n"));
}

TEST_F(LineLogTest, AReaderThatHasGoneCostsLinesAndNotTheProcess) {
    LineLog log({.descriptor = writer_.get()});
    reader_ = Fd();

    log.info("role.active");
    log.info("role.standby");

    sigset_t pending;
    sigpending(&pending);
    EXPECT_EQ(sigismember(&pending, SIGPIPE), 0);
}

TEST_F(LineLogTest, AStuckReaderCostsLinesAndNotTime) {
    LineLog log({.descriptor = writer_.get()});
    const std::string value(1000, 'x');
    for (int i = 0; i < 100; ++i) log.info("role.active", {kv("value", value)});
    read_some();

    log.info("role.standby");

    const std::string text = read_some();
    EXPECT_THAT(text, HasSubstr("level=warn event=log.dropped lines="));
    EXPECT_THAT(text, EndsWith("event=role.standby\n"));
}

}  // namespace
}  // namespace understudy::platform
