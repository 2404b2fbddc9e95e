#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sim/world.h"
#include "tests/swarm/swarm.h"

namespace understudy::swarm {

/// Counts rare events that should happen sometimes: a simulation in which one never happens has not
/// tested it.
class Sometimes {
public:
    /// Counts what the processes of `world` log from now on. Must live as long as the world runs.
    void listen(sim::World& world);
    /// A member of a journal has become active.
    void serves(const sim::Process& member);
    void happened(std::string_view what, std::uint64_t times = 1);
    [[nodiscard]] const RareCounts& counts() const { return counts_; }

private:
    void heard(const sim::Process& from, std::string_view event);

    RareCounts counts_;
    const sim::Process* claims_ = nullptr;  ///< The member that is taking over, if there is one.
};

/// The events that must have happened in a long enough run of each scene.
[[nodiscard]] const std::vector<std::string_view>& must_happen(Scene scene);

}  // namespace understudy::swarm
