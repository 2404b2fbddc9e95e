#include "understudy/proxy.h"

#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "library/records/agent_impl.h"
#include "library/records/proxy_impl.h"
#include "library/threads/guard.h"
#include "understudy/limits.h"

namespace understudy {

namespace {

constexpr Duration answer_grace = 500ms;  // The loop ends a call at its deadline, if it can.

[[nodiscard]] Error on_loop_error() {
    return {.code = Errc::bad_config,
            .detail = "a handler on the loop thread may not wait for an answer"};
}

[[nodiscard]] long long to_ms(Duration duration) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

}  // namespace

// --- Records -------------------------------------------------------------------------------------

Result<Subscription> Proxy::subscribe(std::string_view record, RecordListener listener,
                                      const SubscribeOptions& options) {
    return Subscription(US_TRY(impl_->subscribe(record, std::move(listener), options)));
}

Result<void> Proxy::on_record(std::string_view record, RecordListener listener,
                              const SubscribeOptions& options) {
    Subscription subscription = US_TRY(subscribe(record, std::move(listener), options));
    subscription.detach();
    return {};
}

void Proxy::on_record_status(const Subscription& subscription,
                             std::function<void(RecordStatus)> listener) {
    if (subscription.impl_ == nullptr) return;
    const std::shared_ptr<Agent::Impl> agent = impl_->agent;
    auto add = [agent, subscribed = subscription.impl_, listener = std::move(listener)]() mutable {
        if (agent->closing.load()) return;
        subscribed->add_status_listener(*agent->log, std::move(listener));
    };
    if (subscription.impl_->where == RunOn::loop_thread) {
        agent->loop.post(std::move(add));
    } else {
        agent->callbacks->post(std::move(add));
    }
}

Result<RecordImage> Proxy::get(std::string_view record, Duration timeout) {
    US_CHECK(check_record_name(record));
    if (impl_->closed.load()) return impl_->closed_error();
    library::LoopThread& loop = impl_->agent->loop;
    if (loop.on_loop()) return on_loop_error();
    const auto read = std::make_shared<Impl::Read>();
    auto image = loop.await(
        [impl = impl_, name = std::string(record), read] { impl->begin_read(name, read); }, *read,
        library::later(library::clock_now(), timeout));
    if (image) return *std::move(image);
    loop.post([impl = impl_, read] { impl->end_read(read); });
    const ConnectionStatus status = this->status();
    std::string trouble = "the proxy is closed";
    (void)loop.run([&] {
        if (impl_->client != nullptr) trouble = impl_->client->trouble();
    });
    return Error{.code = Errc::timed_out,
                 .detail = fmt::format("record {} of {} did not come within {} ms: {}", record,
                                       impl_->family, to_ms(timeout),
                                       status.connected ? status.member + " does not answer"
                                                        : trouble)};
}

// --- Calls ---------------------------------------------------------------------------------------

Result<CallResult> Proxy::call(std::string_view name, const Arguments& arguments,
                               CallOptions options) {
    library::LoopThread& loop = impl_->agent->loop;
    if (loop.on_loop()) return on_loop_error();
    US_CHECK(impl_->check_not_own(name));
    auto item = US_TRY(impl_->prepare(name, arguments, options, record::Answer::wanted));
    const TimePoint deadline = item.call.deadline;
    const auto answer = std::make_shared<library::Once<Result<Buffer>>>();
    item.finished = [answer](Result<Buffer> outcome) { answer->set(std::move(outcome)); };
    (void)US_TRY(impl_->outgoing.add(std::move(item)));
    auto outcome = loop.await([impl = impl_] { impl->send_queued(); }, *answer,
                              library::later(deadline, answer_grace));
    if (!outcome) {
        return Error{.code = Errc::timed_out, .effect = Effect::unknown,
                     .detail = fmt::format("{}: no answer within {} ms", name,
                                           to_ms(options.deadline))};
    }
    if (!*outcome) return std::move(*outcome).error();
    return Impl::read_result(**outcome);
}

void Proxy::call_async(std::string_view name, const Arguments& arguments, CallOptions options,
                       std::function<void(Result<CallResult>)> done) {
    auto tell = [agent = impl_->agent, done = std::move(done)](Result<CallResult> outcome) {
        agent->callbacks->post([agent, done, outcome = std::move(outcome)]() mutable {
            library::guarded(*agent->log, "call", [&] { done(std::move(outcome)); });
        });
    };
    auto item = impl_->prepare(name, arguments, options, record::Answer::wanted);
    if (!item) return tell(std::move(item).error());
    item->finished = [tell](Result<Buffer> outcome) {
        if (!outcome) return tell(std::move(outcome).error());
        tell(Impl::read_result(*outcome));
    };
    if (auto queued = impl_->queue_call(*std::move(item)); !queued) tell(queued.error());
}

Result<void> Proxy::send(std::string_view name, const Arguments& arguments) {
    return impl_->queue_call(
        US_TRY(impl_->prepare(name, arguments, CallOptions{}, record::Answer::unwanted)));
}

// --- State ---------------------------------------------------------------------------------------

void Proxy::on_status(std::function<void(const ConnectionStatus&)> listener) {
    impl_->status_listeners.add(std::move(listener));
}

void Proxy::on_records(
    std::function<void(const std::vector<std::string>&, const std::vector<std::string>&)>
        listener) {
    impl_->records.add(std::move(listener));
    impl_->want_names();
}

void Proxy::on_rpcs(std::function<void(const std::vector<std::string>&)> listener) {
    impl_->rpcs.add_whole(std::move(listener));
    impl_->want_names();
}

ConnectionStatus Proxy::status() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->status_now;
}

std::string Proxy::family() const { return impl_->family; }

void Proxy::close() {
    if (impl_->closed.exchange(true)) return;
    const auto close_it = [impl = impl_] { impl->close_on_loop(); };
    library::LoopThread& loop = impl_->agent->loop;
    {
        const std::lock_guard lock(impl_->agent->mutex);
        const auto found = impl_->agent->proxies.find({impl_->family, impl_->member});
        if (found != impl_->agent->proxies.end() && found->second == impl_) {
            impl_->agent->proxies.erase(found);
        }
    }
    if (loop.on_loop()) {
        loop.post(close_it);
    } else {
        (void)loop.run(close_it);
    }
}

}  // namespace understudy
