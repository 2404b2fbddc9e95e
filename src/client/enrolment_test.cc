#include "client/enrolment.h"

#include <vector>

#include <gtest/gtest.h>

#include "journal/fakes/fake_disk_test.h"
#include "journal/fakes/fake_runtime_test.h"
#include "wire/control.h"

namespace understudy::client {
namespace {

namespace pb = wire::pb;

class EnrolmentTest : public testing::Test, public Enrolment::Applicant, public RegistryPort {
protected:
    void answer(std::uint64_t request) {
        pb::Registered registered;
        registered.set_request(request);
        registered.set_order(7);
        enrolment.answered(registered);
    }
    void refuse(std::uint64_t request) {
        pb::Registered registered;
        registered.set_request(request);
        *registered.mutable_failure() =
            wire::to_failure({.code = Errc::already_exists, .detail = "another has that name"});
        enrolment.answered(registered);
    }
    std::uint64_t last() const { return sent.empty() ? 0 : sent.back().request(); }

    void describe(pb::Register& wanted) override { wanted.set_known_epoch(5); }
    void enrolled(const pb::Registered& answer, TimePoint when) override {
        orders.push_back(answer.order());
        sent_at = when;
    }
    void refused(const Error& reason) override { refusals.push_back(reason.code); }
    std::optional<std::uint64_t> next_registration() override {
        if (!up) return std::nullopt;
        return ++numbers;
    }
    void send(const pb::Register& wanted) override { sent.push_back(wanted); }
    void send(const pb::MemberReport&) override {}
    void send(const pb::Drained&) override {}

    journal::FakeDisk disk{1};
    journal::FakeRuntime runtime{disk, 1};
    NullLog log;
    bool up = true;
    std::uint64_t numbers = 10;
    std::vector<pb::Register> sent;
    std::vector<std::uint64_t> orders;
    std::vector<Errc> refusals;
    TimePoint sent_at{};
    Enrolment enrolment{runtime, log,
                        {.family = "Foo", .member = "Foo1", .refused_event = "member.refused"},
                        static_cast<Enrolment::Applicant&>(*this),
                        static_cast<RegistryPort&>(*this)};
};

TEST_F(EnrolmentTest, ARefusedMemberIsTriedAgainAndWaitsLongerEachTime) {
    enrolment.enter();
    Duration waited_last{};
    for (std::size_t turn = 1; turn <= 8; ++turn) {
        refuse(last());
        EXPECT_EQ(refusals.size(), turn);
        EXPECT_FALSE(enrolment.in_line());
        Duration waited{};
        while (sent.size() == turn) {
            runtime.advance(10ms);
            waited += 10ms;
            ASSERT_LE(waited, Enrolment::wait_max + 10ms);
        }
        if (turn == 1) {
            EXPECT_LE(waited, Enrolment::wait_min);
        }
        waited_last = waited;
    }
    EXPECT_GE(waited_last, Enrolment::wait_max / 2);

    answer(last());
    EXPECT_TRUE(enrolment.in_line());
    enrolment.enter();
    const std::size_t before = sent.size();
    refuse(last());
    runtime.advance(Enrolment::wait_min);
    EXPECT_EQ(sent.size(), before + 1) << "after a success the wait is short again";
}

TEST_F(EnrolmentTest, WhileTheRegistryIsAwayNothingIsSent) {
    up = false;
    enrolment.enter();
    EXPECT_TRUE(sent.empty());
    up = true;
    enrolment.enter();
    refuse(last());
    up = false;
    enrolment.registry_down();
    runtime.advance(10s);
    EXPECT_EQ(sent.size(), 1U);
}

TEST_F(EnrolmentTest, AnAnswerToAnOlderRegistrationIsIgnored) {
    enrolment.enter();
    const std::uint64_t first = last();
    enrolment.enter();
    answer(first);
    EXPECT_FALSE(enrolment.in_line());
    EXPECT_TRUE(orders.empty());
    answer(last());
    answer(last());
    EXPECT_EQ(orders, std::vector<std::uint64_t>{7}) << "an answer counts once";

    enrolment.registry_down();
    EXPECT_FALSE(enrolment.in_line());
    answer(last());
    EXPECT_FALSE(enrolment.in_line()) << "from before the registry was lost";
}

TEST_F(EnrolmentTest, TheRegistrationSaysWhoTheMemberIsAndTheLeaseCountsFromWhenItWasSent) {
    runtime.advance(3s);
    enrolment.enter();
    EXPECT_EQ(sent.at(0).config().family(), "Foo");
    EXPECT_EQ(sent.at(0).member(), "Foo1");
    EXPECT_EQ(sent.at(0).known_epoch(), 5U);
    const TimePoint then = runtime.now();
    runtime.advance(1s);
    answer(last());
    EXPECT_EQ(sent_at, then);
}

TEST_F(EnrolmentTest, AMemberThatRegistersAnewIsNotInLineUntilThatIsAnswered) {
    enrolment.enter();
    answer(last());
    enrolment.enter();
    EXPECT_FALSE(enrolment.in_line());
    answer(last());
    EXPECT_TRUE(enrolment.in_line());
}

}  // namespace
}  // namespace understudy::client
