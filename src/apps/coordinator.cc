#include "apps/coordinator.h"

#include <algorithm>
#include <utility>

namespace understudy::apps {

using immortal::RemoteApplication;
using node::ImmortalMember;

namespace {

/// Is there hope that it passes by itself?
[[nodiscard]] bool may_pass(Errc code) {
    return code == Errc::in_use || code == Errc::unavailable || code == Errc::timed_out ||
           code == Errc::not_active || code == Errc::closed || code == Errc::no_space ||
           code == Errc::stale_epoch || is_shortage(code);
}

}  // namespace

Coordinator::Coordinator(World world, Options options, Observer& observer)
    : world_(std::move(world)),
      runtime_(world_.runtime),
      log_(world_.log),
      options_(std::move(options)),
      observer_(observer),
      handover_(runtime_, log_, options_.member.service, options_.member.member, *this) {}

Coordinator::~Coordinator() { *alive_ = false; }

Result<std::unique_ptr<Coordinator>> Coordinator::open(World world, Options options,
                                                       Observer& observer) {
    std::unique_ptr<Coordinator> made(
        new Coordinator(std::move(world), std::move(options), observer));
    // The registry is told the port before the journal is open, and again by each life the same.
    Address& listen = made->options_.member.listen;
    if (listen.port == 0) {
        const auto probe = US_TRY(made->runtime_.network().listen(
            listen, std::nullopt, [](std::unique_ptr<Connection>) {}));
        listen.port = probe->address().port;
    }
    made->port_ = US_TRY(immortal::ApplicationPort::open(
        made->runtime_, made->log_, made->options_.applications, made->options_.application));
    made->later(&Coordinator::wait);
    return made;
}

void Coordinator::later(void (Coordinator::*what)()) {
    runtime_.post([this, what, alive = alive_] {
        if (*alive) (this->*what)();
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
    designation_.reset();
    application_ = std::move(application);
    application_->give_to(*this);
    application_->welcome();
    log_.info("application.taken", {kv("application", application_->name())});
    if (world_.agent == nullptr) return open_member();
    register_copy();
}

/// The registry says what this copy is to be: it is started when its application is there.
void Coordinator::register_copy() {
    Address endpoint = options_.member.listen;
    if (!options_.advertise.empty()) endpoint.host = options_.advertise;
    client::JournaledOptions how;
    how.family = options_.member.service;
    how.member = options_.member.member;
    how.endpoint = std::move(endpoint);
    auto entered = world_.agent->create_journaled(std::move(how), *this);
    if (!entered) {
        log_.warn("coordinator.not_registered", {kv("error", entered.error())});
        fatal_ = entered.error();
        return end_life();
    }
    copy_ = *entered;
    report_again();
}

void Coordinator::designated(const role::Designation& what, Epoch known) {
    log_.info("coordinator.designated",
              {kv("role", name(what.role)), kv("electable", what.electable),
               kv("takes_checkpoints", what.takes_checkpoints), kv("known", known)});
    designation_ = what;
    if (ending_ || application_ == nullptr) return;
    handover_.designated(what);
    if (opening_ == nullptr && member_ == nullptr) return later(&Coordinator::open_member);
    if (member_ == nullptr) return;  // opened() looks.
    member_->set_checkpoint_duty(what.takes_checkpoints);
    const bool was = electable_ == Electable::yes;
    if (was == what.electable || member_->replica().active()) return;
    log_.info("coordinator.reopens", {kv("electable", what.electable)});
    end_life();
}

void Coordinator::handover_wanted(const client::Handover& what) { handover_.wanted(what); }

ImmortalMember* Coordinator::handover_member() { return ending_ ? nullptr : member_.get(); }

void Coordinator::handover_ready(Epoch epoch) {
    if (copy_ != nullptr) copy_->ready(epoch);
}

bool Coordinator::handover_takes() const {
    return journal_ != nullptr &&
           journal_->handover() == library::ReplicaJournal::Handover::taken;
}

void Coordinator::handover_take(Epoch above, node::ImmortalHandover::Done done) {
    journal_->take(above, std::move(done));
}

void Coordinator::handover_give(const std::string& to, node::ImmortalHandover::Done done) {
    journal_->give(to, std::move(done));
}

void Coordinator::registered(std::uint64_t order) {
    log_.info("coordinator.registered", {kv("order", order)});
}

void Coordinator::refused(const Error& reason) {
    log_.warn("coordinator.registration_refused", {kv("error", reason)});
}

void Coordinator::open_member() {
    if (ending_ || opening_ != nullptr || member_ != nullptr) return;
    electable_ =
        designation_ && !designation_->electable ? Electable::no : Electable::yes;
    if (designation_) {
        options_.member.checkpoint_duty = designation_->takes_checkpoints
                                              ? replica::CheckpointDuty::mine
                                              : replica::CheckpointDuty::others;
    }
    journal_ = world_.make_journal(electable_);
    opening_ = ImmortalMember::open(
        runtime_, log_, options_.member, journal_->open(), *application_, world_.locator,
        [this](Result<std::unique_ptr<ImmortalMember>> member) { opened(std::move(member)); });
}

void Coordinator::opened(Result<std::unique_ptr<ImmortalMember>> member) {
    if (ending_ || !member) application_->leave_stage();
    if (ending_) return;  // It is destroyed with the result.
    if (!member) {
        const Error& error = member.error();
        log_.warn("coordinator.not_opened", {kv("error", error)});
        // What the application could not do says nothing about the journal.
        if (!application_->ended() && !may_pass(error.code)) fatal_ = error;
        return end_life();
    }
    member_ = *std::move(member);
    retry_ = retry_min;
    member_->on_failed([this](const Error& error) {
        log_.warn("coordinator.member_failed", {kv("error", error)});
        if (!application_->ended() && !may_pass(error.code)) fatal_ = error;
        end_life();
    });
    member_->on_standing([this](const replica::Standing&) { standing_changed(); });
    observer_.opened(*member_);
    if (designation_) {
        member_->set_checkpoint_duty(designation_->takes_checkpoints);
        if (designation_->electable != (electable_ == Electable::yes)) return end_life();
    }
    standing_changed();
}

void Coordinator::standing_changed() {
    if (ending_) return;
    const replica::Standing& standing = member_->replica().standing();
    const bool checkpointer = standing.role == Role::standby && designation_ &&
                              designation_->role == Role::checkpointer;
    const Role role = checkpointer ? Role::checkpointer : standing.role;
    application_->set_role(role, standing.epoch);
    observer_.standing_changed(role, standing.epoch);
    report();
    handover_.standing_changed();
    upgrade_timer_.reset();
    if (role == Role::active) upgrade_behind(member_->machine().position());
}

void Coordinator::report() {
    if (copy_ == nullptr) return;
    client::JournaledReport report;
    if (member_ != nullptr) {
        const replica::Replica& replica = member_->replica();
        if (replica.checkpoint() != checkpoint_) {
            checkpoint_ = replica.checkpoint();
            checkpoint_at_ = runtime_.now();
        }
        report.role = replica.standing().role;
        report.epoch = replica.standing().epoch;
        report.has_checkpoint = checkpoint_ > Index{};
        report.applied = replica.applied();
        report.committed = replica.applied();
        report.checkpoint = checkpoint_;
        if (report.has_checkpoint) report.checkpoint_age = runtime_.now() - checkpoint_at_;
    }
    copy_->report(std::move(report));
}

void Coordinator::report_again() {
    report();
    report_timer_ = runtime_.at(runtime_.now() + report_interval, [this] { report_again(); });
}

/// Once it is in the journal there is no way back for code that lacks that version.
void Coordinator::upgrade_behind(immortal::Position told) {
    upgrade_timer_.reset();
    if (ending_ || options_.upgrade == 0) return;
    if (application_->holds(told)) return upgrade();
    upgrade_timer_ = runtime_.at(runtime_.now() + upgrade_interval,
                                 [this, told] { upgrade_behind(told); });
}

void Coordinator::upgrade() {
    const std::uint32_t wanted = options_.upgrade;
    if (!member_->machine().started() || member_->machine().version() >= wanted) return;
    if (!application_->has_version(wanted)) {
        return log_.warn("coordinator.upgrade", {kv("version", wanted), kv("error", "no such code")});
    }
    member_->upgrade(wanted, [this, wanted, alive = alive_](const Result<void>& result) {
        if (!*alive) return;
        if (result) return log_.info("coordinator.upgrade", {kv("version", wanted)});
        log_.warn("coordinator.upgrade", {kv("version", wanted), kv("error", result.error())});
    });
}

/// The application ends first or last; the member, and what it runs on, in between.
void Coordinator::end_life() {
    if (std::exchange(ending_, true)) return;
    handover_.stop();
    later(&Coordinator::leave);
}

void Coordinator::leave() {
    opening_.reset();
    report_timer_.reset();
    upgrade_timer_.reset();
    if (member_ == nullptr) return member_closed();
    member_->close([this, alive = alive_] {
        if (*alive) later(&Coordinator::member_closed);
    });
}

void Coordinator::member_closed() {
    if (application_ != nullptr) application_->leave_stage();
    member_.reset();
    // The others hear it when nothing of this copy is in the journal any more.
    if (copy_ != nullptr) world_.agent->remove_journaled(*std::exchange(copy_, nullptr), [] {});
    if (journal_ == nullptr) return journal_closed();
    journal_->close([this, alive = alive_] {
        if (*alive) later(&Coordinator::journal_closed);
    });
}

void Coordinator::journal_closed() {
    journal_.reset();
    if (application_ != nullptr) {
        application_->end({.code = closing_ ? Errc::closed : Errc::unavailable,
                           .detail = closing_ ? "the coordinator ends"
                                              : "this copy of the service has ended"});
        application_.reset();
    }
    if (closing_) return std::exchange(closed_, nullptr)();
    if (fatal_) {
        port_->close(*fatal_);
        return observer_.failed(*fatal_);
    }
    retry_timer_ = runtime_.at(runtime_.now() + retry_, [this] { wait(); });
    retry_ = std::min(2 * retry_, retry_max);
}

void Coordinator::close(std::function<void()> done) {
    closing_ = true;
    closed_ = std::move(done);
    retry_timer_.reset();
    port_->close({.code = Errc::closed, .detail = "the coordinator ends"});
    ending_ = ending_ && application_ != nullptr;
    end_life();
}

// --- What the application says -------------------------------------------------------------------

void Coordinator::application_here(RemoteApplication&) {
    assert_failed("it has been welcomed", __FILE__, __LINE__);
}

void Coordinator::application_impulse(RemoteApplication& application, std::uint64_t id,
                                      std::string_view name, Bytes arguments) {
    if (ending_ || member_ == nullptr) {
        return application.answer(id, Error{.code = Errc::closed, .detail = "this copy ends"});
    }
    member_->impulse(name, arguments,
                     [this, id, life = life_, alive = alive_](const Result<Bytes>& result) {
                         if (!*alive || life != life_ || application_ == nullptr) return;
                         application_->answer(id, result ? Result<void>() : result.error());
                     });
}

void Coordinator::application_upgrade(RemoteApplication& application, std::uint64_t id,
                                      std::uint32_t version) {
    if (ending_ || member_ == nullptr) {
        return application.answer(id, Error{.code = Errc::closed, .detail = "this copy ends"});
    }
    member_->upgrade(version, [this, id, life = life_, alive = alive_](const Result<void>& result) {
        if (!*alive || life != life_ || application_ == nullptr) return;
        application_->answer(id, result);
    });
}

void Coordinator::application_ended(RemoteApplication&, const Error&) { end_life(); }

}  // namespace understudy::apps
