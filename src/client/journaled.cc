#include "client/journaled.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "wire/control.h"

namespace understudy::client {

namespace pb = wire::pb;

JournaledMember::JournaledMember(Runtime& runtime, Log& log, JournaledOptions options,
                                 JournaledObserver& observer, RegistryPort& registry)
    : runtime_(runtime),
      log_(log),
      options_(std::move(options)),
      observer_(observer),
      registry_(registry),
      enrolment_(runtime, log,
                 {.family = options_.family,
                  .member = options_.member,
                  .refused_event = "journaled.refused"},
                 static_cast<Enrolment::Applicant&>(*this), registry) {}

void JournaledMember::describe(pb::Register& wanted) {
    pb::ServiceConfig& config = *wanted.mutable_config();
    config.set_redundancy(static_cast<std::uint32_t>(Redundancy::journaled));
    config.set_lease_ms(static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(options_.lease).count()));
    config.set_last_resort(options_.last_resort == role::LastResort::allow ? 1 : 0);
    config.set_checkpointer(options_.checkpointer == role::Checkpointer::shared ? 1 : 0);
    *wanted.mutable_endpoint() = wire::to_endpoint(options_.endpoint);
    if (options_.node.port != 0) *wanted.mutable_node() = wire::to_endpoint(options_.node);
    wanted.set_holds_role(report_.role == Role::active);
    if (report_.role == Role::active) wanted.set_known_epoch(report_.epoch.value);
    wanted.set_has_checkpoint(report_.has_checkpoint);
}

void JournaledMember::enrolled(const pb::Registered& answer, TimePoint) {
    observer_.registered(answer.order());
    take(answer.designation(), answer.epoch(), true);
    if (reported_) send_report();
}

void JournaledMember::registry_down() {
    enrolment_.registry_down();
    report_timer_.reset();
}

void JournaledMember::granted(const pb::RoleGrant& grant) {
    if (!in_line() || !grant.has_designation()) return;
    take(grant.designation(), grant.epoch(), handover_ != nullptr);
}

void JournaledMember::drain(const pb::Drain& drain) {
    if (!in_line()) return;
    const Duration limit = std::min<Duration>(std::chrono::milliseconds(drain.limit_ms()), 60s);
    // A switchover has at most two steps, each of that length.
    handover_ = runtime_.at(runtime_.now() + 2 * limit, [this] {
        const auto timer = std::move(handover_);
    });
    observer_.handover_wanted(
        {.successor = drain.successor(), .epoch = Epoch{drain.epoch()}, .limit = limit});
}

void JournaledMember::ready(Epoch epoch) {
    if (!in_line()) return;
    if (reported_) send_report();
    pb::Drained drained;
    drained.set_family(family());
    drained.set_member(name());
    drained.set_epoch(epoch.value);
    registry_.send(drained);
}

void JournaledMember::revoked(const pb::Revoked&) {
    report_timer_.reset();
    enrolment_.enter();
}

void JournaledMember::take(const pb::Designation& said, std::uint64_t epoch, bool always) {
    const auto role = static_cast<Role>(said.role());
    // A newer registry may designate a role that is not known here.
    if (role != Role::active && role != Role::standby && role != Role::checkpointer) return;
    const role::Designation what{.role = role,
                                 .electable = said.electable(),
                                 .takes_checkpoints = said.takes_checkpoints()};
    if (!always && designation_ == what) return;
    designation_ = what;
    log_.info("journaled.designated",
              {kv("service", family()), kv("member", name()),
               kv("role", understudy::name(what.role)), kv("electable", what.electable),
               kv("takes_checkpoints", what.takes_checkpoints)});
    observer_.designated(what, Epoch{epoch});
}

void JournaledMember::report(JournaledReport report) {
    const bool urgent = !reported_ || report.role != report_.role ||
                        report.epoch != report_.epoch ||
                        report.has_checkpoint != report_.has_checkpoint;
    if (report.detail.size() > detail_max) report.detail.resize(detail_max);
    reported_ = true;
    report_ = std::move(report);
    news_ = true;
    if (in_line() && (urgent || handover_ || !waits_for_report())) send_report();
}

void JournaledMember::send_report() {
    news_ = false;
    pb::MemberReport message;
    message.set_family(family());
    message.set_member(name());
    message.set_role(static_cast<std::uint32_t>(report_.role));
    message.set_epoch(report_.epoch.value);
    message.set_applied(report_.applied.value);
    message.set_committed(report_.committed.value);
    message.set_checkpoint(report_.checkpoint.value);
    message.set_checkpoint_age_ms(static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(report_.checkpoint_age).count()));
    message.set_has_checkpoint(report_.has_checkpoint);
    message.set_detail(report_.detail);
    registry_.send(message);
    arm_report();
}

void JournaledMember::arm_report() {
    report_timer_ = runtime_.at(runtime_.now() + report_interval, [this] {
        report_timer_.reset();
        if (in_line() && news_) send_report();
    });
}

}  // namespace understudy::client
