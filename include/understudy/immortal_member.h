#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "understudy/immortal_object.h"
#include "understudy/replica.h"
#include "understudy/types.h"

namespace understudy {

/// Who runs an immortal, and where. One that runs beside a coordinator says `coordinator`, and of
/// the rest only what is said so.
struct ImmortalOptions {
    std::string service;      ///< Its name, and that of all its copies. With a coordinator too.
    std::string member = {};  ///< Of this process; no other copy has it.
    std::variant<LocalDirectory, SharedDirectory, ReplicatedGroup> journal = LocalDirectory{};
    std::string listen = "127.0.0.1:0";  ///< Where other immortals and clients come.
    std::string advertise = {};          ///< Host told to others: containers, several addresses.
    /// Where the platform's registry is: this copy becomes known there, others are found there, and
    /// it is said there who may become active and who takes checkpoints. When it starts, a copy waits
    /// for that word; afterwards it goes on without. Empty: nobody is asked.
    std::vector<std::string> registry = {};
    /// Without a registry: where the copies of this and of other services listen, HOST:PORT each.
    std::map<std::string, std::vector<std::string>> peers = {};
    /// HOST:PORT of `understudy coordinator`, or the path of its socket, with a '/' in it. It has the
    /// journal and the connections; the class acts in this process all the same.
    std::string coordinator = {};
    /// A checkpoint is due after so many bytes of calls, and not before there are as many as the
    /// last one was long.
    std::uint64_t checkpoint_every_bytes = 64 * MiB;
    Duration impulse_timeout = 10s;  ///< Of those that wait. With a coordinator too.
    std::optional<TlsFiles> tls = {};
    bool insecure = false;  ///< Allows `listen` beyond loopback without TLS.
    LogSink log = {};       ///< Empty: warnings and errors go to stderr. With a coordinator too.
};

/// What a copy of an immortal is, as far as it knows.
struct ImmortalStatus {
    Role role = Role::joining;  ///< joining: what the journal holds has not been replayed yet.
    Epoch epoch = {};
    std::string active = {};    ///< Member that is; empty: not known.
    std::string address = {};   ///< Where this copy listens.
    std::uint32_t version = 0;  ///< Of the code that acts.
    Index applied = {};
    Index checkpoint = {};  ///< The newest; 0: none.
    Duration time = {};     ///< Of the service.
    std::string durability = "disk";
    bool disk_full = false;
    std::uint64_t inputs = 0;       ///< Calls, answers and timers that the service was ever told.
    std::size_t waiting_bytes = 0;  ///< Of calls and answers that others do not have yet.
    std::size_t peers = 0;          ///< Immortals and clients it knows.
    std::uint64_t received = 0;     ///< Messages, in this process; so are the next three.
    std::uint64_t repeated = 0;     ///< That came again, and were not carried out again.
    std::uint64_t links = 0;        ///< Made, either way.
    std::uint64_t checkpoints = 0;
    std::optional<Error> failed = {};  ///< This copy cannot go on; start a new one.
};

/// One copy of an immortal: the object in this process, its journal, its connections.
///
///     auto server = ImmortalMember::open<Server>({.service = "server", .member = "A",
///                                                 .journal = SharedDirectory{"/shared/server"}});
///
/// All copies carry out the same calls in the same order; the active one takes them. Has two
/// threads: the loop thread, on which handlers run, and one on which all other callbacks run, one at
/// a time, in order. What those throw is caught and logged. Installs no signal handlers. After fork()
/// the child must not use it.
///
/// Thread: any. May be destroyed in any callback but a handler. Destroying it leaves the journal in
/// order, if that takes no longer than two seconds.
class US_API ImmortalMember {
public:
    static constexpr std::size_t outstanding_max = Replica::outstanding_max;  ///< Impulses.
    static constexpr std::size_t outstanding_bytes_max = Replica::outstanding_bytes_max;

    using Classes = std::vector<std::shared_ptr<const ImmortalClass>>;
    using Answered = std::function<void(Result<Buffer> reply)>;

    /// Hosts an object of class T; `Older` are the classes of earlier versions, whose state or whose
    /// calls its journal may still hold. Returns at once; wait_open() tells how it went.
    /// Errors: bad_config (none).
    template <class T, class... Older>
    [[nodiscard]] static Result<ImmortalMember> open(ImmortalOptions options) {
        return open(std::move(options), {std::make_shared<ImmortalClassOf<T>>(),
                                         std::make_shared<ImmortalClassOf<Older>>()...});
    }
    [[nodiscard]] static Result<ImmortalMember> open(ImmortalOptions options, Classes classes);
    ImmortalMember(ImmortalMember&&) noexcept;
    ImmortalMember& operator=(ImmortalMember&&) noexcept;
    ~ImmortalMember();

