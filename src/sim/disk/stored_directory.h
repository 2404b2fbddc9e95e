#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "base/random.h"
#include "sim/disk/stored_file.h"

namespace understudy::sim {

/// One directory of a simulated disk: the names that processes see, and those that are left after a
/// power cut.
///
/// Like StoredFile, with changes of names in place of writes.
class StoredDirectory {
public:
    using FilePtr = std::shared_ptr<StoredFile>;
    using DirectoryPtr = std::shared_ptr<StoredDirectory>;
    using Entry = std::variant<FilePtr, DirectoryPtr>;
    using Entries = std::map<std::string, Entry>;

    void link(const std::string& name, Entry entry, Owner owner);
    void unlink(const std::string& name, Owner owner);
    /// Renames within this directory. The change survives as a whole or not at all.
    void rename(const std::string& from, const std::string& to, Owner owner);
    /// Moves to another directory. After a crash the old name is never gone without the new one.
    void move(const std::string& from, const DirectoryPtr& target, const std::string& to,
              Owner owner);
    /// Puts a name in both layers.
    void link_durably(const std::string& name, Entry entry);
    void sync();
    /// Loses the changes that `owner` has not synced (all owners if nullopt), except what the draw
    /// keeps.
    void crash(std::optional<Owner> owner, Random& random);

    /// The directory as an open file; null if it was never opened.
    std::shared_ptr<StoredFile> held;

    [[nodiscard]] const Entries& entries() const { return entries_; }
    [[nodiscard]] const Entries& durable_entries() const { return durable_; }

private:
    struct Pending {
        Owner owner;
        std::string unlinked;        // Empty: none.
        std::string linked;          // Empty: none.
        std::optional<Entry> entry;  // Of `linked`.
        bool moved = false;          // `unlinked` still exists in another directory:
        std::weak_ptr<StoredDirectory> moved_to;
    };

    static void apply(Entries& entries, const Pending& pending);
    void change(Pending pending);
    void show(const Pending& pending);
    void put(const std::string& name, const Entry& entry);
    void take(const std::string& name);

    Entries entries_;
    Entries durable_;
    std::deque<Pending> pending_;
};

}  // namespace understudy::sim
