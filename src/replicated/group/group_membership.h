#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "replicated/group/context.h"
#include "replicated/group/joining.h"

namespace understudy::replicated {

/// The members of a group: the list that is applied, the configuration that is applied, and the
/// changes that are under way.
///
/// A leader first puts a new list into the log, then makes the configuration follow the list, one
/// server at a time. A change that was listed is finished by the next leader if the lead is lost.
///
/// Machine: says what to do next; the group carries it out and reports what came of it.
/// Bounds: changes_max changes wait; more are refused.
/// Source: docs/protocols/replication.md.
class GroupMembership {
public:
    using Done = Node::Done;
    static constexpr std::size_t changes_max = 16;

    /// Put this list of members into the log. If that is taken: listed().
    struct ProposeList {
        Buffer list;
    };
    struct ProposeConfiguration {
        consensus::Configuration configuration;
        std::string_view what;
    };
    /// Begin to let this server catch up. If that is taken: catching_up().
    struct CatchUp {
        ServerId server;
    };
    /// This leader is no longer listed: another one has to take the lead.
    struct LeaveLead {};
    using Step =
        std::variant<std::monostate, ProposeList, ProposeConfiguration, CatchUp, LeaveLead>;
    struct Answer {
        Done done;  ///< Null: no caller waits.
        Result<void> result;
    };
    struct Effects {
        Step step;
        std::optional<Answer> answer;
        bool soon = false;  ///< Call again within a heartbeat.
    };

    explicit GroupMembership(const GroupContext& context) : context_(context) {}

    // What is applied.

    [[nodiscard]] const Members& members() const { return members_; }
    [[nodiscard]] const consensus::Configuration& configuration() const { return configuration_; }
    void apply(Members members);
    void apply(consensus::Configuration configuration);
    /// Entries are applied up to `index`.
    void applied(Index index);
    /// For people: the name of this server.
    [[nodiscard]] std::string name_of(ServerId server) const;
    /// This member is listed, or in the newest configuration of the log. What was not applied
    /// before a restart is only in the log.
    [[nodiscard]] bool includes_self(const consensus::Configuration& newest) const;

    // Changes. Require: this member leads. Errors: as Node::add_member() and remove_member(); then
    // `done` is left as it was.

    [[nodiscard]] Result<void> add(Member member, Done& done, TimePoint now);
    [[nodiscard]] Result<void> remove(const std::string& name, Done& done, TimePoint now);

    enum class Join : std::uint8_t {
        nothing,   ///< It is a member already, or a change of it is under way.
        stranger,  ///< It waits until it is added.
        replaced,  ///< It has lost its disk, and is let in again under its name.
    };
    /// A member with this log is not in the configuration, and asks to join.
    [[nodiscard]] Join join(const Member& member, std::uint64_t identity, TimePoint now);

    /// The change that is first in the queue is about this node.
    [[nodiscard]] bool waits_for(std::string_view node) const;

    // What a leader does next.

    /// About the change that is first in the queue.
    [[nodiscard]] Effects tend_changes(TimePoint now);
    /// One step of the configuration towards the list of members.
    [[nodiscard]] Effects reconcile(const consensus::ConsensusCore& core);
    void listed(Index index);
    void catching_up(ServerId server) { catching_up_ = server; }

    /// This member leads from now on.
    void lead_won();
    /// This member does not lead: how its changes end.
    [[nodiscard]] std::vector<Answer> lead_lost();

    [[nodiscard]] Joining& joining() { return joining_; }
    [[nodiscard]] const Joining& joining() const { return joining_; }

private:
    struct Change {
        enum class Stage : std::uint8_t { wanted, listed, joining };
        Member member;
        bool removal = false;
        Done done;  ///< Null: no caller waits.
        Stage stage = Stage::wanted;
        TimePoint deadline;
        ServerId id;
    };

    [[nodiscard]] Result<void> check_room() const;
    [[nodiscard]] Effects begin(Change& change, TimePoint now);
    [[nodiscard]] Effects list(Change& change);
    [[nodiscard]] bool is_finished(const Change& change) const;
    [[nodiscard]] Effects finish(Result<void> result);
    [[nodiscard]] std::string not_reached(const Member& member) const;

    const GroupContext& context_;
    Members members_;
    consensus::Configuration configuration_;
    std::deque<Change> changes_;
    ServerId catching_up_;
    std::optional<Index> list_index_;  ///< Where a list of members is on its way.
    Joining joining_;
};

}  // namespace understudy::replicated
