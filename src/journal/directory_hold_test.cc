// A directory of another owner is not opened, an own directory is held, and its removal is noticed,
// whatever happens at whichever disk call.
#include "journal/directory_hold.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "journal/fakes/session_test.h"
#include "journal/node_log/node_session_test.h"
#include "journal/shared/shared_member_test.h"

namespace understudy::journal {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Survival = FakeDisk::Survival;

constexpr Survival all_survivals[] = {Survival::none, Survival::all, Survival::some,
                                      Survival::torn};

const std::string whole_node = "/data/shop/r1";

DirectoryWanted as(DirectoryForm form, std::string where = directory,
                   DirectoryUse use = DirectoryUse::registry) {
    DirectoryWanted wanted;
    wanted.directory = std::move(where);
    wanted.identity = {.use = use, .form = form};
    if (use == DirectoryUse::registry && form != DirectoryForm::alone) {
        wanted.identity.platform = "shop";
        wanted.identity.node = "r1";
    } else if (use != DirectoryUse::registry) {
        wanted.identity.service = "Orders";
    }
    wanted.segment_bytes = 64 * KiB;
    return wanted;
}

/// The identities of a node's directory and of its log.
std::vector<DirectoryWanted> as_node() {
    return {as(DirectoryForm::node, whole_node),
            as(DirectoryForm::log, whole_node + "/log")};
}

/// Opens a local journal at `where` to its end, and closes it again.
std::optional<Error> open_local(FakeDisk& disk, const std::string& where,
                                std::vector<DirectoryWanted> identities, int commands = 1) {
    FakeRuntime runtime(disk, 1);
    NullLog log;
    Recorder recorder;
    std::optional<Error> error;
    std::unique_ptr<Journal> journal;
    const auto opening = LocalJournal::open(
        runtime, log,
        {.directory = where, .segment_size_bytes = 64 * KiB, .identities = std::move(identities)},
        recorder, [&](Result<std::unique_ptr<Journal>> result) {
            if (result) {
                journal = *std::move(result);
            } else {
                error = result.error();
            }
        });
    runtime.settle();
    if (!journal) return error ? error : Error{.code = Errc::closed, .detail = "died"};
    for (int i = 0; i < commands; ++i) {
        std::vector<Draft> drafts(1);
        drafts[0].type = EntryType::commands;
        drafts[0].body.resize(8);
        journal->append(std::move(drafts), Urgency::ordinary, {});
    }
    journal->close([] {});
    runtime.settle();
    return {};
}

bool has_files_of_ours(const FakeDisk& disk) {
    for (const std::string& name : disk.names()) {
        if (name.ends_with("/identity") || name.ends_with(".seg")) return true;
    }
    return false;
}

TEST(DirectoryHold, ANewDirectorySaysWhatItIsAndAnotherKindIsRefusedAndChangesNothing) {
    FakeDisk disk(1);
    ASSERT_FALSE(open_local(disk, directory, {as(DirectoryForm::alone)}));
    EXPECT_EQ(*read_identity(disk, directory), as(DirectoryForm::alone).identity);
    const auto names = disk.names();
    for (const DirectoryWanted& other :
         {as(DirectoryForm::node), as(DirectoryForm::shared),
          as(DirectoryForm::alone, directory, DirectoryUse::replica),
          as(DirectoryForm::shared, directory, DirectoryUse::immortal)}) {
        const auto refused = open_local(disk, directory, {other});
        ASSERT_TRUE(refused);
        EXPECT_EQ(refused->code, Errc::bad_config);
        EXPECT_EQ(disk.names(), names);
    }
    EXPECT_FALSE(open_local(disk, directory, {as(DirectoryForm::alone)}));
}

TEST(DirectoryHold, ANodesDirectoryOpenedAloneIsRefusedAndChangesNothing) {
    FakeDisk disk(1);
    ASSERT_FALSE(open_local(disk, whole_node + "/log", as_node()));
    const auto names = disk.names();
    for (const std::string& where : {whole_node, whole_node + "/log"}) {
        const auto refused = open_local(disk, where, {as(DirectoryForm::alone, where)});
        ASSERT_TRUE(refused);
        EXPECT_EQ(refused->code, Errc::bad_config);
        EXPECT_THAT(refused->detail, HasSubstr("node r1 of a registry of several nodes"));
        EXPECT_EQ(disk.names(), names);
    }
}

TEST(DirectoryHold, AnOldDirectoryIsGivenItsIdentityAndKeepsIt) {
    FakeDisk disk(1);
    ASSERT_FALSE(open_local(disk, directory, {}));
    EXPECT_FALSE(disk.exists(path_in(directory, identity_name)));
    ASSERT_FALSE(open_local(disk, directory, {as(DirectoryForm::alone)}));
    EXPECT_EQ(*read_identity(disk, directory), as(DirectoryForm::alone).identity);
    disk.power_cut(Survival::none);
    EXPECT_EQ(*read_identity(disk, directory), as(DirectoryForm::alone).identity);
}

TEST(DirectoryHold, AnOldDirectoryOpensOnAFullDisk) {
    FakeDisk disk(1);
    ASSERT_FALSE(open_local(disk, directory, {}));
    disk.set_capacity(disk.used());
    EXPECT_FALSE(open_local(disk, directory, {as(DirectoryForm::alone)}, 0));
    EXPECT_FALSE(disk.exists(path_in(directory, identity_name)));
    disk.set_capacity(UINT64_MAX);
    EXPECT_FALSE(open_local(disk, directory, {as(DirectoryForm::alone)}));
    EXPECT_TRUE(disk.exists(path_in(directory, identity_name)));
}

TEST(DirectoryHold, AnOldNodesLogIsToldFromAJournalByWhatIsInIt) {
    FakeDisk disk(1);
    {
        NodeSession node(disk, 1);
        ASSERT_TRUE(node.opened().log);
    }
    disk.restart_process();
    const auto refused = open_local(disk, node_directory, {as(DirectoryForm::alone,
                                                                    node_directory)});
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->code, Errc::bad_config);
    EXPECT_THAT(refused->detail, HasSubstr("the log of a node"));
}

