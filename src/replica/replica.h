#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/lifetime.h"
#include "base/log.h"
#include "journal/journal.h"
#include "replica/checkpoints.h"
#include "replica/proposals.h"
#include "replica/state_machine.h"
#include "runtime/runtime.h"
#include "understudy/request.h"

namespace understudy::replica {

using journal::Space;
using journal::Standing;
using journal::Urgency;

/// When a command counts. What the journal does; named so that all can see it.
enum class Durability : std::uint8_t {
    disk = 1,    ///< Synced: on the directory, or by a majority of the members.
    memory = 2,  ///< In the memory of a majority; a power cut may lose it.
};
[[nodiscard]] std::string_view name(Durability durability);

/// Hosts a StateMachine on a journal of any kind: submit a command, hear its reply when it is
/// committed and applied.
///
/// Adds to the journal what every service needs: commands of one loop turn share an entry; requests
/// of sessions are carried out once, however often they are sent; replay when it starts,
/// checkpoints in the background. Whoever is not active applies what the active member appends.
///
/// Destroying it gives up; close() is the orderly way. Both may be called in any callback.
/// No callback comes within the call that it was given to.
/// Thread: loop only.
class Replica final : private journal::Observer {
public:
    struct Options {
        Durability durability = Durability::disk;  ///< What the journal is known to do.
        Proposals::Options proposals = {};
        Checkpoints::Options checkpoints = {};
        CheckpointDuty checkpoint_duty = CheckpointDuty::mine;
        bool witness = false;  ///< Applies nothing, keeps no state, takes no checkpoints.
    };

    struct Counters {
        std::uint64_t entries = 0;   ///< Heard.
        std::uint64_t commands = 0;  ///< Applied; requests among them.
        std::uint64_t packs = 0;     ///< Appended here.
        std::uint64_t repeated = 0;  ///< Requests that were answered, not carried out again.
        std::uint64_t expired = 0;   ///< Requests below their session's window, or without one.
        std::uint64_t refused = 0;   ///< Not active, too much, closing.
        std::uint64_t reads = 0;
        std::uint64_t confirms = 0;  ///< Of the journal, for all reads of a turn.
        std::uint64_t restorations = 0;
    };

    using Opened = std::function<void(Result<std::unique_ptr<Replica>>)>;
    using Proposed = std::function<void(Result<Index>)>;
    using Done = std::function<void(Result<void>)>;
    struct Outcome {
        RequestFate fate;
        Bytes reply;  ///< If applied. Lives as long as the call.
    };

    /// Restores `machine` from the newest checkpoint, replays what follows, then calls `opened`
    /// once, never within this call.
    ///
    /// Requires: `machine` is as new, and outlives the Replica.
    /// Errors: those of the journal; corrupt (none): a checkpoint or an entry makes no sense; what
    ///         the machine answered to a restoration.
    [[nodiscard]] static std::unique_ptr<journal::Opening> open(Runtime& runtime, Log& log,
                                                                Options options,
                                                                const journal::Open& journal,
                                                                StateMachine& machine,
                                                                Opened opened);
    ~Replica() override;

    Replica(const Replica&) = delete;
    Replica& operator=(const Replica&) = delete;

    /// Makes `command` durable, applies it, then calls `answered` with the reply: once, and in the
    /// order of the commands of one urgency.
    /// Errors: not_active (none: not taken, says who is; unknown: the tenure ended while it was
    ///         under way), no_space, limit_exceeded, closed (none), disk_failed (unknown).
    void submit(Bytes command, Urgency urgency, Answered answered);
    void submit(Bytes command, Answered answered);

    /// The same for a request of a session: carried out once, however often it is submitted, here
    /// or at other members. Whether active or not, a reply that is here is given.
    /// Errors: as above; session_expired (unknown: whether it was ever carried out is forgotten);
    ///         refused (none: abandoned).
    void submit(const Request& request, Bytes command, Answered answered);

    /// The same as submit() for who needs the index only.
    void propose(Bytes command, Urgency urgency, Proposed done);

    /// A session for a client's requests. Lasts until it is closed, is not used for an hour of the
    /// service's time, or makes room for others. Errors: as submit().
    void open_session(std::function<void(Result<SessionId>)> opened);
    void close_session(SessionId session, Done done);

