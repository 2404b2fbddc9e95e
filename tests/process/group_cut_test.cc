// The members of a replicated group are cut off from each other in every way, while clients reach
// all of them, also a member that still considers itself the leader. Needs root for network
// namespaces.

#include <array>

#include "tests/process/journal_stage.h"
#include "tests/process/network.h"

namespace understudy::process {

namespace {

/// The places of the members when a cut is made.
struct Places {
    std::size_t leader;
    std::size_t first;  ///< The two other members.
    std::size_t second;
};

enum class Serves : std::uint8_t { leader, another, nobody };

struct Cut {
    const char* name;
    void (*make)(Switch&, const Places&);
    Serves serves;  ///< The member with a majority to which it is connected in both directions.
};

constexpr std::array cuts{
    Cut{"all around the leader",
        [](Switch& net, const Places& at) {
            net.cut_between(at.leader, at.first);
            net.cut_between(at.leader, at.second);
        },
        Serves::another},
    Cut{"what the leader says",
        [](Switch& net, const Places& at) {
            net.cut(at.leader, at.first);
            net.cut(at.leader, at.second);
        },
        Serves::another},
    Cut{"what the leader hears",
        [](Switch& net, const Places& at) {
            net.cut(at.first, at.leader);
            net.cut(at.second, at.leader);
        },
        Serves::another},
    Cut{"the leader from one follower",
        [](Switch& net, const Places& at) { net.cut_between(at.leader, at.second); },
        Serves::leader},
    Cut{"the followers from each other",
        [](Switch& net, const Places& at) { net.cut_between(at.first, at.second); },
        Serves::leader},
    Cut{"a ring: each hears the next only",
        [](Switch& net, const Places& at) {
            net.cut(at.leader, at.second);
            net.cut(at.second, at.first);
            net.cut(at.first, at.leader);
        },
        Serves::nobody},
};

class I3Cut : public JournalStage {
protected:
    void SetUp() override {
        const std::string why = no_namespaces();
        if (!why.empty()) GTEST_SKIP() << "skipped: " << why;
        net = std::make_unique<Switch>(3);
        std::vector<std::pair<std::string, int>> hosts;
        for (std::size_t i = 0; i < 3; ++i) hosts.emplace_back(Switch::address(i), net->network(i));
        add_group(3, hosts);
        start_all();
        begin_clients();
    }

    std::unique_ptr<Switch> net;
};

}  // namespace

TEST_F(I3Cut, WhateverIsCutWhoHasAMajorityServesAndNobodyElse) {
    for (const Cut& cut : cuts) {
        SCOPED_TRACE(cut.name);
        const std::size_t leader = active();
        recorder().fault(cut.name, member(leader).name);
        cut.make(*net, {.leader = leader, .first = (leader + 1) % 3, .second = (leader + 2) % 3});
        if (cut.serves == Serves::nobody) {
            std::this_thread::sleep_for(1500ms);
            for (std::size_t i = 0; i < 3; ++i) expect_refused(i);
        } else {
            if (cut.serves == Serves::another) (void)active_other_than(leader);
            run_for(1500ms);
            if (cut.serves == Serves::another) expect_refused(leader);
        }
        net->heal();
        recorder().fault("heal", member(leader).name);
        run_for(500ms);
    }
    finish();
}

// A follower that was alone must not disturb the others when it returns.
TEST_F(I3Cut, ACutThatHealsAgainAndAgainReplacesNoLeaderThatHasAMajority) {
    // A leader that gets no processor time for an election timeout is replaced too, whatever is
    // cut.
    bool undisturbed = false;
    for (int attempt = 0; attempt < 10 && !undisturbed; ++attempt) {
        const std::size_t leader = active();
        const std::string epoch = status(leader, "epoch");
        for (int turn = 0; turn < 3; ++turn) {
            const std::size_t alone = (leader + 1) % 3;
            recorder().fault("a follower alone", member(alone).name);
            net->cut_between(alone, leader);
            net->cut_between(alone, (leader + 2) % 3);
            run_for(900ms);
            net->heal();
            recorder().fault("heal", member(alone).name);
            run_for(400ms);
        }
        undisturbed = active() == leader && status(leader, "epoch") == epoch;
    }
    EXPECT_TRUE(undisturbed);
    finish();
}

}  // namespace understudy::process
