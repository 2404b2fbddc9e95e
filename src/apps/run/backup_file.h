#pragma once

#include <cstddef>
#include <string>

#include "runtime/disk.h"
#include "understudy/types.h"

namespace understudy::apps {

// The file that `understudy registry backup` writes: docs/formats/registry-backup.md.

inline constexpr std::size_t backup_header_size = 32;
inline constexpr std::size_t backup_size_max = 256 * MiB;

[[nodiscard]] Buffer encode_backup(Bytes content);
/// The content, as a view into `file`. Errors: corrupt, limit_exceeded (none): says what is wrong.
[[nodiscard]] Result<Bytes> decode_backup(Bytes file);

enum class Existing : std::uint8_t { refuse, replace };

/// Writes a backup so that `path` has all of it or is unchanged: it writes another file, syncs and
/// renames it.
/// Errors: already_exists (none), no_space, disk_failed (none: `path` is unchanged).
[[nodiscard]] Result<void> write_backup(Disk& disk, const std::string& path, Bytes content,
                                        Existing existing);

/// Reads a whole file. Errors: no_such_file, not_permitted, bad_path, limit_exceeded, disk_failed
/// (none).
[[nodiscard]] Result<Buffer> read_file(const std::string& path, std::size_t size_max);

}  // namespace understudy::apps
