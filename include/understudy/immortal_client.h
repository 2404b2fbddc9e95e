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
        until_told,      ///< Until it has been told here.
        until_released,  ///< Until release(): it can still be had after a restart of this process.
    };

    std::string service;
    std::vector<std::string> registry = {};  ///< Where the service is to be found ...
    std::vector<std::string> members = {};   ///< ... or HOST:PORT of its copies.
    std::uint64_t session = 0;       ///< 0: a new one. The same id is never used by two at once.
    Answers answers = Answers::until_told;
    /// Calls that an earlier process of this session made, and whose answers it has not used: they
    /// are to be had by resume(). The answers to others of its calls are let go.
    std::vector<std::uint64_t> resume = {};
    Duration call_timeout = 10s;  ///< Of what waits.
    std::optional<TlsFiles> tls = {};
    LogSink log = {};  ///< Empty: warnings and errors go to stderr.
};

/// The calls of somebody who is no immortal: carried out once each, in their order, whatever becomes
/// of the copies of the service meanwhile.
///
///     auto client = ImmortalClient::open({.service = "server", .members = {"127.0.0.1:7001"}});
///     client->call<&Server::greet>("Ann");
///
/// The calls of one session are numbered from 1. A client that writes down its session's id, and
/// next_number() before each call, goes on after its own restart where it was, with
/// Answers::until_released: resume() gives the answers to calls that arrived, without carrying them
/// out again, and tells which did not. A session that is not used for an hour of the service's time
/// is forgotten.
///
/// Has two threads: one that talks, one on which callbacks run, one at a time, in order of the
/// answers. After fork() the child must not use it.
/// Thread: any. May be destroyed in a callback.
class US_API ImmortalClient {
public:
    static constexpr std::size_t outstanding_max = Replica::outstanding_max;
    static constexpr std::size_t outstanding_bytes_max = 8 * MiB;

    using Answered = std::function<void(Result<Buffer> reply)>;

    /// That nobody answers there is no error. Errors: bad_config (none).
    [[nodiscard]] static Result<ImmortalClient> open(ImmortalClientOptions options);
    ImmortalClient(ImmortalClient&&) noexcept;
    ImmortalClient& operator=(ImmortalClient&&) noexcept;
    ~ImmortalClient();

    /// Calls a handler and waits for what it returns. Not on a callback's thread.
    /// Errors: timed_out (unknown: it is still under way, and will be carried out once);
    ///         session_expired, closed (unknown); limit_exceeded (none); not_found, bad_config
    ///         (none), failed, limit_exceeded (unknown): what the handler was refused with.
    template <auto handler, class... Given>
    [[nodiscard]] Result<detail::ReplyOf<handler>> call(const Given&... given) {
        return detail::take_reply<detail::ReplyOf<handler>>(
            call(detail::handler_name<handler>(), detail::arguments_of<handler>(given...)));
    }
    /// The same without waiting: `answered` is called on the callback thread; there is no time
    /// limit. Beyond outstanding_max or outstanding_bytes_max the caller waits for room; a callback
    /// does not, and is refused with limit_exceeded.
    template <auto handler, class... Given>
    void call_async(std::function<void(Result<detail::ReplyOf<handler>>)> answered,
                    const Given&... given) {
        call_async(detail::handler_name<handler>(), detail::arguments_of<handler>(given...),
                   [answered = std::move(answered)](const Result<Buffer>& reply) {
                       if (answered) answered(detail::take_reply<detail::ReplyOf<handler>>(reply));
                   });
    }
    /// Of handlers that are known by name only; `arguments` is a packed array.
    [[nodiscard]] Result<Buffer> call(std::string_view handler, Bytes arguments);
    void call_async(std::string_view handler, Bytes arguments, Answered answered);

    /// Of the next call that is made. Waits until the service has said how far a session is that is
    /// not new. Errors: timed_out, closed, bad_config (none).
    [[nodiscard]] Result<std::uint64_t> next_number();
    /// The answer to this call has been used.
    void release(std::uint64_t number);
    /// Waits for the answer to a call of ImmortalClientOptions::resume. May be asked again.
    /// Errors: as call(); bad_config (none): not one of those; not_found (none): it never arrived
    ///         and never will; session_expired (unknown): its answer is not kept any more.
    template <auto handler>
    [[nodiscard]] Result<detail::ReplyOf<handler>> resume(std::uint64_t number) {
        return detail::take_reply<detail::ReplyOf<handler>>(resume(number));
    }
    [[nodiscard]] Result<Buffer> resume(std::uint64_t number);

    /// To be kept by who wants to go on after a restart.
    [[nodiscard]] std::uint64_t session() const;

    /// Gives up the session once the service has heard of it: its answers are not kept any more.
    /// Closes the client. Errors: timed_out (unknown), closed, bad_config (none).
    [[nodiscard]] Result<void> end_session(Duration timeout = 2s);
    /// Ends what is under way as closed (unknown). The session stays as it is. Idempotent.
    void close(Duration limit = 2s);

    struct Impl;

private:
    explicit ImmortalClient(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

}  // namespace understudy
