#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "replicated/node/members.h"
#include "sim/world.h"
#include "tests/swarm/sometimes.h"

namespace understudy::swarm {

/// Decides which members a replicated service has, and carries that out through the member that
/// leads, as often as necessary.
class JournalOperator {
public:
    /// `spare`: a member that is not in the list yet.
    JournalOperator(sim::World& world, Sometimes& sometimes, std::uint64_t seed,
                    std::vector<replicated::Member> founders, replicated::Member spare);
    JournalOperator(const JournalOperator&) = delete;
    JournalOperator& operator=(const JournalOperator&) = delete;

    /// `members`: all possible members, including the spare.
    void start(const std::vector<sim::Process*>& members);
    /// Decides on another list: the spare is added, or a data member removed. A removed member may
    /// return with its disk or with an empty one.
    void change();
    [[nodiscard]] bool wants(const std::string& name) const { return wanted_.contains(name); }
    /// There will be no more faults.
    void healed() { faults_ = false; }
    /// True if the leader's list is the wanted one, and all its members have joined.
    [[nodiscard]] bool settled() const;

private:
    void look();
    void tend(sim::Process& leader);
    void ask(sim::Process& leader, const std::string& name, bool addition);
    void transfer_leadership(sim::Process& leader);
    void removed(const std::string& name);
    [[nodiscard]] sim::Process* leader() const;

    sim::World& world_;
    Sometimes& sometimes_;
    Random random_;
    std::vector<replicated::Member> all_;
    std::vector<sim::Process*> members_;
    std::set<std::string> wanted_;
    std::size_t wanted_min_;
    bool asked_ = false;
    bool faults_ = true;
    std::uint64_t question_ = 0;
};

}  // namespace understudy::swarm
