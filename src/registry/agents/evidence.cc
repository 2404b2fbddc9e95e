#include "registry/agents/evidence.h"

#include <fmt/format.h>

#include "registry/time.h"
#include "understudy/limits.h"

namespace understudy::registry {

namespace pb = wire::pb;
using role::Cause;

namespace {

constexpr Duration removal_retry = 500ms;

}  // namespace

Evidence::Evidence(const State& state, const Sessions& sessions, Log& log, TimePoint now,
                   Duration stall_max)
    : state_(state), sessions_(sessions), log_(log), leases_(now, stall_max) {}

void Evidence::adopt(Turn& turn, const std::string& family, const Member& member) {
    const auto [row, is_new] = processes_.try_emplace(
        member.incarnation,
        Process{.agent = member.agent, .process = member.process, .members = {}});
    row->second.members.emplace(family, member.name);
    leases_.open(member.incarnation, lease_of(state_.find(family)), turn.now);
    if (is_new) turn.out.push_back(WatchProcess{member.incarnation, member.process});
}

bool Evidence::removed(Turn& turn, const std::string& family, const Member& member) {
    refused_.erase({family, member.name});
    const auto found = processes_.find(member.incarnation);
    if (found == processes_.end()) return false;
    found->second.members.erase({family, member.name});
    if (!found->second.members.empty()) return true;
    leases_.close(member.incarnation);
    if (found->second.watched) turn.out.push_back(ForgetProcess{member.incarnation});
    processes_.erase(found);
    return false;
}

bool Evidence::process_gone(Turn& turn, Incarnation agent) {
    const auto found = processes_.find(agent);
    if (found == processes_.end()) return false;
    found->second.gone = true;
    found->second.watched = false;
    log_.info("registry.process_gone",
              {kv("agent", found->second.agent), kv("pid", found->second.process.pid())});
    remove_dead(turn, agent);
    return true;
}

void Evidence::unprovable(Incarnation agent) {
    const auto found = processes_.find(agent);
    if (found != processes_.end()) found->second.watched = false;
}

void Evidence::settled(const Proposal& removal) {
    removing_.erase({removal.family, removal.member});
}

bool Evidence::refused(const Proposal& removal, TimePoint now) {
    return refused_.insert_or_assign({removal.family, removal.member}, now + removal_retry).second;
}

void Evidence::tick(Turn& turn) {
    for (const Incarnation lapsed : leases_.lapsed(turn.now)) {
        const auto found = processes_.find(lapsed);
        // Proven dead, but its removal was refused so far.
        if (found != processes_.end() && found->second.gone) {
            remove_dead(turn, lapsed);
            continue;
        }
        const auto silence = leases_.silence(lapsed, turn.now).value_or(Duration::zero());
        remove_all_of(turn, lapsed, Cause::silence,
                      fmt::format("no sign of life for {} ms", to_ms(silence)));
    }
}

void Evidence::remove_dead(Turn& turn, Incarnation agent) {
    remove_all_of(turn, agent, Cause::process_gone,
                  fmt::format("process {} has ended", processes_.at(agent).process.pid()));
}

void Evidence::remove_all_of(Turn& turn, Incarnation agent, Cause cause,
                             const std::string& evidence) {
    const auto found = processes_.find(agent);
    if (found == processes_.end()) return;
    for (const Key& key : found->second.members) {
        const auto& [family, name] = key;
        const Member* member = state_.find(family, name);
        if (member == nullptr || member->incarnation != agent) continue;
        const auto refused = refused_.find(key);
        if (refused != refused_.end() && turn.now < refused->second) continue;
        if (!removing_.insert(key).second) continue;
        turn.propose(
            {.kind = Proposal::Kind::remove, .agent = agent, .family = family, .member = name},
            removal(turn.now, family, *member, cause, evidence),
            urgency(*state_.find(family), *member));
    }
}

Result<std::string> Evidence::replaceable(const Member& member) const {
    const auto found = processes_.find(member.incarnation);
    if (found == processes_.end() || found->second.gone) {
        return std::string("registered anew, the old process is gone");
    }
    const Process& process = found->second;
    if (!sessions_.connected(member.incarnation) && !process.watched) {
        return std::string("registered anew from a new process while the old one was disconnected");
    }
    return Error{.code = Errc::already_exists,
                 .detail = fmt::format("member {} is held by agent {} (pid {}), which is alive",
                                       member.name, process.agent, process.process.pid())};
}

pb::RegistryCommand Evidence::removal(TimePoint now, const std::string& family,
                                      const Member& member, Cause cause,
                                      const std::string& evidence) const {
    pb::RegistryCommand command;
    pb::RemoveMember& remove = *command.mutable_remove();
    remove.set_family(family);
    remove.set_member(member.name);
    remove.set_incarnation(member.incarnation.value);
    remove.set_cause(static_cast<std::uint32_t>(cause));
    remove.set_evidence(evidence);
    if (const auto silence = leases_.silence(member.incarnation, now)) {
        remove.set_noticed_us(to_us(*silence));
    }
    for (const auto& [order, other] : state_.find(family)->line) {
        if (!sessions_.connected(other.incarnation)) remove.add_suspects(other.name);
    }
    return command;
}

Urgency Evidence::urgency(const Service& service, const Member& member) {
    const bool promotes = service.active == member.order && service.line.size() > 1;
    return promotes ? Urgency::urgent : Urgency::usual;
}

std::size_t Evidence::members_of(Incarnation agent) const {
    const auto found = processes_.find(agent);
    return found == processes_.end() ? 0 : found->second.members.size();
}

}  // namespace understudy::registry
