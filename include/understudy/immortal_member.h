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

/// One copy of an immortal, and where it runs. If it runs beside a coordinator, only `coordinator`
/// and the fields that say "With a coordinator too" are used.
struct ImmortalOptions {
    std::string service;  ///< The service's name, the same at all copies. With a coordinator too.
    std::string member = {};  ///< The name of this copy; no other copy has it.
    std::variant<LocalDirectory, SharedDirectory, ReplicatedGroup> journal = LocalDirectory{};
    std::string listen = "127.0.0.1:0";  ///< Where other immortals and clients connect.
    std::string advertise = {};  ///< The host to give to others: for containers, several addresses.
    /// The platform's registry. This copy registers there and finds others there. The registry also
    /// says which copy may become active and which takes checkpoints. At its start a copy waits for
    /// that; afterwards it goes on without the registry. Empty: no registry is used.
    std::vector<std::string> registry = {};
    /// Without a registry: where the copies of this and of other services listen, HOST:PORT each.
    std::map<std::string, std::vector<std::string>> peers = {};
    /// HOST:PORT of `understudy coordinator`, or the path of its socket, which contains a '/'. The
    /// coordinator keeps the journal and the connections; the class still runs in this process.
    std::string coordinator = {};
    /// A checkpoint is due after this many bytes of calls, but not before there are as many bytes
    /// as the last checkpoint had.
    std::uint64_t checkpoint_every_bytes = 64 * MiB;
    Duration impulse_timeout = 10s;  ///< For impulses that wait. With a coordinator too.
    std::optional<TlsFiles> tls = {};
    bool insecure = false;  ///< Allows `listen` beyond loopback without TLS.
    LogSink log = {};       ///< Empty: warnings and errors go to stderr. With a coordinator too.
};

/// What a copy of an immortal knows about itself.
struct ImmortalStatus {
    Role role = Role::joining;  ///< joining: the journal has not been replayed yet.
    Epoch epoch = {};
    std::string active = {};    ///< The active member; empty: not known.
    std::string address = {};   ///< Where this copy listens.
    std::uint32_t version = 0;  ///< Of the code that is in use.
    Index applied = {};
    Index checkpoint = {};  ///< The newest checkpoint; 0: none.
    Duration time = {};     ///< The service's time.
    std::string durability = "disk";
    bool disk_full = false;
    std::uint64_t inputs = 0;       ///< Calls, answers and timers in the life of the service.
    std::size_t waiting_bytes = 0;  ///< Calls and answers that other immortals do not have yet.
    std::size_t peers = 0;          ///< Immortals and clients that it knows.
    std::uint64_t received = 0;  ///< Messages. This and the next three count in this process only.
    std::uint64_t repeated = 0;  ///< Messages that came again and were not carried out again.
    std::uint64_t links = 0;     ///< Links that were opened, in either direction.
    std::uint64_t checkpoints = 0;
    std::optional<Error> failed = {};  ///< Set if this copy cannot go on; start a new one.
};

/// One copy of an immortal: the object in this process, its journal, its connections.
///
///     auto server = ImmortalMember::open<Server>({.service = "server", .member = "A",
///                                                 .journal = SharedDirectory{"/shared/server"}});
///
/// All copies carry out the same calls in the same order; the active copy takes new ones. A copy
/// has two threads: the loop thread, on which handlers run, and one on which all other callbacks
/// run, one at a time, in order. An exception from a callback is caught and logged. The copy
/// installs no signal handlers. After fork() the child must not use it.
///
/// Thread: any. It may be destroyed in any callback except a handler. The destructor leaves the
/// journal in order, if that takes no longer than two seconds.
class US_API ImmortalMember {
public:
    static constexpr std::size_t outstanding_max = Replica::outstanding_max;  ///< Impulses.
    static constexpr std::size_t outstanding_bytes_max = Replica::outstanding_bytes_max;

    using Classes = std::vector<std::shared_ptr<const ImmortalClass>>;
    using Answered = std::function<void(Result<Buffer> reply)>;

