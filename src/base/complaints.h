#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.h"

namespace understudy {

/// Logs repeated faults of others once, and then counts them.
///
/// Two complaints are the same if their event, subject and reason are the same. The first is logged
/// at once. Later ones are counted, and one line gives their number after `interval`. After an
/// interval without a complaint it is forgotten, and the next one counts as the first.
///
/// Machine: time is an argument. The owner sets a timer to due() and then calls tell().
/// Bounds: `kept_max` complaints at a time. Further ones are counted together, under "others".
class Complaints {
public:
    static constexpr std::size_t kept_max = 64;
    static constexpr Duration interval = 10min;

    explicit Complaints(Log& log) : log_(log) {}

    /// Requires: `event` and the key of `about` are literals. `about` is an address without its
    /// port, or a name: each new attempt of a peer comes from another port.
    void heard(TimePoint now, std::string_view event, const LogField& about, const Error& reason);
    /// Logs the counts that are due.
    void tell(TimePoint now);
    /// The next time at which there is something to log or to forget.
    [[nodiscard]] std::optional<TimePoint> due() const;
    /// The fault is over: the next complaint counts as the first again.
    void forget() { rows_.clear(); }

private:
    struct Key {
        std::string_view event;
        std::string_view about_key;
        std::string about;
        std::string reason;
        friend auto operator<=>(const Key&, const Key&) = default;
    };
    struct Row {
        TimePoint told;           ///< When its last line was logged.
        std::uint64_t times = 0;  ///< Since that line.
    };

    Log& log_;
    std::map<Key, Row> rows_;
};

}  // namespace understudy
