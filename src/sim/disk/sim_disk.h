#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/disk.h"
#include "sim/disk/disk_store.h"

namespace understudy::sim {

class SimRuntime;

/// A process's view of its machine's disk and of the shared directories that are mounted there.
///
/// The faults of single calls are here: crash points, errors, a full disk, latency. DiskStore
/// decides what is left after a crash. Asserts that no call blocks the loop.
class SimDisk final : public Disk {
public:
    explicit SimDisk(SimRuntime& runtime) : runtime_(runtime) {}
    SimDisk(const SimDisk&) = delete;
    SimDisk& operator=(const SimDisk&) = delete;

    [[nodiscard]] Result<std::unique_ptr<File>> open(const std::string& path, Open how) override;
    [[nodiscard]] Result<std::vector<std::string>> list(const std::string& directory) override;
    [[nodiscard]] Result<void> make_directory(const std::string& path) override;
    [[nodiscard]] Result<void> rename(const std::string& from, const std::string& to) override;
    [[nodiscard]] Result<void> remove(const std::string& path) override;
    [[nodiscard]] Result<std::uint64_t> free_bytes(const std::string& directory) override;
    [[nodiscard]] Result<void> sync_directory(const std::string& path) override;

    /// What the kernel does at the end of the process: it closes its files, which releases their
    /// locks.
    void close_all();
    /// The machine has lost its power, and the store of a shared directory is not told.
    void lose_power();
    /// The store of a shared directory has become unreachable, or reachable again.
    void storage_changed(bool cut);

private:
    class SimFile;
    enum class Call : std::uint8_t;

    /// The checks before the effect of each call. Errors: disk_failed: dead, unreachable, or a
    /// fault.
    [[nodiscard]] Result<void> enter(Call call, DiskStore* store, const std::string& path,
                                     std::uint64_t bytes = 0);
    [[nodiscard]] Result<void> take_descriptor(DiskStore& store, const std::string& path);
    [[nodiscard]] Duration cost_of(Call call, DiskStore& store, std::uint64_t bytes);

    SimRuntime& runtime_;
    std::map<std::uint64_t, SimFile*> files_;  // The open ones.
    std::uint64_t last_file_ = 0;
};

}  // namespace understudy::sim
