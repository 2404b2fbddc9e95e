#include "tests/history/linearizability.h"

#include <algorithm>
#include <numeric>

#include <gtest/gtest.h>

#include "base/random.h"
#include "tests/history/judge.h"
#include "tests/history/made_test.h"
#include "tests/history/models.h"

namespace understudy::history {
namespace {

/// A cell for tests that make their own calls: verb 0 reads, 1 writes, 2 compares and sets.
struct PlainCell {
    using State = std::int64_t;
    [[nodiscard]] State start() const { return 0; }
    [[nodiscard]] std::size_t hash(const State& state) const {
        return static_cast<std::size_t>(state);
    }
    [[nodiscard]] bool step(State& state, const Call& call) const {
        if (call.verb == 0) return state == call.first;
        if (call.verb == 2 && state != call.first) return false;
        state = call.verb == 1 ? call.first : call.second;
        return true;
    }
};

/// The definition taken literally: every choice of unknown calls in every order.
bool linearizable_by_definition(const std::vector<Call>& calls) {
    std::vector<std::size_t> order(calls.size());
    for (std::uint32_t mask = 0; mask < (1u << calls.size()); ++mask) {
        std::vector<std::size_t> chosen;
        bool all = true;
        for (std::size_t i = 0; i < calls.size(); ++i) {
            if ((mask >> i) & 1)
                chosen.push_back(i);
            else if (calls[i].returned != never)
                all = false;
        }
        if (!all) continue;
        do {
            std::int64_t state = 0;
            bool good = true;
            for (std::size_t i = 0; i < chosen.size() && good; ++i) {
                for (std::size_t j = i + 1; j < chosen.size(); ++j) {
                    if (calls[chosen[j]].returned < calls[chosen[i]].invoked) good = false;
                }
                good = good && PlainCell{}.step(state, calls[chosen[i]]);
            }
            if (good) return true;
        } while (std::next_permutation(chosen.begin(), chosen.end()));
    }
    return false;
}

// Random small histories, most of them wrong, are compared with a second version that uses only the
// definition.
TEST(Linearizability, AgreesWithTheDefinition) {
    Random random(41);
    int good = 0;
    int bad = 0;
    for (int round = 0; round < 3000; ++round) {
        const std::size_t count = 1 + random.below(5);
        std::vector<std::uint64_t> positions(2 * count);
        std::iota(positions.begin(), positions.end(), 0);
        for (std::size_t i = positions.size(); i-- > 1;) {
            std::swap(positions[i], positions[random.below(i + 1)]);
        }
        std::vector<Call> calls;
        for (std::size_t i = 0; i < count; ++i) {
            Call call;
            call.verb = static_cast<int>(random.below(3));
            call.first = static_cast<std::int64_t>(random.below(3));
            call.second = static_cast<std::int64_t>(random.below(3));
            call.invoked = std::min(positions[2 * i], positions[2 * i + 1]);
            call.returned = std::max(positions[2 * i], positions[2 * i + 1]);
            if (call.verb != 0 && random.below(4) == 0) call.returned = never;
            calls.push_back(call);
        }
        std::sort(calls.begin(), calls.end(),
                  [](const Call& a, const Call& b) { return a.invoked < b.invoked; });
        const bool expected = linearizable_by_definition(calls);
        const Finding found = search(PlainCell{}, calls, 1'000'000);
        ASSERT_EQ(found.answer, expected ? Answer::linearizable : Answer::not_linearizable)
            << "round " << round;
        ++(expected ? good : bad);
    }
    EXPECT_GT(good, 300);
    EXPECT_GT(bad, 300);
}

// If the budget is used up there is no verdict, which counts as a fault.
TEST(Linearizability, NoVerdictWithinTheBudgetIsAFault) {
    const History history = made_history({.seed = 3, .operations = 200, .operations_per_key = 200});
    EXPECT_EQ(judge(history).faults, std::vector<std::string>());
    const Verdict verdict = judge(history, {.steps_per_key = 100, .steps = 100});
    ASSERT_EQ(verdict.faults.size(), 1u);
    EXPECT_NE(verdict.faults[0].find("no verdict"), std::string::npos);
}

// Many unknown writes of one key, and a read that none of them explains: the search must end.
TEST(Linearizability, HopelessSearchesEnd) {
    std::vector<Call> calls;
    for (std::uint64_t i = 0; i < 40; ++i) {
        calls.push_back({.verb = 2,
                         .first = static_cast<std::int64_t>(i % 5),
                         .second = static_cast<std::int64_t>((i * 7 + 1) % 5),
                         .members = {},
                         .invoked = i});
    }
    calls.push_back({.verb = 0, .first = 99, .members = {}, .invoked = 100, .returned = 101});
    const Finding found = search(PlainCell{}, calls, 50'000);
    EXPECT_EQ(found.answer, Answer::no_verdict);
    EXPECT_EQ(found.steps, 50'001u);
}

TEST(Linearizability, MadeHistoriesAreGoodAndOneStaleReadIsFound) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        History history = made_history({.seed = seed, .operations = 2000});
        EXPECT_EQ(judge(history).faults, std::vector<std::string>()) << "seed " << seed;
        const std::uint64_t stale = make_a_read_stale(history);
        ASSERT_NE(stale, 0u) << "seed " << seed;
        const Verdict verdict = judge(history);
        ASSERT_EQ(verdict.faults.size(), 1u) << "seed " << seed;
        EXPECT_NE(verdict.faults[0].find("not linearizable"), std::string::npos);
    }
}

// The search of 50,000 operations on new keys takes a few steps for each.
TEST(Linearizability, FreshKeysCostAFewStepsEach) {
    const History history = made_history({.seed = 9, .operations = 50'000});
    const Verdict verdict = judge(history);
    EXPECT_EQ(verdict.faults, std::vector<std::string>());
    EXPECT_LT(verdict.steps, 10u * 50'000);
}

// One key for a whole run: the taken operations are kept as a window, not as a set of everything.
TEST(Linearizability, OneLongKeyWithoutUnknownsIsJudged) {
    const History history = made_history(
        {.seed = 5, .operations = 20'000, .operations_per_key = 20'000, .unknown_percent = 0});
    EXPECT_EQ(judge(history).faults, std::vector<std::string>());
}

}  // namespace
}  // namespace understudy::history
