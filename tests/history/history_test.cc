#include "tests/history/history.h"

#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "tests/history/judge.h"
#include "tests/history/operation.h"

namespace understudy::history {
namespace {

const std::string first_line = "{\"h\":1}\n";

// Errors of a harness, or of its disk, are reported with their line.
TEST(History, MalformedLinesAreRefusedByNumber) {
    const struct {
        const char* line;
        const char* says;
    } cases[] = {
        {"{\"index\":0,", "line 2: "},
        {"[1]", "line 2: not an object"},
        {R"({"index":1,"time":1,"process":1,"type":"ok","f":"read"})", "index is 1 and must be 0"},
        {R"({"index":0,"time":-1,"process":1,"type":"ok","f":"read"})", "time is not a number"},
        {R"({"index":0,"time":1,"type":"ok","f":"read"})", "process is missing"},
        {R"({"index":0,"time":1,"process":-1,"type":"ok","f":"read"})", "process is neither"},
        {R"({"index":0,"time":1,"process":"","type":"ok","f":"read"})", "process is empty"},
        {R"({"index":0,"time":1,"process":1,"type":"maybe","f":"read"})", "unknown type"},
        {R"({"index":0,"time":1,"process":1,"type":"ok"})", "f is missing"},
        {R"({"index":0,"time":1,"process":1,"type":"ok","f":"read","key":7})",
         "key is not a string"},
        {R"({"index":0,"time":1,"process":1,"type":"ok","f":"read","epoch":-1})", "epoch is not"},
        {R"({"t":"middle"})", "unknown t"},
    };
    for (const auto& given : cases) {
        std::istringstream in(first_line + given.line + "\n");
        const auto history = read_history(in);
        ASSERT_FALSE(history) << given.line;
        EXPECT_EQ(history.error().code, Errc::corrupt);
        EXPECT_NE(history.error().detail.find(given.says), std::string::npos)
            << given.line << ": " << history.error().detail;
    }
}

TEST(History, AFileNeedsItsHeaderAndEndsAtItsEnd) {
    for (const std::string& text : {std::string(), std::string("{\"h\":2}\n"), std::string("{}\n"),
                                    first_line + "{\"t\":\"end\"}\n{\"t\":\"end\"}\n"}) {
        std::istringstream in(text);
        EXPECT_FALSE(read_history(in)) << text;
    }
}

TEST(History, LinesThatAreTooLongAreRefused) {
    std::istringstream in(first_line + std::string(line_bytes_max + 1, ' ') + "\n");
    const auto history = read_history(in);
    ASSERT_FALSE(history);
    EXPECT_NE(history.error().detail.find("too long"), std::string::npos);
}

// The reader reads what the writer wrote, and writing it again gives the same bytes.
TEST(History, WhatIsWrittenIsRead) {
    std::ostringstream out;
    Writer writer(out, {{"run", "r"}, {"seed", 7}});
    Event event{.time = 5, .process = 3, .f = "append", .key = "j", .value = "3-1", .opid = "c3:1"};
    EXPECT_EQ(writer.write(event), 0u);
    event.type = Type::ok;
    event.epoch = 2;
    event.rev = 0xffffffffffffffffu;
    event.node = "n1";
    EXPECT_EQ(writer.write(event), 1u);
    writer.write({.time = 6, .process = -1, .witness = "nemesis", .type = Type::info, .f = "kill"});
    writer.end(true, {{"j", 1}});

    std::istringstream in(out.str());
    const auto history = read_history(in);
    ASSERT_TRUE(history) << to_string(history.error());
    ASSERT_EQ(history->events.size(), 3u);
    EXPECT_EQ(history->events[1].rev, 0xffffffffffffffffu);
    EXPECT_EQ(history->events[1].node, "n1");
    EXPECT_EQ(history->events[2].witness, "nemesis");
    ASSERT_TRUE(history->end);
    std::string again;
    for (const Event& one : history->events) again += to_line(one) + "\n";
    EXPECT_NE(out.str().find(again), std::string::npos);
}

// The example in docs/formats/history.md can be read and is good.
TEST(History, TheDocumentsExampleIsGood) {
    std::ifstream document(HISTORY_FORMAT);
    ASSERT_TRUE(document);
    std::string text((std::istreambuf_iterator<char>(document)), std::istreambuf_iterator<char>());
    const std::string fence = "```json history\n";
    const std::size_t begin = text.find(fence);
    ASSERT_NE(begin, std::string::npos);
    const std::size_t from = begin + fence.size();
    std::istringstream in(text.substr(from, text.find("```", from) - from));
    const auto history = read_history(in);
    ASSERT_TRUE(history) << to_string(history.error());
    EXPECT_GT(history->events.size(), 8u);
    EXPECT_EQ(judge(*history).faults, std::vector<std::string>());
}

TEST(Operations, AnUnansweredOneIsUnknown) {
    std::istringstream in(
        first_line + R"({"index":0,"time":1,"process":1,"type":"invoke","f":"read","key":"r"})");
    const auto history = read_history(in);
    ASSERT_TRUE(history);
    std::vector<std::string> faults;
    const auto operations = operations_of(*history, faults);
    ASSERT_EQ(operations.size(), 1u);
    EXPECT_EQ(operations[0].outcome(), Type::info);
    EXPECT_EQ(operations[0].returned(), never);
    EXPECT_TRUE(faults.empty());
}

}  // namespace
}  // namespace understudy::history
