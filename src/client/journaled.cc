#include "client/journaled.h"

#include <algorithm>
#include <utility>

#include "wire/control.h"

namespace understudy::client {

namespace pb = wire::pb;

JournaledMember::JournaledMember(Runtime& runtime, Log& log, JournaledOptions options,
                                 JournaledObserver& observer, Host& host)
    : runtime_(runtime),
      log_(log),
      refusals_(runtime, log),
      options_(std::move(options)),
      observer_(observer),
      host_(host) {}

void JournaledMember::enter() {
    retry_.reset();
    const auto request = host_.next_registration();
    if (!request) return;
    request_ = *request;
    pb::Register wanted;
    wanted.set_request(request_);
    pb::ServiceConfig& config = *wanted.mutable_config();
    config.set_family(family());
    config.set_redundancy(static_cast<std::uint32_t>(Redundancy::journaled));
    config.set_lease_ms(static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(options_.lease).count()));
    config.set_last_resort(options_.last_resort == role::LastResort::allow ? 1 : 0);
    config.set_checkpointer(options_.checkpointer == role::Checkpointer::shared ? 1 : 0);
    wanted.set_member(name());
    *wanted.mutable_endpoint() = wire::to_endpoint(options_.endpoint);
    if (options_.node.port != 0) *wanted.mutable_node() = wire::to_endpoint(options_.node);
    wanted.set_holds_role(report_.role == Role::active);
    if (report_.role == Role::active) wanted.set_known_epoch(report_.epoch.value);
    wanted.set_has_checkpoint(report_.has_checkpoint);
    host_.send_register(wanted);
}

void JournaledMember::registry_up() { enter(); }

void JournaledMember::registry_down() {
    request_ = 0;
    in_line_ = false;
    retry_.reset();
    report_timer_.reset();
}

void JournaledMember::registered(const pb::Registered& answer) {
    if (request_ == 0 || answer.request() != request_) return;
    request_ = 0;
    if (answer.has_failure()) {
        // What stands in the way may go away: a predecessor that dies, a replica that is added.
        const Error reason = wire::from_failure(answer.failure());
        refusals_.heard("journaled.refused", kv("member", family() + "/" + name()), reason);
        retry_ =
            runtime_.at(runtime_.now() + backoff_.wait(runtime_.random()), [this] { enter(); });
        return observer_.refused(reason);
    }
    backoff_.succeeded();
    in_line_ = true;
    observer_.registered(answer.order());
    take(answer.designation(), answer.epoch(), true);
    if (reported_) send_report();
}

void JournaledMember::granted(const pb::RoleGrant& grant) {
    if (!in_line_ || !grant.has_designation()) return;
    take(grant.designation(), grant.epoch(), handover_ != nullptr);
}

void JournaledMember::drain(const pb::Drain& drain) {
    if (!in_line_) return;
    const Duration limit = std::min<Duration>(std::chrono::milliseconds(drain.limit_ms()), 60s);
    // It has two steps at most, each of that length.
    handover_ = runtime_.at(runtime_.now() + 2 * limit, [this] {
        const auto timer = std::move(handover_);
    });
    observer_.handover_wanted(
        {.successor = drain.successor(), .epoch = Epoch{drain.epoch()}, .limit = limit});
}

void JournaledMember::ready(Epoch epoch) {
    if (!in_line_) return;
    if (reported_) send_report();
    pb::Drained drained;
    drained.set_family(family());
    drained.set_member(name());
    drained.set_epoch(epoch.value);
    host_.send_drained(drained);
}

void JournaledMember::revoked() {
    in_line_ = false;
    report_timer_.reset();
    enter();
}

void JournaledMember::take(const pb::Designation& said, std::uint64_t epoch, bool always) {
    const auto role = static_cast<Role>(said.role());
    // A newer registry's word: what is not understood is not obeyed.
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
    if (in_line_ && (urgent || handover_ || !waits_for_report())) send_report();
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
    host_.send_report(message);
    arm_report();
}

void JournaledMember::arm_report() {
    report_timer_ = runtime_.at(runtime_.now() + report_interval, [this] {
        report_timer_.reset();
        if (in_line_ && news_) send_report();
    });
}

}  // namespace understudy::client
