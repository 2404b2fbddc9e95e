#include "tests/swarm/journal_operator.h"

#include <algorithm>
#include <utility>

#include "tests/swarm/journal_member.h"

namespace understudy::swarm {

namespace {

constexpr Duration look_interval = 200ms;
constexpr Duration answer_limit = 5s;  ///< After this time another member is asked.

}  // namespace

JournalOperator::JournalOperator(sim::World& world, Sometimes& sometimes, std::uint64_t seed,
                                 std::vector<replicated::Member> founders, replicated::Member spare)
    : world_(world),
      sometimes_(sometimes),
      random_(seed),
      all_(std::move(founders)),
      wanted_min_(all_.size()) {
    for (const replicated::Member& founder : all_) wanted_.insert(founder.name);
    all_.push_back(std::move(spare));
}

void JournalOperator::start(const std::vector<sim::Process*>& members) {
    members_ = members;
    look();
}

void JournalOperator::change() {
    if (!settled()) return;  // One at a time.
    if (wanted_.size() == wanted_min_) {
        for (const replicated::Member& member : all_) wanted_.insert(member.name);
        return;
    }
    std::vector<std::string> may_go;
    for (const replicated::Member& member : all_) {
        if (member.kind == replicated::MemberKind::data) may_go.push_back(member.name);
    }
    wanted_.erase(may_go[random_.below(may_go.size())]);
}

bool JournalOperator::settled() const {
    sim::Process* const process = leader();
    if (process == nullptr) return false;
    const auto status = process->app<JournalMember>().node()->status("s");
    return status->members.size() == wanted_.size() &&
           std::all_of(status->members.begin(), status->members.end(), [&](const auto& one) {
               return one.joined && one.match != Index{} && wanted_.contains(one.member.name);
           });
}

sim::Process* JournalOperator::leader() const {
    // A member that was stopped may still consider itself the leader: the later term counts.
    sim::Process* found = nullptr;
    Epoch term;
    for (sim::Process* process : members_) {
        if (!process->alive() || process->paused()) continue;
        auto& app = process->app<JournalMember>();
        if (app.node() == nullptr || app.broken()) continue;
        const auto status = app.node()->status("s");
        if (!status || status->leader != status->self || status->term < term) continue;
        found = process;
        term = status->term;
    }
    return found;
}

void JournalOperator::look() {
    world_.after(look_interval, [this] { look(); });
    if (asked_) return;
    if (sim::Process* const process = leader()) tend(*process);
}

void JournalOperator::tend(sim::Process& leader) {
    const auto status = leader.app<JournalMember>().node()->status("s");
    const auto listed = [&](const std::string& name) {
        return std::any_of(status->members.begin(), status->members.end(),
                           [&](const auto& one) { return one.member.name == name; });
    };
    for (const replicated::Member& member : all_) {
        if (wanted_.contains(member.name) == listed(member.name)) continue;
        if (!wanted_.contains(member.name) && member.name == status->self)
            return transfer_leadership(leader);
        return ask(leader, member.name, wanted_.contains(member.name));
    }
}

void JournalOperator::ask(sim::Process& leader, const std::string& name, bool addition) {
    asked_ = true;
    const std::uint64_t mine = ++question_;
    const auto answered = [this, mine, name, addition](const Result<void>& done) {
        if (mine != question_) return;
        asked_ = false;
        if (!done) return;
        const std::string what = addition ? "member added" : "member removed";
        sometimes_.happened(what + (faults_ ? " under faults" : " when all was well"));
        if (!addition) removed(name);
    };
    world_.after(answer_limit, [answered] {
        answered(Error{.code = Errc::timed_out, .effect = Effect::unknown, .detail = {}});
    });
    leader.runtime().post([this, &leader, name, addition, answered] {
        auto& app = leader.app<JournalMember>();
        if (app.node() == nullptr || app.broken()) return;
        if (!addition) return app.node()->remove_member("s", name, answered);
        const auto member = std::find_if(all_.begin(), all_.end(),
                                         [&](const auto& one) { return one.name == name; });
        app.node()->add_member("s", *member, answered);
    });
}

/// A leader cannot be removed, so it first transfers the leadership.
void JournalOperator::transfer_leadership(sim::Process& leader) {
    std::vector<std::string> heirs;
    for (const replicated::Member& member : all_) {
        if (member.kind == replicated::MemberKind::data && wanted_.contains(member.name)) {
            heirs.push_back(member.name);
        }
    }
    leader.runtime().post([&leader, to = heirs[random_.below(heirs.size())]] {
        auto& app = leader.app<JournalMember>();
        if (app.node() == nullptr || app.broken()) return;
        app.node()->transfer("s", to, [](const Result<void>&) {});
    });
}

/// The removed member runs on for a while or ends; later it may be added again.
void JournalOperator::removed(const std::string& name) {
    const auto found = std::find_if(members_.begin(), members_.end(), [&](sim::Process* process) {
        return process->node().name() == name;
    });
    sim::Node& node = (*found)->node();
    if (random_.chance(1, 3) || !node.powered()) return;
    node.power_off();
    if (random_.chance(1, 2)) {
        node.disk().wipe();
        sometimes_.happened("removed member began anew");
    }
    node.power_on();
    for (const auto& process : node.processes()) process->restart();
}

}  // namespace understudy::swarm
