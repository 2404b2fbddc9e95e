// Retired segments are used again. Their earlier content must not count, whatever happens to the
// process or the power, at whichever disk call.

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "journal/fakes/session_test.h"
#include "journal/walk/walk.h"

namespace understudy::journal {
namespace {

using Survival = FakeDisk::Survival;
using ::testing::IsEmpty;

constexpr Survival reuse_survivals[] = {Survival::none, Survival::all, Survival::some,
                                        Survival::torn};

/// Counts how segments are made.
struct Counter {
    int zeros = 0;
    int reused = 0;

    void watch(FakeDisk& disk) {
        disk.set_fault([this](std::string_view call, const std::string& path) {
            const bool segment = path.ends_with(".seg");
            // A segment of zeros is renamed too; it is subtracted below.
            if (call == "rename" && segment) ++reused;
            if (call == "open" && path.ends_with(".seg.tmp")) {
                ++zeros;
                --reused;
            }
            return std::optional<Errc>();
        });
    }
};

std::string numbered_command(std::size_t number) {
    return "command " + std::to_string(number) + " " + std::string(number * 7919 % 9000, 'x');
}

/// What successive processes have offered, and how much of it was acknowledged.
struct Story {
    std::size_t acknowledged = 0;
    std::size_t offered = 0;
};

/// A process whose state is the number of commands. It takes a checkpoint after each fourth
/// command.
class ReuseLife {
public:
    ReuseLife(FakeDisk& disk, Story& story, std::uint64_t seed)
        : disk_(disk), session_(disk, seed), story_(story) {}

    /// Checks that everything that was acknowledged is there, and only what was offered.
    bool open() {
        session_.opened();
        if (disk_.dead() || !session_.journal) return false;
        const std::string& restored = session_.recorder.restored;
        std::size_t number = restored.empty() ? 0 : std::stoul(restored);
        for (const std::string& one : session_.recorder.commands()) {
            EXPECT_EQ(one, numbered_command(number));
            ++number;
        }
        EXPECT_GE(number, story_.acknowledged) << "what was acknowledged is gone";
        EXPECT_LE(number, story_.offered) << "what was never offered is there";
        story_ = {.acknowledged = number, .offered = number};
        return true;
    }
    void work(int commands) {
        for (int i = 0; i < commands; ++i) {
            if (!session_.append(numbered_command(story_.offered++))) return;
            story_.acknowledged = story_.offered;
            if (story_.offered % 4 != 0) continue;
            if (!session_.checkpoint(std::to_string(story_.offered)) && disk_.dead()) return;
        }
    }

