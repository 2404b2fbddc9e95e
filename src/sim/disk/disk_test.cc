#include <memory>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "sim/test_programs.h"
#include "sim/world.h"

namespace understudy::sim {
namespace {

// The promises of a healthy disk are tested in tests/contract. Faults are tested here.

class DiskFaults : public testing::Test {
protected:
    void begin(std::uint64_t seed = 1, WorldOptions options = {}) {
        options.seed = seed;
        world = std::make_unique<World>(std::move(options));
        node = &world->add_node("a");
        process = &node->start("program", idle);
    }
    /// Runs `job` on a worker of `of` and waits until it is done, or until the process dies.
    void in_job(Process& of, const std::function<void(Disk&)>& job) {
        bool done = false;
        SimRuntime& runtime = of.runtime();
        runtime.post([&] {
            runtime.worker("test").submit([&] { job(runtime.disk()); }, [&] { done = true; });
        });
        ASSERT_TRUE(world->run_until([&] { return done || !of.alive(); }, 60s));
    }
    void in_job(const std::function<void(Disk&)>& job) { in_job(*process, job); }
    /// Creates a file with synced contents; its name is not synced.
    static std::unique_ptr<File> make(Disk& disk, const std::string& path, std::string_view text) {
        auto file = disk.open(path, Disk::Open::create);
        US_ASSERT(file);
        US_ASSERT((*file)->write_at(0, as_bytes(text)));
        US_ASSERT((*file)->sync());
        return std::move(*file);
    }
    [[nodiscard]] std::string left(const std::string& path) const {
        const auto contents = node->disk().contents(path);
        return contents ? std::string(as_text(*contents)) : "(none)";
    }

    std::unique_ptr<World> world;
    Node* node = nullptr;
    Process* process = nullptr;
};

TEST_F(DiskFaults, AFullDiskRefusesAndARemovalMakesRoom) {
    begin();
    node->disk().set_capacity(64 * KiB);
    in_job([&](Disk& disk) {
        auto file = make(disk, "/a", std::string(60 * KiB, 'x'));
        Error full{};
        while (true) {
            const auto wrote = file->write_at(60 * KiB, Buffer(8 * KiB));
            ASSERT_FALSE(wrote);
            full = wrote.error();
            if (full.effect == Effect::none) break;
            ASSERT_TRUE(file->truncate(60 * KiB));  // A part may have been written.
        }
        EXPECT_EQ(full.code, Errc::no_space);
        EXPECT_TRUE(file->write_at(0, as_bytes("what is allocated may be overwritten")));
        make(disk, "/b", "still fits");
        ASSERT_TRUE(disk.remove("/a"));
        EXPECT_FALSE(file->write_at(60 * KiB, Buffer(8 * KiB)));  // It is still open.
        file.reset();
        make(disk, "/c", std::string(50 * KiB, 'y'));
    });
}

TEST_F(DiskFaults, ASparseFileNeedsItsSpaceWhenItIsWritten) {
    begin();
    node->disk().set_capacity(16 * KiB);
    in_job([&](Disk& disk) {
        auto file = disk.open("/a", Disk::Open::create);
        ASSERT_TRUE((*file)->truncate(1 * MiB));
        EXPECT_FALSE((*file)->write_at(0, Buffer(64 * KiB)));
    });
}

TEST_F(DiskFaults, CallsFailAtTheirRatesAndEffectsAreTold) {
    begin();
    DiskOptions& options = node->disk().options();
    in_job([&](Disk& disk) {
        const auto file = make(disk, "/a", "contents");
        options.read_error_rate = options.write_error_rate = 500'000;
        int reads = 0, writes = 0;
        for (int i = 0; i < 100; ++i) {
            Buffer out(4);
            reads += !file->read_at(0, out);
            const auto wrote = file->write_at(0, as_bytes("contents"));
            if (!wrote) {
                EXPECT_EQ(wrote.error().code, Errc::disk_failed);
                EXPECT_EQ(wrote.error().effect, Effect::unknown);
            }
            writes += !wrote;
        }
        EXPECT_NEAR(reads, 50, 25);
        EXPECT_NEAR(writes, 50, 25);
    });
}

TEST_F(DiskFaults, AShortageOfDescriptorsHasNoEffectAndPasses) {
    begin();
    DiskOptions& options = node->disk().options();
    in_job([&](Disk& disk) {
        const auto file = make(disk, "/a", "contents");
        options.shortage_rate = 1'000'000;
        const auto opened = disk.open("/b", Disk::Open::create);
        EXPECT_EQ(opened.error().code, Errc::no_descriptors);
        EXPECT_EQ(opened.error().effect, Effect::none);
        EXPECT_EQ(disk.list("/").error().code, Errc::no_descriptors);
        EXPECT_EQ(disk.sync_directory("/").error().code, Errc::no_descriptors);
        EXPECT_TRUE(file->write_at(0, as_bytes("x"))) << "what is open may be used";
        options.shortage_rate = 0;
        EXPECT_EQ(disk.open("/b", Disk::Open::existing).error().code, Errc::no_such_file);
    });
}

TEST_F(DiskFaults, AFailedSyncIsReportedOnceAndItsDataIsGoneAfterThePowerWas) {
    int gone = 0;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        begin(seed);
        in_job([&](Disk& disk) {
            const auto file = make(disk, "/a", "old");
            ASSERT_TRUE(disk.sync_directory("/"));
            ASSERT_TRUE(file->write_at(0, as_bytes("new")));
            node->disk().options().sync_error_rate = 1'000'000;
            const auto failed = file->sync();
            ASSERT_FALSE(failed);
            EXPECT_EQ(failed.error().effect, Effect::unknown);
            node->disk().options().sync_error_rate = 0;
            EXPECT_TRUE(file->sync());
        });
        EXPECT_EQ(left("/a"), "new");
        node->power_off();
        gone += left("/a") == "old";
    }
    EXPECT_GT(gone, 10);
}

TEST_F(DiskFaults, ASyncedFileMayLoseItsNameWithoutASyncOfTheDirectory) {
    std::set<std::string> seen;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        begin(seed);
        in_job([&](Disk& disk) { make(disk, "/a", "synced"); });
        process->crash();
        seen.insert(left("/a"));
    }
    EXPECT_EQ(seen, (std::set<std::string>{"(none)", "synced"}));
}

