#include "understudy/immortal_client.h"

#include <algorithm>
#include <random>
#include <utility>

#include "library/immortal/immortal_client_impl.h"
#include "library/options.h"
#include "library/threads/clock.h"
#include "library/threads/sink_log.h"
#include "understudy/limits.h"

namespace understudy {

namespace {

/// A random number from the system, because two processes may start in the same state.
[[nodiscard]] std::uint64_t new_session() {
    std::random_device device;
    std::uint64_t session = 0;
    while (session == 0) session = std::uint64_t{device()} << 32 | device();
    return session;
}

}  // namespace

// --- Implementation ------------------------------------------------------------------------------

ImmortalClient::Impl::Impl(std::shared_ptr<Log> its_log, ImmortalClientOptions its_options,
                           std::uint64_t its_session)
    : log(std::move(its_log)),
      options(std::move(its_options)),
      session(its_session),
      callbacks(std::make_shared<library::Callbacks>(log, "us-callback")),
      waiter("client", loop, *callbacks, ending),
      asks(
          log, callbacks, outstanding_bytes_max,
          [this](std::string_view handler, Bytes arguments, Told then) {
              if (client == nullptr) return then(waiter.closed(Effect::none));
              (void)client->call(handler, arguments, std::move(then));
          },
          [this](std::function<void()> task) { later(std::move(task)); },
          [this]() -> TurnEnds& { return loop.runtime().turn_ends(); }),
      loop(log, "us-immortal") {}

Result<void> ImmortalClient::Impl::begin(hosting::Places::Options where) {
    Result<void> begun;
    (void)loop.run([&] {
        auto opened = hosting::Places::open(loop.runtime(), *log, std::move(where));
        if (!opened) {
            begun = opened.error();
            return;
        }
        places = *std::move(opened);
        node::ImmortalClient::Options how;
        how.service = options.service;
        how.session = session;
        how.answers = options.answers == ImmortalClientOptions::Answers::until_told
                          ? node::ImmortalClient::Answers::until_told
                          : node::ImmortalClient::Answers::until_released;
        how.tls = library::to_options(options.tls);
        client = node::ImmortalClient::make(loop.runtime(), *log, std::move(how), *places);
        if (client->ready()) return;
        asks.hold();
        client->on_ready([this] { became_ready(); });
        for (const std::uint64_t number : options.resume) {
            resumed.emplace(number, Resumed{});
            client->resume(number, [this, number](Result<Bytes> reply) {
                Resumed& one = resumed[number];
                one.reply = reply ? Result<Buffer>(Buffer(reply->begin(), reply->end()))
                                  : Result<Buffer>(std::move(reply).error());
                for (Told& told : std::exchange(one.waiting, {})) resume(number, std::move(told));
            });
        }
    });
    return begun;
}

void ImmortalClient::Impl::became_ready() {
    for (const auto& task : std::exchange(when_ready, {})) task();
    asks.drain();
}

void ImmortalClient::Impl::resume(std::uint64_t number, Told told) {
    const auto found = resumed.find(number);
    if (found == resumed.end()) {
        return told(Error{
            .code = Errc::bad_config,
            .detail = "call " + std::to_string(number) + " is not one of the calls to be resumed"});
    }
    Resumed& one = found->second;
    if (!one.reply) return one.waiting.push_back(std::move(told));
    if (!*one.reply) return told(one.reply->error());
    told(Bytes(**one.reply));
}

Result<Buffer> ImmortalClient::Impl::await_ready(
    Duration timeout, std::function<void(node::ImmortalClient&, Told)> begin) {
    return await(timeout, [this, begin = std::move(begin)](node::ImmortalClient& here, Told told) {
        if (here.ready()) return begin(here, std::move(told));
        when_ready.push_back([this, begin, told = std::move(told)] { begin(*client, told); });
    });
}

Result<Buffer> ImmortalClient::Impl::await(Duration timeout,
                                           std::function<void(node::ImmortalClient&, Told)> begin) {
    return waiter.await<Buffer>(
        timeout, [self = shared_from_this(), begin = std::move(begin)](
                     std::shared_ptr<library::Once<Result<Buffer>>> answer) {
            if (self->client == nullptr) return answer->set(self->waiter.closed(Effect::none));
            begin(*self->client, [answer](Result<Bytes> reply) {
                if (!reply) return answer->set(std::move(reply).error());
                answer->set(Buffer(reply->begin(), reply->end()));
            });
        });
}

void ImmortalClient::Impl::close(Duration limit) {
    ending.run(limit, loop, *callbacks, [this] {
        asks.close();
        later([this] { close_on_loop(); });
    });
}

void ImmortalClient::Impl::close_on_loop() {
    when_ready.clear();
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

void ImmortalClient::Impl::later(std::function<void()> task) {
    loop.post([self = shared_from_this(), task = std::move(task)] { task(); });
}

// --- Public functions ----------------------------------------------------------------------------

Result<ImmortalClient> ImmortalClient::open(ImmortalClientOptions options) {
    hosting::Places::Options where = US_TRY(
        library::check_places(options.service, options.registry, options.members, options.tls));
    const std::uint64_t session = options.session != 0 ? options.session : new_session();
    auto impl =
        std::make_shared<Impl>(library::make_log(options.log), std::move(options), session);
    if (auto begun = impl->begin(std::move(where)); !begun) {
        impl->close(library::Ending::close_max);
        return begun.error();
    }
    return ImmortalClient(std::move(impl));
}

ImmortalClient::ImmortalClient(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
ImmortalClient::ImmortalClient(ImmortalClient&&) noexcept = default;
ImmortalClient& ImmortalClient::operator=(ImmortalClient&& other) noexcept {
    if (this != &other) {
        close();
        impl_ = std::move(other.impl_);
    }
    return *this;
}
ImmortalClient::~ImmortalClient() { close(); }

Result<Buffer> ImmortalClient::call(std::string_view handler, Bytes arguments) {
    return impl_->await_ready(impl_->options.call_timeout,
                              [name = std::string(handler),
                               bytes = Buffer(arguments.begin(), arguments.end())](
                                  node::ImmortalClient& client, Impl::Told told) {
                                  (void)client.call(name, bytes, std::move(told));
                              });
}

void ImmortalClient::call_async(std::string_view handler, Bytes arguments, Answered answered) {
    impl_->asks.ask(handler, arguments,
                    impl_->waiter.may_wait() ? library::CommandQueue::Full::wait
                                             : library::CommandQueue::Full::refuse,
                    std::move(answered));
}

Result<Buffer> ImmortalClient::resume(std::uint64_t number) {
    return impl_->await(impl_->options.call_timeout,
                        [number, impl = impl_.get()](node::ImmortalClient&, Impl::Told told) {
                            impl->resume(number, std::move(told));
                        });
}

Result<std::uint64_t> ImmortalClient::next_number() {
    auto number = impl_->await_ready(
        impl_->options.call_timeout, [](node::ImmortalClient& client, const Impl::Told& told) {
            Buffer packed;
            Packer(packed).put(client.next_number());
            told(Bytes(packed));
        });
    if (!number) return Error{.code = number.error().code, .detail = number.error().detail};
    return detail::take_reply<std::uint64_t>(number);
}

void ImmortalClient::release(std::uint64_t number) {
    impl_->later([impl = impl_.get(), number] {
        if (impl->client != nullptr) impl->client->release(number);
    });
}

std::uint64_t ImmortalClient::session() const { return impl_->session; }

Result<void> ImmortalClient::end_session(Duration timeout) {
    auto ended = impl_->await(timeout, [](node::ImmortalClient& client, Impl::Told told) {
        client.close([told = std::move(told)] { told(Bytes{}); });
    });
    close();
    if (!ended) return ended.error();
    return {};
}

void ImmortalClient::close(Duration limit) {
    if (const std::shared_ptr<Impl> impl = impl_) impl->close(limit);
}

}  // namespace understudy