    Session& session() { return session_; }

private:
    FakeDisk& disk_;
    Session session_;
    Story& story_;
};

/// Two processes: the first is killed, the second closes.
void live_with_reuse(FakeDisk& disk, Story& story, std::uint64_t seed) {
    for (std::uint64_t turn = 0; turn < 2 && !disk.dead(); ++turn) {
        ReuseLife life(disk, story, seed + turn);
        if (!life.open()) return;
        life.work(turn == 0 ? 90 : 60);
        if (turn == 1 && !disk.dead() && life.session().journal) life.session().close();
    }
}

void expect_reuse_recovers(FakeDisk& disk, Story& story, std::uint64_t seed) {
    for (std::uint64_t turn = 0; turn < 2; ++turn) {
        ReuseLife life(disk, story, seed + turn);
        ASSERT_TRUE(life.open()) << to_string(life.session().error.value_or(Error{Errc::failed}));
        life.work(12);
        life.session().journal.reset();
        disk.power_cut(Survival::none);
    }
    ReuseLife life(disk, story, seed + 7);
    ASSERT_TRUE(life.open());
}

std::uint64_t reuse_calls_of(std::uint64_t seed) {
    FakeDisk disk(seed);
    Counter counter;
    counter.watch(disk);
    Story story;
    live_with_reuse(disk, story, seed);
    EXPECT_EQ(story.offered, 150U);
    EXPECT_GE(counter.reused, 5) << "or there is nothing to see here";
    return disk.calls();
}

void crash_reuse_everywhere(std::uint64_t seed, bool power, std::uint64_t step) {
    const std::uint64_t calls = reuse_calls_of(seed);
    for (std::uint64_t call = 1; call <= calls; call += step) {
        FakeDisk disk(seed);
        Story story;
        disk.die_at(call);
        live_with_reuse(disk, story, seed);
        ASSERT_TRUE(disk.dead());
        power ? disk.power_cut(reuse_survivals[call % std::size(reuse_survivals)])
              : disk.restart_process();
        expect_reuse_recovers(disk, story, seed + call);
        if (testing::Test::HasFailure()) {
            FAIL() << "seed " << seed << ", call " << call << " of " << calls;
        }
    }
}

TEST(SegmentReuse, ThePowerGoesAtEveryDiskCall) { crash_reuse_everywhere(1, true, 1); }

TEST(SegmentReuse, TheProcessDiesAtEveryDiskCall) { crash_reuse_everywhere(2, false, 2); }

// What failed once must not be trusted the second time. A reserve that cannot be made of an old
// segment is made of zeros.
TEST(SegmentReuse, EveryDiskCallFailsOnce) {
    const std::uint64_t seed = 3;
    const std::uint64_t calls = reuse_calls_of(seed);
    for (std::uint64_t call = 1; call <= calls; call += 2) {
        FakeDisk disk(seed);
        Story story;
        std::uint64_t left = call;
        disk.set_fault([&](std::string_view what, const std::string&) -> std::optional<Errc> {
            if (left == 0 || --left > 0 || what == "lock" || what == "list") return std::nullopt;
            return Errc::disk_failed;
        });
        live_with_reuse(disk, story, seed);
        disk.set_fault({});
        call % 4 == 1 ? disk.restart_process() : disk.power_cut(Survival::none);
        expect_reuse_recovers(disk, story, seed + call);
        if (testing::Test::HasFailure()) FAIL() << "call " << call << " of " << calls;
    }
}

class Quiet final : public WalkVisitor {
public:
    void begin(const Walked&) override {}
    Result<void> entry(const Entry&, const std::string&, std::uint64_t) override {
        if (on_entry) on_entry();
        return {};
    }
    void progress(std::uint64_t, std::uint64_t) override {}
    std::function<void()> on_entry;
};

TEST(SegmentReuse, AJournalThatIsTrimmedGoesOnInTheSegmentsThatItHas) {
    FakeDisk disk(1);
    Counter counter;
    counter.watch(disk);
    Session session(disk);
    session.opened();
    for (int round = 0; round < 30; ++round) {
        for (int i = 0; i < 5; ++i) ASSERT_TRUE(session.append(std::string(10'000, 'x')));
        ASSERT_TRUE(session.checkpoint("state"));
        EXPECT_LE(files(disk, ".seg").size(), 4 + retired_max(64 * KiB));
    }
    EXPECT_LE(counter.zeros, 6);
    EXPECT_GE(counter.reused, 15);
    ASSERT_TRUE(session.append("the last"));
    ASSERT_TRUE(session.close());
    disk.power_cut(Survival::none);

    Quiet visitor;
    const auto walked = walk(disk, directory, WalkDepth::everything, visitor);
    ASSERT_TRUE(walked) << to_string(walked.error());
    EXPECT_THAT(walked->damages, IsEmpty());
    EXPECT_THAT(walked->strays, IsEmpty()) << "what an earlier segment held is none";
    EXPECT_TRUE(std::any_of(walked->segments.begin(), walked->segments.end(),
                            [](const WalkedSegment& one) { return one.reused; }));
    Session next(disk, 2);
    next.opened();
    ASSERT_TRUE(next.journal);
    EXPECT_EQ(next.recorder.commands().back(), "the last");

    // The next process did not make these segments, so they are removed.
    ASSERT_TRUE(next.checkpoint("state"));
    ASSERT_TRUE(next.append("behind it"));
    ASSERT_TRUE(next.checkpoint("state"));
    EXPECT_LE(files(disk, ".seg").size(), 2U);
}

TEST(SegmentReuse, AFullDiskGetsTheRoomOfSegmentsThatWaitForUse) {
    FakeDisk disk(1);
    Session session(disk);
    session.opened();
    for (int round = 0; round < 8; ++round) {
        for (int i = 0; i < 12; ++i) ASSERT_TRUE(session.append(std::string(10'000, 'x')));
        ASSERT_TRUE(session.checkpoint("state"));
    }
    const std::size_t before = files(disk, ".seg").size();
    disk.set_capacity(disk.used());
    ASSERT_TRUE(session.append("small"));
    const std::string state(50'000, 's');
    const auto refused = session.checkpoint(state);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::no_space);
    EXPECT_LT(files(disk, ".seg").size(), before);
    EXPECT_TRUE(session.checkpoint(state));
}

TEST(SegmentReuse, WhoLooksMeanwhileTakesNothingForDamage) {
    FakeDisk disk(1);
    Session session(disk);
    session.opened();
    const auto work = [&] {
        for (int i = 0; i < 12; ++i) ASSERT_TRUE(session.append(std::string(10'000, 'x')));
        ASSERT_TRUE(session.checkpoint("state"));
    };
    for (int round = 0; round < 6; ++round) work();
    for (int at = 1; at <= 30; ++at) {
        Quiet visitor;
        int left = at;
        visitor.on_entry = [&] {
            if (--left == 0) work();
        };
        const auto walked = walk(disk, directory, WalkDepth::everything, visitor);
        ASSERT_TRUE(walked) << to_string(walked.error());
        EXPECT_TRUE(walked->live);
        EXPECT_THAT(walked->damages, IsEmpty()) << at;
    }
}

/// The disk before and after an append. Nothing of it was durable before its end.
struct Moment {
    FakeDisk before;
    FakeDisk after;
    std::string path;  ///< Of the segment that was written to.
    std::uint64_t offset = 0;
    std::uint64_t end = 0;
    std::size_t number = 0;  ///< Of the command.
};

/// The end of the valid part of the newest segment that has been begun.
std::pair<std::string, std::uint64_t> tail_of(const FakeDisk& disk, bool& reused) {
    std::pair<std::string, std::uint64_t> tail;
    for (const std::string& path : files(disk, ".seg")) {
        const std::uint64_t generation = *parse_segment_name(path.substr(path.rfind('/') + 1));
        const Bytes bytes = disk.contents(path);
        const auto header = decode_segment_header(bytes, generation);
        if (!header || !*header) continue;
        std::size_t end = segment_header_bytes;
        while (const auto entry = decode(bytes.subspan(end), checksum_seed(generation))) {
            end += entry->header.encoded_bytes();
        }
        tail = {path, end};
        reused = (*header)->reused;
    }
    return tail;
}

/// The first append in a reused segment. It begins the segment, or it does not.
Moment append_to_reused(bool begins_it) {
    FakeDisk disk(5);
    Story story;
    ReuseLife life(disk, story, 5);
    EXPECT_TRUE(life.open());
    for (;;) {
        FakeDisk before = disk;
        bool reused = false;
        const auto old_tail = tail_of(disk, reused);
        life.work(1);
        const auto tail = tail_of(disk, reused);
        const bool begun = tail.first != old_tail.first;
        const bool written = files(before, ".ckpt") == files(disk, ".ckpt");
        const bool old_bytes = tail.second < 60 * KiB;
        if (!reused || begun != begins_it || !written || !old_bytes) continue;
        const std::uint64_t offset = begun ? 0 : old_tail.second;
        return {before, disk, tail.first, offset, tail.second, story.offered - 1};
    }
}

void tear_everywhere(const Moment& moment) {
    const Buffer& old_bytes = moment.before.contents(moment.path);
    const Buffer& new_bytes = moment.after.contents(moment.path);
    ASSERT_EQ(old_bytes.size(), new_bytes.size());
    EXPECT_NE(old_bytes[moment.end + 100], std::byte{}) << "there should be something behind it";
    for (const bool front : {true, false}) {
        for (std::uint64_t tear = moment.offset; tear <= moment.end;
             tear += tear < moment.offset + 200 || tear + 50 > moment.end ? 1 : 61) {
            // The next reserve is made only when the first write to this segment is durable.
            FakeDisk disk = moment.before;
            Buffer torn = front ? new_bytes : old_bytes;
            const Buffer& rest = front ? old_bytes : new_bytes;
            std::copy(rest.begin() + static_cast<std::ptrdiff_t>(tear), rest.end(),
                      torn.begin() + static_cast<std::ptrdiff_t>(tear));
            disk.put(moment.path, std::move(torn));
            disk.restart_process();
            Story story{.acknowledged = moment.number, .offered = moment.number + 1};
            for (std::uint64_t turn = 0; turn < 2; ++turn) {
                ReuseLife life(disk, story, tear + turn);
                ASSERT_TRUE(life.open())
                    << tear << to_string(life.session().error.value_or(Error{Errc::failed}));
                life.work(2);
                life.session().journal.reset();
                disk.power_cut(Survival::none);
            }
            if (testing::Test::HasFailure()) FAIL() << "torn at " << tear << ", front " << front;
        }
    }
}

/// The disk after a torn write to the start of `path`: only a part of it is there.
FakeDisk torn_at(const FakeDisk& before, const std::string& path, const Buffer& new_bytes,
                 std::size_t tear, bool front) {
    FakeDisk disk = before;
    Buffer torn = before.contents(path);
    const std::size_t from = front ? 0 : tear;
    const std::size_t to = front ? tear : new_bytes.size();
    std::copy(new_bytes.begin() + static_cast<std::ptrdiff_t>(from),
              new_bytes.begin() + static_cast<std::ptrdiff_t>(to),
              torn.begin() + static_cast<std::ptrdiff_t>(from));
    disk.put(path, std::move(torn));
    disk.restart_process();
    return disk;
}

/// Opens what a torn write of `bytes` over the start of `path` leaves, for every part that may be
/// left.
void expect_opened_wherever_torn(const FakeDisk& before, const std::string& path,
                                 const Buffer& bytes, const std::vector<std::string>& commands) {
    for (const bool front : {true, false}) {
        for (std::size_t tear = 0; tear <= bytes.size(); ++tear) {
            FakeDisk disk = torn_at(before, path, bytes, tear, front);
            Session session(disk, tear + 1);
            session.opened();
            ASSERT_TRUE(session.journal) << "torn at " << tear << ", front " << front << ": "
                                         << to_string(session.error.value_or(Error{}));
            EXPECT_EQ(session.recorder.commands(), commands);
        }
    }
}

// A new journal: a segment is made as a reserve, and begun by the tenure entry.
TEST(SegmentReuse, ATornFirstWriteOfTheFirstSegmentIsCut) {
    FakeDisk disk(1);
    Session session(disk);
    std::string path;
    std::optional<FakeDisk> before;
    disk.set_fault([&](std::string_view call, const std::string&) -> std::optional<Errc> {
        const auto segments = files(disk, ".seg");
        if (before || call != "write" || segments.empty()) return std::nullopt;
        path = segments.front();
        before.emplace(disk);
        return std::nullopt;
    });
    session.opened();
    ASSERT_TRUE(session.journal);
    ASSERT_TRUE(before);
    before->set_fault({});
    const Buffer& now = disk.contents(path);
    expect_opened_wherever_torn(*before, path, Buffer(now.begin(), now.begin() + 64 + 40), {});
}

// A retired segment has its new name, and after that the write of the reserve's header is torn.
TEST(SegmentReuse, ATornHeaderOfAReserveIsNone) {
    FakeDisk disk(1);
    Session session(disk);
    session.opened();
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(session.append(std::to_string(i)));
    ASSERT_TRUE(session.close());
    disk.power_cut(Survival::none);
    const auto segments = files(disk, ".seg");
    ASSERT_EQ(segments.size(), 2U);
    const Buffer reserve = disk.contents(segments[1]);
    Buffer old = disk.contents(segments[0]);
    disk.put(segments[1], std::move(old));
    expect_opened_wherever_torn(disk, segments[1], Buffer(reserve.begin(), reserve.begin() + 64),
                                {"0", "1", "2", "3", "4"});
}

TEST(SegmentReuse, ATornWriteAmongOldEntriesIsCut) { tear_everywhere(append_to_reused(false)); }

TEST(SegmentReuse, ATornFirstWriteOfASegmentIsCut) { tear_everywhere(append_to_reused(true)); }

}  // namespace
}  // namespace understudy::journal
