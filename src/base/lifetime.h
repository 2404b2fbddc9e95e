#pragma once

#include <memory>
#include <utility>

namespace understudy {

/// How long a callback still has what it was made for: the life of an object, or a part of it, such
/// as a tenure.
///
/// The one way to guard what comes back later: a worker's completion, a timer, a posted task, a
/// read. What is to run then is wrapped, and does nothing once that life has ended:
///
///     runtime_.post(life_.guarded([this] { turn(); }));
///
/// An object has one as a member, and it ends with the object. Where callbacks are for a part of an
/// object's life only, the object has one for that part, and ends it or begins it again when the
/// part is over: a check of the present state would take the part that follows for that one.
///
/// Who calls out, and may be destroyed by that, asks a watch afterwards:
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

    /// For good, unless it begins again.
    void end() { token_.reset(); }
    /// What was guarded before is not called any more; what is guarded from now on is.
    void begin_again() { token_ = std::make_shared<Token>(); }

    [[nodiscard]] Watch watch() const { return Watch(token_); }

    /// `callback`, which is called only while this life goes on. It may be called more than once,
    /// and may end this life.
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
