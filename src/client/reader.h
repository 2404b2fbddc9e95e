#pragma once

#include <functional>
#include <map>
#include <memory>

#include "client/registry_link.h"

namespace understudy::client {

/// How far an agent has looked: cached lookups never go back behind it.
struct LookedUp {
    std::uint64_t revision = 0;

    /// What the active node says counts as it is: it may be a registry that was restored.
    void take(const wire::pb::LookupAnswer& answer) {
        revision = answer.cached() ? std::max(revision, answer.revision()) : answer.revision();
    }
};

/// Questions while no active node of the registry can be reached: asks whichever node there is. It
/// answers cached lookups, and how it is itself.
///
/// Thread: loop only. Bounds: `questions_max`; one more is refused.
class Reader final : private RegistryLink::Observer {
public:
    using Answered = std::function<void(Result<wire::pb::Answer>)>;

    static constexpr std::size_t questions_max = 1000;

    /// Requires: options.any_node; `looked_up` outlives this.
    Reader(Runtime& runtime, Log& log, RegistryLink::Options options, wire::pb::Hello hello,
           const LookedUp& looked_up);
    ~Reader() override = default;

    /// Calls `answered` once, never within this call; not at all after stop().
    /// Errors: unavailable (none: every node is behind what this agent has seen), timed_out,
    ///         limit_exceeded (none), and what the node says.
    void ask(wire::pb::Ask ask, Duration timeout, Answered answered);
    void stop();
    [[nodiscard]] const RegistryLink& link() const { return link_; }

private:
    struct Question {
        wire::pb::Ask ask;
        Answered answered;
        std::unique_ptr<Timer> timer = nullptr;
        std::unique_ptr<Timer> again = nullptr;
    };

    void send(std::uint64_t request);
    void settle(std::uint64_t request, Result<wire::pb::Answer> answer);

    void registry_up(const wire::pb::Welcome& welcome) override;
    void registry_down(const Error&) override {}
    void registry_heard(TimePoint) override {}
    void registry_message(wire::MessageType type, Bytes body) override;
    void registry_beat() override {}

    Runtime& runtime_;
    const LookedUp& looked_up_;
    std::map<std::uint64_t, Question> questions_;
    std::uint64_t request_last_ = 0;
    RegistryLink link_;
};

}  // namespace understudy::client
