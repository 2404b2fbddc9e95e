#pragma once

#include <memory>
#include <utility>

namespace understudy {

/// The time in which callbacks may run: the life of an object, or a part of it, such as a tenure.
///
/// Every callback that runs later is guarded with one: a worker's completion, a timer, a posted
/// task, a read. A guarded callback does nothing once its lifetime has ended:
///
///     runtime_.post(life_.guarded([this] { turn(); }));
///
/// An object has a lifetime as a member, which ends with the object. If callbacks belong only to a
/// part of the object's life, the object has a lifetime for that part, and ends it or begins it
/// again when the part is over. A check of the object's state would not do: it cannot tell that
/// part from the next one.
///
/// Code that makes a call which may destroy its own object asks a watch afterwards:
///
///     const Lifetime::Watch here = life_.watch();
///     observer_.changed();
///     if (here.ended()) return;
///
/// Thread: one. A guarded callback that is never called may be destroyed on any.
class Lifetime {
    struct Token {};

public:
    class Watch {
    public:
        [[nodiscard]] bool ended() const { return token_.expired(); }

    private:
        friend Lifetime;
        explicit Watch(std::weak_ptr<Token> token) : token_(std::move(token)) {}

        std::weak_ptr<Token> token_;
    };

    Lifetime() = default;
    Lifetime(const Lifetime&) = delete;
    Lifetime& operator=(const Lifetime&) = delete;
    ~Lifetime() = default;

    /// Ends the lifetime for good, unless it begins again.
    void end() { token_.reset(); }
    /// Ends the lifetime and begins a new one. Callbacks that were guarded before are no longer
    /// called.
    void begin_again() { token_ = std::make_shared<Token>(); }

    [[nodiscard]] Watch watch() const { return Watch(token_); }

    /// Returns `callback` in a form that does nothing after this lifetime has ended. It may be
    /// called more than once, and may end this lifetime.
    template <class Callback>
    [[nodiscard]] auto guarded(Callback callback) const {
        return [watch = watch(), callback = std::move(callback)](auto&&... arguments) mutable {
            if (!watch.ended()) callback(std::forward<decltype(arguments)>(arguments)...);
        };
    }

private:
    std::shared_ptr<Token> token_ = std::make_shared<Token>();
};

}  // namespace understudy
