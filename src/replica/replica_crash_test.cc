// Whatever happens to the process, the power or the disk, at whichever disk call: after a restart
// every acknowledged command is there, in order, and none twice. A refused command never appears. A
// state that was restored from a checkpoint equals one that was replayed from the beginning.

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "journal/fakes/fake_runtime_test.h"
#include "replica/ledger_test.h"
#include "replica/list_machine_test.h"
#include "replica/local_test.h"
#include "replica/replica.h"

namespace understudy::replica {
namespace {

using journal::FakeDisk;
using journal::FakeRuntime;
using Survival = FakeDisk::Survival;

constexpr Survival survivals[] = {Survival::none, Survival::all, Survival::some, Survival::torn};

/// One process: opens the replica and works with it until it ends or dies.
class Life {
public:
    Life(FakeDisk& disk, Ledger& ledger, std::uint64_t seed)
        : runtime_(disk, seed), ledger_(ledger), seed_(seed) {
        opening_ = Replica::open(runtime_, log_, every(5),
                                 local(runtime_, log_,
                                       {.directory = "/data/registry",
                                        .segment_size_bytes = 64 * KiB}),
                                 machine_, [this](Result<std::unique_ptr<Replica>> opened) {
                                     if (opened) {
                                         replica_ = *std::move(opened);
                                     } else {
                                         error_ = opened.error();
                                     }
                                 });
    }

    /// Returns true if the replica serves.
    bool open() {
        runtime_.run_until([this] { return replica_ || error_; });
        if (!replica_) return false;
        ledger_.check(machine_.commands);
        ledger_.agree(machine_.commands);
        EXPECT_GT(replica_->epoch(), ledger_.epoch);
        ledger_.epoch = replica_->epoch();
        return true;
    }

    void work(int commands) {
        Random random(seed_ * 31);
        bool burst = false;  // Enough commands at once for a second batch after the first.
        for (int i = 0; i < commands; ++i) {
            propose(random.below(9000));
            if (random.chance(1, 10)) burst = !burst;
            const std::uint64_t steps = burst ? 0 : random.below(12);
            for (std::uint64_t step = 0; step < steps; ++step) runtime_.step();
            if (!burst && random.chance(1, 8)) runtime_.advance(1200ms);
        }
        runtime_.settle();
    }

    void close() {
        replica_->close([] {});
        runtime_.settle();
    }

    [[nodiscard]] const ListMachine& machine() const { return machine_; }
    [[nodiscard]] const std::optional<Error>& error() const { return error_; }

private:
    void propose(std::uint64_t bytes) {
        std::string command = std::to_string(ledger_.next++) + ":";
        command.append(bytes, static_cast<char>('a' + ledger_.next % 26));
        ledger_.offer(command);
        const Bytes raw = as_bytes(command);
        replica_->submit(raw, [this, command](const Result<Reply>& outcome) {
            if (!outcome) return ledger_.settle(command, outcome.error());
            ledger_.settle(command, outcome->index);
            const std::size_t count = std::stoul(std::string(as_text(outcome->bytes)));
            EXPECT_EQ(machine_.commands.at(count - 1), command) << "applied by now";
        });
    }

