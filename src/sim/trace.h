#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "understudy/types.h"

namespace understudy::sim {

/// Everything that has happened in a world: a hash of all events, and the last ones for people.
///
/// Two runs are the same exactly if their hashes are equal: every decision of the simulator, every
/// delivered byte and every log line is included.
class Trace {
public:
    static constexpr std::size_t kept_max = 200;

    explicit Trace(TimePoint start) : start_(start) {}

    /// Adds to the hash only, for events that are too frequent to be read.
    void mix(std::uint64_t value) {
        hash_ = (hash_ ^ value) * 0x9E37'79B9'7F4A'7C15ULL;
        hash_ ^= hash_ >> 32;
    }
    void mix(std::string_view text);

    /// Adds to the hash and the ring. `who` and `site` must outlive the trace (`site` is a literal,
    /// `who` the name of a machine or process).
    void note(TimePoint at, std::string_view who, std::string_view site, std::uint64_t a = 0,
              std::uint64_t b = 0);
    /// The same with a text: log lines, paths.
    void line(TimePoint at, std::string_view who, std::string_view site, std::string text);

    void set_sink(std::function<void(std::string_view)> sink) { sink_ = std::move(sink); }

    [[nodiscard]] std::uint64_t hash() const { return hash_; }
    /// The last events, oldest first, one line each.
    [[nodiscard]] std::string tail() const;

private:
    struct Event {
        TimePoint at;
        std::string_view who;
        std::string_view site;
        std::uint64_t a = 0;
        std::uint64_t b = 0;
        std::string text;
    };

    Event& next(TimePoint at, std::string_view who, std::string_view site);
    void show(const Event& event) const;
    [[nodiscard]] std::string format(const Event& event) const;

    TimePoint start_;
    std::uint64_t hash_ = 0;
    std::uint64_t noted_ = 0;
    std::array<Event, kept_max> ring_;
    std::function<void(std::string_view)> sink_;
};

}  // namespace understudy::sim
