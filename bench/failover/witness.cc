#include "bench/failover/witness.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <utility>

#include "bench/harness/clock.h"

namespace understudy::bench {

namespace {

struct Who {
    std::string_view member;
    Epoch epoch;
};

// "A 12", as bench_member prints it.
[[nodiscard]] Who parse(std::string_view text) {
    const auto space = std::min(text.find(' '), text.size());
    const auto digits = text.substr(std::min(space + 1, text.size()));
    Who who{.member = text.substr(0, space), .epoch = {}};
    std::from_chars(digits.data(), digits.data() + digits.size(), who.epoch.value);
    return who;
}

}  // namespace

Result<std::unique_ptr<Witness>> Witness::open(const Options& options) {
    auto witness = std::unique_ptr<Witness>(new Witness(options));
    witness->agent_ = US_TRY(
        Agent::open({.name = "bench-client", .registry = {options.registry}, .insecure = true}));
    US_CHECK(witness->agent_->wait_for_service(options.family, 10s));
    witness->proxy_ = US_TRY(witness->agent_->proxy(options.family));
    US_CHECK(witness->proxy_->on_record(
        "state", [self = witness.get()](const RecordImage& image, const RecordChange& change) {
            const std::lock_guard lock(self->mutex_);
            self->image_from_ = image.text("member", "");
            self->heard(change.epoch, self->heard_by_record_, self->image_);
            self->heard_by_record_ = std::max(self->heard_by_record_, change.epoch);
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
void Witness::heard(Epoch epoch, Epoch known, TimePoint& first) {
    if (epoch < known) ++strays_;
    highest_ = std::max(highest_, epoch);
    if (epoch > before_ && first == TimePoint{}) first = now();
    changed_.notify_all();
}

void Witness::call_for_ever() {
    while (!ended_) {
        Epoch known;
        {
            const std::lock_guard lock(mutex_);
            known = highest_;
        }
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
                const Who who = parse(answer->text().value_or(""));
                answer_from_ = who.member;
                heard(who.epoch, known, answer_);
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

Result<std::string> Witness::wait_agreed(Duration limit) {
    std::unique_lock lock(mutex_);
    const bool agreed = changed_.wait_for(
        lock, limit, [&] { return !image_from_.empty() && image_from_ == answer_from_; });
    if (agreed) return image_from_;
    return Error{.code = Errc::timed_out,
                 .detail = "the record is of " + image_from_ + ", the last answer of " +
                           answer_from_ + ", the last error: " + failure_};
}

void Witness::watch() {
    const std::lock_guard lock(mutex_);
    before_ = highest_;
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
                           " after epoch " + std::to_string(before_.value) +
                           "; the last error: " + failure_};
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
