#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/lifetime.h"
#include "hosting/session_server.h"
#include "replica/replica.h"
#include "replica/tenure.h"
#include "runtime/runtime.h"

namespace understudy::hosting {

/// Runs the tenures of one copy, one after the other. It passes events to the tenure, and carries
/// out its effects on a replica and on the sessions.
///
/// Shell: decides nothing. An answer that comes after the end of its tenure is dropped.
/// Thread: loop only.
template <replica::Tenure Tenure>
class TenureDriver final : public SessionServer::Desk {
public:
    using Effect = typename Tenure::Effect;
    using Effects = std::vector<Effect>;
    using Hello = typename Tenure::Hello;
    using Applied = typename Tenure::Applied;

    /// What is specific to one kind of service. These calls must not destroy the driver.
    class Binding {
    public:
        virtual ~Binding() = default;
        [[nodiscard]] virtual Result<Hello> read_hello(Bytes opaque) = 0;
        [[nodiscard]] virtual Buffer write_welcome(const typename Tenure::Welcome& welcome) = 0;
        /// An effect that not every tenure has.
        virtual void carry_out(Effect& /*effect*/) {}
        /// A message of the tenure exceeds the bound of a message. It is not sent.
        virtual void too_long(const replica::Send& /*message*/) {}
        /// Called before the tenure gets a message, or before it starts or gets the time. The
        /// binding can first give it what it must know.
        virtual void before_message(wire::MessageType /*type*/) {}
        virtual void before_tick() {}
        /// A proposed command has this result, and the tenure has been told it.
        virtual void after_commit(const Result<void>& /*result*/) {}
    };

    /// All outlive this.
    TenureDriver(Runtime& runtime, SessionServer& sessions, Binding& binding)
        : runtime_(runtime), sessions_(sessions), binding_(binding) {}

    /// Begins a tenure, made of `arguments`. Sessions come with SessionServer::serve().
    /// Requires: none goes on; `replica` is active and outlives the tenure.
    template <class... Arguments>
    void begin(replica::Replica& replica, Arguments&&... arguments) {
        US_ASSERT(!tenure_);
        replica_ = &replica;
        life_.begin_again();
        tenure_.emplace(std::forward<Arguments>(arguments)...);
        binding_.before_tick();
        carry_out(tenure_->start(now(), wall_ms(), runtime_.random().next() | 1));
    }

    /// Ends it. Its last messages are sent, then all sessions end with `reason`.
    void end(const Error& reason) {
        life_.end();
        timer_.reset();
        for (Effect& effect : tenure_->retire(now())) {
            if (const auto* message = std::get_if<replica::Send>(&effect)) (void)sent(*message);
            if (const auto* close = std::get_if<replica::Close>(&effect)) {
                sessions_.finish(close->session, reason);
            }
        }
        tenure_.reset();
        sessions_.end_sessions(reason);
    }

    /// Ends it without any message. The sessions are unchanged.
    void abandon() {
        life_.end();
        timer_.reset();
        tenure_.reset();
    }

    /// Null: there is none.
    [[nodiscard]] const Tenure* tenure() const { return tenure_ ? &*tenure_ : nullptr; }

    /// Calls `event` with the tenure, and carries out the effects. Requires: there is a tenure.
    template <class Event>
    void tell(Event event) {
        carry_out(event(*tenure_));
    }
    /// Returns `callback` in a form that does nothing after the end of the present tenure.
    template <class Callback>
    [[nodiscard]] auto guarded(Callback callback) const {
        return life_.guarded(std::move(callback));
    }

    /// A peer asks for a session.
    void greet(LinkId session, const Hello& hello) {
        const auto welcome = tenure_->welcome(hello);
        if (!welcome) return sessions_.refuse(session, welcome.error());
        if (!sessions_.open(session, binding_.write_welcome(*welcome))) return;
        carry_out(tenure_->opened(now(), session, hello));
    }

    // SessionServer::Desk
    void session_hello(LinkId session, Bytes opaque) override {
        const auto hello = binding_.read_hello(opaque);
        if (!hello) return sessions_.refuse(session, hello.error());
        greet(session, *hello);
    }
    void session_message(LinkId session, wire::MessageType type, Bytes body) override {
        if (!tenure_) return;
        binding_.before_message(type);
        auto effects = tenure_->received(now(), wall_ms(), session, type, body);
        if (effects) return carry_out(*std::move(effects));
        sessions_.finish(session, effects.error());
        session_closed(session);
    }
    void session_closed(LinkId session) override {
        if (tenure_) carry_out(tenure_->closed(now(), session));
    }

private:
    [[nodiscard]] TimePoint now() const { return runtime_.now(); }
    [[nodiscard]] std::uint64_t wall_ms() const { return runtime_.host().wall_ms(); }

    void carry_out(Effects effects) {
        for (Effect& effect : effects) {
            if (const auto* message = std::get_if<replica::Send>(&effect)) {
                if (!sent(*message)) this->close(message->to);
            } else if (const auto* close = std::get_if<replica::Close>(&effect)) {
                this->close(close->session);
            } else if (auto* command = std::get_if<replica::Propose>(&effect)) {
                propose(std::move(*command));
            } else if (const auto* confirm = std::get_if<replica::Confirm>(&effect)) {
                replica_->read(
                    guarded([this, token = confirm->token](const Result<void>& result) {
                        carry_out(tenure_->confirmed(now(), token, result));
                    }));
            } else {
                binding_.carry_out(effect);
            }
        }
        arm();
    }

    /// False: the peer of the session does not read.
    [[nodiscard]] bool sent(const replica::Send& message) {
        const SessionServer::Sent result = sessions_.send(message.to, message.type, message.body);
        if (result == SessionServer::Sent::too_long) binding_.too_long(message);
        return result != SessionServer::Sent::unread;
    }

    void close(LinkId session) {
        sessions_.cut(session);
        session_closed(session);
    }

    void propose(replica::Propose propose) {
        replica_->submit(
            propose.command,
            propose.urgent ? replica::Urgency::promotion : replica::Urgency::ordinary,
            guarded([this, token = propose.token](const Result<replica::Reply>& reply) {
                const auto applied = reply ? Applied::from(reply->index, reply->bytes)
                                           : Result<Applied>(reply.error());
                carry_out(tenure_->committed(now(), wall_ms(), token, applied));
                binding_.after_commit(applied ? Result<void>() : applied.error());
            }));
    }

    void arm() {
        if (!tenure_ || timer_ != nullptr) return;
        timer_ = runtime_.at(tenure_->next_deadline(now()), [this] {
            timer_.reset();
            binding_.before_tick();
            if (tenure_) carry_out(tenure_->tick(now(), wall_ms()));
        });
    }

    Runtime& runtime_;
    SessionServer& sessions_;
    Binding& binding_;
    replica::Replica* replica_ = nullptr;
    std::optional<Tenure> tenure_;
    std::unique_ptr<Timer> timer_;
    Lifetime life_;  ///< Of the present tenure.
};

}  // namespace understudy::hosting
