#include "sim/trace.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/checksum.h"

namespace understudy::sim {

void Trace::mix(std::string_view text) { mix(hash64(as_bytes(text))); }

void Trace::note(TimePoint at, std::string_view who, std::string_view site, std::uint64_t a,
                 std::uint64_t b) {
    Event& event = next(at, who, site);
    event.a = a;
    event.b = b;
    event.text.clear();
    mix(a);
    mix(b);
    show(event);
}

void Trace::line(TimePoint at, std::string_view who, std::string_view site, std::string text) {
    Event& event = next(at, who, site);
    event.a = 0;
    event.b = 0;
    event.text = std::move(text);
    mix(event.text);
    show(event);
}

std::string Trace::tail() const {
    std::string out;
    const std::uint64_t count = std::min<std::uint64_t>(noted_, kept_max);
    for (std::uint64_t i = noted_ - count; i < noted_; ++i) {
        out += format(ring_[i % kept_max]);
        out += '\n';
    }
    return out;
}

Trace::Event& Trace::next(TimePoint at, std::string_view who, std::string_view site) {
    mix(static_cast<std::uint64_t>(at.time_since_epoch().count()));
    mix(who);
    mix(site);
    Event& event = ring_[noted_++ % kept_max];
    event.at = at;
    event.who = who;
    event.site = site;
    return event;
}

void Trace::show(const Event& event) const {
    if (sink_) sink_(format(event));
}

std::string Trace::format(const Event& event) const {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(event.at - start_);
    std::string out = fmt::format("[{:>10}.{:03}] {:<12} {:<22}", us.count() / 1000,
                                  us.count() % 1000, event.who, event.site);
    if (!event.text.empty()) {
        out += ' ';
        out += event.text;
    } else if (event.a != 0 || event.b != 0) {
        out += fmt::format(" {} {}", event.a, event.b);
    }
    return out;
}

}  // namespace understudy::sim
