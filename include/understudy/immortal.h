#pragma once

#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "understudy/pack.h"
#include "understudy/snapshot_map.h"
#include "understudy/types.h"

namespace understudy {

using ImmortalTimer = Strong<struct ImmortalTimerTag>;

/// What a handler may do beyond its own fields. Everything here is recorded, or follows from what
/// is: a replay does the same.
///
/// Throws what makes the handler fail, always in the same way: std::length_error (arguments beyond
/// arguments_bytes_max), std::invalid_argument (`to` cannot be the name of a service).
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

namespace detail {

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
        US_ASSERT(!finder.found.empty());  // handlers() does not list it.
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

}  // namespace detail

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
        using Type = detail::HandlerType<decltype(handler)>;
        Buffer arguments;
        detail::pack_arguments<typename Type::Arguments>(arguments, given...);
        context().send(to, detail::handler_name<handler>(), arguments);
    }
    /// The same with an answer: `call<&Server::greet>("server", name).then<&Client::greeted>(...)`
    /// calls `greeted(const Result<std::int64_t>& answer, ...)` here, once. The answer is an error
    /// if there is no such handler (not_found), it takes other arguments (bad_config) or it threw
    /// (failed).
    template <auto handler, class... Given>
    [[nodiscard]] ImmortalCall<handler> call(std::string_view to, const Given&... given);
    /// Calls a handler of this object when so much of its time has passed.
    template <auto handler, class... Given>
    ImmortalTimer after(Duration delay, const Given&... given) {
        using Type = detail::HandlerType<decltype(handler)>;
        Buffer arguments;
        detail::pack_arguments<typename Type::Arguments>(arguments, given...);
        return context().after(delay, detail::handler_name<handler>(), arguments);
    }
    /// False if it has fired already.
    bool cancel(ImmortalTimer timer) { return context().cancel(timer); }

    /// For calls whose handler is known by name only; `arguments` is a packed array.
    [[nodiscard]] ImmortalContext& context() const {
        US_ASSERT(context_ != nullptr);  // Outside a handler.
        return *context_;
    }

private:
    template <class T>
    friend class ImmortalObjectOf;
    template <auto handler>
    friend class ImmortalCall;
    ImmortalContext* context_ = nullptr;
};

/// A call that waits for its continuation.
template <auto handler>
class ImmortalCall {
public:
    /// `context` is kept with the state and given to the continuation behind the answer.
    template <auto continuation, class... Context>
    void then(const Context&... context) && {
        using Type = detail::HandlerType<decltype(continuation)>;
        using Reply = typename detail::HandlerType<decltype(handler)>::Reply;
        static_assert(std::same_as<std::tuple_element_t<0, typename Type::Arguments>,
                                   Result<Reply>>,
                      "a continuation takes const Result<R>&, R being what the handler returns");
        Buffer kept;
        detail::pack_arguments<typename detail::WithoutFirst<typename Type::Arguments>::type>(
            kept, context...);
        context_.call(to_, detail::handler_name<handler>(), arguments_,
                      detail::handler_name<continuation>(), kept);
    }

private:
    friend class Immortal;
    ImmortalCall(ImmortalContext& context, std::string_view to) : context_(context), to_(to) {}

    ImmortalContext& context_;
    std::string to_;
    Buffer arguments_;
};

template <auto handler, class... Given>
ImmortalCall<handler> Immortal::call(std::string_view to, const Given&... given) {
    using Type = detail::HandlerType<decltype(handler)>;
    ImmortalCall<handler> call(context(), to);
    detail::pack_arguments<typename Type::Arguments>(call.arguments_, given...);
    return call;
}

// --- The same without types, for who hosts it ----------------------------------------------------

/// The state of an object at one moment: its fields, then its SnapshotMaps in their order, as pairs
/// of packed keys and values.
struct ImmortalImage {
    Buffer fields;
    std::vector<std::unique_ptr<Snapshot>> maps;
};

