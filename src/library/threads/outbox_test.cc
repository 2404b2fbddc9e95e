#include "library/threads/outbox.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "library/platform_test.h"
#include "library/threads/clock.h"

namespace understudy::library {
namespace {

class OutboxTest : public ::testing::Test {
protected:
    using Kind = Outbox::Kind;

    ~OutboxTest() override {
        door_.open();
        loop_.stop();
        (void)loop_.join(clock_now() + patience);
    }

    void hold_loop() {
        loop_.post([this] { door_.pass(); });
    }
    [[nodiscard]] Result<void> add(std::uint64_t record, std::size_t size) {
        return outbox_.add(Kind::change, record, Buffer(size, static_cast<std::byte>(record)),
                           owner_);
    }

    Door door_;
    Heard<std::pair<std::uint64_t, std::size_t>> taken_;
    std::shared_ptr<int> owner_ = std::make_shared<int>();
    LoopThread loop_{std::make_shared<NullLog>(), "test"};
    Outbox outbox_{loop_, [this](Kind, std::uint64_t record, Bytes bytes) {
                       for (const std::byte each : bytes) {
                           ASSERT_EQ(each, static_cast<std::byte>(record));
                       }
                       taken_.add({record, bytes.size()});
                   }};
};

TEST_F(OutboxTest, AClosedOneRefusesAlsoWhoWaitsForRoom) {
    hold_loop();
    ASSERT_TRUE(add(1, Service::unsent_max_bytes - KiB));
    Heard<bool> refused;
    std::thread publisher([&] { refused.add(!add(2, 2 * KiB)); });
    outbox_.close();
    EXPECT_EQ(refused.wait_for(1), std::vector<bool>{true});
    publisher.join();
    EXPECT_EQ(add(3, 1).error().code, Errc::closed);
}

TEST_F(OutboxTest, EntriesComeOutInOrderWithTheirBytes) {
    constexpr std::uint64_t count = 10'000;
    for (std::uint64_t i = 1; i <= count; ++i) ASSERT_TRUE(add(i, i % 300));
    const auto all = taken_.wait_for(count);
    for (std::uint64_t i = 1; i <= count; ++i) {
        ASSERT_EQ(all[i - 1], (std::pair<std::uint64_t, std::size_t>(i, i % 300)));
    }
}

TEST_F(OutboxTest, APublisherWaitsForRoomAndThenGoesOn) {
    hold_loop();
    constexpr std::size_t size = 1 * MiB;
    constexpr std::uint64_t count = 3 * Service::unsent_max_bytes / size;
    std::atomic<std::uint64_t> added{0};
    std::thread publisher([&] {
        for (std::uint64_t i = 1; i <= count; ++i) {
            EXPECT_TRUE(add(i, size));
            added.store(i);
        }
    });
    while (added.load() * size < Service::unsent_max_bytes - 2 * size) std::this_thread::yield();
    EXPECT_LE(added.load() * size, Service::unsent_max_bytes);
    door_.open();
    publisher.join();
    taken_.wait_for(count);
}

TEST_F(OutboxTest, OneLargerThanTheBoundGoesAlone) {
    ASSERT_TRUE(add(1, Service::unsent_max_bytes + 1));
    ASSERT_TRUE(add(2, 1));
    EXPECT_EQ(taken_.wait_for(2).at(1).first, 2U);
}

TEST_F(OutboxTest, OnTheLoopNobodyWaits) {
    Heard<bool> done;
    loop_.post([&] {
        bool all = true;
        for (std::uint64_t i = 1; i <= 20; ++i) all = all && add(i, 1 * MiB).operator bool();
        done.add(all);
    });
    EXPECT_EQ(done.wait_for(1), std::vector<bool>{true});
    taken_.wait_for(20);
}

TEST_F(OutboxTest, DrainingTakesAllAtOnce) {
    hold_loop();
    for (std::uint64_t i = 1; i <= 100; ++i) ASSERT_TRUE(add(i, 10 * KiB));
    door_.open();
    ASSERT_TRUE(loop_.run([&] { outbox_.drain(); }));
    EXPECT_EQ(taken_.so_far().size(), 100U);
    ASSERT_TRUE(add(101, 1));
    taken_.wait_for(101);
}

}  // namespace
}  // namespace understudy::library
