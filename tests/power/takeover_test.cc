// Two processes on one directory; one is killed, or stopped and resumed. What it acknowledged is
// there, and what it sends after the takeover is not acknowledged.

#include <gtest/gtest.h>

#include "tests/process/process.h"

namespace understudy::power {

using process::Process;
using process::TemporaryDirectory;
using namespace std::chrono_literals;

namespace {

class Takeover : public testing::Test {
protected:
    std::unique_ptr<Process> start(const std::string& member, const std::string& lease_ms) {
        auto started = std::make_unique<Process>(
            member,
            process::Command{.arguments = {JOURNAL_PROGRAM, "--kind", "shared", "--directory",
                                           directory / "journal", "--member", member, "--lease",
                                           lease_ms}},
            directory / (member + ".errors"));
        started->expect("opened");
        return started;
    }

    [[nodiscard]] static std::uint64_t acknowledged(const Process& member) {
        return member.lines("acked").back().number("count");
    }

    TemporaryDirectory directory;
};

}  // namespace

// The lease is far longer than the test: the end of a process is noticed without it.
TEST_F(Takeover, OfAKilledOwnerHappensAtOnceAndHasAllItAcknowledged) {
    auto active = start("m0", "60000");
    active->expect("recovered");
    std::uint64_t epoch = 0;
    for (int round = 1; round <= 10; ++round) {
        SCOPED_TRACE("round " + std::to_string(round));
        auto standby = start("m" + std::to_string(round), "60000");
        for (int i = 0; i < 50; ++i) active->expect("acked");
        active->kill();
        (void)active->wait();
        const process::Line begun = standby->expect("recovered", process::patience / 2);
        EXPECT_GE(begun.number("count"), acknowledged(*active));
        EXPECT_GT(begun.number("epoch"), epoch);
        epoch = begun.number("epoch");
        active = std::move(standby);
    }
    active->kill();
    (void)active->wait();
}

// It is stopped at any point, also between a write and its acknowledgement.
TEST_F(Takeover, OfAStoppedOwnerComesAfterTheLeaseAndTheResumedOneAcknowledgesNothing) {
    for (int round = 0; round < 5; ++round) {
        SCOPED_TRACE("round " + std::to_string(round));
        auto old = start("old" + std::to_string(round), "400");
        old->expect("recovered");
        auto next = start("next" + std::to_string(round), "400");
        for (int i = 0; i < 100 + 37 * round; ++i) old->expect("acked");
        old->stop();
        const process::Line begun = next->expect("recovered");
        next->expect("acked");
        const std::uint64_t before = acknowledged(*old);
        EXPECT_GE(begun.number("count"), before);

        old->resume();
        EXPECT_EQ(old->wait().code, 5);  // It was refused and says so.
        const process::Line refused = old->expect("refused not_active");
        // What it still printed was in the pipe, or was acknowledged before the other began.
        EXPECT_LE(acknowledged(*old), begun.number("count"));
        // It was stopped before its command was written, or meanwhile; then "none" must be true.
        if (refused.matches("refused none")) {
            EXPECT_EQ(acknowledged(*old), begun.number("count"));
        } else {
            EXPECT_TRUE(refused.matches("refused unknown")) << refused.text;
        }
        next->kill();
        (void)next->wait();
    }
}

}  // namespace understudy::power
