#include "base/complaints.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace understudy {
namespace {

/// Keeps each line as "event key=value ...".
class KeptLog final : public Log {
public:
    void write(LogLevel level, std::string_view event,
               std::initializer_list<LogField> fields) override {
        EXPECT_EQ(level, LogLevel::warn);
        std::string line(event);
        for (const LogField& field : fields) {
            line += " " + std::string(field.key) + "=" + field.value;
        }
        lines.push_back(line);
    }
    std::vector<std::string> lines;
};

class ComplaintsTest : public testing::Test {
protected:
    void heard(std::string_view about, const std::string& reason) {
        complaints_.heard(now_, "peer.refused", kv("peer", about),
                          {.code = Errc::denied, .detail = reason});
    }

    KeptLog log_;
    Complaints complaints_{log_};
    TimePoint now_{1h};
};

using Lines = std::vector<std::string>;

TEST_F(ComplaintsTest, TwoThousandOfAKindAreOneLineAndThenTheirNumber) {
    for (int i = 0; i < 2000; ++i) heard("10.0.0.7", "no");
    EXPECT_EQ(log_.lines, Lines{"peer.refused peer=10.0.0.7 error=denied: no (effect: none)"});
    ASSERT_EQ(complaints_.due(), now_ + Complaints::interval);
    complaints_.tell(now_ + Complaints::interval - 1ns);
    EXPECT_EQ(log_.lines.size(), 1U);
    complaints_.tell(now_ + Complaints::interval);
    ASSERT_EQ(log_.lines.size(), 2U);
    EXPECT_EQ(log_.lines[1],
              "peer.refused peer=10.0.0.7 error=denied: no (effect: none) times=1999 within_s=600");
}

TEST_F(ComplaintsTest, AnotherReasonAndAnotherPeerHaveLinesOfTheirOwn) {
    heard("10.0.0.7", "no");
    heard("10.0.0.7", "not even so");
    heard("10.0.0.8", "no");
    heard("10.0.0.7", "no");
    EXPECT_EQ(log_.lines.size(), 3U);
}

TEST_F(ComplaintsTest, WhatGoesOnIsToldAgainEveryInterval) {
    heard("10.0.0.7", "no");
    for (int round = 0; round < 3; ++round) {
        heard("10.0.0.7", "no");
        now_ += Complaints::interval;
        complaints_.tell(now_);
    }
    EXPECT_EQ(log_.lines.size(), 4U);
    EXPECT_NE(log_.lines.back().find("times=1 "), std::string::npos) << log_.lines.back();
}

TEST_F(ComplaintsTest, AfterAnIntervalOfSilenceTheNextIsTheFirstAgain) {
    heard("10.0.0.7", "no");
    now_ += Complaints::interval;
    complaints_.tell(now_);
    EXPECT_EQ(log_.lines.size(), 1U);
    EXPECT_EQ(complaints_.due(), std::nullopt);
    heard("10.0.0.7", "no");
    EXPECT_EQ(log_.lines.size(), 2U);
}

TEST_F(ComplaintsTest, SoIsTheNextAfterTheTroubleIsOver) {
    heard("10.0.0.7", "no");
    complaints_.forget();
    heard("10.0.0.7", "no");
    EXPECT_EQ(log_.lines.size(), 2U);
}

TEST_F(ComplaintsTest, AThousandPeersDoNotFloodTheLogNorTheMemory) {
    for (int i = 0; i < 1000; ++i) heard("10.0.0." + std::to_string(i), "no");
    EXPECT_EQ(log_.lines.size(), Complaints::kept_max);
    now_ += Complaints::interval;
    complaints_.tell(now_);
    ASSERT_EQ(log_.lines.size(), Complaints::kept_max + 1);
    EXPECT_EQ(log_.lines.back(), "peer.refused peer=others error= times=" +
                                     std::to_string(1000 - Complaints::kept_max) + " within_s=600");
}

}  // namespace
}  // namespace understudy