    /// Waits until what the journal holds has been replayed.
    /// Errors: timed_out, closed, in_use, corrupt, disk_failed, bad_config, bad_path, not_permitted,
    ///         no_descriptors, no_memory (none).
    [[nodiscard]] Result<void> wait_open(Duration timeout = 30s);
    /// Waits until this copy is active. Errors: as above.
    [[nodiscard]] Result<void> wait_active(Duration timeout = 30s);

    /// Calls a handler from outside, and waits for what it returns: the call is durable before it
    /// acts. Not on a callback's thread. An impulse is not repeated: one whose outcome is unknown
    /// may have been carried out; a client's session (ImmortalClient) is for those who retry.
    /// Errors: not_active (none: not taken, says who is; unknown: lost the role meanwhile),
    ///         limit_exceeded (none: too much waits for others), timed_out (unknown), no_space,
    ///         closed (none), disk_failed (unknown); not_found, bad_config (none), failed,
    ///         limit_exceeded (unknown: it threw; returned more than arguments_bytes_max). Beside a
    ///         coordinator an impulse has no answer: bad_config (none) if the handler returns
    ///         something.
    template <auto handler, class... Given>
    [[nodiscard]] Result<detail::ReplyOf<handler>> impulse(const Given&... given) {
        using Reply = detail::ReplyOf<handler>;
        return detail::take_reply<Reply>(
            impulse_packed(detail::handler_name<handler>(), detail::arguments_of<handler>(given...),
                           std::same_as<Reply, void> ? Wants::nothing : Wants::reply));
    }
    /// The same without waiting: `answered` is called on the callback thread, in the order of the
    /// impulses. Beyond outstanding_max or outstanding_bytes_max the caller waits for room; a
    /// callback does not, and is refused with limit_exceeded.
    template <auto handler, class... Given>
    void impulse_async(std::function<void(Result<detail::ReplyOf<handler>>)> answered,
                       const Given&... given) {
        using Reply = detail::ReplyOf<handler>;
        impulse_packed(detail::handler_name<handler>(), detail::arguments_of<handler>(given...),
                       std::same_as<Reply, void> ? Wants::nothing : Wants::reply,
                       [answered = std::move(answered)](const Result<Buffer>& reply) {
                           if (answered) answered(detail::take_reply<Reply>(reply));
                       });
    }
    /// Of handlers that are known by name only; `arguments` is a packed array.
    [[nodiscard]] Result<Buffer> impulse(std::string_view handler, Bytes arguments);
    void impulse_async(std::string_view handler, Bytes arguments, Answered answered);

    /// Calls `look` on the loop thread when the state holds all that anybody was told of before this
    /// call; it must return soon. T is the class that acts. Beside a coordinator it shows what has been
    /// carried out here by now, which may be less.
    /// Errors: not_active, timed_out, closed, bad_config (none).
    template <class T>
    [[nodiscard]] Result<void> look(std::function<void(const T&)> look, Duration timeout = 10s) {
        return look_at(
            [look = std::move(look)](const ImmortalObject& object) -> Result<void> {
                const auto* of = dynamic_cast<const ImmortalObjectOf<T>*>(&object);
                if (of == nullptr) {
                    return Error{.code = Errc::bad_config,
                                 .detail = "version " + std::to_string(object.version()) +
                                           " acts, which is of another class"};
                }
                look(of->object());
                return {};
            },
            timeout);
    }

    /// From now on the code of this version acts, at all copies. Each must have it.
    /// Errors: as impulse(); bad_config (none): not higher than now, or the active copy lacks it, or it
    ///         cannot take over the state there.
    [[nodiscard]] Result<void> upgrade(std::uint32_t version, Duration timeout = 30s);
    /// An immortal that will never come again: what waits for it is given up. If it comes again, it
    /// is a new one. Not beside a coordinator. Errors: as impulse().
    [[nodiscard]] Result<void> forget(std::string_view peer, Duration timeout = 10s);

    /// Called with the status as it is, then when role, epoch or active member change. A copy that
    /// was ever standby hears standby before active.
    void on_role(std::function<void(const ImmortalStatus&)> listener);
    [[nodiscard]] ImmortalStatus status() const;

    /// Lets what was taken finish, then leaves the journal to others. Idempotent.
    void close(Duration limit = 2s);

    struct Impl;

private:
    enum class Wants : std::uint8_t { nothing, reply };
    using Look = std::function<Result<void>(const ImmortalObject&)>;

    explicit ImmortalMember(std::shared_ptr<Impl> impl);
    [[nodiscard]] Result<Buffer> impulse_packed(std::string_view handler, Bytes arguments,
                                                Wants wants);
    void impulse_packed(std::string_view handler, Bytes arguments, Wants wants, Answered answered);
    [[nodiscard]] Result<void> look_at(Look look, Duration timeout);

    std::shared_ptr<Impl> impl_;
};

}  // namespace understudy