    /// Hosts an object of class T. `Older` are the classes of earlier versions whose state or calls
    /// the journal may still hold. Returns at once; wait_open() tells the result.
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

    /// Waits until the journal has been replayed.
    /// Errors: timed_out, closed, in_use, corrupt, disk_failed, bad_config, bad_path,
    ///         not_permitted, no_descriptors, no_memory (none).
    [[nodiscard]] Result<void> wait_open(Duration timeout = 30s);
    /// Waits until this copy is active. Errors: as above.
    [[nodiscard]] Result<void> wait_active(Duration timeout = 30s);

    /// Calls a handler from outside and waits for what it returns. The call is durable before it
    /// acts. Must not run on the callback thread. An impulse is not repeated: if its outcome is
    /// unknown, it may have been carried out. Code that must retry uses a client's session
    /// (ImmortalClient).
    /// Errors: not_active (none: not taken, the detail says which member is active; unknown: the
    /// role was lost meanwhile), limit_exceeded (none: too much waits for others), timed_out
    /// (unknown), no_space, closed (none), disk_failed (unknown). Errors of the handler: not_found,
    /// bad_config (none), failed (unknown: it threw), limit_exceeded (unknown: it returned more
    /// than arguments_bytes_max). Beside a coordinator an impulse has no answer: bad_config (none)
    /// if the handler returns something.
    template <auto handler, class... Given>
    [[nodiscard]] Result<detail::ReplyOf<handler>> impulse(const Given&... given) {
        using Reply = detail::ReplyOf<handler>;
        return detail::take_reply<Reply>(
            impulse_packed(detail::handler_name<handler>(), detail::arguments_of<handler>(given...),
                           std::same_as<Reply, void> ? Wants::nothing : Wants::reply));
    }
    /// Makes an impulse without waiting. `answered` is called on the callback thread, in the order
    /// of the impulses. Beyond outstanding_max or outstanding_bytes_max the caller waits for room;
    /// a callback does not wait and is refused with limit_exceeded.
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
    /// For handlers that are known only by name; `arguments` is a packed array.
    [[nodiscard]] Result<Buffer> impulse(std::string_view handler, Bytes arguments);
    void impulse_async(std::string_view handler, Bytes arguments, Answered answered);

    /// Calls `look` on the loop thread once the state holds everything that was acknowledged to any
    /// client before this call. `look` must return soon. T is the class that is in use. Beside a
    /// coordinator, `look` sees what this process has carried out so far, which may be less.
    /// Errors: not_active, timed_out, closed, bad_config (none).
    template <class T>
    [[nodiscard]] Result<void> look(std::function<void(const T&)> look, Duration timeout = 10s) {
        return look_at(
            [look = std::move(look)](const ImmortalObject& object) -> Result<void> {
                const auto* of = dynamic_cast<const ImmortalObjectOf<T>*>(&object);
                if (of == nullptr) {
                    return Error{.code = Errc::bad_config,
                                 .detail = "version " + std::to_string(object.version()) +
                                           " is in use, and it is another class"};
                }
                look(of->object());
                return {};
            },
            timeout);
    }

    /// Switches all copies to the code of this version. Each copy must have it.
    /// Errors: as impulse(); bad_config (none): the version is not higher than the present one, or
    /// the active copy lacks it, or it cannot take over the state there.
    [[nodiscard]] Result<void> upgrade(std::uint32_t version, Duration timeout = 30s);
    /// Forgets an immortal that will never return: what waits for it is given up. If it returns, it
    /// counts as a new one. Not available beside a coordinator. Errors: as impulse().
    [[nodiscard]] Result<void> forget(std::string_view peer, Duration timeout = 10s);

    /// The listener is called with the present status first, then when role, epoch or active member
    /// change. A copy that was ever standby hears standby before active.
    void on_role(std::function<void(const ImmortalStatus&)> listener);
    [[nodiscard]] ImmortalStatus status() const;

    /// Lets the work that was taken finish, then releases the journal. Idempotent.
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
