#include "library/immortal_member_impl.h"

#include <algorithm>

namespace understudy {

namespace {

constexpr std::size_t changes_kept = 64;  // Of the role, for a slow listener.

}  // namespace

ImmortalMember::Impl::Impl(std::shared_ptr<Log> its_log, ImmortalOptions its_options,
                           Classes its_classes)
    : log(std::move(its_log)),
      options(std::move(its_options)),
      classes(std::move(its_classes)),
      callbacks(std::make_shared<library::Callbacks>(log, "us-callback")),
      role_listeners(callbacks, "role listener", changes_kept),
      asks(log, callbacks, outstanding_bytes_max,
           [this](std::string_view handler, Bytes arguments,
                  std::function<void(Result<Bytes>)> then) {
               auto here = serving();
               if (!here) return then(std::move(here).error());
               (*here)->impulse(handler, arguments, std::move(then));
           },
           [this](std::function<void()> task) { later(std::move(task)); }),
      loop(log, "us-immortal") {
    role_listeners.tell(seen);
}

void ImmortalMember::Impl::begin() {
    later([this] {
        body = library::ImmortalBody::make(loop.runtime(), *log, options, classes, *this);
    });
}

Result<library::ImmortalBody*> ImmortalMember::Impl::serving() {
    if (ending.begun() && body == nullptr) {
        return Error{.code = Errc::closed, .detail = "the member is closed"};
    }
    const std::lock_guard lock(mutex);
    if (seen.failed) return Error{.code = seen.failed->code, .detail = seen.failed->detail};
    if (body == nullptr || seen.role == Role::joining) {
        return Error{.code = Errc::not_active, .detail = "the journal is not open yet"};
    }
    return body.get();
}

Result<void> ImmortalMember::Impl::wait_for(Duration timeout,
                                            const std::function<bool()>& reached) {
    if (!may_wait()) return Error{.code = Errc::bad_config, .detail = "a callback may not wait"};
    std::unique_lock lock(mutex);
    const auto over = [&] { return reached() || seen.failed || ending.begun(); };
    changed.wait_until(lock,
                       library::to_steady(library::later(library::clock_now(), timeout)), over);
    if (seen.failed) return *seen.failed;
    if (ending.begun()) return Error{.code = Errc::closed, .detail = "the member is closed"};
    if (reached()) return {};
    return Error{.code = Errc::timed_out,
                 .detail = seen.role == Role::joining ? std::string("the journal is not open yet")
                           : seen.active.empty()      ? std::string("nobody is active")
                                                      : seen.active + " is active"};
}

// --- Status --------------------------------------------------------------------------------------

ImmortalStatus ImmortalMember::Impl::status_on_loop() const {
    ImmortalStatus status;
    {
        const std::lock_guard lock(mutex);
        status.failed = seen.failed;
    }
    if (body != nullptr) body->fill(status);
    if (status.failed) status.role = Role::joining;
    return status;
}

ImmortalStatus ImmortalMember::Impl::current() const {
    auto& self = const_cast<Impl&>(*this);  // The loop is told to look.
    std::optional<ImmortalStatus> status;
    (void)self.loop.run([&] { status = status_on_loop(); });
    if (status) return *status;
    const std::lock_guard lock(mutex);
    return seen;
}

void ImmortalMember::Impl::standing_changed() {
    ImmortalStatus status = status_on_loop();
    bool news = false;
    {
        const std::lock_guard lock(mutex);
        news = status.role != seen.role || status.epoch != seen.epoch ||
               status.active != seen.active;
        seen = status;
    }
    changed.notify_all();
    if (news) role_listeners.tell(std::move(status));
}

void ImmortalMember::Impl::failed(const Error& error) {
    log->error("immortal.failed", {kv("service", options.service), kv("error", error)});
    ImmortalStatus status;
    {
        const std::lock_guard lock(mutex);
        seen.failed = error;
        seen.role = Role::joining;
        status = seen;
    }
    changed.notify_all();
    role_listeners.tell(std::move(status));
}

// --- The end -------------------------------------------------------------------------------------

void ImmortalMember::Impl::close(Duration limit) {
    ending.run(limit, loop, *callbacks, [this] {
        asks.close();
        role_listeners.close();
        changed.notify_all();
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
    asks.give_up({.code = Errc::closed,
                  .effect = Effect::unknown,
                  .detail = "the member was closed meanwhile"});
    asks.flush();
    loop.stop();
}

void ImmortalMember::Impl::later(std::function<void()> task) {
    loop.post([self = shared_from_this(), task = std::move(task)] { task(); });
}

}  // namespace understudy
