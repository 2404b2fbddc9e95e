#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "consensus/core.h"

namespace understudy::raft {

/// The state of the simulated machine after one more entry.
[[nodiscard]] inline std::uint64_t mixed(std::uint64_t hash, Epoch term, std::uint64_t command) {
    return (hash ^ term.value ^ command << 7) * 0x9e3779b97f4a7c15U + 1;
}

/// Judges a run by what all servers have at the same moment. It knows nothing about Raft's
/// messages.
class Oracle {
public:
    /// Checks that a term has at most one leader.
    void leads(consensus::ServerId server, Epoch term);
    /// Checks that a server applies the same entry at each index as all others, and no command
    /// twice.
    void applies(consensus::ServerId server, Index index, Epoch term, std::uint64_t command);
    /// Checks that the state that a server must never forget does not go back.
    void stores(consensus::ServerId server, const consensus::HardState& hard);
    void commits(consensus::ServerId server, Index before, Index now);
    /// A client was told that its command is done.
    void acknowledges(std::uint64_t command, Index index);
    /// At the end: checks that each acknowledged command is at the index that was reported.
    void check_acknowledged();

    void fail(std::string what) {
        if (failure_.empty()) failure_ = std::move(what);
    }
    [[nodiscard]] const std::string& failure() const { return failure_; }
    [[nodiscard]] std::size_t acknowledged() const { return acknowledged_.size(); }
    [[nodiscard]] std::size_t terms() const { return leaders_.size(); }
    /// Hash of all entries up to `index`, which at least one server has applied.
    [[nodiscard]] std::uint64_t hash_at(Index index) const { return hashes_.at(index.value); }
    [[nodiscard]] Index highest() const { return {hashes_.size() - 1}; }

private:
    struct Applied {
        Epoch term;
        std::uint64_t command = 0;  // 0: none.
    };

    std::map<Epoch, consensus::ServerId> leaders_;
    std::map<consensus::ServerId, consensus::HardState> hard_;
    std::vector<Applied> applied_{Applied{}};  // By index.
    std::vector<std::uint64_t> hashes_{0};     // By index.
    std::map<std::uint64_t, Index> places_;    // Of applied commands.
    std::map<std::uint64_t, Index> acknowledged_;
    std::string failure_;
};

}  // namespace understudy::raft
