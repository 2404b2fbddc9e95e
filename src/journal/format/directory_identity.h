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

/// Whose a data directory is.
enum class DirectoryUse : std::uint8_t {
    registry = 1,
    replica = 2,
    immortal = 3,
};

/// What lies in a data directory.
enum class DirectoryForm : std::uint8_t {
    alone = 1,   ///< A local journal: nobody else has a copy.
    shared = 2,  ///< A journal that several members mount.
    node = 3,    ///< A node of a group: its log, checkpoints of its groups.
    log = 4,     ///< The log of such a node: a local journal below its directory.
    copies = 5,  ///< Nothing but directories of nodes, one for each copy of a service.
};

/// What a data directory is, for good: decided when it is made, checked by whoever opens it.
///
/// A command line says what somebody wants, a directory what there is. Nothing that can change
/// stands in it: who the members are is in the journal.
/// Source: docs/formats/journal.md, section "Identity".
struct DirectoryIdentity {
    DirectoryUse use = DirectoryUse::replica;
    DirectoryForm form = DirectoryForm::alone;
    std::string platform = {};  ///< Of a registry's node. Empty: whoever opens it does not know.
    std::string service = {};   ///< Of a replica or an immortal.
    std::string node = {};      ///< Of a node. Empty: whoever opens it may be called anything.
    friend bool operator==(const DirectoryIdentity&, const DirectoryIdentity&) = default;
};

/// The service of a node that several services share.
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

/// What a look into a directory found, for one that has no identity.
struct DirectoryContent {
    std::vector<std::string> names = {};        ///< In it, sorted.
    std::vector<std::string> log_names = {};    ///< In `log` in it.
    std::vector<std::string> group_names = {};  ///< In `groups` in it.
    /// Those of its directories that are the directories of nodes.
    std::vector<std::string> nodes = {};
    /// Length of the first segment of a local journal, in it or in its log.
    std::optional<std::uint64_t> segment_bytes = {};
    /// What its first entry is that a state machine hears of.
    std::optional<EntryType> first_entry = {};
};

/// What the files in a directory are.
enum class DirectoryFiles : std::uint8_t {
    none,         ///< No journal's: it is new, or of somebody else.
    local,        ///< A local journal's; or the log of a node, as far as the names tell.
    log,          ///< The log of a node.
    shared,
    node,
    checkpoints,  ///< Checkpoints alone, as a node has them for each group.
    copies,
    several,      ///< Files that do not belong together.
};

[[nodiscard]] DirectoryFiles recognise(const DirectoryContent& content);

/// What somebody wants to open.
struct DirectoryWanted {
    std::string directory;
    DirectoryIdentity identity;
    std::uint64_t segment_bytes = 0;  ///< That it would make.
    std::string group = {};           ///< Of a node: the name of its only group's directory.
};

/// Whether it may be opened as what is wanted; true if its identity has yet to be written.
///
/// One without an identity is new, or was made by a version that wrote none: then its files say
/// what it is, as far as they can.
/// Errors: bad_config (none): it is something else; says what, and what opens it.
[[nodiscard]] Result<bool> admit_directory(const DirectoryWanted& wanted,
                                           const std::optional<DirectoryIdentity>& found,
                                           const DirectoryContent& content);

}  // namespace understudy::journal
