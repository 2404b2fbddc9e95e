// The checks find what they are for: each fault is added to output that would be right without it.

#include "tests/process/checks.h"

#include <gtest/gtest.h>

namespace understudy::process {

namespace {

std::vector<Line> lines(const std::vector<std::string>& texts) {
    std::vector<Line> out;
    for (const std::string& text : texts) out.push_back({text, {}});
    return out;
}

const std::vector<std::string> good_ticks{
    "image Ticks epoch=1 seq=4 from=m1 n=4 only-m1=1 places/m1=4",
    "delta Ticks epoch=1 seq=5 from=m1 n=5 only-m1=1 places/m1=5",
    "image Ticks epoch=2 seq=1 from=m2 n=9 only-m2=1 places/m2=9",
    "delta Ticks epoch=2 seq=2 from=m2 n=10 only-m2=1 places/m2=10",
};

std::string only_fault(std::vector<std::string> faults) {
    return faults.size() == 1 ? faults[0].substr(0, faults[0].find(':')) : "not one fault";
}

std::string only_tick_fault(std::size_t at, const std::string& text) {
    auto planted = good_ticks;
    planted[at] = text;
    return only_fault(faults_in_ticks(lines(planted)));
}

}  // namespace

TEST(Checks, RightTicksHaveNoFaults) { EXPECT_TRUE(faults_in_ticks(lines(good_ticks)).empty()); }

TEST(Checks, EachFaultOfTicksIsFound) {
    EXPECT_EQ(only_fault(faults_in_ticks({})), "nothing was heard");
    EXPECT_EQ(only_tick_fault(3, "image Ticks epoch=1 seq=9 from=m1 n=9 only-m1=1 places/m1=9"),
              "an image of an older epoch");
    EXPECT_EQ(only_tick_fault(1, "image Ticks epoch=1 seq=3 from=m1 n=3 only-m1=1 places/m1=3"),
              "an image of the past");
    EXPECT_EQ(only_tick_fault(1, "delta Ticks epoch=1 seq=6 from=m1 n=6 only-m1=1 places/m1=6"),
              "a gap");
    EXPECT_EQ(only_tick_fault(3, "delta Ticks epoch=1 seq=2 from=m2 n=6 only-m2=1 places/m2=6"),
              "a delta across epochs");
    EXPECT_EQ(only_tick_fault(3, "delta Ticks epoch=2 seq=2 from=m1 n=6 only-m1=1 places/m1=6"),
              "a delta of another member");
    EXPECT_EQ(only_tick_fault(2, good_ticks[2] + " only-m1=1"), "left over");
    EXPECT_EQ(only_tick_fault(2, good_ticks[2] + " places/m1=5"), "not atomic, or left over");
    EXPECT_EQ(only_tick_fault(3, "delta Ticks epoch=2 seq=2 from=m2 n=10 only-m2=1 places/m2=9"),
              "not atomic, or left over");
    EXPECT_FALSE(faults_in_ticks(lines({good_ticks[1]})).empty()) << "a delta before any image";
}

TEST(Checks, EachFaultOfCallsIsFound) {
    const auto client = lines({"done a m1 1", "error b unavailable unknown", "error c refused none",
                               "error d timed_out unknown"});
    EXPECT_TRUE(faults_in_calls(client, {"a", "b"}).empty());
    EXPECT_EQ(faults_in_calls(client, {}).size(), 1U) << "done, and never ran";
    EXPECT_EQ(faults_in_calls(client, {"a", "a"}).size(), 1U) << "done, and ran twice";
    EXPECT_EQ(faults_in_calls(client, {"a", "b", "b"}).size(), 1U) << "unknown, and ran twice";
    EXPECT_EQ(faults_in_calls(client, {"a", "c"}).size(), 1U) << "refused, and ran";
    EXPECT_EQ(faults_in_calls(lines({"done a m1 1", "done a m1 1"}), {"a"}).size(), 1U);
    EXPECT_EQ(faults_in_calls({}, {}).size(), 1U) << "no call at all";
}

TEST(Checks, EachFaultOfServicesIsFound) {
    const auto service = [](const std::string& rest) { return "service Foo " + rest; };
    const std::string one = service("epoch=1 active=m1 line=m1,m2");
    const std::string two = service("epoch=2 active=m2 line=m2");
    EXPECT_TRUE(faults_in_services(lines({one, service("epoch=1 active= line=m2"), two})).empty());
    EXPECT_EQ(faults_in_services(lines({two, service("epoch=1 active= line=m2")})).size(), 1U);
    EXPECT_EQ(faults_in_services(lines({one, service("epoch=1 active=m2 line=m2")})).size(), 1U);
}

}  // namespace understudy::process
