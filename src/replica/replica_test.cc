#include "replica/replica.h"

#include <algorithm>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "journal/fakes/fake_runtime_test.h"
#include "replica/list_machine_test.h"
#include "replica/local_test.h"

namespace understudy::replica {
namespace {

using journal::FakeDisk;
using journal::FakeRuntime;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

Buffer buffer_of(std::string_view text) {
    const Bytes bytes = as_bytes(text);
    return Buffer(bytes.begin(), bytes.end());
}

/// One process with one replica.
class Hosted {
public:
    explicit Hosted(FakeDisk& disk, std::uint64_t checkpoint_every = 0) : runtime(disk, 1) {
        opening = Replica::open(runtime, log, every(checkpoint_every),
                                local(runtime, log,
                                      {.directory = "/data/registry",
                                       .segment_size_bytes = 64 * KiB}),
                                machine, [this](Result<std::unique_ptr<Replica>> opened) {
                                    opening.reset();
                                    if (opened) {
                                        replica = *std::move(opened);
                                    } else {
                                        error = opened.error();
                                    }
                                });
        runtime.settle();
    }

    void offer(std::string_view command, Urgency urgency = Urgency::ordinary) {
        replica->propose(buffer_of(command), urgency,
                         [this](Result<Index> outcome) { outcomes.push_back(std::move(outcome)); });
    }
    Result<Index> propose(std::string_view command, Urgency urgency = Urgency::ordinary) {
        offer(command, urgency);
        runtime.settle();
        return outcomes.back();
    }
    Result<Index> checkpoint() {
        std::optional<Result<Index>> taken;
        replica->checkpoint_now([&](Result<Index> result) { taken = std::move(result); });
        runtime.settle();
        return taken ? *taken : Error{.code = Errc::timed_out};
    }