TEST(DirectoryHold, FilesOfOthersThatAreCalledLikeDirectoriesOfOursAreLeftAlone) {
    for (const DirectoryUse use : {DirectoryUse::registry, DirectoryUse::immortal}) {
        FakeDisk disk(1);
        ASSERT_TRUE(disk.make_directory(directory));
        for (const char* const name : {"log", "groups", "notes.txt"}) {
            disk.put(path_in(directory, name), Buffer(3));
        }
        disk.set_fault([](std::string_view call, const std::string& path) -> std::optional<Errc> {
            // As the kernel answers.
            if (call == "list" && path != directory) return Errc::bad_path;
            return {};
        });
        const auto refused =
            open_local(disk, directory, {as(DirectoryForm::alone, directory, use)});
        EXPECT_FALSE(refused) << to_string(*refused);
    }
}

TEST(DirectoryHold, ADamagedIdentityIsSaidToBeDamaged) {
    FakeDisk disk(1);
    ASSERT_FALSE(open_local(disk, directory, {as(DirectoryForm::alone)}));
    disk.flip(path_in(directory, identity_name), 99);
    const auto refused = open_local(disk, directory, {as(DirectoryForm::alone)});
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->code, Errc::corrupt);
    EXPECT_THAT(refused->detail, HasSubstr(path_in(directory, identity_name)));
}

/// The process ends at each disk call while it makes a directory. After that, the same kind of
/// journal opens the directory. No other kind opens it if it finds anything in it.
void crash_everywhere(const std::string& where, const std::vector<DirectoryWanted>& identities) {
    std::uint64_t calls = 0;
    {
        FakeDisk disk(1);
        ASSERT_FALSE(open_local(disk, where, identities, 0));
        calls = disk.calls();
    }
    ASSERT_GT(calls, 20U);
    for (std::uint64_t call = 1; call <= calls; ++call) {
        for (int how = 0; how <= 4; ++how) {
            SCOPED_TRACE(std::to_string(call) + " of " + std::to_string(calls) + ", " +
                         std::to_string(how));
            FakeDisk disk(call * 5 + static_cast<std::uint64_t>(how));
            disk.die_at(call);
            (void)open_local(disk, where, identities, 0);
            if (how == 4) {
                disk.restart_process();
            } else {
                disk.power_cut(all_survivals[how]);
            }
            for (const DirectoryForm form : {DirectoryForm::alone, DirectoryForm::shared,
                                             DirectoryForm::node, DirectoryForm::copies}) {
                const DirectoryWanted other =
                    as(form, identities.front().directory, DirectoryUse::replica);
                if (DirectoryHold::check(disk, {other})) {
                    EXPECT_FALSE(has_files_of_ours(disk));
                }
            }
            const auto again = open_local(disk, where, identities);
            EXPECT_FALSE(again) << to_string(*again);
        }
    }
}