TEST_F(DiskFaults, ARenameMayBeLostWithoutASyncOfTheDirectoryAndNeverTears) {
    std::set<std::string> seen;
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        begin(seed);
        in_job([&](Disk& disk) {
            make(disk, "/epoch", "1");
            make(disk, "/epoch.new", "2");
            ASSERT_TRUE(disk.sync_directory("/"));
            ASSERT_TRUE(disk.rename("/epoch.new", "/epoch"));
        });
        process->crash();
        seen.insert(left("/epoch") + " " + left("/epoch.new"));
    }
    EXPECT_EQ(seen, (std::set<std::string>{"1 2", "2 (none)"}));
}

TEST_F(DiskFaults, WithASyncOfTheDirectoryNothingIsLost) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        begin(seed);
        in_job([&](Disk& disk) {
            make(disk, "/epoch", "1");
            make(disk, "/epoch.new", "2");
            make(disk, "/gone", "x");
            ASSERT_TRUE(disk.rename("/epoch.new", "/epoch"));
            ASSERT_TRUE(disk.remove("/gone"));
            ASSERT_TRUE(disk.sync_directory("/"));
        });
        node->power_off();
        ASSERT_EQ(left("/epoch"), "2") << "seed " << seed;
        ASSERT_EQ(left("/gone"), "(none)") << "seed " << seed;
    }
}

TEST_F(DiskFaults, ARemovalMayBeUndone) {
    std::set<std::string> seen;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        begin(seed);
        in_job([&](Disk& disk) {
            make(disk, "/a", "x");
            ASSERT_TRUE(disk.sync_directory("/"));
            ASSERT_TRUE(disk.remove("/a"));
        });
        process->crash();
        seen.insert(left("/a"));
    }
    EXPECT_EQ(seen, (std::set<std::string>{"(none)", "x"}));
}

TEST_F(DiskFaults, AFileMovedBetweenDirectoriesIsNeverLost) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        for (const char* synced : {"", "/one", "/two"}) {
            begin(seed);
            in_job([&](Disk& disk) {
                ASSERT_TRUE(disk.make_directory("/one"));
                ASSERT_TRUE(disk.make_directory("/two"));
                make(disk, "/one/a", "x");
                ASSERT_TRUE(disk.sync_directory("/one"));
                ASSERT_TRUE(disk.rename("/one/a", "/two/a"));
                ASSERT_TRUE(*synced == '\0' || disk.sync_directory(synced));
            });
            node->power_off();
            ASSERT_TRUE(left("/one/a") == "x" || left("/two/a") == "x") << "seed " << seed;
        }
    }
}

