#include "library/records/journaled_service.h"

#include <utility>

#include "hosting/options.h"
#include "library/engine.h"

namespace understudy::library {

namespace {

[[nodiscard]] ReplicaOptions replica_options(const ServiceOptions& options) {
    ReplicaOptions how{.service = options.family, .member = options.member, .journal = {}};
    std::visit([&](const auto& journal) { how.journal = journal; }, *options.journal);
    return how;
}

}  // namespace

JournaledService::JournaledService(const World& world, const ServiceOptions& options,
                                   client::Member& member, Observer& observer)
    : world_(world),
      options_(options),
      member_(member),
      observer_(observer),
      state_(member.publisher()),
      no_places_(world.runtime),
      copy_({.runtime = world.runtime,
             .log = world.log,
             .agent = &world.agent,
             .make_journal =
                 [this](hosting::Copy::Electable electable) {
                     return hosting::JournalChoice::make({.runtime = world_.runtime,
                                                          .log = world_.log,
                                                          .nodes = world_.nodes,
                                                          .engine = engine()},
                                                         replica_options(options_), electable, {});
                 }},
            {.service = options.family, .member = options.member},
            static_cast<hosting::Copy::Owner&>(*this)) {}

JournaledService::~JournaledService() { life_.end(); }

Result<void> JournaledService::check(const ServiceOptions& options) {
    if (options.redundancy != Redundancy::fault_tolerant) {
        return Error{.code = Errc::bad_config,
                     .detail = "journal: only a fault-tolerant service has records that survive"};
    }
    return hosting::JournalChoice::check(replica_options(options), engine());
}

Result<void> JournaledService::begin() {
    US_CHECK(copy_.enter(
        hosting::place_in_line(replica_options(options_), world_.agent.advertised(), {})));
    open();
    return {};
}

void JournaledService::open() {
    copy_.open([this](const journal::Open& journal, std::optional<replica::CheckpointDuty> duty,
                      hosting::Copy::Opened opened) {
        hosting::ReplicaMember::Options how;
        how.service = options_.family;
        how.member = options_.member;
        how.replica.checkpoints.every_bytes = options_.checkpoint_every_bytes;
        how.replica.checkpoint_duty = duty.value_or(replica::CheckpointDuty::standbys);
        return hosting::ReplicaMember::open(
            world_.runtime, world_.log, std::move(how), journal, state_, no_places_,
            hosting::Copy::passing_on<hosting::ReplicaMember>(std::move(opened)));
    });
}

hosting::ReplicaMember* JournaledService::replica() {
    return static_cast<hosting::ReplicaMember*>(copy_.member());
}

void JournaledService::copy_standing_changed() {
    const hosting::ReplicaMember* const open = replica();
    if (open == nullptr) return;
    const replica::Standing& standing = open->replica().standing();
    const bool active = standing.role == Role::active;
    member_.set_known_active(standing.active);
    const Epoch tenure = active ? standing.epoch : Epoch{};
    if (std::exchange(tenure_, tenure) != tenure && active) {
        refused_.reset();
        observer_.records_reset();
    }
    member_.granted(active ? Role::active : Role::standby, standing.epoch, 0);
}

/// A member that cannot go on leaves the line, so that no other process waits for it.
void JournaledService::copy_failed(const Error& error) {
    observer_.journal_failed(error);
    tenure_ = {};
    if (member_.role().role() == Role::active) {
        member_.granted(Role::standby, member_.role().epoch_heard(), 0);
    }
    world_.runtime.post(life_.guarded([this] { copy_.end([] {}); }));
}

// --- Changes -------------------------------------------------------------------------------------

void JournaledService::submit(Kind kind, std::string_view name, Bytes bytes) {
    // A change that follows a refused one was made to records that do not exist in that state, so
    // it is dropped.
    if (refused_) return;
    if (replica() == nullptr || tenure_.value == 0) {
        return answered(Error{.code = Errc::not_active,
                              .detail = options_.family + "/" + options_.member +
                                        " is not active"});
    }
    ++under_way_;
    record::State::encode(kind, name, bytes, command_);
    replica()->submit_own(command_, life_.guarded([this](const Result<replica::Reply>& reply) {
        --under_way_;
        answered(reply);
    }));
}

void JournaledService::answered(const Result<replica::Reply>& reply) {
    const Result<void> done =
        reply ? record::State::result_of(reply->bytes) : Result<void>(reply.error());
    if (!done && !refused_) {
        refused_ = done.error();
        world_.log.error("record.not_published",
                         {kv("service", options_.family), kv("error", *refused_)});
    }
    if (under_way_ == 0) settle();
}

/// Called when no change is under way. Callers that wait get the result, and after a refusal the
/// records are reset.
void JournaledService::settle() {
    const auto waiting = std::exchange(waiting_, {});
    const auto refused = std::exchange(refused_, std::nullopt);
    if (refused) observer_.records_reset();
    for (const Done& done : waiting) done(refused ? Result<void>(*refused) : Result<void>());
}

void JournaledService::when_durable(Done done) {
    waiting_.push_back(std::move(done));
    if (under_way_ == 0) settle();
}

void JournaledService::close(std::function<void()> done) {
    tenure_ = {};
    copy_.end(std::move(done));
}

}  // namespace understudy::library
