#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.h"
#include "node/immortal_member.h"
#include "runtime/runtime.h"

namespace understudy::node {

/// The calls of somebody who is no immortal to one service: numbered within a session, sent again
/// until they are answered, carried out once, whatever becomes of the copies of the service.
///
/// A client that keeps its session's id, and the numbers of the calls whose answers it has, goes on
/// after its own restart where it was: calls that arrived are answered, not carried out again. A
/// session that is not used for an hour of the service's time is forgotten.
///
/// Thread: loop only.
class ImmortalClient {
public:
    static constexpr std::size_t outstanding_max = 65'536;
    static constexpr std::size_t outstanding_bytes_max = 16 * MiB;

    struct Options {
        std::string service;
        std::uint64_t session = 0;  ///< 0: a new one. The same id is never used by two at once.
        std::optional<TlsOptions> tls = {};
        Duration connect_timeout = 1s;
    };
    using Answered = std::function<void(Result<Bytes> reply)>;  ///< Lives as long as the call.

    [[nodiscard]] static std::unique_ptr<ImmortalClient> make(Runtime& runtime, Log& log,
                                                              Options options, Locator& locator);
    virtual ~ImmortalClient() = default;

    /// Answered once, in any order, never within this call. There is no time limit: whoever wants
    /// one gives up waiting, and may ask again by number.
    /// Errors: limit_exceeded (none); session_expired (unknown); not_found, bad_config, failed: what
    ///         the handler was refused with; closed (unknown).
    /// Returns the number of the call in the session.
    virtual std::uint64_t call(std::string_view handler, Bytes arguments, Answered answered) = 0;
    /// The same without an answer.
    virtual std::uint64_t send(std::string_view handler, Bytes arguments) = 0;
    /// Waits for the answer to a call that an earlier process of this session made.
    virtual void resume(std::uint64_t number, Answered answered) = 0;

    [[nodiscard]] virtual std::uint64_t session() const = 0;
    [[nodiscard]] virtual std::size_t outstanding() const = 0;
    /// Gives up the session: its answers are not kept any more.
    virtual void close(std::function<void()> done) = 0;
};

}  // namespace understudy::node