TEST_F(DiskFaults, AKillCanBeToldToLeaveThePageCacheWhole) {
    WorldOptions options;
    options.disk.kill_loses_unsynced = false;
    int lost = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        begin(seed, options);
        in_job([&](Disk& disk) {
            (void)(*disk.open("/a", Disk::Open::create))->write_at(0, as_bytes("unsynced"));
        });
        process->crash();
        ASSERT_EQ(left("/a"), "unsynced");
        node->power_off();
        lost += left("/a") != "unsynced";
    }
    EXPECT_GT(lost, 5);
}

TEST_F(DiskFaults, AProcessThatEndsInOrderLosesNothingUntilThePowerGoes) {
    begin();
    in_job([&](Disk& disk) {
        (void)(*disk.open("/a", Disk::Open::create))->write_at(0, as_bytes("unsynced"));
    });
    process->stop();
    EXPECT_EQ(left("/a"), "unsynced");
}

TEST_F(DiskFaults, ALockEndsWithItsHolder) {
    begin();
    Process& other = node->start("other", idle);
    std::shared_ptr<File> held;
    in_job([&](Disk& disk) {
        held = make(disk, "/lock", "");
        ASSERT_TRUE(disk.sync_directory("/"));
        ASSERT_TRUE(held->lock());
    });
    const auto try_lock = [&] {
        Result<void> outcome;
        in_job(other,
               [&](Disk& disk) { outcome = (*disk.open("/lock", Disk::Open::existing))->lock(); });
        return outcome;
    };
    EXPECT_EQ(try_lock().error().code, Errc::in_use);
    process->pause();  // A holder that hangs keeps it for ever.
    EXPECT_EQ(try_lock().error().code, Errc::in_use);
    process->crash();
    EXPECT_TRUE(try_lock());
}

TEST_F(DiskFaults, ASharedDirectoryIsOneStoreForAllItsNodes) {
    begin();
    DiskStore& shared = world->add_disk("shared");
    Process& other = world->add_node("b").start("other", idle);
    node->mount("/shared", shared);
    world->node("b").mount("/shared", shared);
    std::shared_ptr<File> held;
    in_job([&](Disk& disk) {
        held = make(disk, "/shared/a", "from a");
        ASSERT_TRUE(held->lock());
        ASSERT_TRUE(disk.sync_directory("/shared"));
        EXPECT_FALSE(disk.rename("/shared/a", "/a"));  // It is on another file system.
    });
    in_job(other, [&](Disk& disk) {
        auto file = disk.open("/shared/a", Disk::Open::existing);
        ASSERT_TRUE(file);
        Buffer text(6);
        ASSERT_TRUE((*file)->read_at(0, text));
        EXPECT_EQ(as_text(text), "from a");
        EXPECT_EQ((*file)->lock().error().code, Errc::in_use);
    });

    node->cut_storage(true);
    in_job([&](Disk& disk) {
        EXPECT_EQ(held->write_at(0, as_bytes("x")).error().code, Errc::disk_failed);
        EXPECT_EQ(disk.list("/shared").error().code, Errc::disk_failed);
        EXPECT_TRUE(disk.list("/"));
    });
    node->power_off();
    EXPECT_EQ(as_text(*shared.contents("/a")), "from a");
}

/// Two machines on one shared directory; each has opened "/shared/lock".
class SharedLock : public DiskFaults {
protected:
    void SetUp() override {
        begin();
        DiskStore& shared = world->add_disk("shared");
        other = &world->add_node("b").start("other", idle);
        node->mount("/shared", shared);
        other->node().mount("/shared", shared);
        in_job([&](Disk& disk) {
            held = make(disk, "/shared/lock", "first");
            unlocked = std::move(*disk.open("/shared/lock", Disk::Open::existing));
            ASSERT_TRUE(disk.sync_directory("/shared"));
            ASSERT_TRUE(held->lock());
        });
    }
    [[nodiscard]] Result<void> other_locks() {
        Result<void> outcome;
        in_job(*other, [&](Disk& disk) {
            if (!wanted) wanted = std::move(*disk.open("/shared/lock", Disk::Open::existing));
            outcome = wanted->lock();
        });
        return outcome;
    }

    Process* other = nullptr;
    std::unique_ptr<File> held, unlocked, wanted;
};