/// One object of one class. Thread: loop only.
class US_API ImmortalObject {
public:
    virtual ~ImmortalObject();
    [[nodiscard]] virtual std::uint32_t version() const = 0;
    /// `context` lives as long as the call; so for the next three. What the object throws in this
    /// call and the next goes on to the caller.
    virtual void first_start(ImmortalContext& context) = 0;
    virtual void upgraded(ImmortalContext& context, std::uint32_t from) = 0;
    /// Errors: not_found (none), bad_config (none: the arguments), failed (unknown: it threw).
    [[nodiscard]] virtual Result<void> run(ImmortalContext& context, std::string_view handler,
                                           Bytes arguments, Buffer& reply) = 0;
    /// Errors: as run().
    [[nodiscard]] virtual Result<void> resume(ImmortalContext& context,
                                              std::string_view continuation,
                                              const Result<Bytes>& reply, Bytes kept) = 0;

    /// The state as it is now, whatever becomes of it while the maps are read; the object outlives
    /// the image. One at a time.
    [[nodiscard]] virtual ImmortalImage save() = 0;
    /// The same to be read before the object is used again.
    [[nodiscard]] virtual ImmortalImage view() const = 0;
    /// Replaces the fields by those of a state of that version; maps are empty then.
    /// Errors: corrupt (none).
    [[nodiscard]] virtual Result<void> load(Bytes fields, std::uint32_t version) = 0;
    [[nodiscard]] virtual Result<void> load_map(std::size_t which, Bytes pairs) = 0;
};

/// A class of immortals, of one version.
class US_API ImmortalClass {
public:
    virtual ~ImmortalClass();
    [[nodiscard]] virtual std::uint32_t version() const = 0;
    [[nodiscard]] virtual std::unique_ptr<ImmortalObject> make() const = 0;
};

namespace detail {

template <class T>
inline constexpr bool is_snapshot_map = false;
template <class Key, class Value, class Less>
inline constexpr bool is_snapshot_map<SnapshotMap<Key, Value, Less>> = true;

template <class T>
[[nodiscard]] constexpr std::uint32_t version_of() {
    if constexpr (requires { T::version; }) {
        return T::version;
    } else {
        return 1;
    }
}

/// A map as it stays while it is read.
template <class Map, class Encode>
class MapWalk final : public Snapshot {
public:
    MapWalk(const Map& map, Encode encode)
        : at_(map.begin()), end_(map.end()), encode_(std::move(encode)) {}

    bool next(Buffer& out, std::size_t bytes_about) override {
        const std::size_t end = out.size() + bytes_about;
        for (; at_ != end_ && out.size() < end; ++at_) encode_(at_->first, at_->second, out);
        return at_ != end_;
    }

private:
    typename Map::const_iterator at_;
    const typename Map::const_iterator end_;
    Encode encode_;
};

enum class Saving : std::uint8_t { frozen, as_it_stays };

class StateSaver {
public:
    StateSaver(ImmortalImage& image, std::uint32_t version, Saving saving)
        : image_(image), packer_(image.fields), version_(version), saving_(saving) {}
    [[nodiscard]] std::uint32_t version() const { return version_; }
    template <class... Fields>
    void operator()(Fields&... fields) {
        (one(fields), ...);
    }

private:
    template <class Field>
    void one(Field& field) {
        if constexpr (is_snapshot_map<Field>) {
            const auto encode = [](const auto& key, const auto& value, Buffer& out) {
                Packer packer(out);
                packer.put(key);
                packer.put(value);
            };
            if (saving_ == Saving::frozen) {
                image_.maps.push_back(snapshot_of(field, encode));
            } else {
                image_.maps.push_back(
                    std::make_unique<MapWalk<Field, decltype(encode)>>(field, encode));
            }
        } else {
            packer_.put(field);
        }
    }

