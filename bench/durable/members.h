#pragma once

#include <string>
#include <vector>

#include "bench/harness/bench.h"
#include "bench/harness/child.h"
#include "bench/harness/place.h"

namespace understudy::bench {

/// The kind of journal, and the number of processes that keep it.
struct Journaled {
    std::string name;    ///< "shared directory, 2 members"
    std::string kind;    ///< local, shared, group
    std::size_t members = 1;
    Duration lease = 1s;  ///< For a shared directory.
};

/// The processes of the members of one service on one journal.
class JournalMembers {
public:
    /// Returns when one of them is active. Errors: failed, timed_out, closed (none).
    [[nodiscard]] static Result<JournalMembers> start(const Bench& bench,
                                                      const Journaled& journaled);

    [[nodiscard]] Child& active() { return members_[active_]; }
    [[nodiscard]] const Place& place() const { return place_; }
    /// Kills the active member, and waits until another reports that its own command is durable.
    [[nodiscard]] Result<Duration> fail_over();
    /// Restarts the one that was killed; returns when it follows.
    [[nodiscard]] Result<void> bring_back();

private:
    JournalMembers(Place place, std::string program, const Journaled& journaled)
        : place_(std::move(place)), program_(std::move(program)), journaled_(journaled) {}
    [[nodiscard]] Result<Child> start_member(std::size_t which) const;

    Place place_;  // First, because the processes must end before their directory is removed.
    std::string program_;
    Journaled journaled_;
    std::string nodes_;
    std::vector<Child> members_;
    std::size_t active_ = 0;
    std::size_t killed_ = 0;
};

}  // namespace understudy::bench
