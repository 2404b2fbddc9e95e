#include "raft/oracle_test.h"

#include <fmt/format.h>

namespace understudy::raft {

using namespace consensus;

void Oracle::leads(ServerId server, Epoch term) {
    const auto [it, first] = leaders_.try_emplace(term, server);
    if (!first && it->second != server) {
        fail(fmt::format("{} and {} lead in term {}", it->second.value, server.value, term.value));
    }
}

void Oracle::applies(ServerId server, Index index, Epoch term, std::uint64_t command) {
    if (index.value > applied_.size()) {
        fail(fmt::format("{} applies {} over a gap", server.value, index.value));
        return;
    }
    if (index.value < applied_.size()) {
        const Applied& other = applied_[index.value];
        if (other.term != term || other.command != command) {
            fail(fmt::format("{} applies another entry at {}: term {} instead of {}", server.value,
                             index.value, term.value, other.term.value));
        }
        return;
    }
    applied_.push_back({term, command});
    hashes_.push_back(mixed(hashes_.back(), term, command));
    if (command != 0 && !places_.try_emplace(command, index).second) {
        fail(fmt::format("command {} is applied twice, again at {}", command, index.value));
    }
}

void Oracle::stores(ServerId server, const HardState& hard) {
    HardState& before = hard_[server];
    if (hard.term < before.term ||
        (hard.term == before.term && before.vote.value != 0 && hard.vote != before.vote)) {
        fail(fmt::format("{} goes back from term {} vote {} to term {} vote {}", server.value,
                         before.term.value, before.vote.value, hard.term.value, hard.vote.value));
    }
    before = hard;
}

void Oracle::commits(ServerId server, Index before, Index now) {
    if (now < before) {
        fail(fmt::format("{} takes back its commit, {} to {}", server.value, before.value,
                         now.value));
    }
}

void Oracle::acknowledges(std::uint64_t command, Index index) {
    acknowledged_.try_emplace(command, index);
}

void Oracle::check_acknowledged() {
    for (const auto& [command, index] : acknowledged_) {
        const auto at = places_.find(command);
        if (at == places_.end() || at->second != index) {
            fail(fmt::format("command {}, acknowledged at {}, is lost", command, index.value));
        }
    }
}

}  // namespace understudy::raft
