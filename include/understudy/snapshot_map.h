#pragma once

#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "understudy/state_machine.h"

namespace understudy {

/// An ordered map that can be read as it was at one moment while it goes on changing.
///
/// While a snapshot is open and a key changes that the snapshot has not reached yet, the old value
/// of the key is set aside. So a checkpoint of a state of any size can take its time and delays no
/// command. The cost is one comparison per change while a snapshot is open, and none otherwise.
///
/// Bounds: memory for the old values of the keys that change while a snapshot is open.
/// Thread: that of its owner. The map outlives its snapshot and is not moved.
template <class Key, class Value, class Less = std::less<>>
class SnapshotMap {
public:
    using Map = std::map<Key, Value, Less>;
    using const_iterator = typename Map::const_iterator;

    SnapshotMap() = default;
    SnapshotMap(const SnapshotMap&) = delete;
    SnapshotMap& operator=(const SnapshotMap&) = delete;
    ~SnapshotMap() { US_ASSERT(!open_); }

    /// Sets the value of `key`.
    void put(const Key& key, Value value) {
        const auto found = map_.lower_bound(key);
        if (found == map_.end() || less_(key, found->first)) {
            if (ahead(key)) aside_.try_emplace(key, std::nullopt);
            map_.emplace_hint(found, key, std::move(value));
            return;
        }
        if (ahead(key)) aside_.try_emplace(key, std::move(found->second));
        found->second = std::move(value);
    }

    /// Changes the value of `key` in place; an open snapshot keeps a copy of the old value. False
    /// if there is no such key.
    template <class Change>
    bool update(const Key& key, Change&& change) {
        const auto found = map_.find(key);
        if (found == map_.end()) return false;
        if (ahead(key)) aside_.try_emplace(key, found->second);
        std::forward<Change>(change)(found->second);
        return true;
    }

    /// False if there is no such key.
    bool erase(const Key& key) {
        const auto found = map_.find(key);
        if (found == map_.end()) return false;
        if (ahead(key)) aside_.try_emplace(key, std::move(found->second));
        if (open_ && found == at_) ++at_;
        map_.erase(found);
        return true;
    }

    /// Takes time in proportion to the values that an open snapshot has not reached yet.
    void clear() {
        if (open_) {
            for (; at_ != map_.end(); ++at_) {
                aside_.try_emplace(at_->first, std::move(at_->second));
            }
        }
        map_.clear();
        at_ = map_.end();
    }

    /// Null if there is no such key. Valid until the key is changed.
    [[nodiscard]] const Value* find(const Key& key) const {
        const auto found = map_.find(key);
        return found == map_.end() ? nullptr : &found->second;
    }
    [[nodiscard]] bool contains(const Key& key) const { return map_.contains(key); }
    [[nodiscard]] std::size_t size() const { return map_.size(); }
    [[nodiscard]] bool empty() const { return map_.empty(); }
    [[nodiscard]] const_iterator begin() const { return map_.begin(); }
    [[nodiscard]] const_iterator end() const { return map_.end(); }
    [[nodiscard]] const_iterator lower_bound(const Key& key) const { return map_.lower_bound(key); }
    /// The number of old values that are set aside now.
    [[nodiscard]] std::size_t aside() const { return aside_.size(); }

    /// The map as it was when this was made, in the order of its keys. One at a time.
    class Frozen {
    public:
        explicit Frozen(SnapshotMap& map) : map_(map) {
            US_ASSERT(!map_.open_);
            map_.open_ = true;
            map_.at_ = map_.map_.begin();
        }
        Frozen(const Frozen&) = delete;
        Frozen& operator=(const Frozen&) = delete;
        ~Frozen() {
            map_.open_ = false;
            map_.aside_.clear();
        }

        /// Passes the next key and its value to `visit`; false if there is none left.
        template <class Visit>
        bool next(Visit&& visit) {
            for (;;) {
                const auto old = map_.aside_.begin();
                const bool old_first =
                    old != map_.aside_.end() &&
                    (map_.at_ == map_.map_.end() || !map_.less_(map_.at_->first, old->first));
                if (!old_first) {
                    if (map_.at_ == map_.map_.end()) return false;
                    const auto& shown = *map_.at_++;
                    std::forward<Visit>(visit)(shown.first, shown.second);
                    return true;
                }
                if (map_.at_ != map_.map_.end() && !map_.less_(old->first, map_.at_->first)) {
                    ++map_.at_;
                }
                const auto taken = map_.aside_.extract(old);
                if (!taken.mapped()) continue;  // It did not exist when the snapshot was made.
                std::forward<Visit>(visit)(taken.key(), *taken.mapped());
                return true;
            }
        }

    private:
        SnapshotMap& map_;
    };

private:
    /// True if an open snapshot has not reached `key` yet.
    [[nodiscard]] bool ahead(const Key& key) const {
        return open_ && at_ != map_.end() && !less_(key, at_->first);
    }

    Map map_;
    bool open_ = false;
    typename Map::iterator at_ = map_.end();  ///< The next one that the snapshot shows.
    /// Old values of keys that the snapshot still has to show; nullopt: the key did not exist.
    std::map<Key, std::optional<Value>, Less> aside_;
    Less less_;
};

/// A snapshot of a SnapshotMap: `encode(key, value, out)` appends one pair to a piece.
template <class Map, class Encode>
class MapSnapshot final : public Snapshot {
public:
    MapSnapshot(Map& map, Encode encode) : frozen_(map), encode_(std::move(encode)) {}

    bool next(Buffer& out, std::size_t bytes_about) override {
        const std::size_t end = out.size() + bytes_about;
        while (out.size() < end) {
            const bool more = frozen_.next(
                [&](const auto& key, const auto& value) { encode_(key, value, out); });
            if (!more) return false;
        }
        return true;
    }

private:
    typename Map::Frozen frozen_;
    Encode encode_;
};

template <class Map, class Encode>
[[nodiscard]] std::unique_ptr<Snapshot> snapshot_of(Map& map, Encode encode) {
    return std::make_unique<MapSnapshot<Map, Encode>>(map, std::move(encode));
}

}  // namespace understudy
