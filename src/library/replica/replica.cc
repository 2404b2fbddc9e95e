#include "understudy/replica.h"

#include <utility>

#include "library/engine.h"
#include "library/options.h"
#include "library/replica/replica_impl.h"
#include "library/threads/clock.h"
#include "library/threads/guard.h"
#include "library/threads/sink_log.h"

namespace understudy {

namespace {

[[nodiscard]] Result<void> check(const ReplicaOptions& options) {
    US_CHECK(hosting::JournalChoice::check(options, library::engine()));
    if (!options.listen.empty()) {
        auto listen =
            library::check_listen(options.listen, options.tls.has_value(), options.insecure);
        if (!listen) return listen.error();
    }
    if (auto registry = library::check_registry(options.registry, options.tls); !registry) {
        return registry.error();
    }
    if (!options.registry.empty() && std::holds_alternative<LocalDirectory>(options.journal)) {
        return Error{
            .code = Errc::bad_config,
            .detail = "registry: a local journal has one member; a registry is for several"};
    }
    return {};
}

}  // namespace

Result<Replica> Replica::open(ReplicaOptions options, std::shared_ptr<StateMachine> machine) {
    US_ASSERT(machine != nullptr);
    if (!options.registry.empty() && options.checkpointer == Checkpointer::dedicated) {
        return Error{.code = Errc::bad_config,
                     .detail =
                         "checkpointer dedicated: the journal may have to be opened again; "
                         "give a function that makes state machines"};
    }
    return open(std::move(options), [machine = std::move(machine)] { return machine; });
}

Result<Replica> Replica::open(ReplicaOptions options, MakeStateMachine make) {
    US_CHECK(check(options));
    const std::shared_ptr<Log> log = library::make_log(options.log);
    auto threads = US_TRY(library::join_threads(options.threads, log));
    const bool shared = options.threads.has_value();
    auto impl =
        std::make_shared<Impl>(log, std::move(options), std::move(make), std::move(threads));
    if (!shared) impl->threads->callbacks->leave(TimePoint{});  // They are not shared.
    impl->begin();
    return Replica(std::move(impl));
}

Replica::Replica(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Replica::Replica(Replica&&) noexcept = default;
Replica& Replica::operator=(Replica&& other) noexcept {
    if (this != &other) {
        close();
        impl_ = std::move(other.impl_);
    }
    return *this;
}
Replica::~Replica() { close(); }

void Replica::close(Duration limit) {
    if (const std::shared_ptr<Impl> impl = impl_) impl->close(limit);
}

Result<void> Replica::wait_open(Duration timeout) {
    return impl_->board.wait_open(timeout);
}

Result<void> Replica::wait_active(Duration timeout) {
    return impl_->board.wait_active(timeout);
}

Result<Buffer> Replica::submit(Bytes command, Duration timeout) {
    return impl_->await<Buffer>(
        timeout, [bytes = Buffer(command.begin(), command.end())](
                     Impl& impl, std::function<void(Result<Buffer>)> told) {
            auto here = impl.serving();
            if (!here) return told(std::move(here).error());
            (*here)->submit(std::nullopt, bytes,
                            [told = std::move(told)](Result<replica::Reply> reply) {
                                if (!reply) return told(std::move(reply).error());
                                told(Buffer(reply->bytes.begin(), reply->bytes.end()));
                            });
        });
}

Result<Buffer> Replica::submit(const Request& request, Bytes command, Duration timeout) {
    return impl_->await<Buffer>(
        timeout, [request, bytes = Buffer(command.begin(), command.end())](
                     Impl& impl, std::function<void(Result<Buffer>)> told) {
            auto here = impl.serving();
            if (!here) return told(std::move(here).error());
            (*here)->submit(request, bytes, [told = std::move(told)](Result<replica::Reply> reply) {
                if (!reply) return told(std::move(reply).error());
                told(Buffer(reply->bytes.begin(), reply->bytes.end()));
            });
        });
}

void Replica::submit(Bytes command, Answered answered) {
    impl_->submit(std::nullopt, command, std::move(answered));
}

void Replica::submit(const Request& request, Bytes command, Answered answered) {
    impl_->submit(request, command, std::move(answered));
}

Result<SessionId> Replica::open_session(Duration timeout) {
    return impl_->await<SessionId>(
        timeout, [](Impl& impl, std::function<void(Result<SessionId>)> told) {
            auto here = impl.serving();
            if (!here) return told(std::move(here).error());
            (*here)->open_session(std::move(told));
        });
}

Result<Replica::Outcome> Replica::outcome(const Request& request, Duration timeout) {
    return impl_->await<Outcome>(
        timeout, [request](Impl& impl, std::function<void(Result<Outcome>)> told) {
            auto here = impl.serving();
            if (!here) return told(std::move(here).error());
            (*here)->outcome(request, [told = std::move(told)](
                                          Result<replica::Replica::Outcome> outcome) {
                if (!outcome) return told(std::move(outcome).error());
                told(Outcome{.fate = outcome->fate,
                             .reply = Buffer(outcome->reply.begin(), outcome->reply.end())});
            });
        });
}

Result<void> Replica::read(std::function<void()> look, Duration timeout) {
    return impl_->await<void>(timeout, [look = std::move(look)](
                                           Impl& impl, std::function<void(Result<void>)> told) {
        auto here = impl.serving();
        if (!here) return told(std::move(here).error());
        (*here)->read([look, told = std::move(told), &impl](Result<void> current) {
            if (current) library::guarded(*impl.log, "look", look);
            told(std::move(current));
        });
    });
}

void Replica::on_role(std::function<void(const ReplicaStatus&)> listener) {
    impl_->board.listen(std::move(listener));
}

ReplicaStatus Replica::status() const { return impl_->current(); }

}  // namespace understudy
