#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/harness/bench.h"
#include "bench/harness/child.h"
#include "bench/harness/place.h"

namespace understudy::bench {

/// The processes of two immortals, one of which calls the other.
class ImmortalPair {
public:
    struct Options {
        std::string name;     ///< "local directory"
        std::string journal;  ///< local, shared, group; of both services.
        std::size_t standbys = 0;  ///< Of the server; the client is alone.
    };
    struct Count {
        std::uint64_t calls = 0;
        std::uint64_t nanoseconds = 0;  ///< By the monotonic clock.
    };

    /// Ends when both are active. Errors: failed, timed_out, closed (none).
    [[nodiscard]] static Result<ImmortalPair> start(const Bench& bench, const Options& options);

    [[nodiscard]] Child& client() { return client_.front(); }
    [[nodiscard]] Child& server() { return servers_[active_]; }
    [[nodiscard]] const Place& place() const { return place_; }

    /// Calls that the server has carried out.
    [[nodiscard]] Result<Count> count();
    /// Ends the client's one-way calls. Errors: failed (none): the server has not carried out each
    /// once.
    [[nodiscard]] Result<void> stop_and_compare();

private:
    explicit ImmortalPair(Place place) : place_(std::move(place)) {}

    Place place_;  // First: the processes go before their directory does.
    std::vector<Child> servers_;
    std::vector<Child> client_;
    std::size_t active_ = 0;
};

}  // namespace understudy::bench
