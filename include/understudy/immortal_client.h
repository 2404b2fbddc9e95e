#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "understudy/immortal_member.h"

namespace understudy {

struct ImmortalClientOptions {
    /// How long the service keeps an answer.
    enum class Answers : std::uint8_t {
        until_told,      ///< Until it has been delivered here.
        until_released,  ///< Until release(), so also after a restart of this process.
    };

    std::string service;
    std::vector<std::string> registry = {};  ///< Addresses of the registry ...
    std::vector<std::string> members = {};   ///< ... or HOST:PORT of its copies.
    std::uint64_t session = 0;       ///< 0: a new one. Two processes must never use one id at once.
    Answers answers = Answers::until_told;
    /// Calls that an earlier process of this session made and whose answers it has not used:
    /// resume() gives them. The answers to all other calls of that process are dropped.
    std::vector<std::uint64_t> resume = {};
    Duration call_timeout = 10s;  ///< For the functions that wait.
    std::optional<TlsFiles> tls = {};
    LogSink log = {};  ///< Empty: warnings and errors go to stderr.
};

/// Calls to an immortal from code that is not an immortal. Each call is carried out once, in order,
/// even if copies of the service fail meanwhile.
///
///     auto client = ImmortalClient::open({.service = "server", .members = {"127.0.0.1:7001"}});
///     client->call<&Server::greet>("Ann");
///
/// The calls of one session are numbered from 1. A client can go on after its own restart where it
/// was. For that it uses Answers::until_released, and writes down its session's id, and
/// next_number() before each call. resume() then gives the answers to the calls that arrived,
/// without carrying them out again, and says which calls did not arrive. A session that is not used
/// for an hour of the service's time is forgotten.
///
/// A client has two threads: one does the communication, the other runs callbacks, one at a time,
/// in the order of the answers. After fork() the child must not use it.
/// Thread: any. May be destroyed in a callback.
class US_API ImmortalClient {
public:
    static constexpr std::size_t outstanding_max = Replica::outstanding_max;
    static constexpr std::size_t outstanding_bytes_max = 8 * MiB;

    using Answered = std::function<void(Result<Buffer> reply)>;

    /// It is no error if no copy of the service answers. Errors: bad_config (none).
    [[nodiscard]] static Result<ImmortalClient> open(ImmortalClientOptions options);
    ImmortalClient(ImmortalClient&&) noexcept;
    ImmortalClient& operator=(ImmortalClient&&) noexcept;
    ~ImmortalClient();

    /// Calls a handler and waits for what it returns. Must not run on the callback thread.
    /// Errors: timed_out (unknown): the call is still under way and will be carried out once;
    /// session_expired, closed (unknown); limit_exceeded (none). Errors of the handler: not_found,
    /// bad_config (none), failed, limit_exceeded (unknown).
    template <auto handler, class... Given>
    [[nodiscard]] Result<detail::ReplyOf<handler>> call(const Given&... given) {
        return detail::take_reply<detail::ReplyOf<handler>>(
            call(detail::handler_name<handler>(), detail::arguments_of<handler>(given...)));
    }
    /// Calls a handler without waiting. `answered` is called on the callback thread; there is no
    /// time limit. Beyond outstanding_max or outstanding_bytes_max the caller waits for room; a
    /// callback does not wait and is refused with limit_exceeded.
    template <auto handler, class... Given>
    void call_async(std::function<void(Result<detail::ReplyOf<handler>>)> answered,
                    const Given&... given) {
        call_async(detail::handler_name<handler>(), detail::arguments_of<handler>(given...),
                   [answered = std::move(answered)](const Result<Buffer>& reply) {
                       if (answered) answered(detail::take_reply<detail::ReplyOf<handler>>(reply));
                   });
    }
    /// For handlers that are known only by name; `arguments` is a packed array.
    [[nodiscard]] Result<Buffer> call(std::string_view handler, Bytes arguments);
    void call_async(std::string_view handler, Bytes arguments, Answered answered);

    /// The number of the next call that is made. For a session that is not new, waits until the
    /// service has said how many calls it knows. Errors: timed_out, closed, bad_config (none).
    [[nodiscard]] Result<std::uint64_t> next_number();
    /// Says that the answer to this call has been used and need not be kept.
    void release(std::uint64_t number);
    /// Waits for the answer to a call of ImmortalClientOptions::resume. It may be called again.
    /// Errors: as call(); bad_config (none): the number is not one of those; not_found (none): the
    /// call never arrived and never will; session_expired (unknown): its answer is no longer kept.
    template <auto handler>
    [[nodiscard]] Result<detail::ReplyOf<handler>> resume(std::uint64_t number) {
        return detail::take_reply<detail::ReplyOf<handler>>(resume(number));
    }
    [[nodiscard]] Result<Buffer> resume(std::uint64_t number);

    /// The session's id, to be kept by a client that wants to go on after a restart.
    [[nodiscard]] std::uint64_t session() const;

    /// Gives up the session once the service knows of it: its answers are no longer kept. Closes
    /// the client. Errors: timed_out (unknown), closed, bad_config (none).
    [[nodiscard]] Result<void> end_session(Duration timeout = 2s);
    /// Ends calls that are under way with closed (unknown). The session stays. Idempotent.
    void close(Duration limit = 2s);

    struct Impl;

private:
    explicit ImmortalClient(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

}  // namespace understudy
