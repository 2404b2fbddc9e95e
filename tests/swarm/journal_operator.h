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

/// Who decides which members a replicated service has, and sees to it through whichever member
/// leads, as often as it takes.
class JournalOperator {
public:
    /// `spare`: a member that is not one yet.
    JournalOperator(sim::World& world, Sometimes& sometimes, std::uint64_t seed,
                    std::vector<replicated::Member> founders, replicated::Member spare);
    JournalOperator(const JournalOperator&) = delete;
    JournalOperator& operator=(const JournalOperator&) = delete;

    /// `members`: all that may be one, the spare too.
    void start(const std::vector<sim::Process*>& members);
    /// Decides on another list: the spare is added, or else a data member removed. It may return
    /// with the disk it had, or with an empty one.
    void change();
    [[nodiscard]] bool wants(const std::string& name) const { return wanted_.contains(name); }
    /// No faults come any more.
    void healed() { faults_ = false; }
    /// The leader's list is the one wanted, and all in it have joined.
    [[nodiscard]] bool settled() const;

private:
    void look();
    void tend(sim::Process& leader);
    void ask(sim::Process& leader, const std::string& name, bool addition);
    void hand_on(sim::Process& leader);
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
