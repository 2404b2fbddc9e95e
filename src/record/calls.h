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

/// Whether a call may be sent again when it is not known whether it ran.
enum class Repeat : std::uint8_t {
    never,    ///< Its outcome is unknown then, and the caller is told so.
    allowed,  ///< It may run twice: it is sent to the next active member.
};

/// Send the request of this call (CallTable::request) on the link.
struct SendCall {
    CallId call;
};
/// The call is over: give its outcome to the caller. Comes once for each call that is not
/// cancelled.
struct FinishCall {
    CallId call;
    Result<Buffer> outcome;
};
using CallEffects = std::vector<std::variant<SendCall, FinishCall>>;

/// The calls of one proxy that have no answer yet. They outlast failures of the active member.
///
/// Each call ends with its result, with an error of effect none (it did not run), or with an error
/// of effect unknown (it may have run). A call that was sent and not answered is sent again only if
/// its caller allowed it. A call that was refused with `not_active` did not run: it is sent to the
/// next active member.
///
/// Sans-IO: the time is an argument. The shell carries out the effects in order and arms one timer
/// for next_deadline().
/// Bounds: calls_outstanding_max calls, arguments_outstanding_max bytes; begin() refuses more.
/// Thread: the owner's.
class CallTable {
public:
    static constexpr std::size_t arguments_outstanding_max = 64 * MiB;

    struct Call {
        std::string name;
        Buffer arguments;
        TimePoint deadline;
        Answer answer = Answer::wanted;  ///< Unwanted: it ends with an empty result when sent.
        Repeat repeat = Repeat::never;
    };

    /// Takes a call. It is sent at once if a member is ready, else when one is.
    /// Errors: limit_exceeded, bad_config, timed_out: the deadline has passed (none).
    [[nodiscard]] Result<CallId> begin(Call call, TimePoint now, CallEffects& effects);
    /// The caller does not wait any more. A call that was sent may still run.
    void cancel(CallId call);

    /// A link to the active member is ready for calls. Those that wait are sent in order of
    /// begin().
    void ready(Epoch epoch, TimePoint now, CallEffects& effects);
    /// The member takes no more calls until ready(). Those that were sent may still be answered.
    void pause() { ready_.reset(); }
    /// The link has ended. Calls that were sent have an unknown outcome; those that wait go on.
    void lost(TimePoint now, CallEffects& effects);
    /// The member answered. Answers to calls that are over are ignored.
    void reply(const RpcReply& reply, TimePoint now, CallEffects& effects);
    /// Ends calls whose deadline is not after `now`.
    void expire(TimePoint now, CallEffects& effects);
    /// Ends all calls: the proxy is being closed.
    void close(CallEffects& effects);

    /// The request to send for a SendCall, with the time that is left. To be called once for each
    /// SendCall, also if the call has ended since. Views live until the next command.
    /// Requires: a SendCall named it, and there was no ready(), lost() or close() since.
    [[nodiscard]] RpcRequest request(CallId call, TimePoint now);

    /// The next time at which expire() has something to do.
    [[nodiscard]] std::optional<TimePoint> next_deadline() const;
    [[nodiscard]] std::size_t outstanding() const { return calls_.size(); }
    [[nodiscard]] std::size_t waiting() const { return queued_.size(); }
    void check_invariants() const;

private:
    enum class State : std::uint8_t { queued, sent };

    struct Entry {
        Call call;
        State state = State::queued;
        bool maybe_done = false;  // It was sent before, and may have run then.
        bool requested = false;   // request() was called since it was last sent.
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
    std::map<CallId, Entry> parting_;  // They are over, and request() was not called yet.
    std::optional<Epoch> ready_;       // The epoch of the member whose link takes calls.
    std::size_t arguments_bytes_ = 0;
    CallId last_;
};

}  // namespace understudy::record
