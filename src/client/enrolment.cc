#include "client/enrolment.h"

#include <utility>

#include "wire/control.h"

namespace understudy::client {

namespace pb = wire::pb;

Enrolment::Enrolment(Runtime& runtime, Log& log, Options options, Applicant& applicant,
                     RegistryPort& port)
    : runtime_(runtime),
      refusals_(runtime, log),
      options_(std::move(options)),
      applicant_(applicant),
      port_(port) {}

void Enrolment::enter() {
    retry_.reset();
    in_line_ = false;
    const auto request = port_.next_registration();
    if (!request) return;
    request_ = *request;
    sent_ = runtime_.now();
    pb::Register wanted;
    wanted.set_request(request_);
    wanted.mutable_config()->set_family(options_.family);
    wanted.set_member(options_.member);
    applicant_.describe(wanted);
    port_.send(wanted);
}

void Enrolment::registry_down() {
    request_ = 0;
    in_line_ = false;
    retry_.reset();
}

void Enrolment::answered(const pb::Registered& answer) {
    if (request_ == 0 || answer.request() != request_) return;
    request_ = 0;
    if (!answer.has_failure()) {
        in_line_ = true;
        backoff_.succeeded();
        return applicant_.enrolled(answer, sent_);
    }
    const Error reason = wire::from_failure(answer.failure());
    refusals_.heard(options_.refused_event, kv("member", options_.family + "/" + options_.member),
                    reason);
    retry_ = runtime_.at(runtime_.now() + backoff_.wait(runtime_.random()), [this] { enter(); });
    applicant_.refused(reason);
}

}  // namespace understudy::client
