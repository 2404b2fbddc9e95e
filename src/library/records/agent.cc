#include "understudy/agent.h"

#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "library/options.h"
#include "library/records/agent_impl.h"
#include "library/records/proxy_impl.h"
#include "library/records/record_put.h"
#include "library/records/service_impl.h"
#include "library/records/service_view.h"
#include "library/threads/access.h"
#include "library/threads/sink_log.h"
#include "understudy/limits.h"

namespace understudy {

namespace {

constexpr Duration journaled_lease = 60s;

}  // namespace

Result<Agent> Agent::open(AgentOptions options) {
    client::AgentOptions checked = US_TRY(library::check(options));
    const std::shared_ptr<Log> log = library::make_log(std::move(options.log));
    auto threads = US_TRY(library::join_threads(options.threads, log));
    auto impl = std::make_shared<Impl>(log, std::move(checked), std::move(threads));
    if (!options.threads) impl->threads->callbacks->leave(TimePoint{});  // They are not shared.
    US_CHECK(impl->open());
    return Agent(std::move(impl));
}

Agent::Agent(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Agent::Agent(Agent&&) noexcept = default;
Agent& Agent::operator=(Agent&& other) noexcept {
    if (this != &other) {
        close();
        impl_ = std::move(other.impl_);
    }
    return *this;
}
Agent::~Agent() { close(); }

void Agent::close(Duration limit) {
    if (const std::shared_ptr<Impl> impl = impl_) impl->close(limit);
}

void Agent::wait() {
    const std::shared_ptr<Impl> impl = impl_;
    std::unique_lock lock(impl->mutex);
    impl->changed.wait(lock, [&] { return impl->closed; });
}

// --- Services and proxies ------------------------------------------------------------------------

Result<Service> Agent::create_service(ServiceOptions options) {
    US_CHECK(check_service_name(options.family));
    US_CHECK(check_member_name(options.member));
    const bool journaled = options.journal.has_value();
    if (journaled) US_CHECK(library::JournaledService::check(options));
    Impl& impl = *impl_;
    if (impl.closing.load()) return impl.closed_error();
    client::MemberOptions wanted{
        .family = options.family,
        .member = options.member,
        .role = {.redundancy = options.redundancy,
                 .lease = options.lease,
                 .on_registry_loss = options.on_registry_loss}};
    if (journaled) {
        // The journal fences: a member that it takes for active may act.
        wanted.role = {.lease = journaled_lease, .on_registry_loss = OnRegistryLoss::keep};
    }
    auto service = std::make_shared<Service::Impl>(impl_, std::move(options));
    Result<void> created = impl.closed_error();
    (void)impl.loop.run([&] {
        if (impl.closing.load()) return;
        auto member = journaled
                          ? impl.client->create_hosted_member(std::move(wanted), *service)
                          : impl.client->create_member(std::move(wanted), *service);
        if (!member) {
            created = std::move(member).error();
            return;
        }
        impl.follow(service->options.family);
        service->opened(**member);
        if (journaled) {
            if (auto begun = service->begin_journal(); !begun) {
                created = begun.error();
                service->close_on_loop();
                service->journal.reset();
                impl.client->remove_hosted_member(**member);
                impl.unfollow(service->options.family);
                return;
            }
        }
        impl.services.emplace(Impl::Key{service->options.family, service->options.member}, service);
        created = {};
    });
    US_CHECK(std::move(created));
    Service made(std::move(service));
    if (made.impl_->options.allow_record_put) US_CHECK(library::publish_record_put(made));
    return made;
}

Result<Proxy> Agent::proxy(std::string_view family) { return open_proxy(family, {}); }

Result<Proxy> Agent::member_proxy(std::string_view family, std::string_view member) {
    US_CHECK(check_member_name(member));
    return open_proxy(family, member);
}

Result<Proxy> Agent::open_proxy(std::string_view family, std::string_view member) {
    US_CHECK(check_service_name(family));
    Impl& impl = *impl_;
    const std::lock_guard lock(impl.mutex);
    if (impl.closing.load()) return impl.closed_error();
    auto& place = impl.proxies[{std::string(family), std::string(member)}];
    if (place == nullptr) {
        place = std::make_shared<Proxy::Impl>(impl_, std::string(family), std::string(member));
        impl.loop.post([made = place] { made->open_on_loop(); });
    }
    return Proxy(place);
}

// --- The platform --------------------------------------------------------------------------------

Result<void> Agent::wait_for_service(std::string_view family, Duration timeout) {
    US_CHECK(check_service_name(family));
    Impl& impl = *impl_;
    if (impl.closing.load()) return impl.closed_error();
    if (impl.loop.on_loop() || impl.callbacks->on_thread()) {
        return Error{.code = Errc::bad_config, .detail = "a callback may not wait for a service"};
    }
    const std::string name(family);
    (void)impl.loop.run([&] { impl.follow_awaited(name); });
    const TimePoint deadline = library::later(library::clock_now(), timeout);
    std::unique_lock lock(impl.mutex);
    const auto seen = [&]() -> const ServiceStatus* {
        const auto found = impl.services_seen.find(name);
        return found == impl.services_seen.end() ? nullptr : &found->second;
    };
    const auto there = [&] { return seen() != nullptr && library::has_active(*seen()); };
    impl.changed.wait_until(lock, library::to_steady(deadline),
                            [&] { return there() || impl.closing.load(); });
    const bool found = there();
    const std::size_t members = seen() == nullptr ? 0 : seen()->members.size();
    lock.unlock();
    if (found) return {};
    if (impl.closing.load()) return impl.closed_error();
    const std::string trouble = impl.registry_trouble();
    return Error{.code = Errc::timed_out,
                 .detail = fmt::format(
                     "service {} has no active member after {} ms: {}", family,
                     std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count(),
                     !trouble.empty() ? trouble
                     : members == 0   ? std::string("no member of it is registered")
                                    : fmt::format("{} registered, none of them active", members))};
}

void Agent::on_registry(std::function<void(bool)> listener) {
    impl_->registry_listeners.add(std::move(listener));
}

void Agent::on_service(std::string_view family,
                       std::function<void(const ServiceStatus&)> listener) {
    impl_->service_listeners.add(
        [name = std::string(family), listener = std::move(listener)](
            const std::string& changed, const ServiceStatus*, const ServiceStatus& now) {
            if (changed == name) listener(now);
        });
    impl_->loop.post([impl = impl_, name = std::string(family)] {
        if (impl->client != nullptr && check_service_name(name)) impl->follow(name);
    });
}

void Agent::on_services(std::function<void(const ServiceStatus&)> listener) {
    impl_->service_listeners.add(
        [listener = std::move(listener)](const std::string&, const ServiceStatus*,
                                         const ServiceStatus& now) { listener(now); });
    impl_->loop.post([impl = impl_] {
        if (impl->client != nullptr) impl->follow({});
    });
}

bool Agent::registry_available() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->registry_up;
}

std::string Agent::name() const { return impl_->options.name; }

std::string Agent::address() const { return impl_->address; }

}  // namespace understudy
