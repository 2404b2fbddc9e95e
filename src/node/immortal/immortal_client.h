#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.h"
#include "hosting/locator.h"
#include "runtime/runtime.h"

namespace understudy::node {

/// The calls of a client that is not an immortal, to one service. They are numbered within a
/// session, sent again until they are answered, and carried out once, even if copies of the service
/// fail meanwhile.
///
/// A client that keeps its session's id and the numbers of its calls can go on after its own
/// restart where it was. Calls that arrived are answered and not carried out again; for the others
/// it is known that they did not arrive. A session that is not used for an hour of the service's
/// time is forgotten.
///
/// Thread: loop only. May be destroyed in any callback.
/// Source: docs/protocols/immortals.md, "Clients".
class ImmortalClient {
public:
    /// Calls that wait for an answer.
    static constexpr std::size_t outstanding_max = 65'536;
    /// Of calls that are not known to be durable.
    static constexpr std::size_t outstanding_bytes_max = 16 * MiB;

    /// How long the service keeps an answer.
    enum class Answers : std::uint8_t {
        until_told,      ///< Until it has been delivered here.
        until_released,  ///< Until release(), so that it is available after a restart of this
                         ///< process.
    };
    struct Options {
        std::string service;
        std::uint64_t session = 0;  ///< 0: a new one. Two processes never use the same id at once.
        Answers answers = Answers::until_told;
        std::optional<TlsOptions> tls = {};
        Duration connect_timeout = 1s;
    };
    using Answered = std::function<void(Result<Bytes> reply)>;  ///< Lives as long as the call.

    [[nodiscard]] static std::unique_ptr<ImmortalClient> make(Runtime& runtime, Log& log,
                                                              Options options,
                                                              hosting::Locator& locator);
    virtual ~ImmortalClient() = default;

    /// A new session may be used at once. A kept session may be used when the service has reported
    /// its position; `ready` is then called once, after callers that wait for calls that never
    /// arrived have been told.
    virtual void on_ready(std::function<void()> ready) = 0;
    [[nodiscard]] virtual bool ready() const = 0;
    /// The number of the next call, to be recorded before the call is made. Requires: ready().
    [[nodiscard]] virtual std::uint64_t next_number() const = 0;

    /// The call is answered once, in any order, never within this call. There is no time limit: a
    /// caller that wants one stops waiting, and may ask again by number.
    /// Errors: not_active (none): not ready yet; limit_exceeded (none); session_expired (unknown;
    /// none if it had expired before); closed (unknown); not_found, bad_config, failed: those of
    /// the handler.
    /// Returns the number of the call in the session; 0: it was not taken.
    virtual std::uint64_t call(std::string_view handler, Bytes arguments, Answered answered) = 0;
    /// The same without an answer. Returns 0 if it was not taken, for one of these reasons.
    virtual std::uint64_t send(std::string_view handler, Bytes arguments) = 0;
    /// Waits for the answer to a call that an earlier process of this session made. If no caller
    /// waits for such an answer when the session is ready, it is dropped.
    /// Errors: as call(); not_found (none): the call never arrived and never will; session_expired
    /// (unknown): its answer is no longer kept.
    /// Requires: not ready() yet, or within on_ready()'s call.
    virtual void resume(std::uint64_t number, Answered answered) = 0;
    /// The answer to this call is no longer needed (Answers::until_released).
    virtual void release(std::uint64_t number) = 0;
    /// Sets the function that is called when there is room again after a call was refused for lack
    /// of it.
    virtual void on_room(std::function<void()> room) = 0;

    [[nodiscard]] virtual std::uint64_t session() const = 0;
    /// Calls that wait for an answer.
    [[nodiscard]] virtual std::size_t outstanding() const = 0;
    /// True if all calls are in the service's journal.
    [[nodiscard]] virtual bool all_durable() const = 0;
    /// Gives up the session: its answers are no longer kept. Requires: called once.
    virtual void close(std::function<void()> done) = 0;
};

}  // namespace understudy::node
