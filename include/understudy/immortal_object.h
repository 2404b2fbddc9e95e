#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "understudy/immortal.h"
#include "understudy/immortal_handler.h"
#include "understudy/immortal_state.h"
#include "understudy/result.h"
#include "understudy/types.h"

// Immortals without their types, for the code that hosts them.

namespace understudy {

/// One object of one class. Thread: loop only.
class US_API ImmortalObject {
public:
    virtual ~ImmortalObject();
    [[nodiscard]] virtual std::uint32_t version() const = 0;
    /// `context` lives as long as the call; the same holds for the next three functions. An
    /// exception of the object in this function or the next one passes on to the caller.
    virtual void first_start(ImmortalContext& context) = 0;
    virtual void upgraded(ImmortalContext& context, std::uint32_t from) = 0;
    /// Errors: not_found (none), bad_config (none: the arguments), failed (unknown: it threw).
    [[nodiscard]] virtual Result<void> run(ImmortalContext& context, std::string_view handler,
                                           Bytes arguments, Buffer& reply) = 0;
    /// Errors: as run().
    [[nodiscard]] virtual Result<void> resume(ImmortalContext& context,
                                              std::string_view continuation,
                                              const Result<Bytes>& reply, Bytes kept) = 0;

    /// The state as it is now. It does not change while its maps are read. The object outlives the
    /// image. At most one image exists at a time.
    [[nodiscard]] virtual ImmortalImage save() = 0;
    /// The same for an image that is read before the object is used again.
    [[nodiscard]] virtual ImmortalImage view() const = 0;
    /// Replaces the fields by those of a state of that version; the maps are then empty.
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
        // fields() serves reading and writing; here it only reads.
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
        std::map<std::string, std::function<Result<void>(T&, Bytes, Buffer&)>, std::less<>>
            handlers;
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

    /// The object may use the context while this exists.
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
    /// Lack of memory is not turned into an answer: the other copies may have enough memory and
    /// would answer differently.
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