    NullLog log_;
    FakeRuntime runtime_;
    Ledger& ledger_;
    const std::uint64_t seed_;
    ListMachine machine_;
    std::unique_ptr<Replica> replica_;
    std::optional<Error> error_;
    std::unique_ptr<journal::Opening> opening_;
};

/// Three processes, one after another: the first closes, the second is killed, the third goes on.
void live(FakeDisk& disk, Ledger& ledger, std::uint64_t seed) {
    for (std::uint64_t turn = 0; turn < 3 && !disk.dead(); ++turn) {
        Life life(disk, ledger, seed * 10 + turn);
        if (!life.open()) return;
        life.work(turn == 0 ? 30 : 14);
        if (turn == 0) life.close();
    }
}

std::uint64_t calls_of(std::uint64_t seed) {
    FakeDisk disk(seed);
    Ledger ledger;
    live(disk, ledger, seed);
    EXPECT_GT(ledger.sure().size(), 40U);
    return disk.calls();
}

/// After a crash: the replica opens, has what it must have, works, and what it does then is durable
/// too.
void expect_recovers(FakeDisk& disk, Ledger& ledger, std::uint64_t seed) {
    {
        Life life(disk, ledger, seed);
        ASSERT_TRUE(life.open()) << to_string(life.error().value_or(Error{Errc::timed_out}));
        life.work(14);  // Enough to reach the next segment, whichever file that is.
    }
    disk.power_cut(Survival::none);
    Life last(disk, ledger, seed);
    ASSERT_TRUE(last.open()) << to_string(last.error().value_or(Error{Errc::timed_out}));
    ListMachine replayed;
    Index index;
    for (const std::string& command : ledger.sure()) {
        index = index.next();
        Buffer reply;
        replayed.apply({.index = index, .body = as_bytes(command)}, reply);
    }
    EXPECT_EQ(last.machine().hash(), replayed.hash());
}

// The power is cut at every disk call, and each time an arbitrary part of what was not synced
// stays.
TEST(ReplicaCrash, NothingAcknowledgedIsLostWhenThePowerGoesAtAnyDiskCall) {
    for (std::uint64_t seed = 1; seed <= 2; ++seed) {
        const std::uint64_t calls = calls_of(seed);
        for (std::uint64_t call = 1; call <= calls; ++call) {
            for (const Survival survival : {survivals[seed % 2], survivals[seed % 2 + 2]}) {
                FakeDisk disk(seed * 1000 + call);
                Ledger ledger;
                disk.die_at(call);
                live(disk, ledger, seed);
                disk.power_cut(survival);
                expect_recovers(disk, ledger, seed + call);
                ASSERT_FALSE(HasFailure()) << "seed " << seed << ", call " << call << ", survival "
                                           << static_cast<int>(survival);
            }
        }
    }
}

// After a process is killed, the kernel keeps all its writes.
TEST(ReplicaCrash, NothingAcknowledgedIsLostWhenTheProcessDiesAtAnyDiskCall) {
    const std::uint64_t calls = calls_of(3);
    for (std::uint64_t call = 1; call <= calls; ++call) {
        FakeDisk disk(call);
        Ledger ledger;
        disk.die_at(call);
        live(disk, ledger, 3);
        disk.restart_process();
        expect_recovers(disk, ledger, call);
        ASSERT_FALSE(HasFailure()) << "call " << call;
    }
}

// The power is cut at every disk call of the recovery from an earlier power cut or kill.
TEST(ReplicaCrash, ARecoveryThatIsInterruptedAtAnyDiskCallStartsOver) {
    const std::uint64_t calls = calls_of(4);
    for (std::uint64_t first = 1; first <= calls; first += 7) {
        FakeDisk broken(first);
        Ledger before;
        broken.die_at(first);
        live(broken, before, 4);
        if (first % 2 == 0) {
            broken.power_cut(survivals[first / 2 % 4]);
        } else {
            broken.restart_process();  // What was not synced can still be read.
        }
        for (std::uint64_t second = 1;; ++second) {
            FakeDisk disk = broken;
            Ledger ledger = before;
            disk.die_at(second);
            bool opened = false;
            {
                Life life(disk, ledger, second);
                opened = life.open();
            }
            disk.power_cut(survivals[second % 4]);
            expect_recovers(disk, ledger, second);
            ASSERT_FALSE(HasFailure()) << "calls " << first << " and " << second;
            if (opened) break;
        }
    }
}

/// Which calls fail: the nth call of `kinds` (any call if empty), and perhaps all later ones.
struct Plan {
    std::uint64_t n = 0;
    Errc code = Errc::disk_failed;
    bool for_ever = false;
    std::vector<std::string_view> kinds = {};
};

FakeDisk::Fault fault_of(const Plan& plan) {
    return [plan, count = std::make_shared<std::uint64_t>(0)](
               std::string_view call, const std::string&) -> std::optional<Errc> {
        const auto& kinds = plan.kinds;
        if (!kinds.empty() && std::find(kinds.begin(), kinds.end(), call) == kinds.end()) {
            return std::nullopt;
        }
        ++*count;
        if (*count == plan.n || (plan.for_ever && *count > plan.n)) return plan.code;
        return std::nullopt;
    };
}

void expect_survives(const Plan& plan, std::uint64_t seed) {
    FakeDisk disk(plan.n);
    Ledger ledger;
    disk.set_fault(fault_of(plan));
    live(disk, ledger, seed);
    disk.set_fault({});
    if ((plan.n + (plan.for_ever ? 1 : 0)) % 2 == 0) {
        disk.power_cut(survivals[plan.n / 2 % 4]);
    } else {
        disk.restart_process();
    }
    expect_recovers(disk, ledger, plan.n);
}

TEST(ReplicaCrash, ADiskCallThatFailsLosesNothingAcknowledged) {
    const std::uint64_t calls = calls_of(5);
    for (std::uint64_t n = 1; n <= calls; ++n) {
        for (const bool for_ever : {false, true}) {
            expect_survives({.n = n, .for_ever = for_ever}, 5);
            ASSERT_FALSE(HasFailure()) << "call " << n << (for_ever ? " for ever" : " once");
        }
    }
}

TEST(ReplicaCrash, ASyncThatFailsAndThenSucceedsLosesNothingAcknowledged) {
    for (std::uint64_t n = 1; n <= 60; ++n) {
        for (const std::string_view kind : {"sync", "sync_directory"}) {
            expect_survives({.n = n, .kinds = {kind}}, 6);
        }
        ASSERT_FALSE(HasFailure()) << "sync " << n;
    }
}

TEST(ReplicaCrash, ADiskThatIsFullAtAnyCallLosesNothingAcknowledged) {
    const std::vector<std::string_view> kinds = {"write", "open", "rename", "make_directory"};
    const std::uint64_t calls = calls_of(7);
    for (std::uint64_t n = 1; n <= calls; ++n) {
        for (const bool for_ever : {false, true}) {
            expect_survives({.n = n, .code = Errc::no_space, .for_ever = for_ever, .kinds = kinds},
                            7);
            ASSERT_FALSE(HasFailure()) << "call " << n << (for_ever ? " for ever" : " once");
        }
    }
}

// A disk that is really full: blocks that exist can be written, and new blocks cannot.
TEST(ReplicaCrash, ADiskOfAnySizeLosesNothingAcknowledged) {
    for (std::uint64_t size = 0; size <= 640 * KiB; size += 4 * KiB) {
        FakeDisk disk(size);
        Ledger ledger;
        disk.set_capacity(size);
        live(disk, ledger, 8);
        disk.set_capacity(UINT64_MAX);
        disk.power_cut(survivals[size / KiB / 4 % 4]);
        expect_recovers(disk, ledger, size);
        ASSERT_FALSE(HasFailure()) << size << " bytes";
    }
}

}  // namespace
}  // namespace understudy::replica
