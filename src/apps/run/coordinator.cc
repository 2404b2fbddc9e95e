#include "apps/run/coordinator.h"

#include <algorithm>
#include <utility>

#include "hosting/options.h"

namespace understudy::apps {

using immortal::RemoteApplication;
using node::ImmortalMember;

namespace {

/// True if the error may pass by itself.
[[nodiscard]] bool may_pass(Errc code) {
    return code == Errc::in_use || code == Errc::unavailable || code == Errc::timed_out ||
           code == Errc::not_active || code == Errc::closed || code == Errc::no_space ||
           code == Errc::stale_epoch || is_shortage(code);
}

}  // namespace

Coordinator::Coordinator(World world, Options options, Observer& observer)
    : world_(std::move(world)),
      runtime_(world_.copy.runtime),
      log_(world_.copy.log),
      options_(std::move(options)),
      observer_(observer),
      copy_(world_.copy, {.service = options_.member.service, .member = options_.member.member},
            static_cast<hosting::Copy::Owner&>(*this)) {}

Coordinator::~Coordinator() { lifetime_.end(); }

Result<std::unique_ptr<Coordinator>> Coordinator::open(World world, Options options,
                                                       Observer& observer) {
    auto own = US_TRY(hosting::own_address(world.copy.runtime.network(),
                                           std::move(options.member.listen)));
    options.member.listen = own.address;
    std::unique_ptr<Coordinator> made(
        new Coordinator(std::move(world), std::move(options), observer));
    made->held_port_ = std::move(own.held);
    made->port_ = US_TRY(immortal::ApplicationPort::open(
        made->runtime_, made->log_, made->options_.applications, made->options_.application));
    made->later(&Coordinator::wait);
    return made;
}

void Coordinator::later(void (Coordinator::*what)()) {
    runtime_.post([this, what, here = lifetime_.watch()] {
        if (!here.ended()) (this->*what)();
    });
}

// --- One life ------------------------------------------------------------------------------------

void Coordinator::wait() {
    retry_timer_.reset();
    if (closing_) return;
    if (port_->waiting() == 0) observer_.waiting_for_application();
    port_->want([this](std::unique_ptr<RemoteApplication> application) {
        arrived(std::move(application));
    });
}

void Coordinator::arrived(std::unique_ptr<RemoteApplication> application) {
    ++life_;
    ending_ = false;
    retry_timer_.reset();
    told_.reset();
    application_ = std::move(application);
    application_->set_owner(*this);
    application_->welcome();
    log_.info("application.taken", {kv("application", application_->name())});
    if (auto entered = enter(); !entered) {
        log_.warn("coordinator.not_registered", {kv("error", entered.error())});
        fatal_ = entered.error();
        return end_life();
    }
    copy_.open([this](const journal::Open& journal, std::optional<replica::CheckpointDuty> duty,
                      hosting::Copy::Opened opened) {
        return open_member(journal, duty, std::move(opened));
    });
}

std::unique_ptr<journal::Opening> Coordinator::open_member(
    const journal::Open& journal, std::optional<replica::CheckpointDuty> duty,
    hosting::Copy::Opened opened) {
    ImmortalMember::Options how = options_.member;
    how.checkpoint_duty = duty.value_or(how.checkpoint_duty);
    return ImmortalMember::open(runtime_, log_, std::move(how), journal, *application_,
                                world_.locator,
                                hosting::Copy::passing_on<ImmortalMember>(std::move(opened)));
}

ImmortalMember* Coordinator::member() { return static_cast<ImmortalMember*>(copy_.member()); }

/// The registry designates this copy, which counts as started when its application has connected.
Result<void> Coordinator::enter() {
    if (world_.copy.agent == nullptr || copy_.entered()) return {};
    Address endpoint = options_.member.listen;
    if (!options_.advertise.empty()) endpoint.host = options_.advertise;
    client::JournaledOptions how;
    how.family = options_.member.service;
    how.member = options_.member.member;
    how.endpoint = std::move(endpoint);
    return copy_.enter(std::move(how));
}

void Coordinator::copy_opened() {
    retry_ = retry_min;
    observer_.opened(*member());
}

void Coordinator::copy_failed(const Error& error) {
    log_.warn("coordinator.member_failed", {kv("error", error)});
    // A failure of the application says nothing about the journal.
    const bool ours = application_ != nullptr && !application_->ended();
    if (ours && !may_pass(error.code)) fatal_ = error;
    end_life();
}

void Coordinator::copy_leaves() {
    if (application_ != nullptr) application_->leave_stage();
}

/// The next application must begin with an empty state; the state of this one belongs to another
/// life.
void Coordinator::copy_reopens() {
    upgrade_timer_.reset();
    look_timer_.reset();
    end_application(Errc::unavailable, "this copy of the service starts again");
    wait();
    // No other copy may rely on a copy without an application.
    retry_timer_ = runtime_.at(runtime_.now() + return_max, [this] {
        log_.warn("coordinator.no_application", {});
        copy_.leave();
    });
}

/// A predecessor that has ended is soon out of the line; two live ones would replace each other
/// repeatedly.
void Coordinator::copy_refused(const Error& reason, Duration since) {
    if (ending_) return;
    observer_.refused(reason);
    if (reason.code != Errc::already_exists || since < taken_max) return;
    fatal_ = reason;
    end_life();
}

void Coordinator::copy_standing_changed() {
    if (ending_ || copy_.member() == nullptr) return;
    const ImmortalMember& member = *this->member();
    const Role role = copy_.role();
    const Epoch epoch = member.replica().standing().epoch;
    const std::pair<Role, Epoch> now{role, epoch};
    if (std::exchange(told_, now) == now) return;
    application_->set_role(role, epoch);
    observer_.standing_changed(role, epoch);
    upgrade_timer_.reset();
    look_timer_.reset();
    if (role == Role::active) upgrade_behind(member.machine().position());
    if (role == Role::checkpointer) {
        look_timer_ = runtime_.at(runtime_.now() + look_interval, [this] { look_who_is_active(); });
    }
}

/// A checkpointer may be alone for ever, so the operator must be told what it waits for.
void Coordinator::look_who_is_active() {
    const wire::pb::ServiceInfo* service =
        world_.copy.agent->directory().find(options_.member.service);
    if (service != nullptr && service->active().empty()) {
        observer_.nobody_active();
    } else if (told_) {
        observer_.standing_changed(told_->first, told_->second);
    }
    look_timer_ = runtime_.at(runtime_.now() + look_interval, [this] { look_who_is_active(); });
}

void Coordinator::upgrade_behind(immortal::Position told) {
    upgrade_timer_.reset();
    if (ending_ || options_.upgrade == 0) return;
    if (application_->holds(told)) return upgrade();
    upgrade_timer_ = runtime_.at(runtime_.now() + upgrade_interval,
                                 [this, told] { upgrade_behind(told); });
}

void Coordinator::upgrade() {
    const std::uint32_t wanted = options_.upgrade;
    ImmortalMember* const member = this->member();
    if (member == nullptr) return;
    if (!member->machine().started() || member->machine().version() >= wanted) return;
    if (!application_->has_version(wanted)) {
        return log_.warn("coordinator.upgrade",
                         {kv("version", wanted), kv("error", "no such code")});
    }
    member->upgrade(wanted, [this, wanted, here = lifetime_.watch()](const Result<void>& result) {
        if (here.ended()) return;
        if (result) return log_.info("coordinator.upgrade", {kv("version", wanted)});
        log_.warn("coordinator.upgrade", {kv("version", wanted), kv("error", result.error())});
    });
}

/// The application ends first or last; the member and its journal end in between.
void Coordinator::end_life() {
    if (std::exchange(ending_, true)) return;
    leaving_ = true;
    later(&Coordinator::leave);
}

void Coordinator::leave() {
    upgrade_timer_.reset();
    look_timer_.reset();
    copy_.end([this] { later(&Coordinator::ended); });
}

void Coordinator::ended() {
    leaving_ = false;
    end_application(closing_ ? Errc::closed : Errc::unavailable,
                    closing_ ? "the coordinator ends" : "this copy of the service has ended");
    if (closing_) return std::exchange(closed_, nullptr)();
    if (fatal_) {
        port_->close(*fatal_);
        return observer_.failed(*fatal_);
    }
    retry_timer_ = runtime_.at(runtime_.now() + retry_, [this] { wait(); });
    retry_ = std::min(2 * retry_, retry_max);
}

void Coordinator::end_application(Errc code, const char* why) {
    // The application reports its end within this call; no other code needs to know.
    if (const auto application = std::exchange(application_, nullptr)) {
        application->end({.code = code, .detail = why});
    }
}

void Coordinator::close(std::function<void()> done) {
    closing_ = true;
    closed_ = std::move(done);
    retry_timer_.reset();
    port_->close({.code = Errc::closed, .detail = "the coordinator ends"});
    if (leaving_) return;
    ending_ = false;
    end_life();
}

// --- Calls of the application --------------------------------------------------------------------

void Coordinator::application_here(RemoteApplication&) {
    assert_failed("it has been welcomed", __FILE__, __LINE__);
}

void Coordinator::application_impulse(RemoteApplication& application, std::uint64_t id,
                                      std::string_view name, Bytes arguments) {
    if (ending_ || copy_.member() == nullptr) {
        return application.answer(id, Error{.code = Errc::closed, .detail = "this copy ends"});
    }
    member()->impulse(
        name, arguments,
        [this, id, life = life_, here = lifetime_.watch()](const Result<Bytes>& result) {
            if (here.ended() || life != life_ || application_ == nullptr) return;
            application_->answer(id, result ? Result<void>() : result.error());
        });
}

void Coordinator::application_upgrade(RemoteApplication& application, std::uint64_t id,
                                      std::uint32_t version) {
    if (ending_ || copy_.member() == nullptr) {
        return application.answer(id, Error{.code = Errc::closed, .detail = "this copy ends"});
    }
    member()->upgrade(
        version, [this, id, life = life_, here = lifetime_.watch()](const Result<void>& result) {
            if (here.ended() || life != life_ || application_ == nullptr) return;
            application_->answer(id, result);
        });
}

void Coordinator::application_ended(RemoteApplication& application, const Error&) {
    if (&application == application_.get()) end_life();
}

}  // namespace understudy::apps
