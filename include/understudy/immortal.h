#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "understudy/immortal_handler.h"
#include "understudy/result.h"
#include "understudy/types.h"

namespace understudy {

/// A timer that an immortal has started. It has no meaning for another immortal.
using ImmortalTimer = Strong<struct ImmortalTimerTag>;

/// What a handler may do beyond its own fields. Everything here is recorded or follows from what is
/// recorded, so a replay does the same.
///
/// These are the functions of Immortal for code that knows handlers only by name. Arguments and
/// `context` are packed arrays. A function throws an exception to make the handler fail, always in
/// the same way: std::length_error if arguments or context exceed arguments_bytes_max;
/// std::invalid_argument if `to` cannot be the name of a service, or if a handler's name is longer
/// than name_size_max.
/// Thread: loop only. Valid while a handler runs.
class US_API ImmortalContext {
public:
    static constexpr std::size_t arguments_bytes_max =
        1 * MiB;  ///< Packed. The same bound holds for replies.

    virtual ~ImmortalContext();
    [[nodiscard]] virtual Duration time() const = 0;
    [[nodiscard]] virtual std::uint64_t wall_ms() const = 0;
    [[nodiscard]] virtual std::uint64_t random() = 0;
    [[nodiscard]] virtual std::string_view caller() const = 0;
    virtual void send(std::string_view to, std::string_view handler, Bytes arguments) = 0;
    virtual void call(std::string_view to, std::string_view handler, Bytes arguments,
                      std::string_view continuation, Bytes context) = 0;
    virtual ImmortalTimer after(Duration delay, std::string_view handler, Bytes arguments) = 0;
    virtual bool cancel(ImmortalTimer timer) = 0;
};

template <auto handler>
class ImmortalCall;

/// Base of a class whose objects outlive their process.
///
///     class Server : public Immortal {
///     public:
///         std::int64_t greet(const std::string& name) { return ++greetings_[name]; }
///
///         template <class F> void fields(F& f) { f(greetings_); }
///         template <class H> static void handlers(H& h) { h("greet", &Server::greet); }
///     private:
///         std::map<std::string, std::int64_t> greetings_;
///     };
///
/// The state is what fields() lists, and nothing else; handlers() names what others may call.
/// Handlers are ordinary functions. They must be deterministic: the same calls in the same order
/// give the same state and the same calls to others. Time and random values come from the functions
/// below. A handler must not wait or do I/O; input from outside comes as an impulse. If a handler
/// throws, its caller gets `failed`, and what the handler did before stays done.
///
/// `static constexpr std::uint32_t version` is 1 if absent. With a higher version, fields() may ask
/// f.version(): when a state is read, it is the version that wrote the state; when a state is
/// written, it is the version of this class. A SnapshotMap among the fields is saved in slices
/// while the object goes on.
///
/// Thread: handlers run one at a time, on the loop thread of the member.
class US_API Immortal {
public:
    Immortal() = default;
    virtual ~Immortal();
    Immortal(const Immortal&) = delete;
    Immortal& operator=(const Immortal&) = delete;

    /// The first call that a service ever gets. It comes once in the life of the service, not once
    /// per copy.
    virtual void first_start() {}
    /// The object has taken over the state of the class of version `from`, which was in use until
    /// now.
    virtual void upgraded(std::uint32_t from) { (void)from; }

protected:
    /// How long the service has had an active member. The same at every copy.
    [[nodiscard]] Duration time() const { return context().time(); }
    /// The wall clock of the active member when it took the call. It may jump. The same at every
    /// copy.
    [[nodiscard]] std::uint64_t wall_ms() const { return context().wall_ms(); }
    [[nodiscard]] std::uint64_t random() { return context().random(); }
    /// The immortal that calls, or "~" and the session id for a client. Empty for an impulse or a
    /// timer.
    [[nodiscard]] std::string_view caller() const { return context().caller(); }

    /// Calls another immortal, or this one, without an answer. The call is carried out once, after
    /// all earlier calls of this immortal to the same one.
    template <auto handler, class... Given>
    void send(std::string_view to, const Given&... given) {
        context().send(to, detail::handler_name<handler>(),
                       detail::arguments_of<handler>(given...));
    }
    /// Calls with an answer: `call<&Server::greet>("server", name).then<&Client::greeted>(...)`
    /// calls `greeted(const Result<std::int64_t>& answer, ...)` on this object, once.
    /// Errors in `answer`: not_found (none): there is no such handler; bad_config (none): it takes
    /// other arguments; failed (unknown): it threw; limit_exceeded (unknown): it returned more than
    /// arguments_bytes_max; corrupt: it returned a value of another type.
    template <auto handler, class... Given>
    [[nodiscard]] ImmortalCall<handler> call(std::string_view to, const Given&... given);
    /// Calls a handler of this object after `delay` of the service's time. A negative delay counts
    /// as zero.
    template <auto handler, class... Given>
    ImmortalTimer after(Duration delay, const Given&... given) {
        return context().after(delay, detail::handler_name<handler>(),
                               detail::arguments_of<handler>(given...));
    }
    /// False if the timer has fired or was cancelled before.
    bool cancel(ImmortalTimer timer) { return context().cancel(timer); }

    /// For calls of handlers that are known only by name; `arguments` is a packed array.
    [[nodiscard]] ImmortalContext& context() const {
        US_ASSERT(context_ != nullptr);  // Outside a handler.
        return *context_;
    }

private:
    template <class T>
    friend class ImmortalObjectOf;
    ImmortalContext* context_ = nullptr;
};

/// A call that waits for its continuation. then() makes the call; without then() nothing is sent.
template <auto handler>
class ImmortalCall {
public:
    /// `context` is kept with the state. The continuation gets it after the answer.
    template <auto continuation, class... Context>
    void then(const Context&... context) && {
        using Type = detail::HandlerType<decltype(continuation)>;
        using Reply = detail::ReplyOf<handler>;
        static_assert(
            std::same_as<std::tuple_element_t<0, typename Type::Arguments>, Result<Reply>>,
            "a continuation takes const Result<R>&, R being what the handler returns");
        Buffer kept;
        detail::pack_arguments<typename detail::WithoutFirst<typename Type::Arguments>::type>(
            kept, context...);
        context_.call(to_, detail::handler_name<handler>(), arguments_,
                      detail::handler_name<continuation>(), kept);
    }

private:
    friend class Immortal;
    ImmortalCall(ImmortalContext& context, std::string_view to, Buffer arguments)
        : context_(context), to_(to), arguments_(std::move(arguments)) {}

    ImmortalContext& context_;
    std::string to_;
    Buffer arguments_;
};

template <auto handler, class... Given>
ImmortalCall<handler> Immortal::call(std::string_view to, const Given&... given) {
    return {context(), to, detail::arguments_of<handler>(given...)};
}

}  // namespace understudy
