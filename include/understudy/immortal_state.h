#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "understudy/pack.h"
#include "understudy/snapshot_map.h"
#include "understudy/types.h"

// How the fields() of an immortal become bytes, and how bytes become fields again.

namespace understudy {

/// The state of an object at one moment: its fields, then its SnapshotMaps in their order, as pairs
/// of packed keys and values.
struct ImmortalImage {
    Buffer fields;
    std::vector<std::unique_ptr<Snapshot>> maps;
};

namespace detail {

template <class T>
inline constexpr bool is_snapshot_map = false;
template <class Key, class Value, class Less>
inline constexpr bool is_snapshot_map<SnapshotMap<Key, Value, Less>> = true;

template <class T>
[[nodiscard]] constexpr std::uint32_t version_of() {
    if constexpr (requires { T::version; }) {
        return T::version;
    } else {
        return 1;
    }
}

/// A map that does not change while it is read.
template <class Map, class Encode>
class MapWalk final : public Snapshot {
public:
    MapWalk(const Map& map, Encode encode)
        : at_(map.begin()), end_(map.end()), encode_(std::move(encode)) {}

    bool next(Buffer& out, std::size_t bytes_about) override {
        const std::size_t end = out.size() + bytes_about;
        for (; at_ != end_ && out.size() < end; ++at_) encode_(at_->first, at_->second, out);
        return at_ != end_;
    }

private:
    typename Map::const_iterator at_;
    const typename Map::const_iterator end_;
    Encode encode_;
};

enum class Saving : std::uint8_t { frozen, as_it_stays };

class StateSaver {
public:
    StateSaver(ImmortalImage& image, std::uint32_t version, Saving saving)
        : image_(image), packer_(image.fields), version_(version), saving_(saving) {}
    [[nodiscard]] std::uint32_t version() const { return version_; }
    template <class... Fields>
    void operator()(Fields&... fields) {
        (one(fields), ...);
    }

private:
    template <class Field>
    void one(Field& field) {
        if constexpr (is_snapshot_map<Field>) {
            const auto encode = [](const auto& key, const auto& value, Buffer& out) {
                Packer packer(out);
                packer.put(key);
                packer.put(value);
            };
            if (saving_ == Saving::frozen) {
                image_.maps.push_back(snapshot_of(field, encode));
            } else {
                image_.maps.push_back(
                    std::make_unique<MapWalk<Field, decltype(encode)>>(field, encode));
            }
        } else {
            packer_.put(field);
        }
    }

    ImmortalImage& image_;
    Packer packer_;
    const std::uint32_t version_;
    const Saving saving_;
};

class StateLoader {
public:
    StateLoader(Bytes fields, std::uint32_t version) : unpacker_(fields), version_(version) {}
    [[nodiscard]] std::uint32_t version() const { return version_; }
    template <class... Fields>
    void operator()(Fields&... fields) {
        (one(fields), ...);
    }
    [[nodiscard]] bool done() const { return unpacker_.done(); }

private:
    template <class Field>
    void one(Field& field) {
        if constexpr (is_snapshot_map<Field>) {
            field.clear();
        } else {
            unpacker_.take(field);
        }
    }

    Unpacker unpacker_;
    const std::uint32_t version_;
};

class MapLoader {
public:
    MapLoader(std::size_t which, Bytes pairs, std::uint32_t version)
        : left_(which), unpacker_(pairs), version_(version) {}
    [[nodiscard]] std::uint32_t version() const { return version_; }
    template <class... Fields>
    void operator()(Fields&... fields) {
        (one(fields), ...);
    }
    [[nodiscard]] bool done() const { return taken_ && unpacker_.done(); }

private:
    template <class Field>
    void one(Field& field) {
        if constexpr (is_snapshot_map<Field>) {
            if (taken_) return;
            if (left_-- > 0) return;
            taken_ = true;
            using Map = typename Field::Map;
            while (!unpacker_.rest().empty() && !unpacker_.failed()) {
                typename Map::key_type key{};
                typename Map::mapped_type value{};
                if (unpacker_.take(key) && unpacker_.take(value)) field.put(key, std::move(value));
            }
        }
    }

    std::size_t left_;
    Unpacker unpacker_;
    const std::uint32_t version_;
    bool taken_ = false;
};

}  // namespace detail

}  // namespace understudy