TEST(DirectoryHold, ACrashAtAnyCallLeavesALocalDirectoryToItsOwnKind) {
    crash_everywhere(directory, {as(DirectoryForm::alone)});
}

TEST(DirectoryHold, ACrashAtAnyCallLeavesANodesDirectoryToItsOwnKind) {
    crash_everywhere(whole_node + "/log", as_node());
}

TEST(DirectoryHold, ACrashAtAnyCallLeavesASharedDirectoryToItsOwnKind) {
    SharedJournal::Options options;
    options.identities = {as(DirectoryForm::shared)};
    for (std::uint64_t call = 1; call < 60; ++call) {
        for (const Survival survival : all_survivals) {
            SCOPED_TRACE(call);
            FakeDisk store(call);
            SharedOracle oracle;
            {
                SharedMember first(store, oracle, "A", 1, options);
                first.mount.die_at(call);
                if (first.opened().journal) (void)first.take_over();
            }
            store.power_cut(survival);
            if (DirectoryHold::check(store, {as(DirectoryForm::alone)})) {
                EXPECT_FALSE(has_files_of_ours(store));
            }
            SharedMember second(store, oracle, "B", 2, options);
            ASSERT_TRUE(second.opened().journal) << to_string(*second.error);
            EXPECT_TRUE(second.take_over());
            EXPECT_TRUE(second.append());
        }
    }
}

// --- Locks ---------------------------------------------------------------------------------------

TEST(DirectoryHold, ADeletedLockFileStillKeepsOthersOut) {
    FakeDisk disk(1);
    Session first(disk);
    ASSERT_TRUE(first.opened().journal);
    disk.erase(path_in(directory, lock_name));
    Session second(disk, 2);
    second.opened();
    ASSERT_FALSE(second.journal);
    EXPECT_EQ(second.error->code, Errc::in_use);
    EXPECT_FALSE(disk.exists(path_in(directory, lock_name)));
}

TEST(DirectoryHold, WhereDirectoriesCannotBeLockedTheLockFileKeepsOthersOut) {
    FakeDisk disk(1);
    disk.set_fault([](std::string_view call, const std::string& path) -> std::optional<Errc> {
        if (call == "lock" && path == directory) return Errc::refused;
        return {};
    });
    Session first(disk);
    ASSERT_TRUE(first.opened().journal);
    Session second(disk, 2);
    second.opened();
    ASSERT_TRUE(second.error);
    EXPECT_EQ(second.error->code, Errc::in_use);
}

TEST(DirectoryHold, AClosedJournalLetsGoOfItsDirectory) {
    FakeDisk disk(1);
    Session first(disk);
    ASSERT_TRUE(first.opened().journal);
    ASSERT_TRUE(first.close());
    Session second(disk, 2);
    EXPECT_TRUE(second.opened().journal);
}

// --- Removal or replacement of an open directory -------------------------------------------------

struct DirectoryEnd {
    const char* name;
    std::function<void(FakeDisk&)> happens;
    const char* named;
};

std::vector<DirectoryEnd> directory_ends() {
    return {
        {"LockRemoved", [](FakeDisk& disk) { disk.erase(path_in(directory, lock_name)); }, "/lock"},
        {"LockReplaced",
         [](FakeDisk& disk) { disk.put(path_in(directory, lock_name), {}); }, "/lock"},
        {"IdentityRemoved",
         [](FakeDisk& disk) { disk.erase(path_in(directory, identity_name)); }, "/identity"},
        {"IdentityOfAnother",
         [](FakeDisk& disk) {
             DirectoryIdentity other = as(DirectoryForm::alone).identity;
             other.use = DirectoryUse::immortal;
             disk.put(path_in(directory, identity_name), encode(other));
         },
         "/identity"},
        {"DirectoryRemoved", [](FakeDisk& disk) { disk.erase_directory(directory); }, directory},
        {"DirectoryReplaced",
         [](FakeDisk& disk) {
             disk.erase_directory(directory);
             (void)disk.make_directory(directory);
         },
         directory},
    };
}

class EndOfDirectory : public testing::TestWithParam<DirectoryEnd> {
protected:
    EndOfDirectory() : session_(disk_, 1, 64 * KiB, {as(DirectoryForm::alone)}) {}

