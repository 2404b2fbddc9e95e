#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.h"

namespace understudy {

/// What is said about others who do something wrong again and again: once, then how often.
///
/// A complaint is the same if its event, whom it is about and the reason are. Its first line comes at
/// once; what follows is counted, and `interval` later one line tells the number. After an interval
/// without any it is forgotten, and the next is the first again.
///
/// Machine: time is an argument. Whoever has a timer calls tell() at due().
/// Bounds: `kept_max` complaints at a time; what is beyond is counted together, as of "others".
class Complaints {
public:
    static constexpr std::size_t kept_max = 64;
    static constexpr Duration interval = 10min;

    explicit Complaints(Log& log) : log_(log) {}

    /// Requires: `event` and the key of `about` are literals. `about` is an address without its port,
    /// or a name: whoever tries again comes from another port.
    void heard(TimePoint now, std::string_view event, const LogField& about, const Error& reason);
    /// Tells what was counted and is due.
    void tell(TimePoint now);
    /// When there will be something to tell, or to forget.
    [[nodiscard]] std::optional<TimePoint> due() const;
    /// The trouble is over: the next complaint is the first again.
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
        TimePoint told;           ///< Its last line.
        std::uint64_t times = 0;  ///< Since then.
    };

    Log& log_;
    std::map<Key, Row> rows_;
};

}  // namespace understudy
