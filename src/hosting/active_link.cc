#include "hosting/active_link.h"

#include <algorithm>
#include <utility>

#include "link/identity.h"

namespace understudy::hosting {

ActiveLink::ActiveLink(Runtime& runtime, Log& log, Options options, Locator& locator, Owner& owner)
    : runtime_(runtime),
      options_(std::move(options)),
      locator_(locator),
      owner_(owner),
      refusals_(runtime, log) {}

ActiveLink::~ActiveLink() { life_.end(); }

void ActiveLink::start() {
    if (watch_ != nullptr) return;
    watch_ = locator_.watch(options_.service,
                            [this](const std::vector<Locator::Place>& places) { found(places); });
    dial();
}

void ActiveLink::finish(std::function<void()> done) {
    watch_.reset();
    dial_.reset();
    retry_.reset();
    silence_.reset();
    if (!std::exchange(up_, false)) {
        link_.reset();
        return runtime_.post(life_.guarded(std::move(done)));
    }
    finished_ = std::move(done);
    link_->finish({.code = Errc::closed, .detail = "the session is over"});
}

void ActiveLink::await(bool awaited) {
    if (awaited && !awaited_) heard_ = runtime_.now();
    awaited_ = awaited;
    if (awaited_ && up_ && silence_ == nullptr) look_for_silence();
}

void ActiveLink::look_for_silence() {
    silence_.reset();
    if (!up_ || !awaited_) return;
    const TimePoint limit = heard_ + options_.silence_max;
    if (runtime_.now() >= limit) {
        return drop({.code = Errc::timed_out, .detail = options_.service + " does not answer"});
    }
    silence_ = runtime_.at(limit, [this] {
        const auto timer = std::move(silence_);
        look_for_silence();
    });
}

// --- Connecting ----------------------------------------------------------------------------------

void ActiveLink::dial() {
    if (watch_ == nullptr || link_ || dial_ || retry_) return;
    const ActiveSearch::Step step = search_.next(runtime_.random());
    if (const auto* wait = std::get_if<ActiveSearch::Wait>(&step)) {
        retry_ = runtime_.at(runtime_.now() + wait->time, [this] {
            const auto timer = std::move(retry_);
            dial();
        });
        return;
    }
    const auto* ask = std::get_if<ActiveSearch::Ask>(&step);
    if (ask == nullptr) return;
    asked_ = ask->place.address;
    dial_ = std::make_unique<link::Dial>(
        runtime_,
        link::Dial::Options{.address = asked_,
                            .tls = options_.tls,
                            .connect_timeout = options_.connect_timeout,
                            .link = {.handshake_limit = options_.handshake_limit}},
        [this] { return owner_.link_hello(); },
        [this](Result<link::Dial::Welcomed> result) { answered(std::move(result)); });
}

void ActiveLink::found(const std::vector<Locator::Place>& places) {
    if (!search_.found(places)) return;
    if (up_ && places.front().epoch > epoch_) {
        return lost(true);  // Another member is active now.
    }
    retry_.reset();
    dial();
}

void ActiveLink::dial_failed(const Error& reason) {
    const bool expected = ActiveSearch::expects(reason);
    if (!expected) refusals_.heard("replica.refused", kv("service", options_.service), reason);
    search_.failed();
    dial();
    if (!expected) owner_.link_refused(reason);
}

Result<ActiveLink::Greeting> ActiveLink::read_greeting(const link::Link& link, Bytes opaque) {
    Greeting greeting = US_TRY(owner_.link_greeting(opaque));
    const auto* active = std::get_if<Active>(&greeting);
    if (options_.tls) {
        const std::string shown = link.peer_identity().value_or("");
        const bool proven = active != nullptr
                                ? link::names_member(shown, options_.service, active->member)
                                : link::names_service(shown, options_.service);
        if (!proven) {
            return Error{
                .code = Errc::denied,
                .detail = "a member of " + options_.service + " shows the certificate of " + shown};
        }
    }
    if (active != nullptr && active->epoch < epoch_) {
        return Error{.code = Errc::stale_epoch,
                     .detail = active->member + " is not active any more"};
    }
    return greeting;
}

void ActiveLink::answered(Result<link::Dial::Welcomed> result) {
    const auto dialled = std::move(dial_);
    if (!result) return dial_failed(result.error());
    const auto greeting = read_greeting(*result->link, result->opaque);
    if (!greeting) return dial_failed(greeting.error());
    if (const auto* elsewhere = std::get_if<Elsewhere>(&*greeting)) {
        search_.elsewhere(elsewhere->active);
        return dial();
    }
    const Active& active = std::get<Active>(*greeting);
    link_ = std::move(result->link);
    link_->observe(static_cast<link::Link::Observer&>(*this));
    up_ = true;
    epoch_ = active.epoch;
    since_ = runtime_.now();
    heard_ = since_;
    const Lifetime::Watch here = life_.watch();
    locator_.heard(options_.service, {.member = active.member, .address = asked_, .epoch = epoch_});
    owner_.link_up(result->opaque);
    if (!here.ended()) await(awaited_);
}

// --- In use --------------------------------------------------------------------------------------

void ActiveLink::link_message(link::Link& link, wire::MessageType type, Bytes body) {
    if (!up_ || &link != link_.get()) return;
    heard_ = runtime_.now();
    const Lifetime::Watch here = life_.watch();
    const auto taken = owner_.link_message(type, body);
    if (here.ended() || taken || !up_ || &link != link_.get()) return;
    drop(taken.error());
}

void ActiveLink::link_drained(link::Link&) {
    if (up_) owner_.link_drained();
}

void ActiveLink::drop(const Error& reason) {
    if (!up_) return;
    refusals_.heard("replica.link_dropped", kv("service", options_.service), reason);
    lost(false);
}

void ActiveLink::lost(bool helped) {
    const auto kept = std::move(link_);
    up_ = false;
    silence_.reset();
    search_.ended(helped ? runtime_.now() - since_ : Duration::zero());
    const Lifetime::Watch here = life_.watch();
    owner_.link_down();
    if (!here.ended()) dial();
}

void ActiveLink::link_closed(link::Link& link, const Error&) {
    if (&link != link_.get()) return;
    if (const auto finished = std::exchange(finished_, nullptr)) return finished();
    if (up_) return lost(true);
    link_.reset();
}

void ActiveLink::link_hello(link::Link&, Bytes) { US_ASSERT(false); }
void ActiveLink::link_welcome(link::Link&, Bytes) { US_ASSERT(false); }

}  // namespace understudy::hosting
