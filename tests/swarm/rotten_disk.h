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

/// The disk of one member, which rots once in a run. The member must say so, and say where, before
/// it does anything else with what it reads; then it gets a new disk, and is another server.
class RottenDisk {
public:
    struct Hands {
        std::function<void(std::string what)> broken;      ///< A promise was.
        std::function<void(sim::Node& node)> start_again;  ///< Whatever ran there.
    };

    RottenDisk(sim::World& world, Sometimes& sometimes, Hands hands)
        : world_(world), sometimes_(sometimes), hands_(std::move(hands)) {}

    /// One bit, with the power off or behind the back of the running member.
    /// `directory`: what the member's node was opened with.
    void strike(sim::Process& victim, const std::string& directory, Random& random);
    [[nodiscard]] bool struck() const { return victim_ != nullptr; }
    /// The bit is still there, and the disk.
    [[nodiscard]] bool rotten() const { return struck() && !replaced_; }

    /// The node's log was opened.
    void opened(const sim::Process& process);
    /// A member says that it cannot go on: true if that is how it should be.
    [[nodiscard]] bool ended(const sim::Process& process, const Error& error);
    /// If the damage has been told.
    void replace();

private:
    sim::World& world_;
    Sometimes& sometimes_;
    const Hands hands_;
    sim::Process* victim_ = nullptr;
    Rot rot_;
    std::uint64_t starts_ = 0;  ///< Of the victim, when it was struck.
    Duration patience_{};       ///< From the word about it to a new disk.
    bool told_ = false;
    bool replaced_ = false;
};

}  // namespace understudy::swarm
