#include "registry/tenure/waits.h"

#include <utility>
#include <vector>

#include "registry/state/definition.h"
#include "registry/time.h"
#include "understudy/limits.h"

namespace understudy::registry {

namespace pb = wire::pb;

namespace {

/// After a full stop the first member to start is the checkpointer.
[[nodiscard]] bool needs_last_resort(const Service& service) {
    const role::StartOrder* order = service.election().start_order();
    return order != nullptr && last_resort_of(service.config) == role::LastResort::allow &&
           !service.line.empty() && order->active().empty();
}

[[nodiscard]] std::vector<std::string> take_due(std::map<std::string, TimePoint>& waits,
                                                TimePoint now) {
    std::vector<std::string> due;
    for (const auto& [family, end] : waits) {
        if (now >= end) due.push_back(family);
    }
    for (const std::string& family : due) waits.erase(family);
    return due;
}

}  // namespace

void Waits::start(TimePoint now) {
    if (state_.restored()) restored_until_ = now + lease_max;
}

void Waits::arm(TimePoint now, const std::string& family) {
    const Service* service = state_.find(family);
    // Before the first member is in line there is none to promote.
    if (service != nullptr && service->waits() && !service->line.empty()) {
        holders_.emplace(family, now + lease_of(service));
    } else {
        holders_.erase(family);
    }
    if (service != nullptr && needs_last_resort(*service)) {
        resorts_.emplace(family, now + last_resort_);
    } else {
        resorts_.erase(family);
    }
}

void Waits::say(const std::string& family) {
    const Service* service = state_.find(family);
    const Waiting waiting = service == nullptr ? Waiting{} : waiting_of(*service);
    if (waiting.what.empty()) {
        said_.erase(family);
        return;
    }
    if (std::exchange(said_[family], waiting.what) == waiting.what) return;
    log_.write(waiting.stuck ? LogLevel::warn : LogLevel::info, "registry.nobody_active",
               {kv("service", family), kv("waiting", waiting.what)});
}

void Waits::refused(const Proposal& proposal, TimePoint now) {
    if (proposal.family.empty()) {
        restored_until_ = now + lease_max;
    } else {
        arm(now, proposal.family);
    }
}

void Waits::tick(Turn& turn) {
    for (const std::string& family : take_due(holders_, turn.now)) {
        const Service* service = state_.find(family);
        if (service != nullptr && service->waits()) stop(turn, family, service->epoch);
    }
    if (turn.now >= restored_until_) {
        restored_until_ = TimePoint::max();
        stop(turn, {}, {});
    }
    for (const std::string& family : take_due(resorts_, turn.now)) {
        pb::RegistryCommand command;
        command.mutable_last_resort()->set_family(family);
        turn.propose({.kind = Proposal::Kind::last_resort, .family = family}, std::move(command),
                     Urgency::urgent);
    }
}

/// Without a family: for members of services that the backup does not know.
void Waits::stop(Turn& turn, const std::string& family, Epoch epoch) {
    pb::RegistryCommand command;
    command.mutable_stop_waiting()->set_family(family);
    command.mutable_stop_waiting()->set_epoch(epoch.value);
    turn.propose({.kind = Proposal::Kind::stop_waiting, .family = family}, std::move(command),
                 Urgency::urgent);
}

}  // namespace understudy::registry
