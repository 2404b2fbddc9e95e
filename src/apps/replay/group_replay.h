#pragma once

#include <functional>
#include <optional>
#include <string>

#include "journal/format/place_reader.h"
#include "journal/walk/walk.h"

namespace understudy::apps {

/// Where the log of a node is, and what belongs to it.
struct NodePlace {
    std::string node;  ///< Has `groups`, with checkpoints.
    std::string log;
};
/// `directory` is a node's, or its log if it is a node's, which only its records say.
/// Nullopt: neither.
[[nodiscard]] std::optional<NodePlace> node_place(Disk& disk, const std::string& directory);

/// Tells the entries of one group of a node's log as its journal would.
///
/// A log alone does not say what is committed: that is what a majority has. It is proven by a
/// checkpoint, since one is made only of what is committed; by a command, since a leader takes none
/// before all up to the first entry of its term is; and where this node is the only voter.
///
/// Thread: any; blocks.
class GroupWalk final : public journal::WalkVisitor {
public:
    enum class Proof : std::uint8_t { none, checkpoint, later_command, only_voter };

    struct Options {
        std::string group;         ///< Name of the service, or the id in hex. Empty: the only one.
        bool uncommitted = false;  ///< Go on beyond what is proven.
    };
    struct Found {
        journal::GroupId group;
        std::string service;
        Index first;
        Index last;
        Index starts;     ///< The first that a replay can begin with, from a checkpoint if need be.
        Index committed;  ///< Proven up to here.
        Proof proof = Proof::none;
        std::string directory;  ///< Of its checkpoints.
    };
    using OnFound = std::function<void(const Found&)>;

    /// `told` hears begin() with the group's checkpoints, then the entries; `found` comes before,
    /// and once more if files of a log in use went meanwhile. All outlive this.
    GroupWalk(Disk& disk, NodePlace place, Options options, journal::WalkVisitor& told,
              OnFound found);

    void begin(const journal::Walked& walked) override;
    /// Errors: not_found (none: no such group, or its body is gone); bad_config (none: which of
    ///         them?); corrupt (none); those of `told`.
    [[nodiscard]] Result<void> groups(const journal::NodeGroups& node) override;
    void progress(std::uint64_t bytes, std::uint64_t of_bytes) override;

    /// The last one, if the walk came to it.
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
