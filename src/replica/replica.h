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

/// Where a command is kept when it counts as durable. A property of the journal, shown in status.
enum class Durability : std::uint8_t {
    disk = 1,    ///< Synced to the directory, or by a majority of the members.
    memory = 2,  ///< In the memory of a majority. A power cut may lose it.
};
[[nodiscard]] std::string_view name(Durability durability);

/// Hosts a StateMachine on a journal of any kind. A command is submitted, and its reply comes when
/// it is committed and applied.
///
/// It adds to the journal what every service needs. Commands of one loop turn share an entry. A
/// request of a session is carried out once, however often it is sent. The journal is replayed at
/// the start, and checkpoints are taken in the background. A member that is not active applies what
/// the active member appends.
///
/// The destructor abandons what is under way; close() finishes it. Both may be called in any
/// callback. No callback is called within the call that it was given to.
/// Thread: loop only.
class Replica final : private journal::Observer {
public:
    struct Options {
        Durability durability = Durability::disk;  ///< That of the journal.
        Proposals::Options proposals = {};
        Checkpoints::Options checkpoints = {};
        CheckpointDuty checkpoint_duty = CheckpointDuty::mine;
        bool witness = false;  ///< Applies nothing, keeps no state, takes no checkpoints.
    };

    struct Counters {
        std::uint64_t entries = 0;   ///< Committed, whichever member appended them.
        std::uint64_t commands = 0;  ///< Applied, with requests.
        std::uint64_t packs = 0;     ///< Appended here.
        std::uint64_t repeated = 0;  ///< Requests that got their old reply.
        std::uint64_t expired = 0;   ///< Requests that their session has forgotten, or without one.
        std::uint64_t refused = 0;   ///< Not active, limit exceeded, closing.
        std::uint64_t reads = 0;
        std::uint64_t confirms = 0;  ///< Asked of the journal. One serves all reads of a turn.
        std::uint64_t restorations = 0;
    };

    using Opened = std::function<void(Result<std::unique_ptr<Replica>>)>;
    using Proposed = std::function<void(Result<Index>)>;
    using Done = std::function<void(Result<void>)>;
    struct Outcome {
        RequestFate fate;
        Bytes reply;  ///< If the request was applied. Lives as long as the call.
    };

    /// Restores `machine` from the newest checkpoint, replays the entries after it, then calls
    /// `opened` once, never within this call.
    ///
    /// Requires: `machine` has its initial state, and outlives the Replica.
    /// Errors: those of the journal; corrupt (none): a checkpoint or an entry is invalid; the error
    ///         that the machine returned when it was restored.
    [[nodiscard]] static std::unique_ptr<journal::Opening> open(Runtime& runtime, Log& log,
                                                                Options options,
                                                                const journal::Open& journal,
                                                                StateMachine& machine,
                                                                Opened opened);
    ~Replica() override;

    Replica(const Replica&) = delete;
    Replica& operator=(const Replica&) = delete;

    /// Makes `command` durable, applies it, then calls `answered` once with the reply. Replies to
    /// commands of one urgency come in the order of the commands.
    /// Errors: not_active (none: it was not taken, and the detail names the active member; unknown:
    ///         the tenure ended while it was under way), no_space, limit_exceeded, closed (none),
    ///         disk_failed (unknown).
    void submit(Bytes command, Urgency urgency, Answered answered);
    void submit(Bytes command, Answered answered);

    /// The same for a request of a session. It is carried out once, however often it is submitted,
    /// here or at other members. If its reply is known here, it is given in every role.
    /// Errors: as above; session_expired (unknown: it is forgotten whether it was carried out);
    ///         refused (none: it was abandoned).
    void submit(const Request& request, Bytes command, Answered answered);

    /// The same as submit(), but `done` gets only the index of the entry.
    void propose(Bytes command, Urgency urgency, Proposed done);

    /// Opens a session for a client's requests. It ends when it is closed, when it is not used for
    /// an hour of log time, or when its place is needed for another one. Errors: as submit().
    void open_session(std::function<void(Result<SessionId>)> opened);
    void close_session(SessionId session, Done done);

    /// Tells what became of a request that was submitted at any member. If it has not been applied,
    /// it is abandoned: it will never be applied, even if it still arrives. Errors: as submit().
    void outcome(const Request& request, std::function<void(Result<Outcome>)> told);

    /// Calls `done` when the state includes every command whose reply was given before this call,
    /// at any member. Reading the machine in `done` is linearizable. Errors: not_active, closed,
    /// disk_failed (none).
    void read(Done done);

    /// Takes a checkpoint of the present state. `done` gets its index when it is durable.
    /// Errors: no_space, disk_failed, limit_exceeded, closed (none).
    void checkpoint_now(Proposed done);
    /// Says whether this member takes checkpoints when they are due.
    void set_checkpoint_duty(bool mine);

    /// Refuses new commands, finishes what was accepted, then calls `done`.
    /// Requires: called once.
    void close(std::function<void()> done);

    /// `changed` is called with each later change; standing() is the present one. A member that was
    /// standby before is told `active` when all entries before its tenure are applied.
    void on_standing(std::function<void(const Standing&)> changed);
    /// `failed` is called once when this member cannot go on: the journal has failed, or an entry
    /// is invalid. Every pending command has its answer before.
    void on_failed(std::function<void(const Error&)> failed);
    void on_space_changed(std::function<void(Space)> changed);

    [[nodiscard]] Index applied() const { return applied_; }
    /// The log time of the newest entry.
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
    /// Of the whole replicated state, with sessions. At the same index it is equal at all members.
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
    Duration tenure_time_{};  ///< The log time when the tenure began.
    TimePoint tenure_began_;
    std::optional<Error> broken_;
    bool closing_ = false;

    Proposals proposals_;
    TurnEnd flush_;
    struct Known {
        Answered answered;
        Buffer reply;
    };
    std::vector<Known> known_;  ///< Requests that were carried out earlier.
    std::vector<Done> reads_;  ///< They wait for the next confirm().
    bool confirming_ = false;
    Buffer reply_;
    Counters counters_;

    std::function<void(const Standing&)> on_standing_;
    std::function<void(const Error&)> on_failed_;
    std::function<void(Space)> on_space_changed_;
    Lifetime life_;
    std::unique_ptr<journal::Journal> journal_;  ///< Null while it is being opened.
};

}  // namespace understudy::replica
