// Members of a shared directory in the simulator. The polling interval is so long here that what
// happens within milliseconds has not happened by polling.
#include "hosting/shared_prompts.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "link/link.h"
#include "sim/world.h"

namespace understudy::hosting {
namespace {

constexpr Duration poll_interval = 400ms;
constexpr Duration lease = 6s;
constexpr std::string_view mount_path = "/share";

struct How {
    std::string name;
    std::string host;
    bool prompts = true;
    Duration poll = poll_interval;
};

/// A member of the service. It counts what it is told.
class Member final : private journal::Observer {
public:
    Member(Runtime& runtime, Log& log, const How& how) {
        journal::SharedJournal::Options options;
        options.directory = std::string(mount_path) + "/journal";
        options.member = how.name;
        options.election = journal::SharedJournal::Election::autonomous;
        options.lease = lease;
        options.poll_interval = how.poll;
        options.segment_size_bytes = 64 * KiB;
        const auto opened = [this](Result<std::unique_ptr<journal::Journal>> result) {
            ASSERT_TRUE(result) << to_string(result.error());
            journal = *std::move(result);
        };
        if (how.prompts) {
            prompts = std::make_unique<SharedPrompts>(
                runtime, log, SharedPrompts::Options{.listen = {how.host, 0}});
            opening = prompts->opener(options)(*this, opened);
        } else {
            opening = journal::SharedJournal::opener(runtime, log, options)(*this, opened);
        }
    }

    [[nodiscard]] bool active() const {
        return journal && journal->standing().role == Role::active;
    }
    void append(int count) {
        for (int i = 0; i < count; ++i) {
            journal->append(std::vector<journal::Draft>(1), journal::Urgency::ordinary,
                            [this](const Result<Index>& result) {
                                if (result) acknowledged = *result;
                            });
        }
    }

    Index acknowledged;
    Index heard;
    std::unique_ptr<SharedPrompts> prompts;
    std::unique_ptr<journal::Journal> journal;
    std::unique_ptr<journal::Opening> opening;

private:
    Result<void> restore(const journal::StateSlice& slice) override {
        heard = slice.at;
        return {};
    }
    void committed(const journal::Entry& entry) override { heard = entry.index; }
    void standing_changed(const journal::Standing&) override {}
    void space_changed(journal::Space) override {}
    void failed(const Error& reason) override { ADD_FAILURE() << to_string(reason); }
};

/// Two members, of which "a" is active. Each has its own machine, or both share one.
class SharedPromptsTest : public testing::Test {
protected:
    void start(bool one_machine = false, bool prompts = true, Duration b_polls = poll_interval) {
        sim::DiskStore& store = world.add_disk("share");
        world.add_node("h1").mount(std::string(mount_path), store);
        if (!one_machine) world.add_node("h2").mount(std::string(mount_path), store);
        const std::string other = one_machine ? "h1" : "h2";
        a = &run({.name = "a", .host = "h1", .prompts = prompts});
        ASSERT_TRUE(world.run_until([&] { return app(*a).active(); }, 2s));
        b = &run({.name = "b", .host = other, .prompts = prompts, .poll = b_polls});
        ASSERT_TRUE(world.run_until([&] { return app(*b).journal != nullptr; }, 2s));
        if (prompts) {
            ASSERT_TRUE(world.run_until([&] { return app(*b).prompts->prompted(); }, 2s));
        }
        world.run_for(3s);
    }
    sim::Process& run(const How& how) {
        return world.node(how.host).start(how.name, [how](Runtime& runtime, Log& log) {
            return std::make_unique<Member>(runtime, log, how);
        });
    }
    static Member& app(sim::Process& process) { return process.app<Member>(); }
    void append(int count) {
        a->runtime().post([this, count] { app(*a).append(count); });
        const Index before = app(*a).acknowledged;
        ASSERT_TRUE(world.run_until([&] { return app(*a).acknowledged > before; }, 1s));
    }
    [[nodiscard]] bool b_hears_all_within(Duration limit) {
        return world.run_until([&] { return app(*b).heard == app(*a).heard; }, limit);
    }
    void TearDown() override { EXPECT_EQ(world.verdict(), ""); }

