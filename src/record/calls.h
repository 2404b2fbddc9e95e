#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/types.h"
#include "record/messages.h"
#include "understudy/limits.h"
#include "understudy/types.h"

namespace understudy::record {

/// May a call be sent again when nobody knows whether it ran?
enum class Repeat : std::uint8_t {
    never,    ///< Then its outcome is unknown, and the caller is told so.
    allowed,  ///< Running it twice does no harm: it is sent to the next active member.
};

/// Send this call's request (CallTable::request) on the link.
struct SendCall {
    CallId call;
};
/// The call is over: hand this to the caller. Comes once for each call that is not cancelled.
struct FinishCall {
    CallId call;
    Result<Buffer> outcome;
};
using CallEffects = std::vector<std::variant<SendCall, FinishCall>>;

/// The calls of one proxy that are not answered yet, through failures of the active member.
///
/// Each ends in one of: done, with its result; an error with effect none: it did not run; an error
/// with effect unknown: nobody knows. A call that was sent and not answered is never sent a second
/// time unless its caller allowed it; a call refused with `not_active` did not run and goes to the
/// next active member.
///
/// Sans-IO: the time is an argument; the shell carries out the effects in order and arms one timer
/// for next_deadline().
/// Bounds: calls_outstanding_max calls, arguments_outstanding_max bytes: begin() refuses beyond.
/// Thread: the owner's.
class CallTable {
public:
    static constexpr std::size_t arguments_outstanding_max = 64 * MiB;

    struct Call {
        std::string name;
        Buffer arguments;
        TimePoint deadline;
        Answer answer = Answer::wanted;  ///< Unwanted: over, with an empty result, once sent.
        Repeat repeat = Repeat::never;
    };

    /// Takes a call; sends it at once if a member is ready, else when one is.
    /// Errors: limit_exceeded, bad_config, timed_out: the deadline has passed (none).
    [[nodiscard]] Result<CallId> begin(Call call, TimePoint now, CallEffects& effects);
    /// The caller does not wait any more. What was sent may still run.
    void cancel(CallId call);

    /// A link to the active member takes calls: those that wait are sent, in order of begin().
    void ready(Epoch epoch, TimePoint now, CallEffects& effects);
    /// The member will not take more calls; those sent may still be answered. Ended by ready().
    void pause() { ready_.reset(); }
    /// The link is gone: sent calls have an unknown outcome, waiting ones go on waiting.
    void lost(TimePoint now, CallEffects& effects);
    /// The member answered. Answers to calls that are over are ignored.
    void reply(const RpcReply& reply, TimePoint now, CallEffects& effects);
    /// Ends calls whose deadline is not after `now`.
    void expire(TimePoint now, CallEffects& effects);
    /// Ends all: the proxy is being closed.
    void close(CallEffects& effects);

    /// What to send for a SendCall, with the time left; once for each, also if the call was over
    /// before its turn came. Views live until the next command.
    /// Requires: a SendCall named it; no ready(), lost() or close() since.
    [[nodiscard]] RpcRequest request(CallId call, TimePoint now);

    /// When expire() has something to do if nothing happens until then.
    [[nodiscard]] std::optional<TimePoint> next_deadline() const;
    [[nodiscard]] std::size_t outstanding() const { return calls_.size(); }
    [[nodiscard]] std::size_t waiting() const { return queued_.size(); }
    void check_invariants() const;

private:
    enum class State : std::uint8_t { queued, sent };

    struct Entry {
        Call call;
        State state = State::queued;
        bool maybe_done = false;  // Some earlier sending may have taken effect.
        bool requested = false;   // request() has been asked since it was last sent.
    };

    void queue(CallId id, Entry& entry);
    void send(CallId id, Entry& entry, CallEffects& effects);
    void finish(CallId id, Result<Buffer> outcome, CallEffects& effects);
    void fail(CallId id, Errc code, std::string detail, CallEffects& effects);
    void erase(CallId id);
    void begin_command();

    std::map<CallId, Entry> calls_;
    std::set<CallId> queued_;  // Ordered by begin().
    std::set<std::pair<TimePoint, CallId>> deadlines_;
    std::map<CallId, Entry> parting_;  // Over, but request() has not been asked yet.
    std::optional<Epoch> ready_;       // A link takes calls; the tenure behind it.
    std::size_t arguments_bytes_ = 0;
    CallId last_;
};

}  // namespace understudy::record
