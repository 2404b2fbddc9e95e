#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "runtime/disk.h"
#include "sim/disk/stored_directory.h"
#include "sim/disk/stored_file.h"
#include "sim/options.h"
#include "understudy/types.h"

namespace understudy::sim {

/// One file system: a tree of StoredFiles, with a capacity and faults that can be changed while it
/// is in use. Each machine has its own; a shared directory is a file system that several machines
/// mount.
///
/// Names have two layers too. A creation, rename or removal that no sync_directory() followed may
/// be lost in a crash, each independently; a rename is lost or kept as a whole. A new directory is
/// durable at once. Paths are absolute; "." and empty parts are skipped, ".." is not supported.
class DiskStore {
public:
    DiskStore(std::string name, const DiskOptions& options, std::uint64_t seed);

    // Calls of processes, through SimDisk. Errors as in runtime/disk.h.
    [[nodiscard]] Result<std::shared_ptr<StoredFile>> open(const std::string& path, Disk::Open how,
                                                           Owner owner);
    [[nodiscard]] Result<std::vector<std::string>> list(const std::string& directory) const;
    [[nodiscard]] Result<void> make_directory(const std::string& path);
    [[nodiscard]] Result<void> rename(const std::string& from, const std::string& to, Owner owner);
    [[nodiscard]] Result<void> remove(const std::string& path, Owner owner);
    [[nodiscard]] Result<void> sync_directory(const std::string& path);
    /// True if this many more pages fit.
    /// The directory as an open file: the same object as long as it is the same directory.
    [[nodiscard]] Result<std::shared_ptr<StoredFile>> open_directory(const std::string& path) const;
    /// True if `path` names the file that was opened as `file`.
    [[nodiscard]] bool names(const std::string& path, const StoredFile& file) const;
    /// Calls `changed` when the directory is moved or removed, or when one of `names` in it is
    /// created, moved or removed, as long as the result is held.
    [[nodiscard]] std::shared_ptr<void> watch(const std::string& path,
                                              std::vector<std::string> names,
                                              std::function<void()> changed);
    [[nodiscard]] bool has_room(std::uint64_t pages) const;

    // Calls of tests. Requires: the file exists, unless the result is optional.
    [[nodiscard]] bool exists(const std::string& path) const;
    /// The contents that processes read.
    [[nodiscard]] std::optional<Buffer> contents(const std::string& path) const;
    /// The contents after a power loss now that keeps only what is durable. The durability oracle
    /// uses it.
    [[nodiscard]] std::optional<Buffer> durable(const std::string& path) const;
    /// Replaces a file in both layers, durably: by an old version of it, or by a planted one.
    void plant(const std::string& path, Bytes contents);
    /// Removes a directory with its contents, durably, like rm -rf.
    void erase_directory(const std::string& path);
    void flip_bit(const std::string& path, std::uint64_t bit);
    void damage(const std::string& path, std::uint64_t offset, Bytes data);
    /// Replaces the disk by a new, empty one.
    void wipe();
    void set_capacity(std::uint64_t bytes) { options_.capacity_bytes = bytes; }
    [[nodiscard]] std::uint64_t used_bytes() const;
    [[nodiscard]] std::uint64_t free_bytes() const;
    [[nodiscard]] DiskOptions& options() { return options_; }
    [[nodiscard]] const std::string& name() const { return name_; }

    /// Loses the unsynced data of one process or of all, except what the draw keeps.
    void crash(std::optional<Owner> owner);
    [[nodiscard]] Random& random() { return random_; }

private:
    struct Place {
        StoredDirectory::DirectoryPtr directory;
        std::string name;
    };
    /// The directory that contains, or would contain, the last part of `path`.
    [[nodiscard]] Result<Place> place(const std::string& path) const;
    [[nodiscard]] Result<StoredDirectory::DirectoryPtr> directory_of(const std::string& path) const;
    [[nodiscard]] StoredDirectory::DirectoryPtr directory_at(const std::string& path) const;
    [[nodiscard]] StoredDirectory::FilePtr file_at(const std::string& path) const;
    StoredDirectory::FilePtr new_file();
    void name_changed(const std::string& path);

    struct Watch {
        std::string path;
        std::vector<std::string> names;
        std::function<void()> changed;
    };
    StoredDirectory::DirectoryPtr new_directory();

    std::string name_;
    DiskOptions options_;
    Random random_;
    std::shared_ptr<std::uint64_t> used_pages_;
    // All files that exist, in order of creation; a crash visits them in this order.
    std::vector<std::weak_ptr<StoredFile>> files_;
    std::vector<std::weak_ptr<StoredDirectory>> directories_;
    StoredDirectory::DirectoryPtr root_;
    std::vector<std::weak_ptr<Watch>> watches_;
};

}  // namespace understudy::sim
