#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/types.h"

namespace understudy::registry {

using SessionId = LinkId;

/// Who is interested in which family. Order of delivery is that of the ids.
class Watches {
public:
    struct Row {
        SessionId session;
        std::uint64_t watch;
        bool all;  ///< Watches the whole platform.
        friend auto operator<=>(const Row&, const Row&) = default;
    };

    static constexpr std::size_t per_session_max = 10'000;

    /// An empty family watches all. A watch id that is in use is replaced.
    /// Errors: limit_exceeded (none).
    Result<void> add(SessionId session, std::uint64_t watch, const std::string& family);
    void remove(SessionId session, std::uint64_t watch);
    void remove(SessionId session);

    [[nodiscard]] std::vector<Row> of(const std::string& family) const;
    [[nodiscard]] std::size_t size() const { return size_; }

private:
    std::map<SessionId, std::map<std::uint64_t, std::string>> sessions_;
    std::map<std::string, std::set<std::pair<SessionId, std::uint64_t>>> families_;
    std::size_t size_ = 0;
};

}  // namespace understudy::registry
