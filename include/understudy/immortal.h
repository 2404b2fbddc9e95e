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

/// A timer that an immortal has started; means nothing to another.
using ImmortalTimer = Strong<struct ImmortalTimerTag>;

/// What a handler may do beyond its own fields. Everything here is recorded, or follows from what
/// is: a replay does the same.
///
/// The functions of Immortal for whoever knows handlers by name only; arguments, and `context`, are
/// packed arrays. Throws what makes the handler fail, always in the same way: std::length_error
/// (arguments or context beyond arguments_bytes_max), std::invalid_argument (`to` cannot be the name
/// of a service, or a handler's name is longer than name_size_max).
/// Thread: loop only; valid while a handler runs.
class US_API ImmortalContext {
public:
    static constexpr std::size_t arguments_bytes_max = 1 * MiB;  ///< Packed; replies too.

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
/// The state is what fields() lists, and nothing else; handlers() names what may be called. Handlers
/// are ordinary functions; they are deterministic: the same calls in the same order give the same
/// state and the same calls to others. Time and random values come from here. A handler that throws
/// is answered with `failed` and has done what it did until then; one that waits or does I/O has no
/// place here: what comes from outside comes as an impulse.
///
/// `static constexpr std::uint32_t version` is 1 if absent; with a higher one fields() may ask
/// f.version(), which is that of the state that is read, and the own one when it is written. A
/// SnapshotMap among the fields is saved in slices while the object goes on.
///
/// Thread: handlers run one at a time, on the loop thread of the member.
class US_API Immortal {
public:
    Immortal() = default;
    virtual ~Immortal();
    Immortal(const Immortal&) = delete;
    Immortal& operator=(const Immortal&) = delete;

    /// The first thing that ever happens to a service: once, whatever becomes of its copies.
    virtual void first_start() {}
    /// The object has taken over the state of the class of version `from`, which acted until now.
    virtual void upgraded(std::uint32_t from) { (void)from; }

protected:
    /// How long the service has had an active member. The same at every copy.
    [[nodiscard]] Duration time() const { return context().time(); }
    /// What the active member's clock said when it took the call: may jump, is the same at every
    /// copy.
    [[nodiscard]] std::uint64_t wall_ms() const { return context().wall_ms(); }
    [[nodiscard]] std::uint64_t random() { return context().random(); }
    /// The immortal that calls, or "~" and the session of a client; empty: an impulse or a timer.
    [[nodiscard]] std::string_view caller() const { return context().caller(); }

    /// Calls another immortal, or this one, and forgets it: it is carried out once, after all that
    /// this one called before there.
    template <auto handler, class... Given>
    void send(std::string_view to, const Given&... given) {
        context().send(to, detail::handler_name<handler>(),
                       detail::arguments_of<handler>(given...));
    }
    /// The same with an answer: `call<&Server::greet>("server", name).then<&Client::greeted>(...)`
    /// calls `greeted(const Result<std::int64_t>& answer, ...)` here, once. The answer is an error
    /// if there is no such handler (not_found), it takes other arguments (bad_config), it threw
    /// (failed), what it returned is longer than arguments_bytes_max (limit_exceeded, unknown) or is
    /// of another type (corrupt).
    template <auto handler, class... Given>
    [[nodiscard]] ImmortalCall<handler> call(std::string_view to, const Given&... given);
    /// Calls a handler of this object when so much of its time has passed; a delay below zero is
    /// none.
    template <auto handler, class... Given>
    ImmortalTimer after(Duration delay, const Given&... given) {
        return context().after(delay, detail::handler_name<handler>(),
                               detail::arguments_of<handler>(given...));
    }
    /// False if it has fired, or was cancelled.
    bool cancel(ImmortalTimer timer) { return context().cancel(timer); }

    /// For calls whose handler is known by name only; `arguments` is a packed array.
    [[nodiscard]] ImmortalContext& context() const {
        US_ASSERT(context_ != nullptr);  // Outside a handler.
        return *context_;
    }

private:
    template <class T>
    friend class ImmortalObjectOf;
    ImmortalContext* context_ = nullptr;
};

/// A call that waits for its continuation: it is made by then(), and not without.
template <auto handler>
class ImmortalCall {
public:
    /// `context` is kept with the state and given to the continuation behind the answer.
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
