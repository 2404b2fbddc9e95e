#include "library/immortal_here.h"

#include <utility>

#include "library/guard.h"
#include "library/options.h"
#include "understudy/limits.h"

namespace understudy::library {

namespace {

[[nodiscard]] ReplicaOptions replica_options(const ImmortalOptions& options) {
    return {.service = options.service,
            .member = options.member,
            .journal = options.journal,
            .checkpoint_every_bytes = options.checkpoint_every_bytes};
}

[[nodiscard]] ImmortalPlaces::Options places_options(const ImmortalOptions& options) {
    return {.agent = {},
            .registry = options.registry,
            .listed = options.peers,
            .tls = options.tls};
}

[[nodiscard]] Error not_open() {
    return {.code = Errc::not_active, .detail = "the journal is not open yet"};
}

}  // namespace

Result<void> ImmortalBody::check(const ImmortalOptions& options) {
    US_CHECK(check_service_name(options.service));
    if (!options.coordinator.empty()) {
        US_CHECK(coordinator_address(options.coordinator));
        return {};
    }
    US_CHECK(ReplicaJournal::check(replica_options(options)));
    auto listen = check_listen(options.listen, options.tls.has_value(), options.insecure);
    if (!listen) return listen.error();
    return ImmortalPlaces::check(places_options(options));
}

std::unique_ptr<ImmortalBody> ImmortalBody::make(Runtime& runtime, Log& log,
                                                 const ImmortalOptions& options,
                                                 const ImmortalMember::Classes& classes,
                                                 Observer& observer) {
    if (options.coordinator.empty()) {
        return std::make_unique<ImmortalHere>(runtime, log, options, classes, observer);
    }
    return make_immortal_beside(runtime, log, options, classes, observer);
}

ImmortalHere::ImmortalHere(Runtime& runtime, Log& log, const ImmortalOptions& options,
                           const ImmortalMember::Classes& classes, Observer& observer)
    : runtime_(runtime), log_(log), options_(options), observer_(observer), classes_(classes),
      handover_(runtime, log, options.service, options.member, *this) {
    later([this] { begin(); });
}

ImmortalHere::~ImmortalHere() = default;

void ImmortalHere::begin() {
    if (closing_) return;
    auto places = ImmortalPlaces::open(runtime_, log_, places_options(options_));
    if (!places) return fail(places.error());
    places_ = *std::move(places);
    listen_ = *check_listen(options_.listen, options_.tls.has_value(), options_.insecure);
    // With a registry the journal waits for what this member is to be.
    if (places_->agent() != nullptr) return enter_registry();
    open_member();
}

void ImmortalHere::open_member() {
    using Electable = ReplicaJournal::Electable;
    electable_ = !designation_ || designation_->electable;
    application_ = std::make_unique<immortal::LinkedApplication>(log_, classes_);
    journal_ = ReplicaJournal::make(runtime_, log_, replica_options(options_),
                                    electable_ ? Electable::yes : Electable::no,
                                    {.use = journal::DirectoryUse::immortal});
    node::ImmortalMember::Options how;
    how.service = options_.service;
    how.member = options_.member;
    how.listen = listen_;
    how.tls = to_options(options_.tls);
    how.checkpoint_every_bytes = options_.checkpoint_every_bytes;
    how.checkpoint_duty = std::holds_alternative<LocalDirectory>(options_.journal)
                              ? replica::CheckpointDuty::mine
                              : replica::CheckpointDuty::standbys;
    if (designation_) {
        how.checkpoint_duty = designation_->takes_checkpoints ? replica::CheckpointDuty::mine
                                                              : replica::CheckpointDuty::others;
    }
    opening_ = node::ImmortalMember::open(
        runtime_, log_, std::move(how), journal_->open(), *application_, *places_,
        [this](Result<std::unique_ptr<node::ImmortalMember>> result) { opened(std::move(result)); });
}

void ImmortalHere::opened(Result<std::unique_ptr<node::ImmortalMember>> result) {
    if (!result) return fail(result.error());
    member_ = *std::move(result);
    member_->on_standing([this](const replica::Standing&) {
        report();
        handover_.standing_changed();
        observer_.standing_changed();
    });
    member_->on_failed([this](const Error& error) { fail(error); });
    report();
    observer_.standing_changed();
    handover_.standing_changed();
    if (designation_) follow(*designation_);
}

/// With a journal in which it may, or may not, become active.
void ImmortalHere::reopen() {
    reopening_ = true;
    log_.info("immortal.reopens", {kv("service", options_.service),
                                   kv("electable", designation_->electable)});
    close_member([this] {
        reopening_ = false;
        if (!closing_) return open_member();
        close_places();
    });
    observer_.standing_changed();
}

void ImmortalHere::fail(const Error& error) {
    failed_ = true;
    observer_.failed(error);
}

void ImmortalHere::later(std::function<void()> task) {
    runtime_.post([task = std::move(task), alive = std::weak_ptr<bool>(alive_)] {
        if (!alive.expired()) task();
    });
}

// --- Asked ---------------------------------------------------------------------------------------

void ImmortalHere::impulse(std::string_view handler, Bytes arguments, Answered answered) {
    if (member_ == nullptr || reopening_) return answered(not_open());
    member_->impulse(handler, arguments, std::move(answered));
}

void ImmortalHere::upgrade(std::uint32_t version, Done done) {
    if (member_ == nullptr || reopening_) return done(not_open());
    member_->upgrade(version, std::move(done));
}

void ImmortalHere::forget(std::string_view peer, Done done) {
    if (member_ == nullptr || reopening_) return done(not_open());
    member_->forget(peer, std::move(done));
}

void ImmortalHere::look(Look look, Done done) {
    if (member_ == nullptr || reopening_) return done(not_open());
    member_->read([this, look = std::move(look), done = std::move(done)](Result<void> current) {
        if (current && application_->object() == nullptr) current = not_open();
        if (current) guarded(log_, "look", [&] { current = look(*application_->object()); });
        done(std::move(current));
    });
}

void ImmortalHere::fill(ImmortalStatus& status) const {
    if (member_ == nullptr || reopening_) return;
    const replica::Replica& replica = member_->replica();
    status.role = replica.standing().role;
    if (status.role == Role::standby && designation_ &&
        designation_->role == Role::checkpointer) {
        status.role = Role::checkpointer;
    }
    status.epoch = replica.standing().epoch;
    status.active = replica.standing().active;
    status.address = to_string(member_->address());
    status.version = application_->version();
    status.applied = replica.applied();
    status.checkpoint = replica.checkpoint();
    status.time = replica.time();
    status.durability = name(replica.durability());
    status.disk_full = replica.space() != replica::Space::ok;
    status.inputs = member_->machine().position().value;
    status.waiting_bytes = member_->machine().waiting_bytes();
    status.peers = member_->machine().peers().size();
    status.received = member_->counters().messages_received;
    status.repeated = member_->counters().repeated;
    status.links = member_->counters().links;
    status.checkpoints = replica.checkpoint_counters().taken;
}

// --- The registry --------------------------------------------------------------------------------

void ImmortalHere::enter_registry() {
    if (listen_.port == 0) {
        // The registry is told the port before the journal is open, and it stays the same.
        const auto probe =
            runtime_.network().listen(listen_, std::nullopt, [](std::unique_ptr<Connection>) {});
        if (!probe) return fail(probe.error());
        listen_ = (*probe)->address();
    }
    client::JournaledOptions how;
    how.family = options_.service;
    how.member = options_.member;
    how.endpoint = listen_;
    if (!options_.advertise.empty()) how.endpoint.host = options_.advertise;
    if (const auto* shared = std::get_if<SharedDirectory>(&options_.journal)) {
        how.lease = shared->lease;
    }
    auto entered = places_->agent()->create_journaled(std::move(how), *this);
    if (!entered) return fail(entered.error());
    journaled_ = *entered;
    report_again();
}

void ImmortalHere::report() {
    if (journaled_ == nullptr || member_ == nullptr || reopening_) return;
    const replica::Replica& replica = member_->replica();
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

void ImmortalHere::report_again() {
    report();
    report_timer_ = runtime_.at(runtime_.now() + report_interval, [this] { report_again(); });
}

void ImmortalHere::designated(const role::Designation& what, Epoch) {
    log_.info("immortal.designated",
              {kv("service", options_.service), kv("role", name(what.role)),
               kv("electable", what.electable), kv("takes_checkpoints", what.takes_checkpoints)});
    designation_ = what;
    if (closing_ || failed_) return;
    handover_.designated(what);
    if (reopening_) return;
    if (member_ != nullptr) return follow(what);
    if (opening_ == nullptr) open_member();  // Else opened() looks.
}

void ImmortalHere::follow(const role::Designation& what) {
    member_->set_checkpoint_duty(what.takes_checkpoints);
    if (what.electable != electable_ && !member_->replica().active()) return reopen();
    observer_.standing_changed();
}

void ImmortalHere::handover_wanted(const client::Handover& what) {
    if (!closing_ && !failed_) handover_.wanted(what);
}

node::ImmortalMember* ImmortalHere::handover_member() {
    return reopening_ ? nullptr : member_.get();
}

void ImmortalHere::handover_ready(Epoch epoch) {
    if (journaled_ != nullptr) journaled_->ready(epoch);
}

bool ImmortalHere::handover_takes() const {
    return journal_ != nullptr && journal_->handover() == ReplicaJournal::Handover::taken;
}

void ImmortalHere::handover_take(Epoch above, Done done) { journal_->take(above, std::move(done)); }

void ImmortalHere::handover_give(const std::string& to, Done done) {
    journal_->give(to, std::move(done));
}

void ImmortalHere::registered(std::uint64_t order) {
    log_.info("immortal.registered", {kv("service", options_.service), kv("order", order)});
    report();
}

void ImmortalHere::refused(const Error& reason) {
    log_.warn("immortal.registration_refused",
              {kv("service", options_.service), kv("error", reason)});
}

// --- The end -------------------------------------------------------------------------------------

void ImmortalHere::close(std::function<void()> done) {
    US_ASSERT(!closing_);
    closing_ = true;
    closed_ = std::move(done);
    handover_.stop();
    report_timer_.reset();
    journaled_ = nullptr;
    if (reopening_) return;  // It ends behind that.
    close_member([this] { close_places(); });
}

void ImmortalHere::close_member(std::function<void()> done) {
    opening_.reset();
    const auto close_journal = [this, done = std::move(done)] {
        member_.reset();
        if (journal_ == nullptr) return done();
        journal_->close([this, done] {
            later([this, done] {
                journal_.reset();
                application_.reset();
                done();
            });
        });
    };
    if (member_ == nullptr) return later(close_journal);
    member_->close([this, close_journal] { later(close_journal); });
}

void ImmortalHere::close_places() {
    if (places_ == nullptr) return std::exchange(closed_, nullptr)();
    places_->close([this] {
        later([this] { std::exchange(closed_, nullptr)(); });
    });
}

}  // namespace understudy::library
