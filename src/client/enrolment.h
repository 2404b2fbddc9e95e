#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.h"
#include "client/backoff.h"
#include "link/refusals.h"
#include "runtime/runtime.h"
#include "wire/control.pb.h"

namespace understudy::client {

/// What a local member sends to its registry, by way of its agent.
class RegistryPort {
public:
    virtual ~RegistryPort() = default;
    /// A number for a Register message. Nullopt: the registry is away, or the agent is closing.
    virtual std::optional<std::uint64_t> next_registration() = 0;
    virtual void send(const wire::pb::Register& wanted) = 0;
    virtual void send(const wire::pb::MemberReport& report) = 0;
    virtual void send(const wire::pb::Drained& drained) = 0;
};

/// Keeps one local member in the line of its service.
///
/// It registers the member, waits for the answer, and tries again after a refusal, because the
/// reason may pass: for example, a predecessor dies, or a full disk has room again. After each
/// refusal it waits longer, up to a bound.
///
/// Thread: loop only.
class Enrolment {
public:
    static constexpr Duration wait_min = 200ms;
    static constexpr Duration wait_max = 2s;

    /// The member. All calls on the loop; they must not destroy the enrolment.
    class Applicant {
    public:
        virtual ~Applicant() = default;
        /// Adds what the registry has to know of the member. Its request, family and name are set.
        virtual void describe(wire::pb::Register& wanted) = 0;
        /// The registry has the member in line. `sent` is when the registration was sent.
        virtual void enrolled(const wire::pb::Registered& answer, TimePoint sent) = 0;
        /// The registry refuses the member, which is tried again later.
        virtual void refused(const Error& reason) = 0;
    };

    struct Options {
        std::string family;
        std::string member;
        std::string_view refused_event;  ///< Logs a refusal. A literal.
    };

    Enrolment(Runtime& runtime, Log& log, Options options, Applicant& applicant,
              RegistryPort& port);

    /// Registers the member anew: the registry is back, it has revoked the member, or the member
    /// knows something new. Does nothing while the registry is away.
    void enter();
    /// The registry is away: nothing is answered any more.
    void registry_down();
    /// An answer to a Register message. One that is not to the last message is ignored.
    void answered(const wire::pb::Registered& answer);

    /// The answer to the last registration was that the member is in line.
    [[nodiscard]] bool in_line() const { return in_line_; }

private:
    Runtime& runtime_;
    link::Refusals refusals_;
    const Options options_;
    Applicant& applicant_;
    RegistryPort& port_;
    std::uint64_t request_ = 0;  ///< The registration that is not answered yet; 0: none.
    TimePoint sent_;
    bool in_line_ = false;
    Backoff backoff_{wait_min, wait_max};
    std::unique_ptr<Timer> retry_;
};

}  // namespace understudy::client