// The lease expires without the holder's knowledge. Its own descriptor is then useless, but another
// one of the same file could still write: a lock does not fence (measured on real NFS).
TEST_F(SharedLock, AHolderOutOfReachLosesItAfterTheLeaseAndItsFileWithIt) {
    node->cut_storage(true);
    world->run_for(9s);
    EXPECT_EQ(other_locks().error().code, Errc::in_use);
    world->run_for(2s);
    EXPECT_TRUE(other_locks());

    node->cut_storage(false);
    in_job([&](Disk&) {
        EXPECT_EQ(held->write_at(0, as_bytes("x")).error().code, Errc::disk_failed);
        EXPECT_EQ(held->lock().error().code, Errc::disk_failed);
        EXPECT_TRUE(unlocked->write_at(0, as_bytes("!")));
    });
}

TEST_F(SharedLock, AHolderThatIsBackInTimeKeepsIt) {
    node->cut_storage(true);
    world->run_for(9s);
    node->cut_storage(false);
    world->run_for(60s);
    EXPECT_EQ(other_locks().error().code, Errc::in_use);
    in_job([&](Disk&) { EXPECT_TRUE(held->write_at(0, as_bytes("x"))); });
}

TEST_F(SharedLock, ANodeWithoutPowerKeepsItForTheLease) {
    node->power_off();
    EXPECT_EQ(other_locks().error().code, Errc::in_use);
    world->run_for(11s);
    EXPECT_TRUE(other_locks());
}

TEST_F(SharedLock, AKilledHolderFreesItAtOnce) {
    process->crash();
    EXPECT_TRUE(other_locks());
}

TEST_F(DiskFaults, StoredBytesCanRot) {
    begin();
    in_job([&](Disk& disk) {
        make(disk, "/a", "abc");
        ASSERT_TRUE(disk.sync_directory("/"));
    });
    node->disk().flip_bit("/a", 8);  // The lowest bit of the second byte.
    EXPECT_EQ(left("/a"), "acc");
    node->disk().damage("/a", 2, as_bytes("!"));
    node->power_off();
    EXPECT_EQ(left("/a"), "ac!");
    node->disk().plant("/a", as_bytes("an old version"));
    EXPECT_EQ(left("/a"), "an old version");
    node->disk().wipe();
    EXPECT_EQ(left("/a"), "(none)");
}

TEST_F(DiskFaults, TheOracleSeesWhatIsDurableAndNothingElse) {
    begin();
    in_job([&](Disk& disk) {
        auto file = make(disk, "/a", "durable");
        EXPECT_FALSE(node->disk().durable("/a"));  // Its name is not.
        ASSERT_TRUE(disk.sync_directory("/"));
        ASSERT_TRUE(file->write_at(0, as_bytes("fleeting")));
        EXPECT_EQ(as_text(*node->disk().durable("/a")), "durable");
        EXPECT_EQ(as_text(*node->disk().contents("/a")), "fleeting");
    });
}

TEST_F(DiskFaults, AStallIsFeltByTheCompletion) {
    begin();
    node->disk().options().stall_rate = 1'000'000;
    node->disk().options().stall_max = 5s;
    const TimePoint before = world->now();
    in_job([&](Disk& disk) {
        for (int i = 0; i < 20; ++i) make(disk, "/a", "x");
    });
    EXPECT_GT(world->now() - before, 10s);
}

// A small enumeration of crash points: at whichever call the writer dies, a reader finds a state
// that some prefix of the calls allows.
TEST_F(DiskFaults, EveryCrashPointOfAnAtomicReplaceLeavesTheOldOrTheNew) {
    for (std::uint64_t point = 1; point <= 6; ++point) {
        for (std::uint64_t seed = 1; seed <= 30; ++seed) {
            begin(seed);
            in_job([&](Disk& disk) {
                make(disk, "/current", "old");
                ASSERT_TRUE(disk.sync_directory("/"));
            });
            process->crash_at_disk_call(point);
            in_job([&](Disk& disk) {
                auto file = disk.open("/next", Disk::Open::create);
                if (!file || !(*file)->write_at(0, as_bytes("new")) || !(*file)->sync()) return;
                if (!disk.rename("/next", "/current")) return;
                (void)disk.sync_directory("/");
            });
            ASSERT_EQ(process->alive(), point == 6) << "point " << point;
            node->power_off();
            const std::string found = left("/current");
            const bool may_be_old = point < 6;
            const bool may_be_new = point >= 5;
            ASSERT_TRUE((may_be_old && found == "old") || (may_be_new && found == "new"))
                << found << ", point " << point;
        }
    }
}

}  // namespace
}  // namespace understudy::sim
