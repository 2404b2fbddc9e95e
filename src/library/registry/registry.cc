#include "understudy/registry.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "library/options.h"
#include "library/registry/registry_nodes.h"
#include "library/threads/guard.h"
#include "library/threads/hidden.h"
#include "library/threads/loop_thread.h"
#include "library/threads/sink_log.h"
#include "node/registry/registry_server.h"
#include "understudy/limits.h"

namespace understudy {

namespace {

constexpr Duration close_max = 2s;
constexpr Duration open_max = 60s;  // A long journal takes a while to read.

}  // namespace

struct US_HIDDEN Registry::Impl : std::enable_shared_from_this<Impl> {
    explicit Impl(std::shared_ptr<Log> its_log)
        : log(std::move(its_log)), loop(log, "us-registry") {}

    [[nodiscard]] Result<void> open(node::RegistryServer::Options options);
    void close();
    void failed(const Error& error);
    void end();

    const std::shared_ptr<Log> log;
    std::string address;  ///< Set by open().

    std::mutex mutex;
    std::condition_variable changed;  ///< Signals a change of the following members.
    bool over = false;                ///< Closed, or the disk failed.
    bool closed = false;
    std::optional<Error> failure;
    std::function<void(const Error&)> listener;
    std::atomic<bool> closing{false};

    std::unique_ptr<node::RegistryServer> server;  ///< Loop only.
    library::LoopThread loop;  ///< Last: it ends while the other members still exist.
};

Result<void> Registry::Impl::open(node::RegistryServer::Options options) {
    const auto opened = std::make_shared<library::Once<Result<void>>>();
    auto outcome = loop.await(
        [this, options = std::move(options), opened] {
            server = std::make_unique<node::RegistryServer>(
                loop.runtime(), *log, options,
                [opened](Result<void> result) { opened->set(std::move(result)); });
            server->on_failed([this](const Error& error) { failed(error); });
        },
        *opened, library::clock_now() + open_max);
    if (!outcome) {
        outcome.emplace(Error{.code = Errc::timed_out,
                              .detail = "the registry's journal was not read in time"});
    }
    if (!*outcome) {
        close();
        return *std::move(outcome);
    }
    (void)loop.run([this] { address = to_string(server->address()); });
    return {};
}

void Registry::Impl::failed(const Error& error) {
    std::function<void(const Error&)> told;
    {
        const std::lock_guard lock(mutex);
        over = true;
        failure = error;
        told = listener;
        changed.notify_all();
    }
    if (told) library::guarded(*log, "registry failure listener", [&] { told(error); });
}

void Registry::Impl::close() {
    const TimePoint deadline = library::clock_now() + close_max;
    if (closing.exchange(true)) {
        if (loop.on_loop()) return;
        std::unique_lock lock(mutex);
        changed.wait_until(lock, library::to_steady(deadline), [this] { return closed; });
        return;
    }
    loop.post([self = shared_from_this()] {
        if (self->server == nullptr) return self->end();
        self->server->close([self] { self->loop.post([self] { self->end(); }); });
    });
    if (!loop.on_loop()) (void)loop.join(deadline);
    const std::lock_guard lock(mutex);
    over = true;
    closed = true;
    changed.notify_all();
}

void Registry::Impl::end() {
    server.reset();
    loop.stop();
}

Result<Registry> Registry::open(RegistryOptions options) {
    US_CHECK(check_identifier("platform", options.platform));
    if (options.data.empty()) {
        return Error{.code = Errc::bad_config,
                     .detail = "data: the directory for the registry's journal is missing"};
    }
    node::RegistryServer::Options wanted;
    wanted.listen = US_TRY(
        library::check_listen(options.listen, options.tls.has_value(), options.insecure));
    wanted.tls = library::to_options(options.tls);
    wanted.link.compressions = {wire::Compression::zstd, wire::Compression::gzip};
    wanted.directory = options.data;
    wanted.segment_size_bytes = options.segment_size;
    wanted.tenure.platform = options.platform;
    US_CHECK(check_identifier("registry", options.name));
    wanted.tenure.name = options.name;
    if (!options.peers.empty()) wanted.several = US_TRY(library::to_several(options));
    auto impl = std::make_shared<Impl>(library::make_log(std::move(options.log)));
    US_CHECK(impl->open(std::move(wanted)));
    return Registry(std::move(impl));
}

Registry::Registry(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Registry::Registry(Registry&&) noexcept = default;
Registry& Registry::operator=(Registry&& other) noexcept {
    if (this != &other) {
        close();
        impl_ = std::move(other.impl_);
    }
    return *this;
}
Registry::~Registry() { close(); }

std::string Registry::address() const { return impl_->address; }

void Registry::on_failed(std::function<void(const Error&)> listener) {
    std::optional<Error> failure;
    {
        const std::lock_guard lock(impl_->mutex);
        impl_->listener = listener;
        failure = impl_->failure;
    }
    if (!failure) return;
    impl_->loop.post([log = impl_->log, listener = std::move(listener), failure] {
        library::guarded(*log, "registry failure listener", [&] { listener(*failure); });
    });
}

void Registry::wait() {
    const std::shared_ptr<Impl> impl = impl_;
    std::unique_lock lock(impl->mutex);
    impl->changed.wait(lock, [&] { return impl->over; });
}

void Registry::close() {
    if (const std::shared_ptr<Impl> impl = impl_) impl->close();
}

}  // namespace understudy
