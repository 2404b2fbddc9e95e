#include "tests/swarm/journal_oracle.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/checksum.h"

namespace understudy::swarm {

void JournalOracle::committed(const std::string& who, const journal::Entry& entry) {
    const std::pair content{entry.epoch,
                            hash64(entry.body, static_cast<std::uint64_t>(entry.type))};
    const auto [found, fresh] = entries_.emplace(entry.index, content);
    if (!fresh && found->second != content) {
        broken(fmt::format("J1: {} hears another entry {}: of epoch {}, not {}", who,
                           entry.index.value, entry.epoch.value, found->second.first.value));
    }
}

void JournalOracle::carried_out(const std::string& who, Index index, std::uint32_t place,
                                std::uint64_t hash) {
    const auto [found, fresh] = commands_.emplace(std::pair(index, place), hash);
    if (!fresh && found->second != hash) {
        broken(
            fmt::format("J2: {} has another state behind command {}.{}", who, index.value, place));
    }
}

void JournalOracle::state(const std::string& who, Index index, std::uint64_t hash) {
    const auto [found, fresh] = states_.emplace(index, hash);
    if (!fresh && found->second != hash) {
        broken(fmt::format("J2: {} has another state behind entry {}", who, index.value));
    }
}

void JournalOracle::standing(const std::string& who, bool active, Epoch epoch) {
    Epoch& last = epochs_[who];
    if (epoch < last) {
        broken(fmt::format("J3: {} goes from epoch {} to {}", who, last.value, epoch.value));
    }
    last = epoch;
    if (!active) return;
    const auto [found, fresh] = actives_.emplace(epoch, who);
    if (!fresh && found->second != who) {
        broken(fmt::format("J4: {} and {} are both active in epoch {}", who, found->second,
                           epoch.value));
    }
}

void JournalOracle::found(const std::string& who, const std::vector<std::uint64_t>& done) {
    std::set<std::uint64_t> once;
    for (const std::uint64_t value : done) {
        if (!once.insert(value).second) broken(fmt::format("J5: {} has {} twice", who, value));
        if (refused_.contains(value)) {
            broken(fmt::format("J6: {} was refused, and {} has it", value, who));
        }
    }
    for (const std::uint64_t value : acknowledged_) {
        if (!once.contains(value)) {
            broken(fmt::format("J7: {} was acknowledged, and {} does not have it", value, who));
        }
    }
}

void JournalOracle::broken(std::string what) {
    if (violations_.size() < violations_max) violations_.push_back(std::move(what));
}

}  // namespace understudy::swarm
