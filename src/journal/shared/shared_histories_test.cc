#include "journal/shared/shared_histories_test.h"

#include <array>
#include <functional>

#include <fmt/format.h>

#include "journal/shared/shared_member_test.h"

namespace understudy::journal {

namespace {

std::uint64_t seen = 0;

constexpr std::size_t long_body = 20'000;  // Three to a segment.

enum class Cut { none, process, nothing_kept, some_kept, torn };
constexpr Cut cuts[] = {Cut::none, Cut::process, Cut::nothing_kept, Cut::some_kept, Cut::torn};

void cut(FakeDisk& store, Cut how) {
    switch (how) {
        case Cut::none:
        case Cut::process:
            return;
        case Cut::nothing_kept:
            return store.power_cut(FakeDisk::Survival::none);
        case Cut::some_kept:
            return store.power_cut(FakeDisk::Survival::some);
        case Cut::torn:
            return store.power_cut(FakeDisk::Survival::torn);
    }
}

/// One history: a store, and what its members told their callers.
struct Stage {
    explicit Stage(std::uint64_t seed) : store(seed) {}
    FakeDisk store;
    SharedOracle oracle;
};

/// Goes on to the next segment twice, and takes checkpoints after which files are removed.
void work(SharedMember& member) {
    member.append(2);
    member.append(2, long_body);
    member.checkpoint();
    member.append(3, long_body);
    member.append();
    member.checkpoint();
    member.append(3, long_body);
    member.append();
}

void live(SharedMember& member) {
    member.opened();
    member.take_over();
    work(member);
}

/// Runs a member that becomes active and ends. Nothing says that its last entry is durable.
void old_owner(Stage& stage, bool unsynced) {
    SharedMember old(stage.store, stage.oracle, "o", 7);
    old.opened();
    old.take_over();
    old.append(2);
    old.append(3, long_body);
    if (!unsynced) return;
    // It ends between a write and its sync.
    old.runtime.settle();
    old.mount.die_before("sync");
    old.append();
}

/// The number of the call in a takeover that gives the first segment its name. Three calls come
/// after it: the directory is synced, and the epoch is opened and read. The member that takes over
/// is at rest before, and the old owner ended in an append.
std::uint64_t call_that_names() {
    Stage stage(1);
    old_owner(stage, true);
    SharedMember b(stage.store, stage.oracle, "b", 5);
    b.opened();
    b.runtime.settle();
    const std::uint64_t before = b.mount.calls();
    std::uint64_t after = 0;
    b.journal->take_over({}, [&](const Result<Epoch>&) { after = b.mount.calls(); });
    b.runtime.run_until([&] { return after != 0; });
    return after - before - 3;
}

class Histories {
public:
    explicit Histories(const HistoryOptions& options) : options_(options) {}

    std::vector<std::string> faults;

    /// Runs `history` with its member stopped at each call, until one run has fewer calls.
    void at_each_call(const std::string& name,
                      const std::function<std::uint64_t(Stage&, std::uint64_t)>& history) {
        for (std::uint64_t call = 1;; call += options_.stride) {
            if (options_.stop_at_first && !faults.empty()) return;
            Stage stage(call + 1000 * salt_);
            const std::uint64_t calls = history(stage, call);
            look_at_the_end(stage.store, stage.oracle);
            ++seen;
            for (const std::string& fault : stage.oracle.faults) {
                faults.push_back(fmt::format("{} at call {}: {}", name, call, fault));
            }
            if (calls < call) return;
        }
    }

    // The only member ends at each call of everything that a member does.
    void the_only_one_ends() {
        for (const Cut how : cuts) {
            at_each_call(fmt::format("the only one ends, cut {}", static_cast<int>(how)),
                         [how](Stage& stage, std::uint64_t call) {
                             SharedMember a(stage.store, stage.oracle, "a", call);
                             a.mount.die_at(call);
                             live(a);
                             const std::uint64_t calls = a.mount.calls();
                             a.mount.kill();
                             cut(stage.store, how);
                             return calls;
                         });
        }
    }