    sim::World world{{.seed = 7}};
    sim::Process* a = nullptr;
    sim::Process* b = nullptr;
};

TEST_F(SharedPromptsTest, AStandbyIsAMillisecondBehind) {
    start();
    EXPECT_EQ(app(*a).prompts->standbys(), 1U);
    for (int i = 0; i < 20; ++i) {
        append(3);
        EXPECT_TRUE(b_hears_all_within(2ms)) << i;
        world.run_for(50ms);
    }
}

TEST_F(SharedPromptsTest, UnderLoadTooAndAllOfItIsHeard) {
    start();
    for (int i = 0; i < 200; ++i) append(20);
    EXPECT_TRUE(b_hears_all_within(3ms));
    EXPECT_GE(app(*b).heard, Index{4000});
}

TEST_F(SharedPromptsTest, WhoOpensLateIsToldWhatWasCommittedBefore) {
    start();
    append(5);
    const auto c = &run({.name = "c", .host = "h2"});
    ASSERT_TRUE(world.run_until([&] { return app(*c).heard == app(*a).heard; }, 100ms))
        << "the last entry is vouched for by nothing but the prompt";
}

TEST_F(SharedPromptsTest, TheEndOfAnActiveOnAnotherMachineIsNoticedWithoutPolling) {
    start();
    append(5);
    const Index acknowledged = app(*a).acknowledged;
    a->crash();
    ASSERT_TRUE(world.run_until([&] { return app(*b).active(); }, 20ms));
    EXPECT_GE(app(*b).heard, acknowledged);
}

TEST_F(SharedPromptsTest, TheEndOfAnActiveOnTheSameMachineIsNoticedWithoutPollingOrPrompts) {
    start(true, false);
    append(5);
    const Index acknowledged = app(*a).acknowledged;
    a->crash();
    ASSERT_TRUE(world.run_until([&] { return app(*b).active(); }, 20ms));
    EXPECT_GE(app(*b).heard, acknowledged);
}

TEST_F(SharedPromptsTest, TheNextActivePromptsWhoComesBack) {
    start();
    a->crash();
    ASSERT_TRUE(world.run_until([&] { return app(*b).active(); }, 1s));
    a->restart();
    ASSERT_TRUE(world.run_until(
        [&] { return app(*a).prompts->prompted() && app(*a).journal != nullptr; }, 3s));
    std::swap(a, b);
    append(3);
    EXPECT_TRUE(b_hears_all_within(3ms));
}

TEST_F(SharedPromptsTest, WhoCannotReachTheActivePolls) {
    start(false, true, 20ms);
    world.cut("h1", "h2");
    append(3);
    append(3);
    EXPECT_FALSE(b_hears_all_within(5ms));
    const Index acknowledged = app(*a).acknowledged;
    EXPECT_TRUE(world.run_until([&] { return app(*b).heard >= acknowledged; }, 1200ms))
        << "the active vouches for the last command after 1 s, by a mark";
    EXPECT_FALSE(app(*b).active());
    world.heal_network();
    world.run_for(30s);
    append(3);
    EXPECT_TRUE(b_hears_all_within(3ms)) << "connected anew";
}

TEST_F(SharedPromptsTest, ABrokenConnectionEndsNoTenure) {
    start();
    for (int i = 0; i < 10; ++i) {
        world.reset_connections("h1", "h2");
        world.run_for(300ms);
        EXPECT_TRUE(app(*a).active());
        EXPECT_FALSE(app(*b).active());
        EXPECT_TRUE(app(*b).prompts->prompted()) << i;
    }
}

TEST_F(SharedPromptsTest, AStandbyThatWasStoppedHearsAllWhenItGoesOn) {
    start();
    b->pause();
    for (int i = 0; i < 300; ++i) append(2);
    b->resume();
    EXPECT_TRUE(b_hears_all_within(20ms));
}

/// Sends a hello with the given content, and records the answer.
class Stranger final : public link::Link::Observer {
public:
    Stranger(Runtime& runtime, const Address& address, Buffer hello) {
        attempt = runtime.network().connect(
            address, {}, 1s, [this, &runtime, hello](Result<std::unique_ptr<Connection>> opened) {
                ASSERT_TRUE(opened);
                link = std::make_unique<link::Link>(runtime, *std::move(opened),
                                                    wire::Side::connecting,
                                                    link::Link::Options{}, *this);
                link->hello(hello);
            });
    }
    bool welcomed = false;
    std::optional<Error> closed;

private:
    void link_hello(link::Link&, Bytes) override {}
    void link_welcome(link::Link&, Bytes) override { welcomed = true; }
    void link_message(link::Link&, wire::MessageType, Bytes) override {}
    void link_drained(link::Link&) override {}
    void link_closed(link::Link&, const Error& reason) override { closed = reason; }

    std::unique_ptr<Attempt> attempt;
    std::unique_ptr<link::Link> link;
};

TEST_F(SharedPromptsTest, WhoCannotReadTheDirectoryIsToldNothing) {
    start();
    Buffer guess;
    ByteWriter writer(guess);
    writer.fixed(std::uint64_t{1});
    writer.fixed(std::uint32_t{4711});
    const Buffer part(guess.begin(), guess.begin() + 5);
    const Address address = app(*a).prompts->address().value();
    for (const Buffer& hello : {guess, part, Buffer()}) {
        sim::Process& process =
            world.node("h2").start("stranger", [&](Runtime& runtime, Log&) {
                return std::make_unique<Stranger>(runtime, address, hello);
            });
        ASSERT_TRUE(world.run_until(
            [&] { return process.app<Stranger>().closed.has_value(); }, 7s));
        EXPECT_FALSE(process.app<Stranger>().welcomed);
        process.stop();
    }
    EXPECT_EQ(app(*a).prompts->standbys(), 1U);
}

TEST_F(SharedPromptsTest, NoMoreStandbysAreTakenThanThereMayBe) {
    start();
    const Address address = app(*a).prompts->address().value();
    for (std::size_t i = 0; i < SharedPrompts::standbys_max + 2; ++i) {
        world.node("h2").start("s" + std::to_string(i), [&](Runtime& runtime, Log&) {
            return std::make_unique<Stranger>(runtime, address, Buffer());
        });
    }
    world.run_for(10s);
    EXPECT_EQ(app(*a).prompts->standbys(), 1U);
    append(1);
    EXPECT_TRUE(b_hears_all_within(3ms));
}

}  // namespace
}  // namespace understudy::hosting
