#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "journal/format/directory_identity.h"
#include "runtime/disk.h"
#include "runtime/host.h"

namespace understudy::journal {

/// The identity that is written in a directory; nullopt if there is none.
/// Errors: corrupt, bad_config, disk_failed (none).
[[nodiscard]] Result<std::optional<DirectoryIdentity>> read_identity(Disk& disk,
                                                                     const std::string& directory);

/// A data directory that a journal has open. Its identity has been checked, other processes are
/// kept out, and its removal or replacement is noticed.
///
/// A lock holds a file, not a name. If the lock file is deleted, or the directory is moved away and
/// replaced, the lock keeps no other process out. So the directory itself is locked where its file
/// system supports that. look() tells whether the names still refer to the files that are held. If
/// they do not, the journal must end: what it writes would be lost.
///
/// Thread: a worker, one call at a time; made, moved and destroyed anywhere.
class DirectoryHold {
public:
    enum class Access : std::uint8_t {
        exclusive,  ///< One process at a time: the file `lock` and the directory itself are locked.
        shared,     ///< Several members use it: only its removal is looked for.
    };

    /// Only reads, so that nothing changes in a directory that does not belong to this journal.
    /// Errors: bad_config, corrupt, disk_failed (none).
    [[nodiscard]] static Result<void> check(Disk& disk, const std::vector<DirectoryWanted>& wanted);

    /// Takes `directory`, and makes it if it does not exist. Then writes the identity of each
    /// directory in `wanted` that has none yet, durably. `writer` is a number that no other process
    /// has; it is used in file names.
    /// Errors: of check(); in_use, no_space (none).
    [[nodiscard]] static Result<std::unique_ptr<DirectoryHold>> take(
        Disk& disk, const std::string& directory, Access access,
        const std::vector<DirectoryWanted>& wanted, std::uint64_t writer);

    /// Errors: no_such_file (none): the directory, its lock or its identity was removed or
    ///         replaced. If that cannot be determined, it is no error.
    [[nodiscard]] Result<void> look();

    /// The directories, and the names in each, whose removal look() notices.
    struct Watched {
        std::string directory;
        std::vector<std::string> names;
    };
    [[nodiscard]] const std::vector<Watched>& watched() const { return watched_; }
    /// Asks the kernel to call `changed` when one of them changes. The result is empty if the
    /// kernel cannot do that. Thread: loop only.
    [[nodiscard]] std::vector<std::unique_ptr<DirectoryWatch>> watch(
        Host& host, const std::function<void()>& changed) const;

private:
    struct Held {
        std::string path;
        std::string what;  ///< For people: "its lock".
        std::unique_ptr<File> file;
        std::optional<DirectoryWanted> identifies = {};
    };

    DirectoryHold(Disk& disk, std::string directory);

    Result<void> hold_directory(Access access);
    Result<void> hold_lock();
    Result<void> hold_identities(const std::vector<DirectoryWanted>& wanted);
    [[nodiscard]] bool is_gone(Held& held);

    Disk& disk_;
    const std::string directory_;
    std::vector<Held> held_;
    std::vector<Watched> watched_;
};

}  // namespace understudy::journal