    // A successor ends at each call of its takeover and of what follows. Then another takes over.
    void the_successor_ends() {
        for (const Cut how : cuts) {
            for (const bool unsynced : {false, true}) {
                at_each_call(
                    fmt::format("the successor ends, cut {} {}", static_cast<int>(how), unsynced),
                    [how, unsynced](Stage& stage, std::uint64_t call) {
                        old_owner(stage, unsynced);
                        SharedMember b(stage.store, stage.oracle, "b", call);
                        b.mount.die_at(call);
                        b.opened();
                        b.take_over();
                        b.append();
                        b.append();
                        const std::uint64_t calls = b.mount.calls();
                        b.mount.kill();
                        cut(stage.store, how);
                        return calls;
                    });
            }
        }
    }

    // A successor names its segment after the next one has published, and ends before it syncs the
    // directory. The next one ends at each call. Names may become durable in any order.
    void two_successors_end() {
        // The steps of the next one are claim, publish, follow, finish. So it has published and has
        // not looked yet.
        const std::uint64_t naming = call_that_names();
        for (salt_ = 0; salt_ < 32; ++salt_) {
            const int steps = 3 + static_cast<int>(salt_ % 4);
            at_each_call(fmt::format("two successors end, {}", salt_),
                         [naming, steps](Stage& stage, std::uint64_t call) {
                             old_owner(stage, true);
                             SharedMember b(stage.store, stage.oracle, "b", 501);
                             SharedMember c(stage.store, stage.oracle, "c", call + 502);
                             b.opened();
                             c.opened();
                             b.runtime.settle();
                             c.runtime.settle();
                             const std::uint64_t at = b.mount.calls() + naming;
                             const std::uint64_t before = c.mount.calls();
                             c.mount.die_at(before + call);
                             b.mount.die_at(at + 1);
                             b.mount.pause_at(at, [&] {
                                 c.journal->take_over({}, [](const Result<Epoch>&) {});
                                 for (int i = 0; i < steps; ++i) c.runtime.step();
                             });
                             b.take_over();
                             c.runtime.run_until([&] { return c.active(); });
                             c.append();
                             const std::uint64_t calls = c.mount.calls() - before;
                             c.mount.kill();
                             cut(stage.store, Cut::some_kept);
                             return calls;
                         });
        }
        salt_ = 0;
    }

    // The active member is stopped at each call. Another one takes over and appends. Then the first
    // one is resumed.
    void the_active_is_stopped(Cut how) {
        at_each_call(fmt::format("the active is stopped, cut {}", static_cast<int>(how)),
                     [how](Stage& stage, std::uint64_t call) {
                         SharedMember a(stage.store, stage.oracle, "a", call);
                         SharedMember b(stage.store, stage.oracle, "b", call + 1);
                         b.opened();
                         a.mount.pause_at(call, [&] {
                             b.take_over();
                             b.append(2);
                         });
                         live(a);
                         b.append(3, long_body);
                         a.runtime.advance(100ms);
                         const std::uint64_t calls = a.mount.calls();
                         if (how != Cut::none) {
                             a.mount.kill();
                             b.mount.kill();
                             cut(stage.store, how);
                         }
                         return calls;
                     });
    }

    // A claimer is stopped at each call of its takeover. Meanwhile the old active member, which
    // hung until then, appends.
    void the_claimer_is_stopped() {
        at_each_call("the claimer is stopped", [](Stage& stage, std::uint64_t call) {
            SharedMember a(stage.store, stage.oracle, "a", call);
            SharedMember b(stage.store, stage.oracle, "b", call + 1);
            a.opened();
            a.take_over();
            a.append(3, long_body);
            b.opened();
            b.mount.pause_at(b.mount.calls() + call, [&] {
                a.append();
                a.append(2, long_body);
            });
            const std::uint64_t before = b.mount.calls();
            b.take_over();
            b.append(2);
            const std::uint64_t calls = b.mount.calls() - before;
            a.append();
            a.runtime.advance(100ms);
            b.append();
            return calls;
        });
    }

