#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/random.h"
#include "sim/world.h"
#include "tests/swarm/rot.h"
#include "tests/swarm/sometimes.h"

namespace understudy::swarm {

/// The disk of one member, which rots once in a run. The member must report it, with the place,
/// before it does anything else with what it reads; then it gets a new disk and is another server.
class RottenDisk {
public:
    struct Hands {
        std::function<void(std::string what)> broken;      ///< A promise was broken.
        std::function<void(sim::Node& node)> start_again;  ///< Restarts what ran there.
    };

    RottenDisk(sim::World& world, Sometimes& sometimes, Hands hands)
        : world_(world), sometimes_(sometimes), hands_(std::move(hands)) {}

    /// Flips one bit, with the power off or while the member runs. `directory`: the one with which
    /// the member's node was opened.
    void flip_bit(sim::Process& victim, const std::string& directory, Random& random);
    [[nodiscard]] bool struck() const { return victim_ != nullptr; }
    /// True if the bit and the disk are still there.
    [[nodiscard]] bool rotten() const { return struck() && !replaced_; }

    /// The node's log was opened.
    void opened(const sim::Process& process);
    /// A member reports that it cannot go on; true if that is right.
    [[nodiscard]] bool ended(const sim::Process& process, const Error& error);
    /// Replaces the disk if the damage was reported.
    void replace();

private:
    sim::World& world_;
    Sometimes& sometimes_;
    const Hands hands_;
    sim::Process* victim_ = nullptr;
    Rot rot_;
    std::uint64_t starts_ = 0;  ///< Starts of the victim before the bit flipped.
    Duration patience_{};       ///< From the report to a new disk.
    bool told_ = false;
    bool replaced_ = false;
};

}  // namespace understudy::swarm