    void expect_failed() {
        ASSERT_EQ(session_.recorder.failures.size(), 1U);
        const Error& why = session_.recorder.failures.front();
        EXPECT_EQ(why.code, Errc::no_such_file);
        EXPECT_THAT(why.detail, HasSubstr(GetParam().named));
        EXPECT_THAT(why.detail, HasSubstr("was removed or replaced"));
        const auto after = session_.append("late");
        ASSERT_FALSE(after);
        EXPECT_EQ(after.error().code, Errc::no_such_file);
        EXPECT_TRUE(session_.close());
    }

    FakeDisk disk_{1};
    Session session_;
};

TEST_P(EndOfDirectory, IsNoticedAtOnceWhereTheKernelTells) {
    session_.runtime.watch_directories();
    ASSERT_TRUE(session_.opened().journal);
    ASSERT_TRUE(session_.append("one"));
    GetParam().happens(disk_);
    session_.runtime.tell_watches();
    session_.runtime.settle();
    expect_failed();
}

TEST_P(EndOfDirectory, IsNoticedBeforeTheNextWriteASecondLater) {
    ASSERT_TRUE(session_.opened().journal);
    session_.runtime.advance(2s);
    GetParam().happens(disk_);
    EXPECT_FALSE(session_.append("two"));
    expect_failed();
}

TEST_P(EndOfDirectory, IsNoticedByWhoHasATickAlsoWithoutAWrite) {
    ASSERT_TRUE(session_.opened().journal);
    session_.runtime.advance(2s);
    GetParam().happens(disk_);
    session_.journal->look();
    session_.runtime.settle();
    expect_failed();
}

INSTANTIATE_TEST_SUITE_P(How, EndOfDirectory, testing::ValuesIn(directory_ends()),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(DirectoryHold, AWordThatSomethingMayHaveChangedIsNoEnd) {
    FakeDisk disk(1);
    Session session(disk, 1, 64 * KiB, {as(DirectoryForm::alone)});
    session.runtime.watch_directories();
    ASSERT_TRUE(session.opened().journal);
    for (int i = 0; i < 3; ++i) {
        session.runtime.tell_watches();
        session.runtime.tell_watches();
        session.runtime.settle();
    }
    EXPECT_TRUE(session.append("one"));
    EXPECT_THAT(session.recorder.failures, IsEmpty());
}

TEST(DirectoryHold, ALookThatFailsIsNoEnd) {
    FakeDisk disk(1);
    Session session(disk, 1, 64 * KiB, {as(DirectoryForm::alone)});
    ASSERT_TRUE(session.opened().journal);
    disk.set_fault([](std::string_view call, const std::string&) -> std::optional<Errc> {
        if (call == "is_at") return Errc::disk_failed;
        return {};
    });
    session.runtime.advance(2s);
    EXPECT_TRUE(session.append("one"));
    EXPECT_THAT(session.recorder.failures, IsEmpty());
}

TEST(DirectoryHold, ARemovedSegmentIsNoticedBeforeMoreIsWrittenToIt) {
    FakeDisk disk(1);
    Session session(disk);
    ASSERT_TRUE(session.opened().journal);
    ASSERT_TRUE(session.append("one"));
    session.runtime.advance(2s);
    std::string segment;
    for (const std::string& name : disk.names()) {
        if (segment.empty() && name.ends_with(".seg")) segment = name;
    }
    disk.erase(segment);
    const auto late = session.append("two");
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, Errc::no_such_file);
    EXPECT_THAT(late.error().detail, HasSubstr(segment));
}

TEST(DirectoryHold, ASegmentThatBeginsIsTheOneOfItsName) {
    FakeDisk disk(1);
    Session session(disk);
    ASSERT_TRUE(session.opened().journal);
    std::string reserve;
    for (const std::string& name : disk.names()) {
        if (name.ends_with(".seg")) reserve = name;
    }
    disk.erase(reserve);
    std::optional<Error> refused;
    for (int i = 0; i < 40 && !refused; ++i) {
        const auto result = session.append(std::string(4000, 'x'));
        if (!result) refused = result.error();
    }
    ASSERT_TRUE(refused) << "the first segment is full by now";
    EXPECT_EQ(refused->code, Errc::no_such_file);
    EXPECT_THAT(refused->detail, HasSubstr(reserve));
}

// --- Shared --------------------------------------------------------------------------------------