    NullLog log;
    FakeRuntime runtime;
    ListMachine machine;
    std::vector<Result<Index>> outcomes;
    std::unique_ptr<Replica> replica;
    std::optional<Error> error;
    std::unique_ptr<journal::Opening> opening;
};

FakeDisk::Fault failing(std::string_view kind, Errc code = Errc::disk_failed) {
    return [kind, code](std::string_view call, const std::string&) -> std::optional<Errc> {
        return call == kind ? std::optional(code) : std::nullopt;
    };
}

TEST(Replica, WhyAnOpeningFailedIsPassedOn) {
    FakeDisk disk(1);
    Hosted first(disk);
    ASSERT_TRUE(first.replica);
    Hosted second(disk);
    ASSERT_TRUE(second.error);
    EXPECT_EQ(second.error->code, Errc::in_use);
}

TEST(Replica, ACommandIsAppliedBeforeItsProposerHears) {
    FakeDisk disk(1);
    Hosted hosted(disk);
    std::vector<std::string> then;
    Index index;
    hosted.replica->propose(buffer_of("one"), Urgency::ordinary, [&](Result<Index> outcome) {
        then = hosted.machine.commands;
        index = *outcome;
    });
    EXPECT_THAT(then, IsEmpty()) << "never within the call";
    hosted.runtime.settle();
    EXPECT_THAT(then, ElementsAre("one"));
    EXPECT_EQ(hosted.replica->applied(), index);
    EXPECT_EQ(hosted.machine.last, index);
}

TEST(Replica, ProposersHearInOrder) {
    FakeDisk disk(1);
    Hosted hosted(disk);
    for (int i = 0; i < 300; ++i) hosted.offer(std::string(1000, 'x') + std::to_string(i));
    hosted.runtime.settle();
    ASSERT_EQ(hosted.outcomes.size(), 300U);
    for (std::size_t i = 1; i < 300; ++i) EXPECT_GE(*hosted.outcomes[i], *hosted.outcomes[i - 1]);
}

TEST(Replica, ACommandThatIsTooLongIsRefusedAndTheNextIsNot) {
    FakeDisk disk(1);
    Hosted hosted(disk);
    const auto refused = hosted.propose(std::string(64 * KiB, 'x'));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::limit_exceeded);
    EXPECT_EQ(refused.error().effect, Effect::none);
    EXPECT_TRUE(hosted.propose("short"));
    EXPECT_THAT(hosted.machine.commands, ElementsAre("short"));
}

TEST(Replica, EveryProposerHearsWhenTheDiskFailsAndThenTheOwnerOnce) {
    FakeDisk disk(1);
    Hosted hosted(disk);
    std::vector<std::string> story;
    hosted.replica->on_failed([&](const Error& error) {
        EXPECT_EQ(error.code, Errc::disk_failed);
        story.push_back("failed");
    });
    disk.set_fault(failing("sync"));
    for (int i = 0; i < 3; ++i) {
        hosted.replica->propose({}, Urgency::ordinary, [&](const Result<Index>& outcome) {
            ASSERT_FALSE(outcome);
            EXPECT_EQ(outcome.error().effect, Effect::unknown);
            story.push_back("unknown");
        });
    }
    hosted.runtime.settle();
    EXPECT_THAT(story, ElementsAre("unknown", "unknown", "unknown", "failed"));

    disk.set_fault({});
    EXPECT_FALSE(hosted.propose("more"));
    EXPECT_FALSE(hosted.checkpoint());
    hosted.runtime.advance(10s);
    EXPECT_EQ(story.size(), 4U);
    EXPECT_THAT(hosted.machine.commands, IsEmpty());
}

TEST(Replica, SaysWhenOnlyPromotionsHaveRoom) {
    FakeDisk disk(1);
    Hosted hosted(disk);
    std::vector<Space> told;
    hosted.replica->on_space_changed([&](Space space) { told.push_back(space); });
    disk.set_capacity(disk.used());
    while (hosted.propose(std::string(4000, 'x'))) {
    }
    EXPECT_EQ(hosted.outcomes.back().error().code, Errc::no_space);
    EXPECT_EQ(hosted.outcomes.back().error().effect, Effect::none);
    EXPECT_EQ(hosted.replica->space(), Space::reserve_only);
    EXPECT_TRUE(hosted.propose("promotion", Urgency::promotion));

    disk.set_capacity(UINT64_MAX);
    hosted.runtime.advance(1s);
    EXPECT_THAT(told, ElementsAre(Space::reserve_only, Space::ok));
    EXPECT_TRUE(hosted.propose("ordinary"));
}

TEST(Replica, TakesACheckpointEverySoManyCommands) {
    FakeDisk disk(1);
    std::uint64_t hash = 0;
    {
        Hosted hosted(disk, 10);
        for (int i = 0; i < 35; ++i) ASSERT_TRUE(hosted.propose(std::to_string(i)));
        EXPECT_EQ(hosted.replica->checkpoint(), Index{31}) << "thirty commands and a tenure";
        hash = hosted.machine.hash();
    }
    disk.power_cut(FakeDisk::Survival::none);
    Hosted next(disk);
    EXPECT_EQ(next.machine.restored, 1);
    EXPECT_EQ(next.machine.hash(), hash);
    EXPECT_EQ(next.machine.commands.size(), 35U);
}

// The same commands, once with a restored checkpoint and once with a replay from the beginning.
TEST(Replica, RestoringEqualsReplaying) {
    std::uint64_t hashes[2] = {};
    for (const std::uint64_t every : {0U, 7U}) {
        FakeDisk disk(1);
        {
            Hosted hosted(disk, every);
            for (int i = 0; i < 100; ++i) {
                ASSERT_TRUE(hosted.propose(std::string(static_cast<std::size_t>(i), 'x')));
            }
        }
        disk.power_cut(FakeDisk::Survival::none);
        Hosted next(disk);
        EXPECT_EQ(next.machine.restored, every == 0 ? 0 : 1);
        hashes[every == 0 ? 0 : 1] = next.machine.hash();
    }
    EXPECT_EQ(hashes[0], hashes[1]);
}

TEST(Replica, WhoAsksDuringACheckpointGetsTheNextOne) {
    FakeDisk disk(1);
    Hosted hosted(disk);
    ASSERT_TRUE(hosted.propose("one"));
    std::vector<Index> taken;
    const auto ask = [&] {
        hosted.replica->checkpoint_now([&](const Result<Index>& at) { taken.push_back(*at); });
    };
    hosted.runtime.hold_jobs(true);
    ask();
    hosted.offer("two");
    ask();
    ask();
    hosted.runtime.hold_jobs(false);
    hosted.runtime.settle();
    ASSERT_EQ(taken.size(), 3U);
    EXPECT_EQ(taken[0], Index{2});
    EXPECT_EQ(taken[1], taken[2]);
    EXPECT_GE(taken[1], Index{2});
    EXPECT_EQ(hosted.replica->checkpoint(), taken[2]);
}

TEST(Replica, ACheckpointThatFailsIsTriedAgainLater) {
    FakeDisk disk(1);
    Hosted hosted(disk, 3);
    int tries = 0;
    disk.set_fault([&](std::string_view call, const std::string&) -> std::optional<Errc> {
        if (call != "rename") return std::nullopt;
        ++tries;
        return Errc::no_space;
    });
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(hosted.propose("command"));
    EXPECT_EQ(hosted.replica->checkpoint(), Index{});
    EXPECT_EQ(tries, 1);
    hosted.runtime.advance(2900ms);
    EXPECT_EQ(tries, 2) << "a second later";
    hosted.runtime.advance(3s);
    EXPECT_EQ(tries, 3) << "two seconds after that";
    EXPECT_EQ(hosted.replica->checkpoint(), Index{});
    disk.set_fault({});
    hosted.runtime.advance(4s);
    EXPECT_GT(hosted.replica->checkpoint(), Index{5});
}

TEST(Replica, OneThatWasAskedForSaysWhyItFailed) {
    FakeDisk disk(1);
    Hosted hosted(disk);
    ASSERT_TRUE(hosted.propose("one"));
    disk.set_fault(failing("rename", Errc::no_space));
    const auto failed = hosted.checkpoint();
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, Errc::no_space);
    disk.set_fault({});
    hosted.runtime.advance(5s);
    EXPECT_EQ(hosted.replica->checkpoint(), Index{}) << "asked for once, tried once";
    EXPECT_TRUE(hosted.checkpoint());
    EXPECT_TRUE(hosted.checkpoint()) << "nothing new, nothing to do";
}

