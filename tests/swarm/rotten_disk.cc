#include "tests/swarm/rotten_disk.h"

#include <fmt/format.h>

namespace understudy::swarm {

void RottenDisk::flip_bit(sim::Process& victim, const std::string& directory, Random& random) {
    if (struck()) return;
    sim::Node& node = victim.node();
    const bool running = random.chance(1, 4);
    if (!running) node.power_off();
    const auto rot = rot_a_bit(node.disk(), directory, random);
    if (rot) {
        victim_ = &victim;
        rot_ = *rot;
        rot_.read_at_start = rot->read_at_start && !running;
        starts_ = victim.starts();
        patience_ = random.between(Duration(10ms), Duration(3s));
        world_.trace().line(world_.now(), node.name(), "swarm.rot",
                            fmt::format("bit {} of {}", rot_.bit, rot_.path));
        sometimes_.happened(rot_.read_at_start ? "durable entry rotten" : "disk rotten somewhere");
    }
    if (running) return;
    node.power_on();
    hands_.start_again(node);
}

void RottenDisk::opened(const sim::Process& process) {
    if (&process != victim_ || !rot_.read_at_start || told_ || replaced_) return;
    if (process.starts() == starts_) return;
    hands_.broken(fmt::format("J14: {} does not see the damage to entry {} of its log",
                              victim_->node().name(), rot_.entry.value));
    told_ = true;
}

bool RottenDisk::ended(const sim::Process& process, const Error& error) {
    if (&process != victim_ || replaced_ || error.code != Errc::corrupt) return false;
    if (told_) return true;
    told_ = true;
    sometimes_.happened("damage told");
    const std::string entry = fmt::format("entry {} of the journal", rot_.entry.value);
    if (rot_.read_at_start && rot_.entry != Index{} &&
        error.detail.find(entry) == std::string::npos) {
        hands_.broken(fmt::format("J14: {} has damage to entry {} of its log, and says: {}",
                                  victim_->node().name(), rot_.entry.value, to_string(error)));
    }
    world_.after(patience_, [this] { replace(); });
    return true;
}

void RottenDisk::replace() {
    if (!told_ || replaced_) return;
    replaced_ = true;
    sim::Node& node = victim_->node();
    if (node.powered()) node.power_off();
    node.disk().wipe();
    node.power_on();
    sometimes_.happened("rotten disk replaced");
    hands_.start_again(node);
}

}  // namespace understudy::swarm
