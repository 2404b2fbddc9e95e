#include "understudy/immortal_member.h"

#include <utility>

#include "immortal/linked.h"
#include "library/immortal/immortal_member_impl.h"
#include "library/threads/sink_log.h"

namespace understudy {

namespace {

Error no_answer_there() {
    return {.code = Errc::bad_config,
            .detail = "beside a coordinator an impulse has no answer: call a handler that returns "
                      "nothing"};
}

/// A look that a caller waits for, until it gives up.
class Watched {
public:
    explicit Watched(std::function<Result<void>(const ImmortalObject&)> look)
        : look_(std::move(look)) {}

    [[nodiscard]] Result<void> look(const ImmortalObject& object) {
        const std::lock_guard lock(mutex_);
        if (!look_) return Error{.code = Errc::timed_out, .detail = "the caller no longer waits"};
        return look_(object);
    }
    /// Waits while the look runs.
    void give_up() {
        const std::lock_guard lock(mutex_);
        look_ = nullptr;
    }

private:
    std::mutex mutex_;
    std::function<Result<void>(const ImmortalObject&)> look_;
};

}  // namespace

Result<ImmortalMember> ImmortalMember::open(ImmortalOptions options, Classes classes) {
    US_CHECK(immortal::LinkedApplication::check(classes));
    US_CHECK(library::ImmortalBody::check(options));
    auto impl = std::make_shared<Impl>(library::make_log(options.log), std::move(options),
                                       std::move(classes));
    impl->begin();
    return ImmortalMember(std::move(impl));
}

ImmortalMember::ImmortalMember(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
ImmortalMember::ImmortalMember(ImmortalMember&&) noexcept = default;
ImmortalMember& ImmortalMember::operator=(ImmortalMember&& other) noexcept {
    if (this != &other) {
        close();
        impl_ = std::move(other.impl_);
    }
    return *this;
}
ImmortalMember::~ImmortalMember() { close(); }

void ImmortalMember::close(Duration limit) {
    if (const std::shared_ptr<Impl> impl = impl_) impl->close(limit);
}

Result<void> ImmortalMember::wait_open(Duration timeout) {
    return impl_->board.wait_open(timeout);
}

Result<void> ImmortalMember::wait_active(Duration timeout) {
    return impl_->board.wait_active(timeout);
}

Result<Buffer> ImmortalMember::impulse_packed(std::string_view handler, Bytes arguments,
                                              Wants wants) {
    if (wants == Wants::reply && !impl_->options.coordinator.empty()) return no_answer_there();
    return impl_->await<Buffer>(
        impl_->options.impulse_timeout,
        [name = std::string(handler), bytes = Buffer(arguments.begin(), arguments.end())](
            library::ImmortalBody& body, std::function<void(Result<Buffer>)> told) {
            body.impulse(name, bytes, [told = std::move(told)](Result<Bytes> reply) {
                if (!reply) return told(std::move(reply).error());
                told(Buffer(reply->begin(), reply->end()));
            });
        });
}

void ImmortalMember::impulse_packed(std::string_view handler, Bytes arguments, Wants wants,
                                    Answered answered) {
    if (wants == Wants::reply && !impl_->options.coordinator.empty()) {
        impl_->callbacks->post([answered = std::move(answered)] {
            if (answered) answered(no_answer_there());
        });
        return;
    }
    impl_->asks.ask(handler, arguments,
                    impl_->waiter.may_wait() ? library::CommandQueue::Full::wait
                                             : library::CommandQueue::Full::refuse,
                    std::move(answered));
}

Result<Buffer> ImmortalMember::impulse(std::string_view handler, Bytes arguments) {
    return impulse_packed(handler, arguments, Wants::nothing);
}

void ImmortalMember::impulse_async(std::string_view handler, Bytes arguments, Answered answered) {
    impulse_packed(handler, arguments, Wants::nothing, std::move(answered));
}

Result<void> ImmortalMember::look_at(Look look, Duration timeout) {
    const auto watched = std::make_shared<Watched>(std::move(look));
    auto looked = impl_->await<void>(
        timeout, [watched](library::ImmortalBody& body, std::function<void(Result<void>)> told) {
            body.look([watched](const ImmortalObject& object) { return watched->look(object); },
                      std::move(told));
        });
    watched->give_up();
    return looked;
}

Result<void> ImmortalMember::upgrade(std::uint32_t version, Duration timeout) {
    return impl_->await<void>(
        timeout, [version](library::ImmortalBody& body, std::function<void(Result<void>)> told) {
            body.upgrade(version, std::move(told));
        });
}

Result<void> ImmortalMember::forget(std::string_view peer, Duration timeout) {
    return impl_->await<void>(
        timeout, [name = std::string(peer)](library::ImmortalBody& body,
                                            std::function<void(Result<void>)> told) {
            body.forget(name, std::move(told));
        });
}

void ImmortalMember::on_role(std::function<void(const ImmortalStatus&)> listener) {
    impl_->board.listen(std::move(listener));
}

ImmortalStatus ImmortalMember::status() const { return impl_->current(); }

}  // namespace understudy
