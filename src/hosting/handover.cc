#include "hosting/handover.h"

#include <utility>

namespace understudy::hosting {

Handover::Handover(Runtime& runtime, Log& log, std::string service, std::string member,
                   Owner& owner)
    : runtime_(runtime),
      log_(log),
      service_(std::move(service)),
      member_(std::move(member)),
      owner_(owner) {}

Handover::~Handover() { life_.end(); }

/// Guards callbacks that may come after this object, or this handover, has ended.
template <class Task>
auto Handover::guarded(Task task) {
    return [this, here = life_.watch(), number = number_,
            task = std::move(task)](auto&&... arguments) {
        if (!here.ended() && going_ && number == number_) task(arguments...);
    };
}

void Handover::wanted(const client::Handover& what) {
    if (going_) over("another handover begins");
    Hosted* const member = owner_.handover_member();
    if (member == nullptr) return;
    const replica::Standing& standing = member->replica().standing();
    const bool gives = what.successor != member_;
    if (gives != (standing.role == Role::active) || standing.epoch > what.epoch) return;
    ++number_;
    going_ = Going{.what = what, .gives = gives, .deadline = runtime_.now() + what.limit};
    limit_ = runtime_.at(going_->deadline, guarded([this] { over("not in time"); }));
    log_.info("copy.handover",
              {kv("service", service_), kv("to", what.successor), kv("epoch", what.epoch)});
    if (!gives) {
        owner_.handover_ready(what.epoch);
        return try_later(report_interval);
    }
    member->hold(guarded([this] {
        going_->held = true;
        owner_.handover_report();
        owner_.handover_ready(going_->what.epoch);
    }));
}

void Handover::designated(const role::Designation& what) {
    if (!going_) return;
    const bool active = what.role == Role::active;
    if (active == going_->gives) {
        // The active copy is designated active again, or the successor is no longer designated
        // active.
        if (going_->gives || going_->acts) over("cancelled");
        return;
    }
    if (going_->acts || (going_->gives && !going_->held)) return;
    going_->acts = true;
    if (going_->gives) {
        limit_ = runtime_.at(runtime_.now() + going_->what.limit,
                             guarded([this] { over("not in time"); }));
        return give();
    }
    take();
}

void Handover::try_later(Duration pause) {
    timer_ = runtime_.at(runtime_.now() + pause, guarded([this] {
                             const auto timer = std::move(timer_);
                             if (going_->gives) return give();
                             owner_.handover_report();
                             if (going_->acts) return take();
                             try_later(report_interval);
                         }));
}

void Handover::give() {
    Hosted* const member = owner_.handover_member();
    if (member == nullptr || going_->trying) return;
    if (owner_.handover_takes()) {
        // The read makes the journal check for a higher epoch; the member then reports the change.
        member->read([](const Result<void>&) {});
        return try_later(look_interval);
    }
    going_->trying = true;
    owner_.handover_give(
        going_->what.successor, guarded([this](const Result<void>& given) {
            going_->trying = false;
            if (given) return;  // The change of role follows.
            log_.info("copy.handover_waits", {kv("service", service_), kv("error", given.error())});
            try_later(report_interval);
        }));
}

/// The member may be opening its journal again, because it may become active now.
void Handover::take() {
    Hosted* const member = owner_.handover_member();
    if (!owner_.handover_takes() || going_->trying) return;
    if (member == nullptr) return try_later(report_interval);
    const replica::Standing& standing = member->replica().standing();
    if (standing.role == Role::active || standing.epoch > going_->what.epoch) return look();
    going_->trying = true;
    owner_.handover_take(going_->what.epoch, guarded([this](const Result<void>& taken) {
                             going_->trying = false;
                             if (taken) return look();
                             log_.warn("copy.handover_failed",
                                       {kv("service", service_), kv("error", taken.error())});
                             if (taken.error().code == Errc::not_active) return over("too late");
                             try_later(report_interval);
                         }));
}

void Handover::standing_changed() {
    if (going_) look();
}

/// Checks whether the journal has decided.
void Handover::look() {
    const Hosted* const member = owner_.handover_member();
    if (member == nullptr) return;
    const replica::Standing& standing = member->replica().standing();
    const bool active = standing.role == Role::active;
    if (active != going_->gives) return over("done");
    if (standing.epoch > going_->what.epoch) over("another is active");
}

void Handover::stop() {
    if (going_) over("the member ends");
}

void Handover::over(const char* how) {
    const bool gives = going_->gives;
    log_.info("copy.handover_over",
              {kv("service", service_), kv("to", going_->what.successor), kv("how", how)});
    going_.reset();
    timer_.reset();
    limit_.reset();
    Hosted* const member = owner_.handover_member();
    if (gives && member != nullptr) member->release();
}

}  // namespace understudy::hosting
