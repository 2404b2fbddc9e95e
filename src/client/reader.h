#pragma once

#include <functional>
#include <map>
#include <memory>

#include "client/registry_link.h"

namespace understudy::client {

/// The highest revision that an agent has seen: cached lookups never return a lower one.
struct LookedUp {
    std::uint64_t revision = 0;

    /// The answer of the active node counts even if it is lower: the registry may have been
    /// restored.
    void take(const wire::pb::LookupAnswer& answer) {
        revision = answer.cached() ? std::max(revision, answer.revision()) : answer.revision();
    }
};

/// Asks any node of the registry while no active one can be reached: for cached lookups, and for
/// the status of the node.
///
/// Thread: loop only.
/// Bounds: `questions_max`; one more is refused.
class Reader final : private RegistryLink::Observer {
public:
    using Answered = std::function<void(Result<wire::pb::Answer>)>;

    static constexpr std::size_t questions_max = 1000;

    /// Requires: options.any_node; `looked_up` outlives this.
    Reader(Runtime& runtime, Log& log, RegistryLink::Options options, wire::pb::Hello hello,
           const LookedUp& looked_up);
    ~Reader() override = default;

    /// Calls `answered` once, never within this call, and never after stop().
    /// Errors: unavailable (none: every node has a lower revision than this agent has seen),
    ///         timed_out, limit_exceeded (none), the error that the node returns.
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
