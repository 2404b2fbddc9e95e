#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/types.h"
#include "registry/session_id.h"

namespace understudy::registry {

/// A command that was proposed and is not decided yet: its subject, and the session that waits.
struct Proposal {
    enum class Kind : std::uint8_t {
        found,
        add,
        remove,
        switchover,
        call_off,  ///< A switchover.
        raise,
        stop_waiting,
        report,
        define,
        last_resort
    };
    Kind kind;
    SessionId session = {};  ///< 0: no answer is wanted.
    std::uint64_t request = 0;
    Incarnation agent = {};
    std::string family = {};
    std::string member = {};
    TimePoint since = {};  ///< When the event happened that led to it.

    /// A person or a program waits for an Answer.
    [[nodiscard]] bool is_asked() const {
        return (kind == Kind::remove || kind == Kind::define) && session.value != 0;
    }
};

/// The commands that were proposed and are not decided yet, by their tokens.
///
/// Bounds: `size_max`.
class Pending {
public:
    static constexpr std::size_t size_max = 50'000;

    /// Nullopt: there are too many.
    [[nodiscard]] std::optional<std::uint64_t> add(Proposal proposal);
    /// Requires: it was added, and not taken yet.
    [[nodiscard]] Proposal take(std::uint64_t token);

    [[nodiscard]] const std::map<std::uint64_t, Proposal>& all() const { return proposals_; }

private:
    std::map<std::uint64_t, Proposal> proposals_;
    std::uint64_t token_last_ = 0;
};

}  // namespace understudy::registry
