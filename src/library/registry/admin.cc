#include "library/registry/admin.h"

#include <memory>
#include <utility>

#include <fmt/format.h>

#include "library/records/agent_impl.h"
#include "library/records/service_view.h"
#include "library/threads/access.h"
#include "library/threads/clock.h"
#include "library/threads/once.h"
#include "understudy/limits.h"

namespace understudy::library {

namespace pb = wire::pb;

namespace {

/// Whether a question waits until the registry is available.
enum class Needs : std::uint8_t { nothing, registry };

template <class T>
using Answer = std::shared_ptr<Once<Result<T>>>;

[[nodiscard]] Result<void> wait_for_registry(Agent::Impl& impl, TimePoint deadline) {
    {
        std::unique_lock lock(impl.mutex);
        impl.changed.wait_until(lock, to_steady(deadline),
                                [&] { return impl.registry_up || impl.closing.load(); });
    }
    if (impl.closing.load()) return impl.closed_error();
    const std::string trouble = impl.registry_trouble();
    if (trouble.empty()) return {};
    return Error{.code = Errc::timed_out, .detail = trouble};
}

// `begin` runs on the loop and ensures that the answer arrives.
template <class T, class Begin>
[[nodiscard]] Result<T> await(Agent& agent, Duration timeout, Needs needs, Begin begin) {
    const std::shared_ptr<Agent::Impl> impl = Access::impl(agent);
    if (impl->closing.load()) return impl->closed_error();
    if (impl->loop.on_loop()) {
        return Error{.code = Errc::bad_config,
                     .detail = "a handler on the loop thread may not ask the registry"};
    }
    const TimePoint deadline = later(clock_now(), timeout);
    if (needs == Needs::registry) US_CHECK(wait_for_registry(*impl, deadline));
    const auto answer = std::make_shared<Once<Result<T>>>();
    auto came = impl->loop.await(
        [impl, answer, begin = std::move(begin), deadline] {
            if (impl->client == nullptr) return answer->set(impl->closed_error());
            begin(*impl, std::max(deadline - clock_now(), Duration(1ms)), answer);
        },
        *answer, later(deadline, 500ms));
    if (came) return *std::move(came);
    return Error{.code = Errc::timed_out,
                 .effect = Effect::unknown,
                 .detail = "the registry did not answer in time"};
}

}  // namespace

Result<pb::Answer> ask(Agent& agent, pb::Ask question, Duration timeout) {
    return await<pb::Answer>(
        agent, timeout, Needs::registry,
        [question = std::move(question)](Agent::Impl& impl, Duration left,
                                         const Answer<pb::Answer>& answer) {
            impl.client->ask(question, left,
                             [answer](Result<pb::Answer> said) { answer->set(std::move(said)); });
        });
}

Result<pb::Answer> ask_any(Agent& agent, pb::Ask question, Duration timeout) {
    return await<pb::Answer>(agent, timeout, Needs::nothing,
                             [question = std::move(question)](Agent::Impl& impl, Duration left,
                                                              const Answer<pb::Answer>& answer) {
                                 impl.client->ask_any(question, left,
                                                      [answer](Result<pb::Answer> said) {
                                                          answer->set(std::move(said));
                                                      });
                             });
}

Result<pb::LookupAnswer> look_up(Agent& agent, const std::string& family, Consistency consistency,
                                 Duration timeout) {
    using Found = pb::LookupAnswer;
    const bool cached = consistency == Consistency::cached;
    return await<Found>(
        agent, timeout, cached ? Needs::nothing : Needs::registry,
        [family, cached](Agent::Impl& impl, Duration left, const Answer<Found>& answer) {
            impl.client->look_up(family, cached, left,
                                 [answer](Result<Found> found) { answer->set(std::move(found)); });
        });
}

}  // namespace understudy::library

namespace understudy {

Result<Lookup> lookup(Agent& agent, std::string_view family, LookupOptions options) {
    const std::string name(family);
    if (!name.empty()) US_CHECK(check_service_name(name));
    const auto found = US_TRY(library::look_up(agent, name, options.consistency, options.timeout));
    if (!name.empty() && found.services().empty()) {
        return Error{.code = Errc::not_found, .detail = "no service " + name};
    }
    Lookup out;
    for (const library::pb::ServiceInfo& info : found.services()) {
        out.services.push_back(library::to_status(info.config().family(), &info));
    }
    out.revision = found.revision();
    out.age = std::chrono::milliseconds(found.age_ms());
    out.node = found.node();
    return out;
}

}  // namespace understudy