    // Two members claim at once. One is stopped at each call. The other one succeeds or fails.
    void two_claim() {
        for (const bool appended : {false, true}) {
            at_each_call("two claim", [appended](Stage& stage, std::uint64_t call) {
                old_owner(stage, true);
                SharedMember b(stage.store, stage.oracle, "b", call);
                SharedMember c(stage.store, stage.oracle, "c", call + 1);
                b.opened();
                c.opened();
                const std::uint64_t before = b.mount.calls();
                b.mount.pause_at(before + call, [&] {
                    c.take_over();
                    if (appended) work(c);  // It also removes what it makes superfluous.
                });
                b.take_over();
                b.append();
                const std::uint64_t calls = b.mount.calls() - before;
                c.append();
                b.append();
                for (const SharedMember* one : {&b, &c}) {
                    for (const Error& error : one->failures()) {
                        stage.oracle.fault("failed: " + to_string(error));
                    }
                }
                return calls;
            });
        }
    }

    // The member with the lower of two claims is stopped before it publishes. The one with the
    // higher claim is stopped at each call, and then the lower one goes on.
    void the_lower_claim_is_late() {
        for (std::uint64_t steps = 1; steps < 12; ++steps) {
            at_each_call(fmt::format("the lower claim is late by {}", steps),
                         [steps](Stage& stage, std::uint64_t call) {
                             old_owner(stage, false);
                             SharedMember low(stage.store, stage.oracle, "l", 3);
                             SharedMember high(stage.store, stage.oracle, "h", 4);
                             low.opened();
                             high.opened();
                             std::optional<Result<Epoch>> outcome;
                             low.journal->take_over(
                                 {}, [&](const Result<Epoch>& result) { outcome = result; });
                             for (std::uint64_t i = 0; i < steps; ++i) low.runtime.step();
                             const std::uint64_t before = high.mount.calls();
                             high.mount.pause_at(before + call, [&] {
                                 low.runtime.run_until([&] { return outcome.has_value(); });
                                 low.append(2);
                             });
                             high.take_over();
                             high.append();
                             const std::uint64_t calls = high.mount.calls() - before;
                             low.runtime.run_until([&] { return outcome.has_value(); });
                             low.append();
                             high.append();
                             return calls;
                         });
        }
    }

    // A standby follows during all of it. It is slow at each call, and it hears what others hear.
    void a_standby_follows() {
        at_each_call("a standby follows", [](Stage& stage, std::uint64_t call) {
            SharedMember a(stage.store, stage.oracle, "a", call);
            SharedMember b(stage.store, stage.oracle, "b", call + 1);
            SharedMember s(stage.store, stage.oracle, "s", call + 2);
            a.opened();
            b.opened();
            a.take_over();
            a.append();
            s.mount.pause_at(call, [&] {
                work(a);
                b.take_over();
                work(b);
                a.append();
            });
            s.opened();
            for (int i = 0; i < 5; ++i) s.runtime.advance(20ms);
            const std::uint64_t calls = s.mount.calls();
            b.append();
            for (int i = 0; i < 5; ++i) s.runtime.advance(20ms);
            if (!s.failures().empty()) stage.oracle.fault("the standby has failed");
            return calls;
        });
    }

private:
    const HistoryOptions options_;
    std::uint64_t salt_ = 0;  ///< Each value gives other power cuts at the same calls.
};

/// What may happen in a random history.
class RandomHistory {
public:
    explicit RandomHistory(std::uint64_t seed) : random_(seed), stage_(seed) {
        for (std::size_t i = 0; i < members_.size(); ++i) begin(i);
    }

