#include "library/admin.h"

#include <memory>
#include <utility>

#include <fmt/format.h>

#include "library/access.h"
#include "library/agent_impl.h"
#include "library/clock.h"
#include "library/once.h"

namespace understudy::library {

namespace pb = wire::pb;

namespace {

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

// `begin` runs on the loop and sees to it that the answer comes.
template <class T, class Begin>
[[nodiscard]] Result<T> await(Agent& agent, Duration timeout, Begin begin) {
    const std::shared_ptr<Agent::Impl> impl = Access::impl(agent);
    if (impl->closing.load()) return impl->closed_error();
    if (impl->loop.on_loop()) {
        return Error{.code = Errc::bad_config, .detail = "not from a handler on the loop"};
    }
    const TimePoint deadline = later(clock_now(), timeout);
    US_CHECK(wait_for_registry(*impl, deadline));
    const auto answer = std::make_shared<Once<Result<T>>>();
    auto came = impl->loop.await(
        [impl, answer, begin = std::move(begin), deadline] {
            if (impl->client == nullptr) return answer->set(impl->closed_error());
            begin(*impl, std::max(deadline - clock_now(), Duration(1ms)), answer);
        },
        *answer, later(deadline, 500ms));
    if (came) return *std::move(came);
    return Error{.code = Errc::timed_out, .effect = Effect::unknown,
                 .detail = "the registry did not answer in time"};
}

}  // namespace

Result<pb::Answer> ask(Agent& agent, pb::Ask question, Duration timeout) {
    return await<pb::Answer>(
        agent, timeout,
        [question = std::move(question)](Agent::Impl& impl, Duration left,
                                         const Answer<pb::Answer>& answer) {
            impl.client->ask(question, left, [answer](Result<pb::Answer> said) {
                answer->set(std::move(said));
            });
        });
}

// What the registry answers to a question after a watch comes after the image of that watch.
Result<std::vector<pb::ServiceInfo>> services(Agent& agent, Duration timeout) {
    using Services = std::vector<pb::ServiceInfo>;
    return await<Services>(
        agent, timeout, [](Agent::Impl& impl, Duration left, const Answer<Services>& answer) {
            impl.follow({});
            pb::Ask question;
            *question.mutable_platform() = {};
            impl.client->ask(question, left,
                             [held = impl.shared_from_this(), answer](Result<pb::Answer> said) {
                if (!said) return answer->set(std::move(said).error());
                Services all;
                for (const auto& [family, info] : held->client->directory().services()) {
                    all.push_back(info);
                }
                answer->set(std::move(all));
                // Not within the call that names it.
                held->loop.post([held] { held->unfollow({}); });
            });
        });
}

}  // namespace understudy::library
