#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.h"
#include "node/locator.h"
#include "runtime/runtime.h"

namespace understudy::node {

/// The calls of somebody who is no immortal to one service: numbered within a session, sent again
/// until they are answered, carried out once, whatever becomes of the copies of the service.
///
/// A client that keeps its session's id, and the numbers of its calls, goes on after its own
/// restart where it was: what arrived is answered, not carried out again; what did not arrive is
/// known not to have. A session that is not used for an hour of the service's time is forgotten.
///
/// Thread: loop only. May be destroyed in any callback.
/// Source: docs/protocols/immortals.md, "Clients".
class ImmortalClient {
public:
    /// Calls that wait for an answer.
    static constexpr std::size_t outstanding_max = 65'536;
    static constexpr std::size_t outstanding_bytes_max = 16 * MiB;  ///< Not known to be durable.

    /// How long the service keeps an answer.
    enum class Answers : std::uint8_t {
        until_told,      ///< Until it has been told here.
        until_released,  ///< Until release(): it can still be had after a restart of ours.
    };
    struct Options {
        std::string service;
        std::uint64_t session = 0;  ///< 0: a new one. The same id is never used by two at once.
        Answers answers = Answers::until_told;
        std::optional<TlsOptions> tls = {};
        Duration connect_timeout = 1s;
    };
    using Answered = std::function<void(Result<Bytes> reply)>;  ///< Lives as long as the call.

    [[nodiscard]] static std::unique_ptr<ImmortalClient> make(Runtime& runtime, Log& log,
                                                              Options options, Locator& locator);
    virtual ~ImmortalClient() = default;

    /// A new session may be used at once; one that was kept when the service has said how far it
    /// is. Called once, for the latter, after those who wait for calls that never arrived have been
    /// told.
    virtual void on_ready(std::function<void()> ready) = 0;
    [[nodiscard]] virtual bool ready() const = 0;
    /// Of the next call: to be written down before it is made. Requires: ready().
    [[nodiscard]] virtual std::uint64_t next_number() const = 0;

    /// Answered once, in any order, never within this call. There is no time limit: whoever wants
    /// one gives up waiting, and may ask again by number.
    /// Errors: not_active (none: not ready yet); limit_exceeded (none); session_expired (unknown;
    ///         none: it had expired before); not_found, bad_config, failed: what the handler was
    ///         refused with; closed (unknown).
    /// Returns the number of the call in the session; 0: it was not taken.
    virtual std::uint64_t call(std::string_view handler, Bytes arguments, Answered answered) = 0;
    /// The same without an answer. 0: not taken, for one of the reasons above.
    virtual std::uint64_t send(std::string_view handler, Bytes arguments) = 0;
    /// Waits for the answer to a call that an earlier process of this session made. Answers of
    /// earlier processes that nobody waits for when the session is ready are let go.
    /// Errors: as call(); not_found (none): the call never arrived and never will;
    ///         session_expired (unknown): its answer is not kept any more.
    /// Requires: not ready() yet, or within on_ready()'s call.
    virtual void resume(std::uint64_t number, Answered answered) = 0;
    /// The answer to this call is not needed any more (Answers::until_released).
    virtual void release(std::uint64_t number) = 0;
    /// Called when there is room again after a call was not taken for want of it.
    virtual void on_room(std::function<void()> room) = 0;

    [[nodiscard]] virtual std::uint64_t session() const = 0;
    /// Calls that wait for an answer.
    [[nodiscard]] virtual std::size_t outstanding() const = 0;
    /// All that was called and sent is in the service's journal.
    [[nodiscard]] virtual bool all_durable() const = 0;
    /// Gives up the session: its answers are not kept any more. Requires: called once.
    virtual void close(std::function<void()> done) = 0;
};

}  // namespace understudy::node
