#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>
#include <vector>

#include "runtime/host.h"
#include "sim/disk/disk_store.h"
#include "sim/process.h"
#include "understudy/types.h"

namespace understudy::sim {

class World;

/// A simulated machine: a name that resolves to it, a disk, clocks, and processes.
class Node {
public:
    Node(World& world, std::string name, std::size_t number);
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;
    ~Node();

    /// Starts a program. `make(Runtime&, Log&)` returns a std::unique_ptr to it, and is called
    /// again by each restart. It may call the disk, because the loop does not run yet.
    /// Requires: no living process has this name.
    template <class Make>
    Process& start(const std::string& name, Make make) {
        using App = typename std::invoke_result_t<Make&, Runtime&, Log&>::element_type;
        Process& process = place_for(name);
        process.set_program(
            [make = std::move(make)](Runtime& runtime, Log& log) mutable {
                return std::shared_ptr<App>(make(runtime, log));
            },
            typeid(App));
        return process;
    }
    /// Requires: it was started here.
    [[nodiscard]] Process& process(std::string_view name);

    /// The power fails: the processes of the machine die without a message, and an arbitrary part
    /// of the unsynced data is lost.
    void power_off();
    /// A new boot. Processes stay dead until each is restarted.
    void power_on();
    /// Moves the wall clock. Monotonic time does not change.
    void jump_wall(std::int64_t ms) { wall_offset_ms_ += ms; }
    /// Mounts a shared directory (World::add_disk) at `path`.
    void mount(const std::string& path, DiskStore& store);
    /// Calls to mounted stores fail with disk_failed until they are reachable again. After
    /// DiskOptions::lock_lease others may take the locks of this machine; the files that held them
    /// then fail for good.
    void cut_storage(bool cut);

    [[nodiscard]] DiskStore& disk() { return disk_; }
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] bool powered() const { return powered_; }
    [[nodiscard]] const std::string& boot() const { return boot_; }
    [[nodiscard]] std::uint64_t wall_ms() const;
    /// In the order of their first start.
    [[nodiscard]] const std::vector<std::unique_ptr<Process>>& processes() const {
        return processes_;
    }

    // The rest is used only by the simulator.

    enum class Loss : std::uint8_t { kill, power };
    void lose_unsynced(Owner owner, Loss loss);
    /// The store to which a path leads, and the path inside it; null if the store cannot be
    /// reached.
    [[nodiscard]] std::pair<DiskStore*, std::string> store_of(const std::string& path);
    [[nodiscard]] bool reaches(const DiskStore& store) const {
        return &store == &disk_ || !storage_cut_;
    }
    [[nodiscard]] ProcessId new_process_id();
    void add(const ProcessId& process) { running_.insert(process); }
    void remove(const ProcessId& process);
    [[nodiscard]] bool runs(const ProcessId& process) const { return running_.contains(process); }
    [[nodiscard]] std::size_t number() const { return number_; }
    [[nodiscard]] TimePoint monotonic() const;
    [[nodiscard]] std::uint16_t new_port();

private:
    struct Mount {
        std::string path;  // With a "/" at its end.
        DiskStore* store;
    };

    Process& place_for(const std::string& name);
    void boot_up();

    World& world_;
    const std::string name_;
    const std::size_t number_;
    Random random_;
    DiskStore disk_;
    std::vector<Mount> mounts_;
    bool storage_cut_ = false;
    bool powered_ = true;
    std::string boot_;
    TimePoint booted_at_;
    Duration monotonic_offset_ = Duration::zero();
    std::int64_t wall_offset_ms_ = 0;
    std::uint64_t next_pid_ = 0;
    std::uint16_t next_port_ = 0;
    std::map<std::uint64_t, std::uint64_t> last_ticks_;  // Of each pid ever used in this boot.
    std::set<ProcessId> running_;
    std::vector<std::unique_ptr<Process>> processes_;
};

}  // namespace understudy::sim
