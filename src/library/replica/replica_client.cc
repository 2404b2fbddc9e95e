#include "understudy/replica_client.h"

#include <utility>

#include "library/options.h"
#include "library/replica/replica_client_impl.h"
#include "library/threads/sink_log.h"
#include "understudy/limits.h"

namespace understudy {

namespace {

[[nodiscard]] Result<Buffer> kept(Result<Bytes> reply) {
    if (!reply) return std::move(reply).error();
    return Buffer(reply->begin(), reply->end());
}

}  // namespace

static_assert(ReplicaClient::command_bytes_max == hosting::request_bytes_max);

// --- Implementation ------------------------------------------------------------------------------

ReplicaClient::Impl::Impl(std::shared_ptr<Log> its_log, ReplicaClientOptions its_options,
                          std::shared_ptr<library::ThreadPair> its_threads)
    : log(std::move(its_log)),
      options(std::move(its_options)),
      threads(std::move(its_threads)),
      loop(threads->loop),
      callbacks(std::make_shared<library::Callbacks>(log, threads->callbacks)),
      waiter("client", loop, *callbacks, ending),
      asks(
          log, callbacks, outstanding_bytes_max,
          [this](std::string_view, Bytes command, std::function<void(Result<Bytes>)> then) {
              if (client == nullptr) return then(waiter.closed(Effect::none));
              (void)client->submit(command, std::move(then));
          },
          [this](std::function<void()> task) { later(std::move(task)); },
          [this]() -> TurnEnds& { return loop.runtime().turn_ends(); }) {}

Result<void> ReplicaClient::Impl::begin(hosting::Places::Options where) {
    Result<void> begun;
    (void)loop.run([&] {
        Runtime& runtime = loop.runtime();
        auto opened = hosting::Places::open(runtime, *log, std::move(where));
        if (!opened) {
            begun = opened.error();
            return;
        }
        places = *std::move(opened);
        client = std::make_unique<hosting::ReplicaClient>(
            runtime, *log,
            hosting::ReplicaClient::Options{.service = options.service,
                                            .session = options.session,
                                            .next = options.next,
                                            .tls = library::to_options(options.tls)},
            *places);
    });
    return begun;
}

void ReplicaClient::Impl::close(Duration limit) {
    ending.run(limit, loop, *callbacks, [this] {
        asks.close();
        later([this] { close_on_loop(); });
    });
}

void ReplicaClient::Impl::close_on_loop() {
    asks.drain();
    client.reset();
    asks.give_up(waiter.closed(Effect::unknown));
    asks.flush();
    const auto end = [this] {
        later([this] {
            places.reset();
            ending.leave(loop);
        });
    };
    if (places == nullptr) return end();
    places->close(end);
}

void ReplicaClient::Impl::later(std::function<void()> task) {
    loop.post([self = shared_from_this(), task = std::move(task)] { task(); });
}

// --- Public functions ----------------------------------------------------------------------------

Result<ReplicaClient> ReplicaClient::open(ReplicaClientOptions options) {
    hosting::Places::Options where = US_TRY(
        library::check_places(options.service, options.registry, options.members, options.tls));
    if (options.next.value == 0) {
        return Error{.code = Errc::bad_config, .detail = "next: requests are numbered from 1"};
    }
    const std::shared_ptr<Log> log = library::make_log(options.log);
    auto threads = US_TRY(library::join_threads(options.threads, log));
    const bool shared = options.threads.has_value();
    auto impl = std::make_shared<Impl>(log, std::move(options), std::move(threads));
    if (!shared) impl->threads->callbacks->leave(TimePoint{});  // They are not shared.
    if (auto begun = impl->begin(std::move(where)); !begun) {
        impl->close(library::Ending::close_max);
        return begun.error();
    }
    return ReplicaClient(std::move(impl));
}

ReplicaClient::ReplicaClient(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
ReplicaClient::ReplicaClient(ReplicaClient&&) noexcept = default;
ReplicaClient& ReplicaClient::operator=(ReplicaClient&& other) noexcept {
    if (this != &other) {
        close();
        impl_ = std::move(other.impl_);
    }
    return *this;
}
ReplicaClient::~ReplicaClient() { close(); }

Result<Buffer> ReplicaClient::submit(Bytes command) {
    return impl_->await<Buffer>(
        impl_->options.submit_timeout,
        [bytes = Buffer(command.begin(), command.end())](hosting::ReplicaClient& client,
                                                         std::function<void(Result<Buffer>)> told) {
            (void)client.submit(bytes, [told = std::move(told)](Result<Bytes> reply) {
                told(kept(std::move(reply)));
            });
        });
}

void ReplicaClient::submit(Bytes command, Answered answered) {
    using Full = library::CommandQueue::Full;
    impl_->asks.ask({}, command, impl_->waiter.may_wait() ? Full::wait : Full::refuse,
                    std::move(answered));
}

Result<ReplicaClient::Outcome> ReplicaClient::outcome(RequestNo number, Duration timeout) {
    auto outcome = impl_->await<Outcome>(
        timeout,
        [number](hosting::ReplicaClient& client, std::function<void(Result<Outcome>)> told) {
            client.outcome(
                number, [told = std::move(told)](Result<hosting::ReplicaClient::Outcome> found) {
                    if (!found) return told(std::move(found).error());
                    told(Outcome{.fate = found->fate,
                                 .reply = Buffer(found->reply.begin(), found->reply.end())});
                });
        });
    return outcome;
}

Result<SessionId> ReplicaClient::session(Duration timeout) {
    return impl_->await<SessionId>(
        timeout, [](hosting::ReplicaClient& client, std::function<void(Result<SessionId>)> told) {
            client.on_session([told = std::move(told)](SessionId session) { told(session); });
        });
}

Result<RequestNo> ReplicaClient::next_number() {
    return impl_->await<RequestNo>(
        impl_->options.submit_timeout,
        [](hosting::ReplicaClient& client, const std::function<void(Result<RequestNo>)>& told) {
            told(client.next());
        });
}

Result<void> ReplicaClient::end_session(Duration timeout) {
    auto ended = impl_->await<void>(
        timeout, [](hosting::ReplicaClient& client, std::function<void(Result<void>)> told) {
            client.close([told = std::move(told)] { told({}); });
        });
    close();
    return ended;
}

void ReplicaClient::close(Duration limit) {
    if (const std::shared_ptr<Impl> impl = impl_) impl->close(limit);
}

}  // namespace understudy
