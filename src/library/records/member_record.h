#pragma once

#include <cstdint>
#include <string>

#include "client/member.h"
#include "record/draft.h"

namespace understudy::library {

/// What the platform publishes about one member, as an ordinary record of that member.
///
/// Fields: family, member, agent, role (text); pid, epoch, clients, records, subscriptions,
/// changes, calls, uptime_s (integer). The record itself is not counted.
/// Thread: loop only.
class MemberRecord {
public:
    static constexpr const char* name = "understudy.member";
    static constexpr Duration interval_min = 250ms;  ///< Between two changes.

    MemberRecord(client::Member& member, const std::string& agent);

    /// Publishes the differences, at once or as soon as interval_min allows.
    void update(Runtime& runtime, TimePoint agent_started, std::uint64_t calls);

private:
    void publish(TimePoint now);

    client::Member& member_;
    record::RecordId id_;
    record::Draft draft_;
    TimePoint agent_started_;
    TimePoint published_last_;
    std::uint64_t calls_ = 0;
    std::uint64_t own_changes_ = 0;
    std::unique_ptr<Timer> timer_;
};

}  // namespace understudy::library
