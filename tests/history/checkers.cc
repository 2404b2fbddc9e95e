#include "tests/history/checkers.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "tests/history/models.h"

namespace understudy::history {
namespace json = boost::json;

namespace {

std::string number(const Event& event) { return "#" + std::to_string(event.index) + " "; }

bool changes(const std::string& f) {
    return f != "read" && f != "holder" && f != "lookup" && f != "contains" && f != "members";
}

}  // namespace

std::vector<std::string> faults_in_watches(const History& history,
                                           const std::vector<Operation>& operations, bool dense) {
    std::vector<std::string> faults;
    std::map<std::string, std::map<std::uint64_t, std::string>> contents;  // By key and revision.
    std::map<std::string, std::set<std::uint64_t>> exist;
    for (const Operation& operation : operations) {
        const Event& asked = *operation.asked;
        if (operation.outcome() == Type::ok && operation.told->rev != 0 && changes(asked.f)) {
            exist[asked.key].insert(operation.told->rev);
        }
    }
    for (const Event& event : history.events) {
        if (event.f != "event" || event.type != Type::ok) continue;
        if (event.rev == 0) faults.push_back(number(event) + "an event without a revision");
        exist[event.key].insert(event.rev);
        const std::string content = json::serialize(event.value);
        const auto [at, fresh] = contents[event.key].try_emplace(event.rev, content);
        if (!fresh && at->second != content) {
            faults.push_back(number(event) + "revision " + std::to_string(event.rev) + " of " +
                             event.key + " is " + content + " here and " + at->second +
                             " to another");
        }
    }
    struct Listener {
        std::uint64_t heard = 0;      // The last revision that was received.
        std::uint64_t compacted = 0;  // Revisions up to here may be missing.
        bool begun = false;
    };
    std::map<std::pair<std::string, std::string>, Listener> listeners;
    for (const Event& event : history.events) {
        if (event.type != Type::ok || (event.f != "event" && event.f != "compacted")) continue;
        const std::string who =
            event.witness.empty() ? std::to_string(event.process) : event.witness;
        Listener& listener = listeners[{who, event.key}];
        if (event.f == "compacted") {
            listener.compacted = std::max(listener.compacted, event.rev);
            continue;
        }
        const std::string what = number(event) + "listener " + who + " of " + event.key;
        if (listener.begun && event.rev <= listener.heard) {
            faults.push_back(what + " hears revision " + std::to_string(event.rev) + " after " +
                             std::to_string(listener.heard));
            continue;
        }
        if (listener.begun) {
            const std::uint64_t from = std::max(listener.heard, listener.compacted);
            const std::set<std::uint64_t>& all = exist[event.key];
            const auto missed = all.upper_bound(from);
            if (missed != all.end() && *missed < event.rev) {
                faults.push_back(what + " misses revision " + std::to_string(*missed) + " before " +
                                 std::to_string(event.rev));
            } else if (dense && event.rev > from + 1) {
                faults.push_back(what + " misses revision " + std::to_string(from + 1) +
                                 " before " + std::to_string(event.rev));
            }
        }
        listener.heard = event.rev;
        listener.begun = true;
    }
    return faults;
}

std::vector<std::string> faults_in_epochs(const std::vector<Operation>& operations, Scope scope) {
    std::vector<std::string> faults;
    std::unordered_map<std::string_view, std::vector<const Operation*>> keys;
    std::vector<std::string_view> order;
    for (const Operation& operation : operations) {
        if (operation.outcome() != Type::ok || operation.told->epoch == 0) continue;
        const Family family = family_of(operation.asked->f);
        if (family != Family::cell && family != Family::set && family != Family::journal) continue;
        if (!changes(operation.asked->f)) continue;
        const std::string_view key = scope == Scope::key ? std::string_view(operation.asked->key)
                                                         : std::string_view("all keys");
        auto& of_key = keys[key];
        if (of_key.empty()) order.push_back(key);
        of_key.push_back(&operation);
    }
    for (const std::string_view key : order) {
        std::vector<const Operation*>& acknowledged = keys[key];
        const std::string what = std::string(key) + ": ";

        std::map<std::uint64_t, const Operation*> node_of;
        for (const Operation* operation : acknowledged) {
            const Event& told = *operation->told;
            if (told.node.empty()) continue;
            const Operation* other = node_of.try_emplace(told.epoch, operation).first->second;
            if (other->told->node != told.node) {
                faults.push_back(what + "epoch " + std::to_string(told.epoch) + " has two nodes: " +
                                 to_string(*other) + " by " + other->told->node + ", " +
                                 to_string(*operation) + " by " + told.node);
            }
        }

        // An operation that begins after a later epoch has answered must not be answered by an
        // earlier one.
        std::vector<const Operation*> by_answer = acknowledged;
        std::sort(by_answer.begin(), by_answer.end(),
                  [](const auto* a, const auto* b) { return a->told->index < b->told->index; });
        std::sort(acknowledged.begin(), acknowledged.end(),
                  [](const auto* a, const auto* b) { return a->asked->index < b->asked->index; });
        const Operation* highest = nullptr;
        auto answered = by_answer.begin();
        for (const Operation* operation : acknowledged) {
            for (;
                 answered != by_answer.end() && (*answered)->told->index < operation->asked->index;
                 ++answered) {
                if (highest == nullptr || (*answered)->told->epoch > highest->told->epoch) {
                    highest = *answered;
                }
            }
            if (highest != nullptr && operation->told->epoch < highest->told->epoch) {
                faults.push_back(what + to_string(*operation) + " began after " +
                                 to_string(*highest));
            }
        }

        std::erase_if(acknowledged, [](const auto* one) { return one->told->rev == 0; });
        std::stable_sort(acknowledged.begin(), acknowledged.end(),
                         [](const auto* a, const auto* b) { return a->told->rev < b->told->rev; });
        for (std::size_t i = 1; i < acknowledged.size(); ++i) {
            const Operation& before = *acknowledged[i - 1];
            const Operation& behind = *acknowledged[i];
            const bool same = before.told->rev == behind.told->rev;
            if (same && (before.told->epoch != behind.told->epoch ||
                         (before.asked->f == "append" && before.asked->key == behind.asked->key))) {
                faults.push_back(what + "acknowledged twice: " + to_string(before) + " and " +
                                 to_string(behind));
            } else if (before.told->epoch > behind.told->epoch) {
                faults.push_back(what + "the epoch falls from " + to_string(before) + " to " +
                                 to_string(behind));
            }
        }
    }
    return faults;
}

namespace {

/// Checks one `final` content against the requests and their answers.
void judge_final(const Event& final, const std::vector<const Operation*>& appends,
                 std::vector<std::string>& faults) {
    const std::string what = number(final) + "final " + final.key + ": ";
    const json::array* content = final.value.if_array();
    if (content == nullptr) {
        faults.push_back(what + "the value is not a list");
        return;
    }
    std::unordered_map<std::string, std::size_t> place;
    for (std::size_t i = 0; i < content->size(); ++i) {
        if (!place.try_emplace(json::serialize((*content)[i]), i).second) {
            faults.push_back(what + "duplicate: " + json::serialize((*content)[i]));
        }
    }
    // The order of the entries: by index where it is known, and by real time.
    std::vector<std::pair<std::size_t, const Operation*>> present;
    for (const Operation* append : appends) {
        const auto at = place.find(json::serialize(append->asked->value));
        const bool there = at != place.end();
        if (append->outcome() == Type::ok && !there) {
            faults.push_back(what + "lost: " + to_string(*append));
        } else if (append->outcome() == Type::fail && there) {
            faults.push_back(what + "refused, and there: " + to_string(*append));
        }
        if (there) {
            present.emplace_back(at->second, append);
            place.erase(at);
        }
    }
    for (const auto& [value, at] : place) faults.push_back(what + "nobody sent " + value);

    std::sort(present.begin(), present.end());
    std::uint64_t rev = 0;
    const Operation* late = nullptr;  // Of the earlier ones, the one that was invoked last.
    for (const auto& [at, append] : present) {
        if (late != nullptr && append->returned() < late->invoked()) {
            faults.push_back(what + "reordered: " + to_string(*late) + " stands before " +
                             to_string(*append));
        }
        if (late == nullptr || append->invoked() > late->invoked()) late = append;
        if (append->outcome() != Type::ok || append->told->rev == 0) continue;
        if (append->told->rev <= rev) {
            faults.push_back(what + "out of its index: " + to_string(*append));
        }
        rev = append->told->rev;
    }
}

}  // namespace

std::vector<std::string> faults_in_journals(const History& history,
                                            const std::vector<Operation>& operations) {
    std::vector<std::string> faults;
    std::map<std::string, std::vector<const Operation*>> appends;
    std::map<std::string, std::set<std::string>> sent;
    for (const Operation& operation : operations) {
        const Event& asked = *operation.asked;
        if (asked.f != "append") continue;
        appends[asked.key].push_back(&operation);
        if (!sent[asked.key].insert(json::serialize(asked.value)).second) {
            faults.push_back(to_string(operation) + ": this value was sent before");
        }
    }
    std::set<std::string> judged;
    for (const Event& event : history.events) {
        if (event.f != "final" || event.type != Type::ok) continue;
        judge_final(event, appends[event.key], faults);
        judged.insert(event.key);
    }
    for (const auto& [key, of_key] : appends) {
        if (!of_key.empty() && !judged.contains(key)) {
            faults.push_back(key + ": no verdict, nobody read what it holds in the end");
        }
    }
    return faults;
}

std::vector<std::string> faults_in_replicas(const History& history) {
    std::vector<std::string> faults;
    struct First {
        std::string hash;
        const Event* event;
    };
    std::map<std::pair<std::string, std::uint64_t>, First> hashes;
    for (const Event& event : history.events) {
        if (event.f != "state" || event.type != Type::ok) continue;
        if (event.rev == 0) {
            faults.push_back(number(event) + "a state without an index");
            continue;
        }
        const std::string hash = json::serialize(event.value);
        const auto [at, fresh] =
            hashes.try_emplace({event.key, event.rev}, First{.hash = hash, .event = &event});
        if (!fresh && at->second.hash != hash) {
            faults.push_back(number(event) + event.key + " after entry " +
                             std::to_string(event.rev) + ": " + event.witness + " has " + hash +
                             ", " + at->second.event->witness + " has " + at->second.hash);
        }
    }
    return faults;
}

std::vector<Gap> gaps_of(const History& history, const std::vector<Operation>& operations) {
    std::vector<std::int64_t> served;
    for (const Operation& operation : operations) {
        if (operation.outcome() == Type::ok) served.push_back(operation.told->time);
    }
    std::sort(served.begin(), served.end());
    std::vector<Gap> gaps;
    for (const Event& event : history.events) {
        if (event.witness == "nemesis" && event.f != "heal") gaps.push_back({.fault = &event});
    }
    for (std::size_t i = 0; i < gaps.size(); ++i) {
        const std::int64_t from = gaps[i].fault->time;
        const std::int64_t until = i + 1 < gaps.size() ? gaps[i + 1].fault->time : INT64_MAX;
        auto next = std::upper_bound(served.begin(), served.end(), from);
        if (next == served.end()) {
            gaps[i].open = true;
            gaps[i].nanoseconds =
                (history.events.empty() ? from : history.events.back().time) - from;
            continue;
        }
        // The time before the next fault, and the first answer after it, because a gap may last
        // longer.
        std::int64_t last = from;
        for (; next != served.end(); ++next) {
            gaps[i].nanoseconds = std::max(gaps[i].nanoseconds, *next - last);
            last = *next;
            if (last >= until) break;
        }
    }
    return gaps;
}

}  // namespace understudy::history
