#include "tests/swarm/oracle.h"

#include <fmt/format.h>

namespace understudy::swarm {

void Oracle::broken(std::string what) {
    if (violations_.size() < violations_max) violations_.push_back(std::move(what));
}

void Oracle::role_told(const std::string& service, const std::string& member,
                       Incarnation incarnation, Role role, Epoch epoch) {
    const auto [last, first_time] =
        told_.try_emplace({service + "/" + member, incarnation}, role, epoch);
    if (!first_time) {
        if (last->second == std::pair{role, epoch}) {
            broken(fmt::format("I3: {}/{} was told {} of epoch {} twice", service, member,
                               name(role), epoch.value));
        }
        if (epoch < last->second.second) {
            broken(fmt::format("I1: {}/{} was told epoch {} after {}", service, member, epoch.value,
                               last->second.second.value));
        }
        last->second = {role, epoch};
    }
    if (role != Role::active) return;
    granted_last_ = std::max(granted_last_, epoch);
    const auto [holder, news] = holders_.try_emplace({service, registry_, epoch}, incarnation);
    if (!news && holder->second != incarnation) {
        broken(fmt::format("I1: two members of {} are active in epoch {}, one is {}", service,
                           epoch.value, member));
    }
}

void Oracle::executed(std::uint64_t id, Epoch epoch, bool must_have_stopped) {
    Call& call = calls_[id];
    if (must_have_stopped && epoch < granted_last_) {
        broken(fmt::format("S3: call {} ran in epoch {} after epoch {} was granted", id,
                           epoch.value, granted_last_.value));
    }
    if (++call.executions > 1) broken(fmt::format("I6: call {} ran {} times", id, call.executions));
    if (call.said == Said::refused) broken(fmt::format("I6: call {} ran after its refusal", id));
}

void Oracle::call_done(std::uint64_t id) {
    Call& call = calls_[id];
    ++done_;
    call.said = Said::done;
    if (call.executions != 1) {
        broken(fmt::format("I6: call {} is said to be done and ran {} times", id, call.executions));
    }
}

void Oracle::call_refused(std::uint64_t id) {
    Call& call = calls_[id];
    ++refused_;
    call.said = Said::refused;
    if (call.executions != 0) broken(fmt::format("I6: call {} is said not to have run", id));
}

void Oracle::call_unknown(std::uint64_t id) {
    ++unknown_;
    calls_[id].said = Said::unknown;
}

void Oracle::applied(const std::string& client, Incarnation incarnation, Epoch epoch,
                     const std::string& why) {
    ++changes_;
    Epoch& seen = seen_[{client, incarnation}];
    if (epoch < seen) {
        broken(fmt::format("I1: {} heard {} of epoch {} after epoch {}", client, why, epoch.value,
                           seen.value));
    }
    seen = std::max(seen, epoch);
}

void Oracle::finish() {
    for (const auto& [id, call] : calls_) {
        if (call.said == Said::refused && call.executions > 0) {
            broken(fmt::format("I6: call {} ran although it was refused", id));
        }
    }
}

}  // namespace understudy::swarm
