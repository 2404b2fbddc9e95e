// Whatever happens to the process or the power, at whichever disk call: what was reported durable
// is there. The content is what had been written up to one of the writes, so that no void entry
// comes back. The log works on from there.

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "journal/node_log/node_session_test.h"

namespace understudy::journal {
namespace {

using Survival = FakeDisk::Survival;

constexpr Survival survivals[] = {Survival::none, Survival::all, Survival::some, Survival::torn};

const std::vector<std::uint64_t> all_groups{1, 2, 3, 4, 5, 6};

/// What was written since the last opening, and may be there after a crash.
class History {
public:
    void restart(NodeModel model) {
        now = std::move(model);
        hashes_.assign(1, now.hash());
        durable_ = 0;
        positions_.clear();
    }
    void written(LogPosition position) {
        hashes_.push_back(now.hash());
        positions_.push_back(position);
    }
    void durable(LogPosition position) {
        while (durable_ < positions_.size() && positions_[durable_] <= position) ++durable_;
    }
    [[nodiscard]] bool may_be(const NodeModel& found) const {
        const std::uint64_t hash = found.hash();
        for (std::size_t i = durable_; i < hashes_.size(); ++i) {
            if (hashes_[i] == hash) return true;
        }
        return false;
    }
    [[nodiscard]] std::size_t writes() const { return positions_.size(); }

    NodeModel now;

private:
    std::vector<std::uint64_t> hashes_;  ///< After each write; the first is how it began.
    std::vector<LogPosition> positions_;
    std::size_t durable_ = 0;
};

class Life {
public:
    Life(FakeDisk& disk, History& history, std::uint64_t seed)
        : disk_(disk), session_(disk, seed), history_(history), random_(seed * 77 + 1) {}

    bool open() {
        session_.opened();
        if (!session_.log) return false;
        const NodeModel found = session_.contents(all_groups);
        if (testing::Test::HasFailure() || disk_.dead()) return false;
        EXPECT_TRUE(history_.may_be(found));
        history_.restart(found);
        return session_.log != nullptr;
    }

    /// Makes random writes, and sometimes a pause.
    void work(int writes) {
        for (int i = 0; i < writes; ++i) {
            write();
            for (std::uint64_t step = random_.below(8); step > 0; --step) session_.runtime.step();
            if (random_.chance(1, 10)) session_.runtime.settle();
            history_.durable(session_.log->durable());
        }
        session_.runtime.settle();
        history_.durable(session_.log->durable());
    }

    bool close() {
        const bool closed = session_.close();
        if (closed && session_.failures.empty()) history_.durable({UINT64_MAX});
        return closed;
    }

    NodeSession& session() { return session_; }

private:
    void write() {
        // Groups 4 to 6 are idle most of the time.
        const std::uint64_t id =
            random_.chance(1, 12) ? random_.between(4, 6) : random_.between(1, 3);
        NodeModel& model = history_.now;
        if (random_.chance(1, 60)) {
            const bool known = model.groups.contains(id);
            const auto position = session_.log->forget({id});
            if (!position) return;
            model.forget(id);
            if (known) history_.written(*position);
            return;
        }
        const ModelGroup nothing;
        const auto known = model.groups.find(id);
        const ModelGroup& group = known == model.groups.end() ? nothing : known->second;
        GroupWrite write;
        if (random_.chance(1, 5)) {
            const std::string state = "state " + std::to_string(random_.below(1'000'000));
            const Bytes bytes = as_bytes(state);
            write.state = Buffer(bytes.begin(), bytes.end());
        }
        const Index last = group.last();
        const bool long_group = group.entries.size() > 8;
        if (random_.chance(1, long_group ? 2 : 8) && id <= 3) {
            write.trim = Index{random_.between(group.first.value, last.value + 1)};
        }
        const Index first = write.trim ? std::max(group.first, *write.trim) : group.first;
        if (random_.chance(1, 30)) {
            write.restart = true;
            write.from = {last.value + random_.between(1, 50)};
        } else if (random_.chance(1, 6)) {
            write.from = {random_.between(first.value, last.value + 1)};
        }
        for (std::uint64_t i = random_.below(4); i > 0; --i) {
            const std::string body = std::to_string(++bodies_) + ":" +
                                     std::string(random_.below(3500), static_cast<char>('a' + id));
            write.entries.push_back(
                entry_of(++terms_, body, static_cast<std::uint8_t>(random_.below(256))));
        }
        if (write.entries.empty() && !write.state) write.state = Buffer(3);
        const auto position = session_.log->write({id}, write, Urgency::ordinary);
        if (!position) return;  // The log has failed, or the disk is full.
        model.write(id, write);
        history_.written(*position);
    }

