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

/// What a directory says that it is; nullopt if it says nothing.
/// Errors: corrupt, bad_config, disk_failed (none).
[[nodiscard]] Result<std::optional<DirectoryIdentity>> read_identity(Disk& disk,
                                                                     const std::string& directory);

/// A data directory that a journal has open: what it is has been checked, others are kept out, and
/// its end is noticed.
///
/// A lock holds a file, not a name: with its file deleted, or its directory moved away and another
/// one in its place, it keeps nobody out any more. So the directory itself is locked where its file
/// system can do that; and look() says whether the names still stand for what is held. Who hears
/// that they do not ends: what it would write is nobody's any more.
///
/// Thread: a worker, one call at a time; made, moved and destroyed anywhere.
class DirectoryHold {
public:
    enum class Access : std::uint8_t {
        exclusive,  ///< One process at a time: `lock` and the directory itself are locked.
        shared,     ///< Of several members: only its end is looked for.
    };

    /// Reads only, so that nothing changes in a directory that is somebody else's.
    /// Errors: bad_config, corrupt, disk_failed (none).
    [[nodiscard]] static Result<void> check(Disk& disk, const std::vector<DirectoryWanted>& wanted);

    /// Takes `directory`, made if absent, then writes down what those in `wanted` are that have no
    /// identity yet, durably. `writer` is a number that no other process has, for names of files.
    /// Errors: of check(); in_use, no_space (none).
    [[nodiscard]] static Result<std::unique_ptr<DirectoryHold>> take(
        Disk& disk, const std::string& directory, Access access,
        const std::vector<DirectoryWanted>& wanted, std::uint64_t writer);

    /// Errors: no_such_file (none): the directory, its lock or its identity has been removed, or
    ///         another stands in its place. What cannot be told is no error.
    [[nodiscard]] Result<void> look();

    /// Directories, and the names in each, whose end look() notices.
    struct Watched {
        std::string directory;
        std::vector<std::string> names;
    };
    [[nodiscard]] const std::vector<Watched>& watched() const { return watched_; }
    /// Asks the kernel to tell of their end by `changed`. Empty: it does not. Thread: loop only.
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