    /// What became of a request that was submitted here or elsewhere. If it has not been applied,
    /// it is abandoned: it never will be, even if it still arrives. Errors: as submit().
    void outcome(const Request& request, std::function<void(Result<Outcome>)> told);

    /// Calls `done` when the state has all that anybody was told of before this call: whoever looks
    /// at the machine then reads linearizably.
    /// Errors: not_active, closed, disk_failed (none).
    void read(Done done);

    /// Takes a checkpoint of the state as it is now; `done` gets its index once it is durable.
    /// Errors: no_space, disk_failed, limit_exceeded, closed (none).
    void checkpoint_now(Proposed done);
    /// Who takes checkpoints is decided elsewhere; this member does, or does not.
    void set_checkpoint_duty(bool mine);

    /// Refuses what comes from now on, lets what was accepted finish, then calls `done`.
    /// Requires: called once.
    void close(std::function<void()> done);

    /// Called with each change from now on; standing() is what is now. A member that was ever
    /// standby hears standby before active, and active when all before its tenure is applied.
    void on_standing(std::function<void(const Standing&)> changed);
    /// Called once when this member cannot go on: the journal has failed, or holds what nobody here
    /// understands. Comes after every pending command has been told.
    void on_failed(std::function<void(const Error&)> failed);
    void on_space_changed(std::function<void(Space)> changed);

    [[nodiscard]] Index applied() const { return applied_; }
    /// Log time: what state machines are told.
    [[nodiscard]] Duration time() const { return replicated_.time; }
    [[nodiscard]] const Standing& standing() const { return standing_; }
    [[nodiscard]] bool active() const { return standing_.role == Role::active; }
    [[nodiscard]] Epoch epoch() const { return standing_.epoch; }
    [[nodiscard]] Space space() const;
    /// As journal::Journal::look().
    void look() { journal_->look(); }
    /// The newest durable checkpoint; 0 if there is none.
    [[nodiscard]] Index checkpoint() const;
    [[nodiscard]] Durability durability() const { return options_.durability; }
    [[nodiscard]] const Counters& counters() const { return counters_; }
    [[nodiscard]] const Checkpoints::Counters& checkpoint_counters() const {
        return checkpoints_.counters();
    }
    [[nodiscard]] std::size_t sessions() const { return replicated_.sessions.sessions(); }
    /// Of all that is replicated, sessions included. Equal at each member at each index.
    [[nodiscard]] std::uint64_t hash() const;

private:
    class Starting;

    Replica(Runtime& runtime, Log& log, Options options, StateMachine& machine);

    Result<void> restore(const journal::StateSlice& slice) override;
    void committed(const journal::Entry& entry) override;
    void standing_changed(const Standing& standing) override;
    void space_changed(Space space) override;
    void failed(const Error& error) override;

    void begin(journal::Journal& journal);
    void add(const Item& item, Urgency urgency, Answered answered);
    void answer_later(Answered answered, Error error);
    void schedule_flush();
    void flush();
    void append(Urgency urgency, Proposals::Pack pack);
    void appended(const std::vector<Answered>& waiting, const Result<Index>& result);
    void confirm_reads();
    void refuse_waiting();
    [[nodiscard]] Error not_active() const;
    [[nodiscard]] Duration log_time() const;

    [[nodiscard]] Result<void> apply_pack(const journal::Entry& entry, Results* results);
    void apply_item(const Item& item, Command& command, Results* results);
    void apply_command(const Item& item, Command& command);
    void break_off(Error error);
    void later(std::function<void()> task);

    Runtime& runtime_;
    Log& log_;
    const Options options_;
    StateMachine& machine_;

    Replicated replicated_;
    CheckpointSink sink_;
    Checkpoints checkpoints_;
    Index applied_;
    Standing standing_;
    Duration tenure_time_{};  ///< Log time when the tenure began ...
    TimePoint tenure_began_;  ///< ... which was then.
    std::optional<Error> broken_;
    bool closing_ = false;

    Proposals proposals_;
    bool flush_scheduled_ = false;
    std::vector<Done> reads_;  ///< For the next confirm().
    bool confirming_ = false;
    Buffer reply_;
    Counters counters_;

    std::function<void(const Standing&)> on_standing_;
    std::function<void(const Error&)> on_failed_;
    std::function<void(Space)> on_space_changed_;
    Lifetime life_;                                               ///< Until this has ended.
    std::unique_ptr<journal::Journal> journal_;                   ///< Null while opening.
};

}  // namespace understudy::replica
