#include "tests/history/judge.h"

#include <set>

#include "tests/history/checkers.h"

namespace understudy::history {
namespace json = boost::json;

namespace {

void append(std::vector<std::string>& to, std::vector<std::string> from) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

/// The value of model.NAME.KEY in the header.
const json::value* option(const History& history, const char* name, const char* key) {
    const json::value* model = history.header.if_contains("model");
    if (model == nullptr || !model->is_object()) return nullptr;
    const json::value* of = model->get_object().if_contains(name);
    return of == nullptr || !of->is_object() ? nullptr : of->get_object().if_contains(key);
}

bool is_on(const History& history, const char* name, const char* key) {
    const json::value* value = option(history, name, key);
    return value != nullptr && value->is_bool() && value->get_bool();
}

void judge_end(const History& history, std::vector<std::string>& faults) {
    if (!history.end) {
        faults.push_back("no verdict: the history has no end");
        return;
    }
    const json::value* drained = history.end->if_contains("drained");
    if (drained == nullptr || !drained->is_bool() || !drained->get_bool()) {
        faults.push_back("no verdict: the run was not drained");
    }
    const json::value* count = history.end->if_contains("ops");
    if (count == nullptr || !count->is_int64() ||
        count->get_int64() != std::ssize(history.events)) {
        faults.push_back("no verdict: lines are missing before the end");
    }
}

}  // namespace

Verdict judge(const History& history, const Budget& budget) {
    Verdict verdict;
    judge_end(history, verdict.faults);
    const std::vector<Operation> operations = operations_of(history, verdict.faults);
    verdict.operations = operations.size();
    std::set<std::string> strange;
    for (const Operation& operation : operations) {
        switch (operation.outcome()) {
            case Type::ok:
                ++verdict.acknowledged;
                break;
            case Type::fail:
                ++verdict.refused;
                break;
            case Type::info:
            case Type::invoke:
                ++verdict.unknown;
                break;
        }
        if (family_of(operation.asked->f) == Family::none) strange.insert(operation.asked->f);
    }
    for (const std::string& f : strange) {
        verdict.faults.push_back("no verdict: nobody here can judge \"" + f + "\"");
    }
    append(verdict.faults, faults_in_order(operations, budget, verdict.steps));
    append(verdict.faults,
        faults_in_epochs(operations,
                         is_on(history, "epochs", "one_service") ? Scope::history : Scope::key));
    append(verdict.faults,
           faults_in_watches(history, operations, is_on(history, "watch", "dense")));
    append(verdict.faults, faults_in_journals(history, operations));
    append(verdict.faults, faults_in_replicas(history));

    const json::value* gap_max = option(history, "availability", "gap_max_ns");
    for (const Gap& gap : gaps_of(history, operations)) {
        verdict.gaps_ns.push_back(gap.nanoseconds);
        if (gap_max == nullptr || !gap_max->is_int64()) continue;
        if (gap.open || gap.nanoseconds > gap_max->get_int64()) {
            verdict.faults.push_back("#" + std::to_string(gap.fault->index) + " " + gap.fault->f +
                                     ": nobody was served for " + std::to_string(gap.nanoseconds) +
                                     " ns");
        }
    }
    return verdict;
}

}  // namespace understudy::history