class SharedEnd : public testing::Test {
protected:
    SharedEnd() {
        options_.identities = {as(DirectoryForm::shared)};
        first_ = std::make_unique<SharedMember>(store_, oracle_, "A", 1, options_);
        second_ = std::make_unique<SharedMember>(store_, oracle_, "B", 2, options_);
    }
    void open_both() {
        ASSERT_TRUE(first_->opened().journal);
        ASSERT_TRUE(second_->opened().journal);
        ASSERT_TRUE(first_->take_over());
        ASSERT_TRUE(first_->append(3));
        second_->runtime.advance(100ms);
    }
    static void expect_failed(SharedMember& member, const std::string& named) {
        ASSERT_EQ(member.failures().size(), 1U);
        EXPECT_EQ(member.failures().front().code, Errc::no_such_file);
        EXPECT_THAT(member.failures().front().detail, HasSubstr(named));
    }

    FakeDisk store_{1};
    SharedOracle oracle_;
    SharedJournal::Options options_;
    std::unique_ptr<SharedMember> first_;
    std::unique_ptr<SharedMember> second_;
};

TEST_F(SharedEnd, MembersThatBeginAtTheSameTimeAgreeOnWhatItIs) {
    bool moved = true;
    while (moved) {  // The two take turns.
        const bool one = first_->runtime.step();
        const bool other = second_->runtime.step();
        moved = (one || other) && !(first_->journal && second_->journal);
    }
    open_both();
    first_->runtime.advance(5s);
    second_->runtime.advance(5s);
    EXPECT_TRUE(first_->append());
    EXPECT_THAT(first_->failures(), IsEmpty());
    EXPECT_THAT(second_->failures(), IsEmpty());
}

TEST_F(SharedEnd, OfAnotherServiceIsRefusedAndChangesNothing) {
    open_both();
    const auto names = store_.names();
    SharedJournal::Options other = options_;
    other.identities = {as(DirectoryForm::shared, directory, DirectoryUse::replica)};
    SharedMember stranger(store_, oracle_, "C", 3, other);
    stranger.opened();
    ASSERT_TRUE(stranger.error);
    EXPECT_EQ(stranger.error->code, Errc::bad_config);
    EXPECT_EQ(store_.names(), names);
}

TEST_F(SharedEnd, ADirectoryRemovedIsTheEndOfBothWithinALease) {
    open_both();
    store_.erase_directory(directory);
    first_->runtime.advance(2s);
    second_->runtime.advance(2s);
    expect_failed(*first_, directory);
    expect_failed(*second_, directory);
}

TEST_F(SharedEnd, ADirectoryReplacedIsTakenOverByNobody) {
    open_both();
    store_.erase_directory(directory);
    ASSERT_TRUE(store_.make_directory(directory));
    EXPECT_FALSE(first_->append());
    EXPECT_FALSE(*second_->take_over());
    first_->runtime.advance(2s);
    second_->runtime.advance(2s);
    expect_failed(*first_, directory);
    expect_failed(*second_, directory);
    EXPECT_THAT(store_.names(), IsEmpty());
}

TEST_F(SharedEnd, AnIdentityRemovedIsNoticedAtOnceWhereTheKernelTells) {
    first_->runtime.watch_directories();
    second_->runtime.watch_directories();
    open_both();
    store_.erase(path_in(directory, identity_name));
    for (SharedMember* const member : {first_.get(), second_.get()}) {
        member->runtime.tell_watches();
        member->runtime.settle();
        expect_failed(*member, "/identity");
    }
}

TEST_F(SharedEnd, ADeletedLockOfCheckpointsEndsTheCheckpointOfWhoHeldIt) {
    open_both();
    auto begun = first_->journal->begin_checkpoint();
    ASSERT_TRUE(begun);
    std::optional<Result<void>> written;
    const auto settled = [&] { return written.has_value(); };
    (*begun)->write(Buffer(10), [&](const Result<void>& result) { written = result; });
    ASSERT_TRUE(first_->runtime.run_until(settled));
    ASSERT_TRUE(*written);

    store_.erase(path_in(directory, "checkpoint.lock"));
    second_->runtime.advance(100ms);
    ASSERT_TRUE(second_->checkpoint()) << to_string(*second_->last_error);
    written.reset();
    (*begun)->finish([&](const Result<void>& result) { written = result; });
    ASSERT_TRUE(first_->runtime.run_until(settled));
    EXPECT_FALSE(*written);
}

}  // namespace
}  // namespace understudy::journal
