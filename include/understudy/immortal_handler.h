#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "understudy/pack.h"
#include "understudy/result.h"
#include "understudy/types.h"

// What the type of an immortal's handler says: its name in the list, and how its arguments and its
// reply are encoded. Byte layout: docs/formats/immortal.md.

namespace understudy::detail {

/// The parts of a handler's type.
template <class Handler>
struct HandlerType;
template <class R, class C, class... Parameters>
struct HandlerType<R (C::*)(Parameters...)> {
    using Class = C;
    using Reply = std::remove_cvref_t<R>;
    using Arguments = std::tuple<std::remove_cvref_t<Parameters>...>;
};
template <class R, class C, class... Parameters>
struct HandlerType<R (C::*)(Parameters...) const> : HandlerType<R (C::*)(Parameters...)> {};
template <class R, class C, class... Parameters>
struct HandlerType<R (C::*)(Parameters...) noexcept> : HandlerType<R (C::*)(Parameters...)> {};
template <class R, class C, class... Parameters>
struct HandlerType<R (C::*)(Parameters...) const noexcept> : HandlerType<R (C::*)(Parameters...)> {
};

template <auto handler>
using ReplyOf = typename HandlerType<decltype(handler)>::Reply;

template <class T>
inline constexpr bool is_result = false;
template <class T>
inline constexpr bool is_result<Result<T>> = true;

/// A handler whose first argument is a Result takes the answer to a call.
template <class Arguments>
inline constexpr bool takes_answer = false;
template <class First, class... Rest>
inline constexpr bool takes_answer<std::tuple<First, Rest...>> = is_result<First>;

template <class T>
struct AnswerOf;
template <class T>
struct AnswerOf<Result<T>> {
    using type = T;
};

template <class Arguments>
struct WithoutFirst;
template <class First, class... Rest>
struct WithoutFirst<std::tuple<First, Rest...>> {
    using type = std::tuple<Rest...>;
};

/// Finds the name under which a class lists a handler.
template <auto handler>
struct NameOf {
    std::string found;
    template <class Handler>
    void operator()(std::string_view name, Handler candidate) {
        if constexpr (std::same_as<Handler, decltype(handler)>) {
            if (candidate == handler) found = name;
        }
    }
};
template <auto handler>
[[nodiscard]] const std::string& handler_name() {
    static const std::string name = [] {
        NameOf<handler> finder;
        HandlerType<decltype(handler)>::Class::handlers(finder);
        US_ASSERT(!finder.found.empty());  // Fails if handlers() does not list it.
        return finder.found;
    }();
    return name;
}

template <class As, class Given>
void pack_as(Packer& packer, const Given& given) {
    if constexpr (std::same_as<As, std::string>) {
        packer.put(std::string_view(given));
    } else if constexpr (std::same_as<As, Buffer>) {
        packer.put(Bytes(given));
    } else if constexpr (std::same_as<As, Given>) {
        packer.put(given);
    } else {
        packer.put(static_cast<As>(given));
    }
}

/// Appends what is given as an array of values of the types that the handler takes.
template <class Arguments, class... Given>
void pack_arguments(Buffer& out, const Given&... given) {
    static_assert(std::tuple_size_v<Arguments> == sizeof...(Given),
                  "the handler takes another number of arguments");
    Packer packer(out);
    packer.array(sizeof...(Given));
    [&]<std::size_t... i>(std::index_sequence<i...>) {
        (pack_as<std::tuple_element_t<i, Arguments>>(packer, given), ...);
    }(std::index_sequence_for<Given...>());
}
template <auto handler, class... Given>
[[nodiscard]] Buffer arguments_of(const Given&... given) {
    Buffer arguments;
    pack_arguments<typename HandlerType<decltype(handler)>::Arguments>(arguments, given...);
    return arguments;
}
template <class Arguments>
[[nodiscard]] bool unpack_arguments(Bytes from, Arguments& arguments) {
    Unpacker unpacker(from);
    return unpacker.take(arguments) && unpacker.done();
}

/// What a handler returned, as bytes: nothing for void.
template <class R>
void pack_reply(Buffer& out, const R& reply) {
    Packer(out).put(reply);
}
template <class R>
[[nodiscard]] Result<R> unpack_reply(const Result<Bytes>& reply) {
    if (!reply) return reply.error();
    Unpacker unpacker(*reply);
    R value{};
    if (!unpacker.take(value) || !unpacker.done()) {
        return Error{.code = Errc::corrupt,
                     .effect = Effect::unknown,
                     .detail = "the answer is of another type"};
    }
    return value;
}
template <>
[[nodiscard]] inline Result<void> unpack_reply<void>(const Result<Bytes>& reply) {
    if (!reply) return reply.error();
    return {};
}
template <class R>
[[nodiscard]] Result<R> take_reply(const Result<Buffer>& reply) {
    if (!reply) return reply.error();
    return unpack_reply<R>(Bytes(*reply));
}

}  // namespace understudy::detail
