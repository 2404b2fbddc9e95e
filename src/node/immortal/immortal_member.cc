#include "node/immortal/immortal_member.h"

#include <type_traits>
#include <utility>

#include "base/lifetime.h"
#include "hosting/active_hint.h"
#include "hosting/opening_member.h"
#include "hosting/submitter.h"
#include "node/immortal/immortal_images.h"
#include "node/immortal/immortal_tenure.h"

namespace understudy::node {

using immortal::Batch;
using immortal::Machine;
using replica::CheckpointDuty;
using replica::Replica;
using replica::Standing;

namespace {

/// Connects machine, replica and links. ImmortalTenure does the work of an active member.
class Member final : public ImmortalMember,
                     private StateMachine,
                     private Machine::Observer,
                     private Courier::Owner {
public:
    Member(Runtime& runtime, Log& log, Options options, immortal::Application& application,
           hosting::Locator& locator)
        : runtime_(runtime),
          log_(log),
          options_(std::move(options)),
          application_(application),
          locator_(locator),
          machine_(options_.service, application, *this),
          courier_(runtime, log,
                   {.name = options_.service,
                    .tls = options_.tls,
                    .window_bytes = options_.unconfirmed_bytes_max},
                   locator, *this),
          submitter_(runtime, options_.service) {}
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;
    ~Member() override { life_.end(); }

    /// Errors: as Network::listen().
    [[nodiscard]] Result<void> listen() {
        listener_ = US_TRY(runtime_.network().listen(
            options_.listen, options_.tls, [this](std::unique_ptr<Connection> connection) {
                courier_.accept(std::move(connection));
            }));
        hint_.emplace(locator_, options_.service, options_.member);
        return {};
    }

    [[nodiscard]] std::unique_ptr<journal::Opening> open(const journal::Open& journal,
                                                         Replica::Opened opened) {
        Replica::Options options{.checkpoint_duty = options_.checkpoint_duty};
        // If the application is not immediate, there is no state at once: see ImmortalImages.
        const bool immediate = application_.immediate();
        options.checkpoints.every_bytes = immediate ? options_.checkpoint_every_bytes : 0;
        return Replica::open(runtime_, log_, options, journal, *this, std::move(opened));
    }
    /// Errors: the reason if the application failed during the replay.
    [[nodiscard]] Result<void> begin(std::unique_ptr<Replica> replica) {
        if (broken_) return *broken_;
        replica_ = std::move(replica);
        submitter_.begin(*replica_);
        if (!application_.immediate()) {
            images_.emplace(runtime_, machine_, *replica_, options_.checkpoint_every_bytes,
                            options_.checkpoint_duty);
        }
        replica_->on_standing([this](const Standing& standing) { standing_changed(standing); });
        replica_->on_failed([this](const Error& error) { fail(error); });
        if (replica_->active()) begin_tenure();
        return {};
    }

    void impulse(std::string_view handler, Bytes arguments, Answered answered) override {
        if (tenure_ && tenure_->too_much_waits()) {
            const bool lags = application_.lag_bytes() > options_.lag_bytes_max;
            return refuse_later(std::move(answered),
                                {.code = Errc::limit_exceeded,
                                 .detail = lags ? "the application of " + options_.service + " lags"
                                                : options_.service + " waits for others"});
        }
        if (arguments.size() > immortal::message_size_max) {
            return refuse_later(std::move(answered),
                                {.code = Errc::limit_exceeded, .detail = "arguments too long"});
        }
        const immortal::ImpulseCommand command{.wall_ms = runtime_.host().wall_ms(),
                                               .name = handler,
                                               .arguments = arguments};
        submit(command, [answered = std::move(answered)](Result<replica::Reply> reply) {
            if (!answered) return;
            if (!reply) return answered(std::move(reply).error());
            if (reply->bytes.empty()) return answered(Bytes{});
            const Bytes rest = reply->bytes.subspan(1);
            if (reply->bytes.front() == std::byte{0}) return answered(rest);
            answered(immortal::decode_refusal(rest));
        });
    }

    void upgrade(std::uint32_t version, Done done) override {
        if (version <= machine_.version()) {
            return refuse_later(std::move(done),
                                {.code = Errc::bad_config,
                                 .detail = options_.service + " is at version " +
                                           std::to_string(machine_.version()) + " already"});
        }
        const auto able = tenure_ ? application_.check_upgrade(version) : Result<void>();
        if (!able) return refuse_later(std::move(done), able.error());
        const immortal::UpgradeCommand command{.wall_ms = runtime_.host().wall_ms(),
                                               .version = version};
        submit(command, [done = std::move(done)](Result<replica::Reply> reply) {
            if (!done) return;
            if (!reply) return done(std::move(reply).error());
            done({});
        });
    }

    void forget(std::string_view peer, Done done) override {
        if (!tenure_) return refuse_later(std::move(done), not_active());
        tenure_->forget(std::string(peer), std::move(done));
    }

    void hold(std::function<void()> held) override { submitter_.hold(std::move(held)); }
    void release() override {
        submitter_.release();
        if (tenure_) tenure_->released();
    }

    void read(Done done) override { replica_->read(std::move(done)); }
    void checkpoint(std::function<void(Result<Index>)> done) override {
        if (images_) return images_->take(std::move(done));
        replica_->checkpoint_now(std::move(done));
    }
    void set_checkpoint_duty(bool mine) override {
        if (images_) images_->set_duty(mine ? CheckpointDuty::mine : CheckpointDuty::others);
        replica_->set_checkpoint_duty(mine);
    }

    [[nodiscard]] const Replica& replica() const override { return *replica_; }
    [[nodiscard]] const Machine& machine() const override { return machine_; }
    [[nodiscard]] const Address& address() const override { return listener_->address(); }
    [[nodiscard]] const Counters& counters() const override {
        shown_ = counters_;
        shown_.batches_sent = courier_.counters().batches_sent;
        shown_.links = courier_.counters().links;
        return shown_;
    }

    void on_standing(std::function<void(const Standing&)> changed) override {
        on_standing_ = std::move(changed);
    }
    void on_failed(std::function<void(const Error&)> failed) override {
        on_failed_ = std::move(failed);
    }
    void close(std::function<void()> done) override {
        closing_ = true;
        end_tenure();
        submitter_.refuse(not_active());
        listener_.reset();
        images_.reset();
        replica_->close(std::move(done));
    }

private:
    // --- The state machine, between replica and machine ---

    void apply(const Command& command, Buffer& reply) override {
        machine_.apply(command, reply);
        if (images_) images_->applied(command.body.size());
    }
    std::unique_ptr<Snapshot> begin_snapshot() override { return machine_.begin_snapshot(); }
    Result<void> restore_piece(Bytes piece, PiecePlace place) override {
        auto taken = machine_.restore_piece(piece, place);
        if (place.first && images_) images_->restored();
        return taken;
    }
    std::uint64_t hash() const override { return machine_.hash(); }

    // --- Events of the machine ---

    void output_ready(const std::string& peer) override {
        if (tenure_) tenure_->output_ready(peer);
    }
    void input_durable(const std::string& peer, MessageNo) override {
        if (tenure_) tenure_->input_durable(peer);
    }
    void timers_changed() override {
        if (tenure_) tenure_->timers_changed();
    }
    void image_ready() override {
        if (images_) images_->image_ready();
    }
    void broken(const Error& error) override {
        broken_ = error;
        log_.error("immortal.broken", {kv("service", options_.service), kv("error", error)});
        runtime_.post([this, here = life_.watch(), error] {
            if (!here.ended()) fail(error);
        });
    }

    // --- Calls of the courier ---

    ImmortalHello hello(const std::string& peer) override {
        return tenure_ ? tenure_->hello(peer) : ImmortalHello{};
    }
    void link_wanted(Courier::GuestId guest, const ImmortalHello& hello) override {
        if (hello.service != options_.service) {
            return courier_.refuse(guest, {.code = Errc::not_found,
                                           .detail = "this is " + options_.service + ", not " +
                                                     hello.service});
        }
        if (tenure_) return tenure_->link_wanted(guest, hello);
        courier_.send_elsewhere(guest, elsewhere());
    }
    Result<void> link_taken(const std::string& peer, const ImmortalWelcome& welcome) override {
        if (!tenure_) return not_active();
        return tenure_->link_taken(peer, welcome);
    }
    void link_lost(const std::string& peer) override {
        if (tenure_) tenure_->link_lost(peer);
    }
    bool wants_link(const std::string& peer) override {
        return tenure_ && tenure_->wants_link(peer);
    }
    immortal::Outbox::ChunkPtr chunk(const std::string& peer, MessageNo from) override {
        return tenure_ ? tenure_->chunk(peer, from) : nullptr;
    }
    Result<void> batch_received(const std::string& peer, const Batch& batch) override {
        if (!tenure_) return not_active();
        return tenure_->batch_received(peer, batch);
    }
    Result<void> durable_there(const std::string& peer, MessageNo upto,
                               std::size_t bytes) override {
        if (!tenure_) return not_active();
        return tenure_->durable_there(peer, upto, bytes);
    }
    void session_over(const std::string& peer) override {
        if (tenure_) tenure_->forget(peer, nullptr);
    }
    MessageNo durable_here(const std::string& peer) override {
        return tenure_ ? tenure_->durable_here(peer) : MessageNo{};
    }

    // --- Roles ---

    void standing_changed(const Standing& standing) {
        if (closing_) return;
        end_tenure();
        submitter_.refuse(not_active());
        if (standing.role == Role::active) begin_tenure();
        if (const auto changed = on_standing_) changed(standing);
    }
    void begin_tenure() {
        if (broken_) return;
        tenure_.emplace(ImmortalTenure::World{.runtime = runtime_,
                                              .log = log_,
                                              .options = options_,
                                              .replica = *replica_,
                                              .machine = machine_,
                                              .application = application_,
                                              .submitter = submitter_,
                                              .courier = courier_,
                                              .counters = counters_,
                                              .first_started = [this] { first_started(); }});
    }
    void end_tenure() {
        tenure_.reset();
        courier_.drop_all();
    }
    /// Copies that join later begin with this checkpoint.
    void first_started() {
        checkpoint([this, here = life_.watch()](const Result<Index>& taken) {
            if (here.ended() || taken) return;
            log_.warn("immortal.no_checkpoint",
                      {kv("service", options_.service), kv("error", taken.error())});
        });
    }
    void fail(const Error& error) {
        if (std::exchange(failed_, true)) return;
        end_tenure();
        if (on_failed_) std::exchange(on_failed_, {})(error);
    }

    [[nodiscard]] ImmortalElsewhere elsewhere() const {
        ImmortalElsewhere answer;
        if (replica_ == nullptr) return answer;
        const hosting::Locator::Place active = hint_->active(replica_->standing());
        answer.member = active.member;
        answer.epoch = active.epoch;
        answer.address = active.address;
        return answer;
    }
    [[nodiscard]] Error not_active() const {
        return {.code = Errc::not_active, .detail = options_.service + " is not active here"};
    }

    template <class Answer>
    void submit(const immortal::AnyCommand& command, Answer answered) {
        if (broken_) {
            return refuse_later(std::move(answered),
                                {.code = broken_->code, .detail = broken_->detail});
        }
        if (auto room = submitter_.check_room(); !room) {
            return refuse_later(std::move(answered), room.error());
        }
        submitter_.submit({}, encode(command), std::move(answered));
    }
    template <class Answer>
    void refuse_later(Answer answered, Error error) {
        runtime_.post(
            [here = life_.watch(), answered = std::move(answered), error = std::move(error)] {
                if (here.ended()) return;
                if constexpr (std::is_constructible_v<bool, Answer>) {
                    if (!answered) return;
                }
                answered(error);
            });
    }

    Runtime& runtime_;
    Log& log_;
    const Options options_;
    immortal::Application& application_;
    hosting::Locator& locator_;
    std::function<void(const Standing&)> on_standing_;
    std::function<void(const Error&)> on_failed_;
    std::optional<Error> broken_;
    bool failed_ = false;
    bool closing_ = false;
    Counters counters_;
    mutable Counters shown_;
    std::optional<hosting::ActiveHint> hint_;
    Machine machine_;
    Courier courier_;
    std::unique_ptr<Listener> listener_;
    std::unique_ptr<Replica> replica_;
    hosting::Submitter submitter_;
    std::optional<ImmortalImages> images_;
    std::optional<ImmortalTenure> tenure_;
    Lifetime life_;
};

}  // namespace

std::unique_ptr<journal::Opening> ImmortalMember::open(Runtime& runtime, Log& log, Options options,
                                                       const journal::Open& journal,
                                                       immortal::Application& application,
                                                       hosting::Locator& locator, Opened opened) {
    return std::make_unique<hosting::OpeningMember<ImmortalMember, Member>>(
        runtime, std::make_unique<Member>(runtime, log, std::move(options), application, locator),
        [&](Member& member, Replica::Opened replica_opened) {
            return member.open(journal, std::move(replica_opened));
        },
        std::move(opened));
}

}  // namespace understudy::node
