#include "hosting/replica_member.h"

#include <utility>

#include "base/lifetime.h"
#include "hosting/opening_member.h"
#include "hosting/replica_port.h"

namespace understudy::hosting {

using replica::Replica;
using replica::Standing;

namespace {

class OpenReplica final : public ReplicaMember {
public:
    OpenReplica(Runtime& runtime, Log& log, Options options, Locator& locator)
        : runtime_(runtime),
          log_(log),
          options_(std::move(options)),
          submitter_(runtime, options_.service) {
        if (!options_.listen) return;
        port_.emplace(runtime_, log_,
                      ReplicaPort::Options{.service = options_.service,
                                           .member = options_.member,
                                           .listen = *options_.listen,
                                           .tls = options_.tls},
                      locator, submitter_);
    }
    ~OpenReplica() override { life_.end(); }

    [[nodiscard]] Result<void> listen() { return port_ ? port_->listen() : Result<void>(); }
    [[nodiscard]] Result<void> begin(std::unique_ptr<Replica> replica) {
        replica_ = std::move(replica);
        tenure_ = replica_->active() ? replica_->epoch() : Epoch{};
        submitter_.begin(*replica_);
        if (port_) port_->begin(*replica_);
        replica_->on_standing([this](const Standing& standing) { standing_changed(standing); });
        return {};
    }

    [[nodiscard]] const Replica& replica() const override { return *replica_; }
    void read(Done done) override { replica_->read(std::move(done)); }
    void set_checkpoint_duty(bool mine) override { replica_->set_checkpoint_duty(mine); }

    void open_session(std::function<void(Result<SessionId>)> opened) override {
        replica_->open_session(submitter_.counted(std::move(opened)));
    }
    void outcome(const Request& request,
                 std::function<void(Result<Replica::Outcome>)> told) override {
        replica_->outcome(request, submitter_.counted(std::move(told)));
    }
    [[nodiscard]] Address address() const override { return port_ ? port_->address() : Address{}; }

    void hold(std::function<void()> held) override { submitter_.hold(std::move(held)); }
    void release() override { submitter_.release(); }

    void on_standing(std::function<void(const Standing&)> changed) override {
        on_standing_ = std::move(changed);
    }
    void on_failed(std::function<void(const Error&)> failed) override {
        replica_->on_failed(std::move(failed));
    }
    void close(std::function<void()> done) override {
        closing_ = true;
        submitter_.refuse(not_active());
        if (port_) port_->close();
        replica_->close(std::move(done));
    }

private:
    [[nodiscard]] Submitter& submitter() override { return submitter_; }
    void refuse_later(replica::Answered answered, Error error) override {
        runtime_.post(life_.guarded(
            [answered = std::move(answered), error = std::move(error)] { answered(error); }));
    }
    [[nodiscard]] Error not_active() const {
        return {.code = Errc::not_active, .detail = options_.service + " is not active here"};
    }
    void standing_changed(const Standing& standing) {
        if (closing_) return;
        const Epoch tenure = standing.role == Role::active ? standing.epoch : Epoch{};
        if (std::exchange(tenure_, tenure) != tenure) {
            submitter_.refuse(not_active());
            if (port_) port_->tenure_changed();
        }
        if (const auto changed = on_standing_) changed(standing);
    }

    Runtime& runtime_;
    Log& log_;
    const Options options_;
    std::function<void(const Standing&)> on_standing_;
    bool closing_ = false;
    Epoch tenure_;  ///< Of the present tenure here; 0: none.
    std::unique_ptr<Replica> replica_;
    Submitter submitter_;
    std::optional<ReplicaPort> port_;
    Lifetime life_;
};

}  // namespace

std::unique_ptr<journal::Opening> ReplicaMember::open(Runtime& runtime, Log& log, Options options,
                                                      const journal::Open& journal,
                                                      replica::StateMachine& machine,
                                                      Locator& locator, Opened opened) {
    const replica::Replica::Options how = options.replica;
    return std::make_unique<OpeningMember<ReplicaMember, OpenReplica>>(
        runtime, std::make_unique<OpenReplica>(runtime, log, std::move(options), locator),
        [&](OpenReplica&, Replica::Opened replica_opened) {
            return Replica::open(runtime, log, how, journal, machine, std::move(replica_opened));
        },
        std::move(opened));
}

}  // namespace understudy::hosting
