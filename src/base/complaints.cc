#include "base/complaints.h"

#include <algorithm>
#include <chrono>

namespace understudy {

void Complaints::heard(TimePoint now, std::string_view event, const LogField& about,
                       const Error& reason) {
    tell(now);
    Key key{event, about.key, about.value, to_string(reason)};
    if (const auto row = rows_.find(key); row != rows_.end()) {
        ++row->second.times;
        return;
    }
    if (rows_.size() >= kept_max) {
        ++rows_.try_emplace(Key{event, about.key, "others", ""}, Row{.told = now})
              .first->second.times;
        return;
    }
    log_.warn(event, {about, kv("error", key.reason)});
    rows_.emplace(std::move(key), Row{.told = now});
}

void Complaints::tell(TimePoint now) {
    for (auto row = rows_.begin(); row != rows_.end();) {
        const Key& key = row->first;
        if (now - row->second.told < interval) {
            ++row;
        } else if (row->second.times == 0) {
            row = rows_.erase(row);
        } else {
            const auto within =
                std::chrono::duration_cast<std::chrono::seconds>(now - row->second.told);
            log_.warn(key.event, {kv(key.about_key, key.about), kv("error", key.reason),
                                  kv("times", row->second.times), kv("within_s", within.count())});
            row->second = {.told = now};
            ++row;
        }
    }
}

std::optional<TimePoint> Complaints::due() const {
    std::optional<TimePoint> first;
    for (const auto& [key, row] : rows_) first = std::min(first.value_or(row.told), row.told);
    if (!first) return std::nullopt;
    return *first + interval;
}

}  // namespace understudy
