#pragma once

#include <functional>
#include <optional>
#include <string>

#include "journal/format/place_reader.h"
#include "journal/walk/walk.h"

namespace understudy::apps {

/// The log of a node and its other files.
struct NodePlace {
    std::string node;  ///< Contains `groups`, with checkpoints.
    std::string log;
};
/// `directory` is a node's directory, or its log (which only its records show). Nullopt: neither.
[[nodiscard]] std::optional<NodePlace> node_place(Disk& disk, const std::string& directory);

/// Passes on the entries of one group of a node's log, as its journal would.
///
/// A log alone does not say what is committed, because that depends on a majority. Three things
/// prove it: a checkpoint, because it contains only committed entries; a command, because a leader
/// takes none before everything up to the first entry of its term is committed; and this node as
/// the only voter.
///
/// Thread: any; blocks.
class GroupWalk final : public journal::WalkVisitor {
public:
    enum class Proof : std::uint8_t { none, checkpoint, later_command, only_voter };

    struct Options {
        std::string group;  ///< Name of the service, or the id in hex. Empty: the only group.
        bool uncommitted = false;  ///< Also pass on what is not proven.
    };
    struct Found {
        journal::GroupId group;
        std::string service;
        Index first;
        Index last;
        Index starts;     ///< The first entry with which a replay can begin, if necessary after a
                          ///< checkpoint.
        Index committed;  ///< The last entry that is proven committed.
        Proof proof = Proof::none;
        std::string directory;  ///< Of its checkpoints.
    };
    using OnFound = std::function<void(const Found&)>;

    /// `told` gets begin() with the group's checkpoints, then the entries. `found` is called before
    /// that, and again if files of a log in use were removed meanwhile. All arguments outlive this.
    GroupWalk(Disk& disk, NodePlace place, Options options, journal::WalkVisitor& told,
              OnFound found);

    void begin(const journal::Walked& walked) override;
    /// Errors: not_found (none): there is no such group, or its body is gone; bad_config (none):
    /// there are several; corrupt (none); those of `told`.
    [[nodiscard]] Result<void> groups(const journal::NodeGroups& node) override;
    void progress(std::uint64_t bytes, std::uint64_t of_bytes) override;

    /// The last one found, if the walk reached it.
    [[nodiscard]] const std::optional<Found>& found() const { return found_; }

private:
    using Group = std::pair<const journal::GroupId, journal::GroupIndex>;

    [[nodiscard]] Result<const Group*> choose(const journal::NodeGroups& node) const;
    [[nodiscard]] Result<journal::Walked> checkpoints(const std::string& directory) const;
    [[nodiscard]] Result<void> prove(const journal::NodeGroups& node, const Group& group,
                                     const journal::Walked& held, Found& found) const;
    [[nodiscard]] Result<Index> last_command(const journal::NodeGroups& node,
                                             const Group& group) const;
    [[nodiscard]] Result<bool> only_voter(const journal::NodeGroups& node,
                                          const Group& group) const;
    [[nodiscard]] Result<void> tell(const journal::NodeGroups& node, const Group& group,
                                    Index last);

    Disk& disk_;
    const NodePlace place_;
    const Options options_;
    journal::WalkVisitor& told_;
    const OnFound on_found_;
    std::optional<Found> found_;
};

[[nodiscard]] std::string_view name(GroupWalk::Proof proof);

}  // namespace understudy::apps