TEST(Replica, CloseFinishesWhatWasAccepted) {
    FakeDisk disk(1);
    {
        Hosted hosted(disk, 5);
        for (int i = 0; i < 20; ++i) hosted.offer("accepted");
        bool closed = false;
        hosted.replica->close([&] { closed = true; });
        hosted.offer("late");
        hosted.runtime.settle();
        EXPECT_TRUE(closed);
        ASSERT_EQ(hosted.outcomes.size(), 21U);
        EXPECT_EQ(std::count_if(hosted.outcomes.begin(), hosted.outcomes.end(),
                                [](const auto& outcome) { return bool(outcome); }),
                  20);
    }
    Hosted next(disk);
    ASSERT_TRUE(next.replica);
    EXPECT_EQ(next.machine.commands.size(), 20U);
}

TEST(Replica, MayBeDestroyedInAnyCallback) {
    for (const std::string_view where : {"proposed", "checkpoint", "failed", "space", "closed"}) {
        FakeDisk disk(1);
        Hosted hosted(disk);
        const auto destroy = [&] { hosted.replica.reset(); };
        hosted.replica->on_failed([&](const Error&) { destroy(); });
        hosted.replica->on_space_changed([&](Space) { destroy(); });
        if (where == "failed") disk.set_fault(failing("write"));
        if (where == "space") disk.set_capacity(disk.used());
        if (where == "checkpoint") {
            for (int i = 0; i < 3; ++i) {
                hosted.replica->checkpoint_now([&](const Result<Index>&) { destroy(); });
            }
        } else {
            for (int i = 0; i < 40; ++i) {
                hosted.replica->propose(Buffer(4000), Urgency::ordinary, [&](const Result<Index>&) {
                    if (where == "proposed") destroy();
                });
            }
        }
        if (where == "closed") hosted.replica->close([&] { destroy(); });
        hosted.runtime.settle();
        hosted.runtime.advance(2s);
        EXPECT_FALSE(hosted.replica) << where;
    }
}

}  // namespace
}  // namespace understudy::replica
