#include "library/immortal/immortal_member_impl.h"

#include <optional>

namespace understudy {

ImmortalMember::Impl::Impl(std::shared_ptr<Log> its_log, ImmortalOptions its_options,
                           Classes its_classes)
    : log(std::move(its_log)),
      options(std::move(its_options)),
      classes(std::move(its_classes)),
      callbacks(std::make_shared<library::Callbacks>(log, "us-callback")),
      waiter("member", loop, *callbacks, ending),
      board(callbacks, waiter),
      asks(
          log, callbacks, outstanding_bytes_max,
          [this](std::string_view handler, Bytes arguments,
                 std::function<void(Result<Bytes>)> then) {
              auto here = serving();
              if (!here) return then(std::move(here).error());
              (*here)->impulse(handler, arguments, std::move(then));
          },
          [this](std::function<void()> task) { later(std::move(task)); },
          [this]() -> TurnEnds& { return loop.runtime().turn_ends(); }),
      loop(log, "us-immortal") {}

void ImmortalMember::Impl::begin() {
    later([this] {
        body = library::ImmortalBody::make(loop.runtime(), *log, options, classes, *this);
    });
}

Result<library::ImmortalBody*> ImmortalMember::Impl::serving() {
    if (ending.begun() && body == nullptr) {
        return waiter.closed(Effect::none);
    }
    US_CHECK(board.check_open());
    US_ASSERT(body != nullptr);  // Its role is joining until there is one.
    return body.get();
}

// --- Status --------------------------------------------------------------------------------------

ImmortalStatus ImmortalMember::Impl::status_on_loop() const {
    ImmortalStatus status;
    if (body != nullptr) body->fill(status);
    return status;
}

ImmortalStatus ImmortalMember::Impl::current() {
    std::optional<ImmortalStatus> status;
    (void)loop.run([&] { status = board.with_failure(status_on_loop()); });
    return status ? *status : board.seen();
}

void ImmortalMember::Impl::standing_changed() { board.show(status_on_loop()); }

void ImmortalMember::Impl::failed(const Error& error) {
    log->error("immortal.failed", {kv("service", options.service), kv("error", error)});
    board.fail(error);
}

// --- The end -------------------------------------------------------------------------------------

void ImmortalMember::Impl::close(Duration limit) {
    ending.run(limit, loop, *callbacks, [this] {
        asks.close();
        board.close();
        later([this] { close_on_loop(); });
    });
}

void ImmortalMember::Impl::close_on_loop() {
    asks.drain();  // What was taken before is carried out.
    if (!body) return end_on_loop();
    body->close([self = shared_from_this()] {
        self->later([impl = self.get()] { impl->end_on_loop(); });
    });
}

void ImmortalMember::Impl::end_on_loop() {
    body.reset();
    asks.give_up(waiter.closed(Effect::unknown));
    asks.flush();
    ending.leave(loop);
}

void ImmortalMember::Impl::later(std::function<void()> task) {
    loop.post([self = shared_from_this(), task = std::move(task)] { task(); });
}

}  // namespace understudy
