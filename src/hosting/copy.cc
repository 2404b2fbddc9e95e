#include "hosting/copy.h"

#include <utility>

namespace understudy::hosting {

Copy::Copy(World world, Names names, Owner& owner)
    : world_(std::move(world)),
      runtime_(world_.runtime),
      log_(world_.log),
      names_(std::move(names)),
      owner_(owner),
      handover_(runtime_, log_, names_.service, names_.member, *this) {}

Copy::~Copy() { life_.end(); }

void Copy::later(void (Copy::*what)()) {
    runtime_.post(life_.guarded([this, what] { (this->*what)(); }));
}

// --- The registry --------------------------------------------------------------------------------

Result<void> Copy::enter(client::JournaledOptions how) {
    US_ASSERT(world_.agent != nullptr && journaled_ == nullptr);
    designation_.reset();
    refused_since_.reset();
    journaled_ = US_TRY(world_.agent->create_journaled(
        std::move(how), static_cast<client::JournaledObserver&>(*this)));
    report_again();
    return {};
}

void Copy::leave() {
    report_timer_.reset();
    designation_.reset();
    if (journaled_ == nullptr) return;
    world_.agent->remove_journaled(*std::exchange(journaled_, nullptr), [] {});
}

void Copy::registered(std::uint64_t order) {
    refused_since_.reset();
    log_.info("copy.registered", {kv("service", names_.service), kv("order", order)});
    report();
    owner_.copy_registered();
}

void Copy::refused(const Error& reason) {
    log_.warn("copy.registration_refused", {kv("service", names_.service), kv("error", reason)});
    if (!refused_since_) refused_since_ = runtime_.now();
    owner_.copy_refused(reason, runtime_.now() - *refused_since_);
}

void Copy::designated(const role::Designation& what, Epoch known) {
    log_.info("copy.designated",
              {kv("service", names_.service), kv("role", name(what.role)),
               kv("electable", what.electable), kv("takes_checkpoints", what.takes_checkpoints),
               kv("known", known)});
    designation_ = what;
    if (ended_ != nullptr) return;
    handover_.designated(what);
    if (closing_ || open_ == nullptr) return;  // open() checks the designation.
    if (member_ != nullptr) return follow();
    if (opening_ == nullptr) later(&Copy::open_member);  // Otherwise opened() checks it.
}

void Copy::follow() {
    member_->set_checkpoint_duty(designation_->takes_checkpoints);
    const bool was = electable_ == Electable::yes;
    if (was == designation_->electable || member_->replica().active()) {
        return owner_.copy_standing_changed();
    }
    log_.info("copy.reopens",
              {kv("service", names_.service), kv("electable", designation_->electable)});
    close_member();
    owner_.copy_standing_changed();
}

void Copy::report() {
    const Hosted* const open = member();
    if (journaled_ == nullptr || open == nullptr) return;
    const replica::Replica& replica = open->replica();
    if (replica.checkpoint() != checkpoint_) {
        checkpoint_ = replica.checkpoint();
        checkpoint_at_ = runtime_.now();
    }
    client::JournaledReport report;
    report.role = replica.standing().role;
    report.epoch = replica.standing().epoch;
    report.has_checkpoint = checkpoint_ > Index{};
    report.applied = replica.applied();
    report.committed = replica.applied();
    report.checkpoint = checkpoint_;
    if (report.has_checkpoint) report.checkpoint_age = runtime_.now() - checkpoint_at_;
    journaled_->report(std::move(report));
}

void Copy::report_again() {
    report();
    report_timer_ = runtime_.at(runtime_.now() + report_interval, [this] { report_again(); });
}

void Copy::handover_wanted(const client::Handover& what) {
    if (ended_ == nullptr) handover_.wanted(what);
}

void Copy::handover_ready(Epoch epoch) {
    if (journaled_ != nullptr) journaled_->ready(epoch);
}

bool Copy::handover_takes() const {
    return journal_ != nullptr && journal_->handover() == JournalChoice::Handover::taken;
}

void Copy::handover_take(Epoch above, Done done) { journal_->take(above, std::move(done)); }

void Copy::handover_give(const std::string& to, Done done) { journal_->give(to, std::move(done)); }

// --- Journal and member --------------------------------------------------------------------------

void Copy::open(Open how) {
    US_ASSERT(open_ == nullptr && ended_ == nullptr);
    open_ = std::move(how);
    if (world_.agent == nullptr || designation_) open_member();
}

void Copy::open_member() {
    if (open_ == nullptr || closing_ || opening_ != nullptr || member_ != nullptr) return;
    electable_ = designation_ && !designation_->electable ? Electable::no : Electable::yes;
    std::optional<replica::CheckpointDuty> duty;
    if (designation_) {
        duty = designation_->takes_checkpoints ? replica::CheckpointDuty::mine
                                               : replica::CheckpointDuty::others;
    }
    journal_ = world_.make_journal(electable_);
    opening_ = open_(journal_->open(), duty,
                     [this](Result<std::unique_ptr<Hosted>> result) { opened(std::move(result)); });
}

void Copy::opened(Result<std::unique_ptr<Hosted>> result) {
    if (!result) {
        owner_.copy_leaves();
        return owner_.copy_failed(result.error());
    }
    member_ = *std::move(result);
    member_->on_failed([this](const Error& error) { owner_.copy_failed(error); });
    member_->on_standing([this](const replica::Standing&) {
        if (closing_) return;
        report();
        handover_.standing_changed();
        owner_.copy_standing_changed();
    });
    owner_.copy_opened();
    if (closing_) return;
    report();
    handover_.standing_changed();
    if (designation_) return follow();
    owner_.copy_standing_changed();
}

Role Copy::role() const {
    const Role role = member()->replica().standing().role;
    const bool checkpointer =
        role == Role::standby && designation_ && designation_->role == Role::checkpointer;
    return checkpointer ? Role::checkpointer : role;
}

// --- The end of both -----------------------------------------------------------------------------

void Copy::end(std::function<void()> done) {
    if (std::exchange(ended_, std::move(done)) != nullptr) return;
    handover_.stop();
    if (!closing_) close_member();
}

void Copy::close_member() {
    handover_.stop();
    closing_ = true;
    if (member_ != nullptr) {
        return member_->close(life_.guarded([this] { later(&Copy::member_closed); }));
    }
    owner_.copy_leaves();
    opening_.reset();
    later(&Copy::member_closed);
}

/// The others are told that this copy has stopped only when it no longer uses the journal.
void Copy::member_closed() {
    owner_.copy_leaves();
    member_.reset();
    opening_.reset();
    if (ended_ != nullptr) leave();
    if (journal_ == nullptr) return journal_closed();
    journal_->close(life_.guarded([this] { later(&Copy::journal_closed); }));
}

void Copy::journal_closed() {
    journal_.reset();
    open_ = nullptr;
    closing_ = false;
    if (ended_ == nullptr) return owner_.copy_reopens();
    leave();
    std::exchange(ended_, nullptr)();
}

}  // namespace understudy::hosting
