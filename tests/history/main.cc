// understudy-history check FILE: judges a history, and gives the reasons if it is bad.
//
// Ends with 0 if the history is possible, 1 if it is not or there is no verdict, 2 if it cannot be
// read.

#include <algorithm>
#include <fstream>
#include <iostream>
#include <string_view>

#include "tests/history/judge.h"

int main(int argc, char** argv) {
    using namespace understudy;
    constexpr std::size_t shown_max = 50;
    if (argc != 3 || std::string_view(argv[1]) != "check") {
        std::cerr << "usage: understudy-history check FILE\n";
        return 2;
    }
    std::ifstream file(argv[2]);
    if (!file) {
        std::cerr << "understudy-history: cannot open " << argv[2] << '\n';
        return 2;
    }
    const auto history = history::read_history(file);
    if (!history) {
        std::cerr << "understudy-history: " << argv[2] << ": " << history.error().detail << '\n';
        return 2;
    }
    const history::Verdict verdict = history::judge(*history);
    for (std::size_t i = 0; i < verdict.faults.size() && i < shown_max; ++i) {
        std::cout << verdict.faults[i] << '\n';
    }
    if (verdict.faults.size() > shown_max) {
        std::cout << "and " << verdict.faults.size() - shown_max << " more\n";
    }
    std::cout << verdict.operations << " operations: " << verdict.acknowledged << " acknowledged, "
              << verdict.refused << " refused, " << verdict.unknown << " unknown; " << verdict.steps
              << " steps of search";
    if (!verdict.gaps_ns.empty()) {
        std::cout << "; " << verdict.gaps_ns.size() << " faults, longest gap "
                  << *std::max_element(verdict.gaps_ns.begin(), verdict.gaps_ns.end()) / 1'000'000
                  << " ms";
    }
    std::cout << '\n' << (verdict.faults.empty() ? "good" : "bad") << '\n';
    return verdict.faults.empty() ? 0 : 1;
}
