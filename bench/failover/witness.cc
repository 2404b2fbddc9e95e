#include "bench/failover/witness.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "bench/harness/clock.h"

namespace understudy::bench {

Result<std::unique_ptr<Witness>> Witness::open(const Options& options) {
    auto witness = std::unique_ptr<Witness>(new Witness(options));
    witness->agent_ = US_TRY(
        Agent::open({.name = "bench-client", .registry = {options.registry}, .insecure = true}));
    US_CHECK(witness->agent_->wait_for_service(options.family, 10s));
    witness->proxy_ = US_TRY(witness->agent_->proxy(options.family));
    US_CHECK(witness->proxy_->on_record(
        "state", [self = witness.get()](const RecordImage& image, const RecordChange&) {
            const std::lock_guard lock(self->mutex_);
            self->image_from_ = image.text("member", "");
            self->heard(self->image_from_, self->image_);
        }));
    witness->caller_ = std::thread([self = witness.get()] { self->call_for_ever(); });
    return witness;
}

Witness::~Witness() {
    ended_ = true;
    if (agent_) agent_->close();
    if (caller_.joinable()) caller_.join();
}

// Under the lock.
void Witness::heard(std::string_view member, TimePoint& first) {
    if (member == old_) {
        if (image_ != TimePoint{} || answer_ != TimePoint{}) ++strays_;
    } else if (first == TimePoint{}) {
        first = now();
    }
    changed_.notify_all();
}

void Witness::call_for_ever() {
    while (!ended_) {
        const auto answer =
            proxy_->call("who", {}, {.deadline = 5s, .repeatable = options_.repeatable});
        if (ended_) return;
        {
            const std::lock_guard lock(mutex_);
            if (answer) {
                const TimePoint at = now();
                stall_ = std::max(stall_, at - answered_last_);
                answered_last_ = at;
                ++answers_;
                answer_from_ = answer->text().value_or("");
                heard(answer_from_, answer_);
            } else {
                ++failed_;
                failure_ = to_string(answer.error());
            }
        }
        if (options_.rest > Duration::zero()) pause_for(options_.rest);
    }
}

Result<void> Witness::wait_heard(std::string_view member, Duration limit) {
    std::unique_lock lock(mutex_);
    const bool heard = changed_.wait_for(
        lock, limit, [&] { return image_from_ == member && answer_from_ == member; });
    if (heard) return {};
    return Error{.code = Errc::timed_out,
                 .detail = std::string(member) + " is not heard; the record is of " + image_from_ +
                           ", the last answer of " + answer_from_ +
                           ", the last error: " + failure_};
}

void Witness::watch(std::string_view old) {
    const std::lock_guard lock(mutex_);
    old_ = old;
    image_ = {};
    answer_ = {};
    answered_last_ = now();
    stall_ = {};
    strays_ = 0;
    failed_ = 0;
}

Result<Witness::Noticed> Witness::wait_next(Duration limit) {
    std::unique_lock lock(mutex_);
    const bool both = changed_.wait_for(
        lock, limit, [&] { return image_ != TimePoint{} && answer_ != TimePoint{}; });
    if (both) return Noticed{image_, answer_};
    return Error{.code = Errc::timed_out,
                 .detail = std::string("no ") + (image_ == TimePoint{} ? "image" : "answer") +
                           " after " + old_ + "; the last error: " + failure_};
}

std::uint64_t Witness::strays() const {
    const std::lock_guard lock(mutex_);
    return strays_;
}

std::uint64_t Witness::failed() const {
    const std::lock_guard lock(mutex_);
    return failed_;
}

std::string Witness::last_failure() const {
    const std::lock_guard lock(mutex_);
    return failure_;
}

Duration Witness::longest_stall() const {
    const std::lock_guard lock(mutex_);
    return stall_;
}

}  // namespace understudy::bench
