#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "journal/format/entry.h"
#include "understudy/result.h"

namespace understudy::journal {

/// Which program uses a data directory.
enum class DirectoryUse : std::uint8_t {
    registry = 1,
    replica = 2,
    immortal = 3,
};

/// What lies in a data directory.
enum class DirectoryForm : std::uint8_t {
    alone = 1,   ///< A local journal: no other member has a copy.
    shared = 2,  ///< A journal that several members reach.
    node = 3,    ///< A node of a group: its log and the checkpoints of its groups.
    log = 4,     ///< The log of such a node: a local journal in a subdirectory.
    copies = 5,  ///< Only directories of nodes, one for each copy of a service.
};

/// What a data directory is. It is decided when the directory is made, never changes, and is
/// checked at each opening.
///
/// A command line says what is wanted; the identity says what is there. It contains nothing that
/// can change: the members are in the journal.
/// Source: docs/formats/journal.md, section "Identity".
struct DirectoryIdentity {
    DirectoryUse use = DirectoryUse::replica;
    DirectoryForm form = DirectoryForm::alone;
    std::string platform = {};  ///< Of a registry's node. Empty: not known.
    std::string service = {};   ///< Of a replica or an immortal.
    std::string node = {};      ///< Of a node. Empty: any name.
    friend bool operator==(const DirectoryIdentity&, const DirectoryIdentity&) = default;
};

/// The service name in the identity of a node that several services share.
inline constexpr std::string_view several_services = "*";

inline constexpr std::string_view identity_name = "identity";
inline constexpr std::size_t identity_bytes = 512;

/// Requires: none of the texts is longer than identifier_size_max.
[[nodiscard]] Buffer encode(const DirectoryIdentity& identity);
/// Errors: corrupt (none); bad_config (none) for another version.
[[nodiscard]] Result<DirectoryIdentity> decode_identity(Bytes file);

/// "the directory of node r1 of a registry of several nodes"
[[nodiscard]] std::string describe(const DirectoryIdentity& identity);
/// What opens it: "understudy registry --name r1 --peers ... --data DIR".
[[nodiscard]] std::string opened_by(const DirectoryIdentity& identity,
                                    const std::string& directory);

/// What was found in a directory. It is needed for a directory without an identity.
struct DirectoryContent {
    std::vector<std::string> names = {};        ///< In it, sorted.
    std::vector<std::string> log_names = {};    ///< In its subdirectory `log`.
    std::vector<std::string> group_names = {};  ///< In its subdirectory `groups`.
    /// Its subdirectories that are directories of nodes.
    std::vector<std::string> nodes = {};
    /// Length of the first segment of a local journal, in this directory or in its log.
    std::optional<std::uint64_t> segment_bytes = {};
    /// The type of its first entry that has a body.
    std::optional<EntryType> first_entry = {};
};

/// What the files in a directory are.
enum class DirectoryFiles : std::uint8_t {
    none,         ///< Not a journal: the directory is new, or belongs to another program.
    local,        ///< A local journal. By the names alone, it may also be the log of a node.
    log,          ///< The log of a node.
    shared,
    node,
    checkpoints,  ///< Only checkpoints, as a node has them for each group.
    copies,
    several,      ///< Files that do not belong together.
};

[[nodiscard]] DirectoryFiles recognise(const DirectoryContent& content);

/// A directory that is to be opened, and as what.
struct DirectoryWanted {
    std::string directory;
    DirectoryIdentity identity;
    std::uint64_t segment_bytes = 0;  ///< The segment size that it would use.
    std::string group = {};           ///< For a node: the name of the directory of its only group.
};

/// Checks whether the directory may be opened as what is wanted. Returns true if its identity has
/// yet to be written.
///
/// A directory without an identity is new, or was made by a version that wrote none. In the second
/// case its files show what it is, as far as they can.
/// Errors: bad_config (none): it is something else. The detail says what it is and what opens it.
[[nodiscard]] Result<bool> admit_directory(const DirectoryWanted& wanted,
                                           const std::optional<DirectoryIdentity>& found,
                                           const DirectoryContent& content);

}  // namespace understudy::journal
