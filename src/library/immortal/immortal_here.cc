#include "library/immortal/immortal_here.h"

#include <utility>

#include "hosting/options.h"
#include "library/engine.h"
#include "library/options.h"
#include "library/threads/guard.h"
#include "understudy/limits.h"

namespace understudy::library {

namespace {

[[nodiscard]] ReplicaOptions replica_options(const ImmortalOptions& options) {
    return {.service = options.service,
            .member = options.member,
            .journal = options.journal,
            .checkpointer = Checkpointer::dedicated,
            .checkpoint_every_bytes = options.checkpoint_every_bytes};
}

[[nodiscard]] Result<hosting::Places::Options> places_options(const ImmortalOptions& options) {
    hosting::Places::Options places;
    places.registry = US_TRY(check_registry(options.registry, options.tls));
    places.listed = options.peers;
    US_CHECK(hosting::Places::check(places));
    return places;
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
    US_CHECK(hosting::JournalChoice::check(replica_options(options), engine()));
    auto listen = check_listen(options.listen, options.tls.has_value(), options.insecure);
    if (!listen) return listen.error();
    if (auto places = places_options(options); !places) return places.error();
    return {};
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
    : runtime_(runtime), log_(log), options_(options), observer_(observer), classes_(classes) {
    later([this] { begin(); });
}

ImmortalHere::~ImmortalHere() = default;

void ImmortalHere::begin() {
    if (closing_) return;
    auto places = hosting::Places::open(runtime_, log_, *places_options(options_));
    if (!places) return fail(places.error());
    places_ = *std::move(places);
    own_.address = *check_listen(options_.listen, options_.tls.has_value(), options_.insecure);
    const bool registry = places_->agent() != nullptr;
    if (registry) {
        auto own = hosting::own_address(runtime_.network(), std::move(own_.address));
        if (!own) return fail(own.error());
        own_ = *std::move(own);
    }
    hosting::Copy::World world{
        .runtime = runtime_,
        .log = log_,
        .agent = places_->agent(),
        .make_journal = [this](hosting::Copy::Electable electable) {
            return hosting::JournalChoice::make(
                {.runtime = runtime_, .log = log_, .nodes = nodes_, .engine = engine()},
                replica_options(options_), electable, {.use = journal::DirectoryUse::immortal});
        }};
    copy_ = std::make_unique<hosting::Copy>(
        std::move(world),
        hosting::Copy::Names{.service = options_.service, .member = options_.member},
        static_cast<hosting::Copy::Owner&>(*this));
    if (registry) {
        auto entered = copy_->enter(
            hosting::place_in_line(replica_options(options_), own_.address, options_.advertise));
        if (!entered) return fail(entered.error());
    }
    open();
}

void ImmortalHere::open() {
    application_ = std::make_unique<immortal::LinkedApplication>(log_, classes_);
    copy_->open([this](const journal::Open& journal, std::optional<replica::CheckpointDuty> duty,
                       hosting::Copy::Opened opened) {
        return open_member(journal, duty, std::move(opened));
    });
}

std::unique_ptr<journal::Opening> ImmortalHere::open_member(
    const journal::Open& journal, std::optional<replica::CheckpointDuty> duty,
    hosting::Copy::Opened opened) {
    const bool alone = std::holds_alternative<LocalDirectory>(options_.journal);
    node::ImmortalMember::Options how;
    how.service = options_.service;
    how.member = options_.member;
    how.listen = own_.address;
    how.tls = to_options(options_.tls);
    how.checkpoint_every_bytes = options_.checkpoint_every_bytes;
    how.checkpoint_duty =
        duty.value_or(alone ? replica::CheckpointDuty::mine : replica::CheckpointDuty::standbys);
    return node::ImmortalMember::open(
        runtime_, log_, std::move(how), journal, *application_, *places_,
        hosting::Copy::passing_on<node::ImmortalMember>(std::move(opened)));
}

node::ImmortalMember* ImmortalHere::member() const {
    return copy_ == nullptr ? nullptr : static_cast<node::ImmortalMember*>(copy_->member());
}

void ImmortalHere::fail(const Error& error) { observer_.failed(error); }

/// A copy that cannot go on leaves the line, so that no other process waits for it.
void ImmortalHere::copy_failed(const Error& error) {
    fail(error);
    later([this] {
        if (!closing_) copy_->end([] {});
    });
}

void ImmortalHere::later(std::function<void()> task) {
    runtime_.post(life_.guarded(std::move(task)));
}

// --- Asked ---------------------------------------------------------------------------------------

void ImmortalHere::impulse(std::string_view handler, Bytes arguments, Answered answered) {
    if (member() == nullptr) return answered(not_open());
    member()->impulse(handler, arguments, std::move(answered));
}

void ImmortalHere::upgrade(std::uint32_t version, Done done) {
    if (member() == nullptr) return done(not_open());
    member()->upgrade(version, std::move(done));
}

void ImmortalHere::forget(std::string_view peer, Done done) {
    if (member() == nullptr) return done(not_open());
    member()->forget(peer, std::move(done));
}

void ImmortalHere::look(Look look, Done done) {
    if (member() == nullptr) return done(not_open());
    member()->read([this, look = std::move(look), done = std::move(done)](Result<void> current) {
        if (current && application_->object() == nullptr) current = not_open();
        if (current) guarded(log_, "look", [&] { current = look(*application_->object()); });
        done(std::move(current));
    });
}

void ImmortalHere::fill(ImmortalStatus& status) const {
    if (member() == nullptr) return;
    const replica::Replica& replica = member()->replica();
    status.role = copy_->role();
    status.epoch = replica.standing().epoch;
    status.active = replica.standing().active;
    status.address = to_string(member()->address());
    status.version = application_->version();
    status.applied = replica.applied();
    status.checkpoint = replica.checkpoint();
    status.time = replica.time();
    status.durability = name(replica.durability());
    status.disk_full = replica.space() != replica::Space::ok;
    status.inputs = member()->machine().position().value;
    status.waiting_bytes = member()->machine().waiting_bytes();
    status.peers = member()->machine().peers().size();
    status.received = member()->counters().messages_received;
    status.repeated = member()->counters().repeated;
    status.links = member()->counters().links;
    status.checkpoints = replica.checkpoint_counters().taken;
}

// --- The end -------------------------------------------------------------------------------------

void ImmortalHere::close(std::function<void()> done) {
    US_ASSERT(!closing_);
    closing_ = true;
    closed_ = std::move(done);
    if (copy_ == nullptr) return later([this] { close_places(); });
    copy_->end([this] { close_places(); });
}

void ImmortalHere::close_places() {
    if (places_ == nullptr) return std::exchange(closed_, nullptr)();
    places_->close([this] {
        later([this] { std::exchange(closed_, nullptr)(); });
    });
}

}  // namespace understudy::library
