#pragma once

#include <algorithm>
#include <cstdint>
#include <unordered_set>
#include <utility>
#include <vector>

#include "tests/history/operation.h"

/// Searches an order of these operations in which a single copy could have carried them out one by
/// one, each at an instant between its call and its return.
///
/// It is Wing and Gong's search with Lowe's improvements. Calls and returns are in one list. An
/// operation whose call comes before the first return may be the next. It is taken out, and the
/// search continues from the front. If the first return belongs to an operation that was not taken,
/// the last one that was taken is put back. A set of taken operations with the same state is never
/// tried twice. Operations with unknown outcome have no return: they may be taken at any time, or
/// not at all.
namespace understudy::history {

/// An operation for a model. Contents are numbers that are equal exactly if the contents are.
struct Call {
    int verb = 0;
    std::int64_t first = 0;
    std::int64_t second = 0;
    std::uint64_t epoch = 0;
    std::vector<std::int64_t> members;  ///< Sorted.
    bool known = false;                 ///< The outcome is known.
    std::uint64_t invoked = 0;
    std::uint64_t returned = never;
    std::size_t operation = 0;  ///< For the report.
};

enum class Answer : std::uint8_t {
    linearizable,
    not_linearizable,
    no_verdict,  ///< The budget was used up. Counts as a failed run.
};

struct Finding {
    Answer answer = Answer::linearizable;
    std::size_t taken_max = 0;  ///< How many operations the best attempt explained.
    std::size_t stuck_at = 0;   ///< The operation that it could not explain.
    std::uint64_t steps = 0;
};

namespace detail {

/// The set of taken calls: all below `low` words of 64, and those in `words` from there.
template <class State>
struct Seen {
    std::uint32_t low = 0;
    std::vector<std::uint64_t> words;
    State state;
    std::size_t hash = 0;
    bool operator==(const Seen& other) const {
        return low == other.low && words == other.words && state == other.state;
    }
};

struct SeenHash {
    template <class State>
    std::size_t operator()(const Seen<State>& seen) const {
        return seen.hash;
    }
};

inline std::size_t mixed(std::size_t hash, std::uint64_t with) {
    return (hash ^ with) * 0x9e3779b97f4a7c15u + (hash >> 29);
}

}  // namespace detail

/// A Model has a State with ==, a `State start() const`, a `std::size_t hash(const State&) const`
/// and a `bool step(State&, const Call&) const`, which says whether the call could be done now with
/// its result.
///
/// Requires: `calls` in the order of their invocation.
/// Bounds: `steps_max` steps, and at most as many states; beyond that no_verdict.
template <class Model>
[[nodiscard]] Finding search(const Model& model, const std::vector<Call>& calls,
                             std::uint64_t steps_max) {
    using State = typename Model::State;
    struct Node {
        std::uint32_t call = 0;
        bool is_return = false;
        std::uint32_t previous = 0;
        std::uint32_t next = 0;
    };

    // Positions are unique in the history, so calls and returns have one order.
    std::vector<std::pair<std::uint64_t, std::uint32_t>>
        order;  // Twice the call, plus 1: a return.
    std::size_t owed = 0;
    for (std::uint32_t i = 0; i < calls.size(); ++i) {
        order.emplace_back(calls[i].invoked, 2 * i);
        if (calls[i].returned == never) continue;
        order.emplace_back(calls[i].returned, 2 * i + 1);
        ++owed;
    }
    std::sort(order.begin(), order.end());
    std::vector<Node> list(order.size() + 1);  // Node 0 is the head and the end.
    std::vector<std::uint32_t> return_of(calls.size(), 0);
    for (std::uint32_t i = 1; i < list.size(); ++i) {
        const std::uint32_t what = order[i - 1].second;
        list[i] = {.call = what / 2,
                   .is_return = what % 2 == 1,
                   .previous = i - 1,
                   .next = i + 1 == list.size() ? 0 : i + 1};
        if (list[i].is_return) return_of[what / 2] = i;
    }
    list[0].next = list.size() > 1 ? 1 : 0;

    const auto unlink = [&](std::uint32_t at) {
        list[list[at].previous].next = list[at].next;
        if (list[at].next != 0) list[list[at].next].previous = list[at].previous;
    };
    const auto relink = [&](std::uint32_t at) {
        list[list[at].previous].next = at;
        if (list[at].next != 0) list[list[at].next].previous = at;
    };

    std::vector<std::uint64_t> taken((calls.size() + 63) / 64, 0);
    std::unordered_set<detail::Seen<State>, detail::SeenHash> seen;
    std::vector<std::pair<std::uint32_t, State>> stack;
    const auto is_new = [&](const State& state) {
        detail::Seen<State> key{.low = 0, .words = {}, .state = state, .hash = model.hash(state)};
        std::size_t low = 0;
        std::size_t high = taken.size();
        while (low < high && taken[low] == ~std::uint64_t{0}) ++low;
        while (high > low && taken[high - 1] == 0) --high;
        key.low = static_cast<std::uint32_t>(low);
        key.words.assign(taken.begin() + static_cast<std::ptrdiff_t>(low),
                         taken.begin() + static_cast<std::ptrdiff_t>(high));
        key.hash = detail::mixed(key.hash, low);
        for (const std::uint64_t word : key.words) key.hash = detail::mixed(key.hash, word);
        return seen.insert(std::move(key)).second;
    };

    Finding finding;
    State state = model.start();
    std::uint32_t at = list[0].next;
    while (owed != 0) {
        if (++finding.steps > steps_max) {
            finding.answer = Answer::no_verdict;
            return finding;
        }
        US_ASSERT(at != 0);  // The return of a taken operation comes first.
        const Node node = list[at];
        std::uint64_t& word = taken[node.call / 64];
        const std::uint64_t bit = std::uint64_t{1} << (node.call % 64);
        if (!node.is_return) {
            State next = state;
            bool goes_on = model.step(next, calls[node.call]);
            if (goes_on) {
                word |= bit;
                goes_on = is_new(next);
                if (!goes_on) word &= ~bit;
            }
            if (!goes_on) {
                at = node.next;
                continue;
            }
            stack.emplace_back(at, std::exchange(state, std::move(next)));
            unlink(at);
            if (const std::uint32_t end = return_of[node.call]; end != 0) {
                unlink(end);
                --owed;
            }
            at = list[0].next;
            continue;
        }
        if (stack.size() >= finding.taken_max) {
            finding.taken_max = stack.size();
            finding.stuck_at = calls[node.call].operation;
        }
        if (stack.empty()) {
            finding.answer = Answer::not_linearizable;
            return finding;
        }
        const std::uint32_t last = stack.back().first;
        state = std::move(stack.back().second);
        stack.pop_back();
        const std::uint32_t call = list[last].call;
        taken[call / 64] &= ~(std::uint64_t{1} << (call % 64));
        if (return_of[call] != 0) {
            relink(return_of[call]);
            ++owed;
        }
        relink(last);
        at = list[last].next;
    }
    return finding;
}

}  // namespace understudy::history
