#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "journal/format/entry.h"
#include "tests/history/history.h"

namespace understudy::swarm {

/// Judges the events of one journal's members and the answers to clients. It does not know how the
/// promises are kept.
class JournalOracle {
public:
    // Events of members. `who` is a member in one of its lives.

    /// The same entry at each index, at all members, for ever.
    void committed(const std::string& who, const journal::Entry& entry);
    /// The same state after each command, and after each entry for which it was asked.
    void carried_out(const std::string& who, Index index, std::uint32_t place, std::uint64_t hash);
    void state(const std::string& who, Index index, std::uint64_t hash);
    /// One appender per epoch; the epochs of one life never fall.
    void standing(const std::string& who, bool active, Epoch epoch);

    // Answers to clients.

    void acknowledged(std::uint64_t value) { acknowledged_.insert(value); }
    void refused(std::uint64_t value) { refused_.insert(value); }
    /// The whole trail of a member at the end.
    void found(const std::string& who, const std::vector<std::uint64_t>& done);

    void broken(std::string what);
    [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }
    [[nodiscard]] std::uint64_t tenures() const { return actives_.size(); }
    [[nodiscard]] std::uint64_t entries() const { return entries_.size(); }

private:
    static constexpr std::size_t violations_max = 20;

    std::map<Index, std::pair<Epoch, std::uint64_t>> entries_;
    std::map<std::pair<Index, std::uint32_t>, std::uint64_t> commands_;
    std::map<Index, std::uint64_t> states_;
    std::map<Epoch, std::string> actives_;
    std::map<std::string, Epoch> epochs_;
    std::set<std::uint64_t> acknowledged_;
    std::set<std::uint64_t> refused_;
    std::vector<std::string> violations_;
};

}  // namespace understudy::swarm