    std::vector<std::string> run() {
        const int turns =
            static_cast<int>(random_.between(std::uint64_t{200}, std::uint64_t{3000}));
        const std::uint64_t kills = random_.below(4);  // Some histories have none.
        const std::uint64_t power_cuts = random_.below(3);
        for (int turn = 0; turn < turns; ++turn) {
            const std::size_t i = random_.below(members_.size());
            if (random_.chance(kills, 400)) begin(i);
            if (random_.chance(power_cuts, 1000)) power_cut();
            act(*members_[i]);
        }
        for (auto& member : members_) end(member);
        verify_what_is_left(stage_.store, stage_.oracle);
        look_at_the_end(stage_.store, stage_.oracle);
        verify_what_is_left(stage_.store, stage_.oracle);
        return stage_.oracle.faults;
    }

private:
    /// No disk fails in these histories, so no member has a reason to fail.
    void end(std::unique_ptr<SharedMember>& member) {
        if (!member) return;
        for (const Error& error : member->failures()) {
            stage_.oracle.fault("failed: " + to_string(error));
        }
        if (member->error) stage_.oracle.fault("not opened: " + to_string(*member->error));
        member.reset();
    }

    void begin(std::size_t i) {
        end(members_[i]);
        SharedJournal::Options options;
        if (random_.chance(1, 2)) {
            options.election = SharedJournal::Election::autonomous;
            options.lease = 60ms;
        }
        members_[i] = std::make_unique<SharedMember>(stage_.store, stage_.oracle,
                                                     fmt::format("{}_{}_", i, ++begun_),
                                                     random_.next(), options);
        members_[i]->mount.set_interruption([this, i] { interrupt(i); });
    }

    /// Another member goes on in the middle of a call.
    void interrupt(std::size_t i) {
        if (interrupted_ || !random_.chance(1, 10)) return;
        interrupted_ = true;
        const std::size_t other = (i + 1 + random_.below(members_.size() - 1)) % members_.size();
        if (members_[other]) {
            for (std::uint64_t n = random_.below(30); n > 0; --n) members_[other]->runtime.step();
        }
        interrupted_ = false;
    }

    void power_cut() {
        for (auto& member : members_) member->mount.kill();
        for (auto& member : members_) end(member);
        constexpr FakeDisk::Survival survivals[] = {
            FakeDisk::Survival::none, FakeDisk::Survival::some, FakeDisk::Survival::torn};
        stage_.store.power_cut(survivals[random_.below(3)]);
        for (std::size_t i = 0; i < members_.size(); ++i) begin(i);
    }

    void act(SharedMember& member) {
        const std::uint64_t what = random_.below(100);
        if (!member.journal || what < 60) {
            for (std::uint64_t n = random_.below(8); n > 0; --n) member.runtime.step();
        } else if (what < 80) {
            member.offer(1, random_.chance(1, 5) ? long_body : 0);
        } else if (what < 95) {
            member.runtime.advance(random_.between(Duration{1ms}, Duration{30ms}));
        } else if (what < 97) {
            member.journal->take_over({}, [](const Result<Epoch>&) {});
        } else if (what < 98) {
            member.journal->step_down([](const Result<void>&) {});
        } else {
            member.checkpoint();
        }
    }

    Random random_;
    Stage stage_;
    std::array<std::unique_ptr<SharedMember>, 3> members_;
    bool interrupted_ = false;
    int begun_ = 0;
};

}  // namespace

std::vector<std::string> faults_in_random_history(std::uint64_t seed) {
    return RandomHistory(seed).run();
}

std::vector<std::string> faults_in_histories(const HistoryOptions& options) {
    seen = 0;
    Histories histories(options);
    const std::function<void()> groups[history_groups] = {
        [&] { histories.the_active_is_stopped(Cut::none); },
        [&] { histories.the_active_is_stopped(Cut::nothing_kept); },
        [&] { histories.the_claimer_is_stopped(); },
        [&] { histories.two_claim(); },
        [&] { histories.the_lower_claim_is_late(); },
        [&] { histories.two_successors_end(); },
        [&] { histories.the_successor_ends(); },
        [&] { histories.the_only_one_ends(); },
        [&] { histories.a_standby_follows(); },
    };
    for (int group = 0; group < history_groups; ++group) {
        if (options.group && *options.group != group) continue;
        groups[group]();
        if (options.stop_at_first && !histories.faults.empty()) break;
    }
    return histories.faults;
}

std::uint64_t histories_seen() { return seen; }

}  // namespace understudy::journal
