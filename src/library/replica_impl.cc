#include "library/replica_impl.h"

#include <algorithm>
#include <utility>

#include "library/clock.h"
#include "library/guard.h"

namespace understudy {

namespace {

constexpr std::size_t changes_kept = 64;  // Of the role, for a slow listener.

Error not_open() {
    return {.code = Errc::not_active, .detail = "the journal is not open yet"};
}

}  // namespace

Replica::Impl::Impl(std::shared_ptr<Log> its_log, ReplicaOptions its_options,
                    std::shared_ptr<StateMachine> its_machine)
    : log(std::move(its_log)),
      options(std::move(its_options)),
      machine(std::move(its_machine)),
      callbacks(std::make_shared<library::Callbacks>(log, "us-callback")),
      role_listeners(callbacks, "role listener", changes_kept),
      loop(log, "us-replica") {
    role_listeners.tell(seen);
}

void Replica::Impl::begin() {
    loop.post([self = shared_from_this()] {
        Impl& impl = *self;
        Runtime& runtime = impl.loop.runtime();
        impl.journal = library::ReplicaJournal::make(runtime, *impl.log, impl.options);
        replica::Replica::Options how;
        how.checkpoints.every_bytes = impl.options.checkpoint_every_bytes;
        const bool alone = std::holds_alternative<LocalDirectory>(impl.options.journal);
        how.checkpoint_duty =
            alone ? replica::CheckpointDuty::mine : replica::CheckpointDuty::standbys;
        impl.opening = replica::Replica::open(
            runtime, *impl.log, how, impl.journal->open(), *impl.machine,
            [&impl](Result<std::unique_ptr<replica::Replica>> result) {
                impl.opened(std::move(result));
            });
    });
}

void Replica::Impl::opened(Result<std::unique_ptr<replica::Replica>> result) {
    if (!result) return failed(result.error());
    replica = *std::move(result);
    replica->on_standing([this](const replica::Standing&) { standing_changed(); });
    replica->on_failed([this](const Error& error) { failed(error); });
    standing_changed();
}

Result<void> Replica::Impl::wait_for(Duration timeout, const std::function<bool()>& reached) {
    if (!may_wait()) {
        return Error{.code = Errc::bad_config, .detail = "a callback may not wait"};
    }
    std::unique_lock lock(mutex);
    const auto over = [&] { return reached() || seen.failed || ending.begun(); };
    changed.wait_until(lock,
                       library::to_steady(library::later(library::clock_now(), timeout)), over);
    if (seen.failed) return *seen.failed;
    if (ending.begun()) return Error{.code = Errc::closed, .detail = "the replica is closed"};
    if (reached()) return {};
    return Error{.code = Errc::timed_out,
                 .detail = seen.role == Role::joining ? std::string("the journal is not open yet")
                           : seen.active.empty()      ? std::string("nobody is active")
                                                      : seen.active + " is active"};
}

// --- Commands ------------------------------------------------------------------------------------

void Replica::Impl::submit(const std::optional<Request>& request, Bytes command,
                           Answered answered) {
    using Full = library::CommandQueue::Full;
    auto told = queue.add(request, command, answered, may_wait() ? Full::wait : Full::refuse);
    if (!told) {
        callbacks->post([self = shared_from_this(), answered = std::move(answered),
                         error = std::move(told).error()] {
            if (answered) answered(error);
        });
    } else if (*told) {
        loop.post([self = shared_from_this()] { self->drain(); });
    }
}

Result<replica::Replica*> Replica::Impl::serving() {
    if (replica) return replica.get();
    if (ending.begun()) return Error{.code = Errc::closed, .detail = "the replica is closed"};
    const std::lock_guard lock(mutex);
    if (seen.failed) return Error{.code = seen.failed->code, .detail = seen.failed->detail};
    return not_open();
}

void Replica::Impl::drain() {
    taken = queue.take(std::move(taken));
    for (library::CommandQueue::Item& item : taken.items) {
        const Bytes command = Bytes(taken.bytes).subspan(item.offset, item.size);
        auto here = serving();
        if (!here) {
            answer(std::move(item.answered), std::move(here).error(), item.size);
            continue;
        }
        replica::Answered then = [this, answered = std::move(item.answered),
                                  size = item.size](Result<replica::Reply> reply) mutable {
            if (reply) {
                answer(std::move(answered), Buffer(reply->bytes.begin(), reply->bytes.end()), size);
            } else {
                answer(std::move(answered), std::move(reply).error(), size);
            }
        };
        if (item.request) {
            (*here)->submit(*item.request, command, std::move(then));
        } else {
            (*here)->submit(command, std::move(then));
        }
    }
}

void Replica::Impl::answer(Answered answered, Result<Buffer> reply, std::size_t bytes) {
    if (answers.empty()) later(&Impl::flush_answers);
    answers.push_back({.answered = std::move(answered), .reply = std::move(reply)});
    answers_bytes += bytes;
}

/// One task for all that were answered in this turn.
void Replica::Impl::flush_answers() {
    const std::size_t bytes = std::exchange(answers_bytes, 0);
    auto told = std::make_shared<std::vector<Answer>>(std::exchange(answers, {}));
    const std::size_t count = told->size();
    const bool posted = callbacks->post([self = shared_from_this(), told, bytes] {
        for (Answer& each : *told) {
            if (!each.answered) continue;
            library::guarded(*self->log, "answer",
                             [&] { each.answered(std::move(each.reply)); });
        }
        self->queue.release(told->size(), bytes);
    });
    if (!posted) queue.release(count, bytes);
}

// --- Status --------------------------------------------------------------------------------------

ReplicaStatus Replica::Impl::status_on_loop() const {
    ReplicaStatus status;
    {
        const std::lock_guard lock(mutex);
        status.failed = seen.failed;
    }
    if (!replica) return status;
    const replica::Standing& standing = replica->standing();
    status.role = standing.role;
    status.epoch = standing.epoch;
    status.active = standing.active;
    status.applied = replica->applied();
    status.checkpoint = replica->checkpoint();
    status.time = replica->time();
    status.durability = name(replica->durability());
    status.disk_full = replica->space() != replica::Space::ok;
    status.sessions = replica->sessions();
    status.commands = replica->counters().commands;
    status.repeated = replica->counters().repeated;
    status.checkpoints = replica->checkpoint_counters().taken;
    return status;
}

ReplicaStatus Replica::Impl::current() const {
    auto& self = const_cast<Impl&>(*this);  // The loop is told to look.
    std::optional<ReplicaStatus> status;
    (void)self.loop.run([&] { status = status_on_loop(); });
    if (status) return *status;
    const std::lock_guard lock(mutex);
    return seen;
}

void Replica::Impl::standing_changed() {
    ReplicaStatus status = status_on_loop();
    {
        const std::lock_guard lock(mutex);
        seen = status;
    }
    changed.notify_all();
    role_listeners.tell(std::move(status));
}

void Replica::Impl::failed(const Error& error) {
    log->error("replica.failed", {kv("service", options.service), kv("error", error)});
    ReplicaStatus status;
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

void Replica::Impl::close(Duration limit) {
    ending.run(limit, loop, *callbacks, [this] {
        queue.close();
        role_listeners.close();
        changed.notify_all();
        later(&Impl::close_on_loop);
    });
}

void Replica::Impl::close_on_loop() {
    drain();  // What was taken before is carried out.
    opening.reset();
    if (!replica) return end_on_loop();
    replica->close([self = shared_from_this()] { self->later(&Impl::end_on_loop); });
}

void Replica::Impl::end_on_loop() {
    flush_answers();
    replica.reset();
    if (!journal) return loop.stop();
    journal->close([self = shared_from_this()] {
        self->loop.post([self] {
            self->journal.reset();
            self->loop.stop();
        });
    });
}

void Replica::Impl::later(void (Impl::*what)()) {
    loop.post([self = shared_from_this(), what] { (self.get()->*what)(); });
}

}  // namespace understudy
