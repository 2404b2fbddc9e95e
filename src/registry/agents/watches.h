#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "registry/state/state.h"
#include "registry/tenure/turn.h"

namespace understudy::registry {

/// Which sessions watch which service. A watcher gets an image first, then each change. The order
/// of delivery is that of the ids.
///
/// Bounds: `per_session_max`.
class Watches {
public:
    struct Row {
        SessionId session;
        std::uint64_t watch;
        bool all;  ///< Watches the whole platform.
        friend auto operator<=>(const Row&, const Row&) = default;
    };

    static constexpr std::size_t per_session_max = 10'000;

    /// Requires: `state` outlives this.
    explicit Watches(const State& state) : state_(state) {}

    /// Adds a watch and sends its image. Errors: limit_exceeded (none).
    Result<void> open(Turn& turn, SessionId session, std::uint64_t watch,
                      const std::string& family);
    void publish(Turn& turn, const wire::pb::WatchChange& change) const;

    /// An empty family watches all. A watch id that is in use is replaced.
    /// Errors: limit_exceeded (none).
    Result<void> add(SessionId session, std::uint64_t watch, const std::string& family);
    void remove(SessionId session, std::uint64_t watch);
    void remove(SessionId session);

    [[nodiscard]] std::vector<Row> of(const std::string& family) const;
    [[nodiscard]] std::size_t size() const { return size_; }

private:
    const State& state_;
    std::map<std::string, std::uint64_t> turns_;  ///< Images sent, by family.
    std::map<SessionId, std::map<std::uint64_t, std::string>> sessions_;
    std::map<std::string, std::set<std::pair<SessionId, std::uint64_t>>> families_;
    std::size_t size_ = 0;
};

}  // namespace understudy::registry