    ImmortalImage& image_;
    Packer packer_;
    const std::uint32_t version_;
    const Saving saving_;
};

class StateLoader {
public:
    StateLoader(Bytes fields, std::uint32_t version) : unpacker_(fields), version_(version) {}
    [[nodiscard]] std::uint32_t version() const { return version_; }
    template <class... Fields>
    void operator()(Fields&... fields) {
        (one(fields), ...);
    }
    [[nodiscard]] bool done() const { return unpacker_.done(); }

private:
    template <class Field>
    void one(Field& field) {
        if constexpr (is_snapshot_map<Field>) {
            field.clear();
        } else {
            unpacker_.take(field);
        }
    }

    Unpacker unpacker_;
    const std::uint32_t version_;
};

class MapLoader {
public:
    MapLoader(std::size_t which, Bytes pairs, std::uint32_t version)
        : left_(which), unpacker_(pairs), version_(version) {}
    [[nodiscard]] std::uint32_t version() const { return version_; }
    template <class... Fields>
    void operator()(Fields&... fields) {
        (one(fields), ...);
    }
    [[nodiscard]] bool done() const { return taken_ && unpacker_.done(); }

private:
    template <class Field>
    void one(Field& field) {
        if constexpr (is_snapshot_map<Field>) {
            if (taken_) return;
            if (left_-- > 0) return;
            taken_ = true;
            using Map = typename Field::Map;
            while (!unpacker_.rest().empty() && !unpacker_.failed()) {
                typename Map::key_type key{};
                typename Map::mapped_type value{};
                if (unpacker_.take(key) && unpacker_.take(value)) field.put(key, std::move(value));
            }
        }
    }

    std::size_t left_;
    Unpacker unpacker_;
    const std::uint32_t version_;
    bool taken_ = false;
};

}  // namespace detail

template <class T>
class ImmortalObjectOf final : public ImmortalObject {
public:
    std::uint32_t version() const override { return detail::version_of<T>(); }
    [[nodiscard]] const T& object() const { return object_; }

    void first_start(ImmortalContext& context) override {
        const Within within(*this, context);
        object_.first_start();
    }
    Result<void> run(ImmortalContext& context, std::string_view handler, Bytes arguments,
                     Buffer& reply) override {
        const auto found = table().handlers.find(handler);
        if (found == table().handlers.end()) return no_handler(handler);
        const Within within(*this, context);
        return found->second(object_, arguments, reply);
    }
    Result<void> resume(ImmortalContext& context, std::string_view continuation,
                        const Result<Bytes>& reply, Bytes kept) override {
        const auto found = table().continuations.find(continuation);
        if (found == table().continuations.end()) return no_handler(continuation);
        const Within within(*this, context);
        return found->second(object_, reply, kept);
    }
    void upgraded(ImmortalContext& context, std::uint32_t from) override {
        const Within within(*this, context);
        object_.upgraded(from);
    }
    ImmortalImage save() override { return saved(detail::Saving::frozen); }
    ImmortalImage view() const override {
        // fields() serves reading and writing; this reads.
        return const_cast<ImmortalObjectOf*>(this)->saved(detail::Saving::as_it_stays);
    }
    Result<void> load(Bytes fields, std::uint32_t version) override {
        detail::StateLoader loader(fields, version);
        object_.fields(loader);
        if (!loader.done()) return misfit();
        loaded_version_ = version;
        return {};
    }
    Result<void> load_map(std::size_t which, Bytes pairs) override {
        detail::MapLoader loader(which, pairs, loaded_version_);
        object_.fields(loader);
        if (!loader.done()) return misfit();
        return {};
    }

private:
    struct Table {
        std::map<std::string, std::function<Result<void>(T&, Bytes, Buffer&)>, std::less<>> handlers;
        std::map<std::string, std::function<Result<void>(T&, const Result<Bytes>&, Bytes)>,
                 std::less<>>
            continuations;

