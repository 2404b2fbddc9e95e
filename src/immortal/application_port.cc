#include "immortal/application_port.h"

#include <algorithm>
#include <utility>

namespace understudy::immortal {

namespace {

// After this time the last frame to a refused connection has been sent.
constexpr Duration removal_delay = 1500ms;

/// Moves `application` from one list to the end of another, if it is there.
bool move(const RemoteApplication& application,
          std::list<std::unique_ptr<RemoteApplication>>& from,
          std::list<std::unique_ptr<RemoteApplication>>& to) {
    const auto found = std::find_if(from.begin(), from.end(), [&](const auto& each) {
        return each.get() == &application;
    });
    if (found == from.end()) return false;
    to.splice(to.end(), from, found);
    return true;
}

}  // namespace

ApplicationPort::ApplicationPort(Runtime& runtime, Log& log, RemoteApplication::Options options)
    : runtime_(runtime), log_(log), options_(std::move(options)) {}

ApplicationPort::~ApplicationPort() { life_.end(); }

Result<std::unique_ptr<ApplicationPort>> ApplicationPort::open(
    Runtime& runtime, Log& log, const Address& listen, RemoteApplication::Options options) {
    std::unique_ptr<ApplicationPort> port(new ApplicationPort(runtime, log, std::move(options)));
    auto& self = *port;
    port->listener_ =
        US_TRY(runtime.network().listen(listen, std::nullopt, [&self](auto connection) {
            self.accepted(std::move(connection));
        }));
    return port;
}

void ApplicationPort::accepted(std::unique_ptr<Connection> connection) {
    RemoteApplication::Owner& owner = *this;
    auto application = std::make_unique<RemoteApplication>(runtime_, log_, options_,
                                                           std::move(connection), owner);
    RemoteApplication& made = *application;
    silent_.push_back(std::move(application));
    if (closing_) {
        made.end({.code = Errc::closed, .detail = "the coordinator ends"});
    } else if (silent_.size() + ready_.size() > candidates_max) {
        // The connection that has been silent for longest is closed; it may be the newest one.
        silent_.front()->end(
            {.code = Errc::limit_exceeded, .detail = "too many applications wait already"});
    }
}

void ApplicationPort::want(Arrived arrived) {
    US_ASSERT(!wanted_);
    wanted_ = std::move(arrived);
    hand_over_later();
}

void ApplicationPort::hand_over_later() {
    runtime_.post([this, here = life_.watch()] {
        if (!here.ended()) hand_over();
    });
}

void ApplicationPort::hand_over() {
    if (!wanted_ || ready_.empty() || closing_) return;
    auto application = std::move(ready_.front());
    ready_.pop_front();
    std::exchange(wanted_, nullptr)(std::move(application));
}

void ApplicationPort::close(const Error& reason) {
    closing_ = true;
    wanted_ = nullptr;
    while (!ready_.empty()) ready_.front()->end(reason);
    while (!silent_.empty()) silent_.front()->end(reason);
}

void ApplicationPort::application_here(RemoteApplication& application) {
    (void)move(application, silent_, ready_);
    if (wanted_) return hand_over_later();
    log_.info("application.waits", {kv("application", application.name())});
}

void ApplicationPort::application_impulse(RemoteApplication&, std::uint64_t, std::string_view,
                                          Bytes) {
    assert_failed("it was not welcomed yet", __FILE__, __LINE__);
}

void ApplicationPort::application_upgrade(RemoteApplication&, std::uint64_t, std::uint32_t) {
    assert_failed("it was not welcomed yet", __FILE__, __LINE__);
}

void ApplicationPort::application_ended(RemoteApplication& application, const Error&) {
    if (!move(application, silent_, ended_)) (void)move(application, ready_, ended_);
    remove_ended_later();
}

void ApplicationPort::remove_ended_later() {
    if (removal_) return;
    removal_ = runtime_.at(runtime_.now() + removal_delay, [this] {
        removal_.reset();
        ended_.clear();
    });
}

}  // namespace understudy::immortal