    FakeDisk& disk_;
    NodeSession session_;
    History& history_;
    Random random_;
    std::uint64_t bodies_ = 0;
    std::uint64_t terms_ = 0;
};

/// Three processes, one after another: the first closes, the second is killed, the third goes on.
void live(FakeDisk& disk, History& history, std::uint64_t seed) {
    for (std::uint64_t turn = 0; turn < 3 && !disk.dead(); ++turn) {
        Life life(disk, history, seed * 10 + turn);
        if (!life.open()) return;
        life.work(turn == 0 ? 400 : 40);
        if (turn == 0 && !disk.dead()) life.close();
    }
}

void expect_recovers(FakeDisk& disk, History& history, std::uint64_t seed) {
    {
        Life life(disk, history, seed);
        ASSERT_TRUE(life.open()) << to_string(life.session().error.value_or(Error{Errc::failed}));
        life.work(15);
    }
    disk.power_cut(Survival::none);
    Life life(disk, history, seed + 1);
    ASSERT_TRUE(life.open()) << to_string(life.session().error.value_or(Error{Errc::failed}));
}

std::uint64_t calls_of(std::uint64_t seed) {
    FakeDisk disk(seed);
    int named = 0;
    int made_of_zeros = 0;
    disk.set_fault([&](std::string_view call, const std::string& path) -> std::optional<Errc> {
        named += call == "rename" && path.ends_with(".seg") ? 1 : 0;
        made_of_zeros += call == "open" && path.ends_with(".seg.tmp") ? 1 : 0;
        return std::nullopt;
    });
    History history;
    history.restart({});
    live(disk, history, seed);
    EXPECT_GT(named, made_of_zeros + 3) << "segments have been used again";
    std::uint64_t oldest = UINT64_MAX;
    for (const std::string& path : disk.names()) {
        if (!path.ends_with(".seg")) continue;
        const std::string name = path.substr(path.rfind('/') + 9, 8);
        oldest = std::min<std::uint64_t>(oldest, std::stoull(name, nullptr, 16));
    }
    EXPECT_GT(oldest, 2U) << "segments have been removed";
    return disk.calls();
}

void crash_everywhere(std::uint64_t seed, bool power, std::uint64_t step = 1) {
    const std::uint64_t calls = calls_of(seed);
    ASSERT_GT(calls, 300U);
    for (std::uint64_t call = 1; call <= calls; call += step) {
        FakeDisk disk(seed);
        History history;
        history.restart({});
        disk.die_at(call);
        live(disk, history, seed);
        ASSERT_TRUE(disk.dead());
        if (power) {
            disk.power_cut(survivals[call % std::size(survivals)]);
        } else {
            disk.restart_process();
        }
        expect_recovers(disk, history, seed + call);
        if (testing::Test::HasFailure()) {
            FAIL() << "seed " << seed << ", call " << call << " of " << calls;
        }
    }
}

TEST(NodeLogCrash, ThePowerGoesAtEveryDiskCall) { crash_everywhere(1, true); }

TEST(NodeLogCrash, TheProcessDiesAtEveryDiskCall) { crash_everywhere(3, false, 3); }

// A write or a sync fails. The log ends, and a restart without a reboot reads what is in the
// kernel's memory.
TEST(NodeLogCrash, EveryDiskCallFailsOnce) {
    const std::uint64_t seed = 4;
    const std::uint64_t calls = calls_of(seed);
    for (std::uint64_t call = 1; call <= calls; call += 3) {
        FakeDisk disk(seed);
        History history;
        history.restart({});
        std::uint64_t left = call;
        disk.set_fault([&](std::string_view what, const std::string&) -> std::optional<Errc> {
            const bool can_fail = what == "write" || what == "sync" || what == "sync_directory" ||
                                  what == "rename" || what == "remove";
            if (left > 0 && --left == 0 && can_fail) return Errc::disk_failed;
            return std::nullopt;
        });
        live(disk, history, seed);
        disk.set_fault({});
        call % 2 == 0 ? disk.restart_process() : disk.power_cut(Survival::none);
        expect_recovers(disk, history, seed + call);
        if (testing::Test::HasFailure()) FAIL() << "call " << call << " of " << calls;
    }
}

}  // namespace
}  // namespace understudy::journal