        template <class Handler>
        void operator()(std::string_view name, Handler handler) {
            using Type = detail::HandlerType<Handler>;
            using Takes = typename Type::Arguments;
            if constexpr (detail::takes_answer<Takes>) {
                continuations[std::string(name)] = [handler](T& object, const Result<Bytes>& reply,
                                                             Bytes kept) {
                    return resume<Takes>(object, handler, reply, kept);
                };
            } else {
                handlers[std::string(name)] = [handler](T& object, Bytes packed, Buffer& reply) {
                    return run<Takes, typename Type::Reply>(object, handler, packed, reply);
                };
            }
        }
    };

    [[nodiscard]] ImmortalImage saved(detail::Saving how) {
        ImmortalImage image;
        detail::StateSaver saver(image, version(), how);
        object_.fields(saver);
        return image;
    }

    /// The object may use the context while this lives.
    class Within {
    public:
        Within(ImmortalObjectOf& of, ImmortalContext& context) : immortal_(of.object_) {
            immortal_.context_ = &context;
        }
        ~Within() { immortal_.context_ = nullptr; }
        Within(const Within&) = delete;
        Within& operator=(const Within&) = delete;

    private:
        Immortal& immortal_;
    };

    [[nodiscard]] static const Table& table() {
        static const Table table = [] {
            Table made;
            T::handlers(made);
            return made;
        }();
        return table;
    }

    template <class Arguments, class Reply, class Handler>
    static Result<void> run(T& object, Handler handler, Bytes packed, Buffer& reply) {
        Arguments arguments;
        if (!detail::unpack_arguments(packed, arguments)) return other_arguments();
        return guarded([&] {
            std::apply(
                [&](auto&... each) {
                    if constexpr (std::same_as<Reply, void>) {
                        (object.*handler)(each...);
                    } else {
                        detail::pack_reply(reply, (object.*handler)(each...));
                    }
                },
                arguments);
        });
    }
    template <class Arguments, class Handler>
    static Result<void> resume(T& object, Handler handler, const Result<Bytes>& reply, Bytes kept) {
        using Answer = std::tuple_element_t<0, Arguments>;
        using Reply = typename detail::AnswerOf<Answer>::type;
        typename detail::WithoutFirst<Arguments>::type arguments;
        if (!detail::unpack_arguments(kept, arguments)) return other_arguments();
        const Answer answer = detail::unpack_reply<Reply>(reply);
        return guarded([&] {
            std::apply([&](auto&... each) { (object.*handler)(answer, each...); }, arguments);
        });
    }
    /// Memory that is missing is no answer: other copies have it.
    template <class Call>
    static Result<void> guarded(Call&& call) {
        try {
            call();
        } catch (const std::bad_alloc&) {
            throw;
        } catch (const std::exception& thrown) {
            return Error{.code = Errc::failed, .effect = Effect::unknown, .detail = thrown.what()};
        } catch (...) {
            return Error{.code = Errc::failed, .effect = Effect::unknown, .detail = "exception"};
        }
        return {};
    }

    [[nodiscard]] static Error other_arguments() {
        return {.code = Errc::bad_config, .detail = "the arguments are of other types"};
    }
    [[nodiscard]] static Error no_handler(std::string_view name) {
        return {.code = Errc::not_found, .detail = "no handler " + std::string(name)};
    }
    [[nodiscard]] static Error misfit() {
        return {.code = Errc::corrupt, .detail = "the state does not fit the class's fields()"};
    }

    T object_;
    std::uint32_t loaded_version_ = detail::version_of<T>();
};

template <class T>
class ImmortalClassOf final : public ImmortalClass {
public:
    std::uint32_t version() const override { return detail::version_of<T>(); }
    std::unique_ptr<ImmortalObject> make() const override {
        return std::make_unique<ImmortalObjectOf<T>>();
    }
};

}  // namespace understudy
