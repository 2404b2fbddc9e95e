#include "tests/history/models.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

namespace understudy::history {
namespace json = boost::json;

namespace {

enum Verb : int {
    read,
    write,
    cas,
    cas_missed,
    lease,
    keep,
    release,
    holder,
    lock,
    unlock,
    elect,
    lookup,
    add,
    remove_element,
    contains,
    contains_not,
    members,
};

struct Known {
    const char* f;
    Family family;
    Verb verb;
};

constexpr Known verbs[] = {
    {"read", Family::cell, read},
    {"write", Family::cell, write},
    {"cas", Family::cell, cas},
    {"lease", Family::lease, lease},
    {"keep", Family::lease, keep},
    {"release", Family::lease, release},
    {"holder", Family::lease, holder},
    {"lock", Family::mutex, lock},
    {"unlock", Family::mutex, unlock},
    {"elect", Family::election, elect},
    {"lookup", Family::election, lookup},
    {"add", Family::set, add},
    {"remove", Family::set, remove_element},
    {"contains", Family::set, contains},
    {"members", Family::set, members},
    {"append", Family::journal, read},
};

const Known* known(const std::string& f) {
    for (const Known& verb : verbs) {
        if (f == verb.f) return &verb;
    }
    return nullptr;
}

/// Assigns numbers to contents; 0 is null.
class Numbers {
public:
    std::int64_t of(const json::value& value) {
        if (value.is_null()) return 0;
        return numbers_.try_emplace(json::serialize(value), std::ssize(numbers_) + 1).first->second;
    }

private:
    std::unordered_map<std::string, std::int64_t> numbers_;
};

bool is(const json::value& value, bool what) { return value.is_bool() && value.get_bool() == what; }

/// `operation` in the form of its model; nothing if it cannot matter.
std::optional<Call> call_of(const Operation& operation, Numbers& numbers, bool& malformed) {
    const Known* verb = known(operation.asked->f);
    Call call{.verb = verb->verb,
              .members = {},
              .known = operation.outcome() == Type::ok,
              .invoked = operation.invoked(),
              .returned = operation.returned()};
    if (operation.outcome() == Type::fail) return std::nullopt;
    const json::value& asked = operation.asked->value;
    const json::value nothing;
    const json::value& told = call.known ? operation.told->value : nothing;
    call.epoch =
        call.known && operation.told->epoch != 0 ? operation.told->epoch : operation.asked->epoch;
    switch (verb->verb) {
        case read:
        case holder:
        case lookup:
            if (!call.known) return std::nullopt;  // It only asks and changes nothing.
            call.first = numbers.of(told);
            return call;
        case write:
            call.first = numbers.of(asked);
            return call;
        case cas: {
            const json::array* pair = asked.if_array();
            if (pair == nullptr || pair->size() != 2) {
                malformed = true;
                return std::nullopt;
            }
            call.first = numbers.of((*pair)[0]);
            call.second = numbers.of((*pair)[1]);
            if (is(told, false)) call.verb = cas_missed;
            return call;
        }
        case keep:
            if (!call.known) return std::nullopt;
            [[fallthrough]];
        case lease:
        case release:
        case lock:
        case unlock:
            call.first = asked.is_null() ? -1 - operation.asked->process : numbers.of(asked);
            return call;
        case elect:
            if (!call.known) return std::nullopt;  // A later lookup may still find it.
            call.first = numbers.of(asked);
            return call;
        case contains:
            if (!call.known) return std::nullopt;
            call.first = numbers.of(asked);
            if (!told.is_bool()) malformed = true;
            if (is(told, false)) call.verb = contains_not;
            return call;
        case members: {
            if (!call.known) return std::nullopt;
            const json::array* all = told.if_array();
            if (all == nullptr) {
                malformed = true;
                return std::nullopt;
            }
            for (const json::value& one : *all) call.members.push_back(numbers.of(one));
            std::sort(call.members.begin(), call.members.end());
            return call;
        }
        case add:
        case remove_element:
            call.first = numbers.of(asked);
            return call;
        case cas_missed:
        case contains_not:
            break;
    }
    return std::nullopt;
}

Finding search_family(Family family, const std::vector<Call>& calls, std::uint64_t steps_max) {
    switch (family) {
        case Family::cell:
            return search(CellModel{}, calls, steps_max);
        case Family::lease:
            return search(LeaseModel{.lapses = true}, calls, steps_max);
        case Family::mutex:
            return search(LeaseModel{.lapses = false}, calls, steps_max);
        case Family::election:
            return search(ElectionModel{}, calls, steps_max);
        case Family::set:
            return search(SetModel{}, calls, steps_max);
        case Family::journal:
        case Family::none:
            break;
    }
    return {};
}

}  // namespace

Family family_of(const std::string& f) {
    const Known* verb = known(f);
    return verb == nullptr ? Family::none : verb->family;
}

std::string_view name(Family family) {
    switch (family) {
        case Family::cell:
            return "register";
        case Family::lease:
            return "lease";
        case Family::mutex:
            return "mutex";
        case Family::election:
            return "election";
        case Family::set:
            return "set";
        case Family::journal:
            return "journal";
        case Family::none:
            break;
    }
    return "unknown";
}

bool CellModel::step(State& state, const Call& call) const {
    switch (call.verb) {
        case read:
            return state == call.first;
        case cas_missed:
            return state != call.first;
        case write:
            state = call.first;
            return true;
        case cas:
            if (state != call.first) return false;
            state = call.second;
            return true;
        default:
            return false;
    }
}

std::size_t LeaseModel::hash(const State& state) const {
    return detail::mixed(
        static_cast<std::size_t>(state.owner) * 4 + (state.held ? 2 : 0) + (state.at_least ? 1 : 0),
        state.epoch);
}

bool LeaseModel::step(State& state, const Call& call) const {
    const auto in_epoch = [&] {
        if (call.epoch == 0) return true;  // The epoch was not given.
        if (state.at_least && call.epoch >= state.epoch) {
            state.epoch = call.epoch;
            state.at_least = false;
        }
        return call.epoch == state.epoch;
    };
    switch (call.verb) {
        case lock:
            if (state.held) return false;
            [[fallthrough]];
        case lease:
            if (call.epoch != 0 && call.epoch <= state.epoch) return false;
            state = {.owner = call.first,
                     .epoch = call.epoch != 0 ? call.epoch : state.epoch + 1,
                     .held = true,
                     .at_least = call.epoch == 0};
            return true;
        case keep:
            return state.held && state.owner == call.first && in_epoch();
        case unlock:
            if (!state.held || state.owner != call.first || !in_epoch()) return false;
            state.held = false;
            return true;
        case release: {
            // If another holds the lease by now, it changes nothing.
            const State before = state;
            if (state.held && state.owner == call.first && in_epoch()) {
                state.held = false;
            } else {
                state = before;
            }
            return true;
        }
        case holder:
            if (call.first == 0) {
                if (state.held && !lapses) return false;
                state.held = false;
                return true;
            }
            return state.held && state.owner == call.first && in_epoch();
        default:
            return false;
    }
}

std::size_t ElectionModel::hash(const State& state) const {
    return detail::mixed(static_cast<std::size_t>(state.member), state.epoch);
}

bool ElectionModel::step(State& state, const Call& call) const {
    switch (call.verb) {
        case lookup:
            if (call.first == 0) return call.epoch == 0 || call.epoch >= state.epoch;
            if (call.epoch == state.epoch) return call.first == state.member;
            [[fallthrough]];
        case elect:
            if (call.epoch <= state.epoch) return false;
            state = {.member = call.first, .epoch = call.epoch};
            return true;
        default:
            return false;
    }
}

std::size_t SetModel::hash(const State& state) const {
    std::size_t hash = state.size();
    for (const std::int64_t element : state) {
        hash = detail::mixed(hash, static_cast<std::uint64_t>(element));
    }
    return hash;
}

bool SetModel::step(State& state, const Call& call) const {
    const auto at = std::lower_bound(state.begin(), state.end(), call.first);
    const bool there = at != state.end() && *at == call.first;
    switch (call.verb) {
        case add:
            if (!there) state.insert(at, call.first);
            return true;
        case remove_element:
            if (there) state.erase(at);
            return true;
        case contains:
            return there;
        case contains_not:
            return !there;
        case members:
            return state == call.members;
        default:
            return false;
    }
}

std::vector<std::string> faults_in_order(const std::vector<Operation>& operations,
                                         const Budget& budget, std::uint64_t& steps) {
    struct Key {
        const std::string* name;
        Family family;
        std::vector<std::size_t> operations;
    };
    std::vector<std::string> faults;
    std::vector<Key> keys;
    std::unordered_map<std::string_view, std::size_t> numbers;
    for (std::size_t i = 0; i < operations.size(); ++i) {
        const Event& asked = *operations[i].asked;
        const Family family = family_of(asked.f);
        if (family == Family::none || family == Family::journal) continue;
        const auto [at, fresh] = numbers.try_emplace(asked.key, keys.size());
        if (fresh) keys.push_back({.name = &asked.key, .family = family, .operations = {}});
        Key& key = keys[at->second];
        if (key.family != family) {
            faults.push_back(asked.key + " is a " + std::string(name(key.family)) + " and a " +
                             std::string(name(family)));
        }
        key.operations.push_back(i);
    }
    for (const Key& key : keys) {
        const std::string what = std::string(name(key.family)) + " " + *key.name + ": ";
        Numbers contents;
        std::vector<Call> calls;
        bool malformed = false;
        for (const std::size_t i : key.operations) {
            auto call = call_of(operations[i], contents, malformed);
            if (malformed) {
                faults.push_back(what + "no sense in " + to_string(operations[i]));
                malformed = false;
            }
            if (!call) continue;
            call->operation = i;
            calls.push_back(std::move(*call));
        }
        const std::uint64_t left = budget.steps > steps ? budget.steps - steps : 0;
        const Finding finding =
            search_family(key.family, calls, std::min(left, budget.steps_per_key));
        steps += finding.steps;
        if (finding.answer == Answer::no_verdict) {
            faults.push_back(what + "no verdict after " + std::to_string(finding.steps) +
                             " steps; give keys fewer operations");
        } else if (finding.answer == Answer::not_linearizable) {
            faults.push_back(what + "not linearizable: after " + std::to_string(finding.taken_max) +
                             " operations in the best order, nothing explains " +
                             to_string(operations[finding.stuck_at]));
        }
    }
    return faults;
}

}  // namespace understudy::history
