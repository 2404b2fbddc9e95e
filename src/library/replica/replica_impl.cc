#include "library/replica/replica_impl.h"

#include <optional>
#include <utility>

namespace understudy {

Replica::Impl::Impl(std::shared_ptr<Log> its_log, ReplicaOptions its_options,
                    std::shared_ptr<StateMachine> its_machine)
    : log(std::move(its_log)),
      options(std::move(its_options)),
      machine(std::move(its_machine)),
      callbacks(std::make_shared<library::Callbacks>(log, "us-callback")),
      waiter("replica", loop, *callbacks, ending),
      board(callbacks, waiter),
      submissions(
          log, callbacks, Replica::outstanding_bytes_max,
          [this](std::function<void()> task) { later(std::move(task)); },
          [this]() -> TurnEnds& { return loop.runtime().turn_ends(); }, [this] { drain(); }),
      loop(log, "us-replica") {}

void Replica::Impl::begin() {
    loop.post([self = shared_from_this()] {
        Impl& impl = *self;
        Runtime& runtime = impl.loop.runtime();
        impl.journal = library::ReplicaJournal::make(
            runtime, *impl.log, impl.options, library::ReplicaJournal::Electable::yes, {});
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
    replica->on_standing([this](const replica::Standing&) { board.show(status_on_loop()); });
    replica->on_failed([this](const Error& error) { failed(error); });
    board.show(status_on_loop());
}

// --- Commands ------------------------------------------------------------------------------------

void Replica::Impl::submit(const std::optional<Request>& request, Bytes command,
                           Answered answered) {
    using Full = library::CommandQueue::Full;
    submissions.submit(request, command, waiter.may_wait() ? Full::wait : Full::refuse,
                       std::move(answered));
}

Result<replica::Replica*> Replica::Impl::serving() {
    if (replica) return replica.get();
    if (ending.begun()) return waiter.closed(Effect::none);
    auto open = board.check_open();
    US_ASSERT(!open);  // Its role is joining until there is a replica.
    return std::move(open).error();
}

void Replica::Impl::drain() {
    library::CommandQueue::Taken& taken = submissions.take();
    for (library::CommandQueue::Item& item : taken.items) {
        const Bytes command = Bytes(taken.bytes).subspan(item.offset, item.size);
        auto here = serving();
        if (!here) {
            submissions.answer(std::move(item.answered), std::move(here).error(), item.size);
            continue;
        }
        replica::Answered then = [this, answered = std::move(item.answered),
                                  size = item.size](Result<replica::Reply> reply) mutable {
            auto told = reply ? Result<Buffer>(Buffer(reply->bytes.begin(), reply->bytes.end()))
                              : Result<Buffer>(std::move(reply).error());
            submissions.answer(std::move(answered), std::move(told), size);
        };
        if (item.request) {
            (*here)->submit(*item.request, command, std::move(then));
        } else {
            (*here)->submit(command, std::move(then));
        }
    }
}

// --- Status --------------------------------------------------------------------------------------

ReplicaStatus Replica::Impl::status_on_loop() const {
    ReplicaStatus status;
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

ReplicaStatus Replica::Impl::current() {
    std::optional<ReplicaStatus> status;
    (void)loop.run([&] { status = board.with_failure(status_on_loop()); });
    return status ? *status : board.seen();
}

void Replica::Impl::failed(const Error& error) {
    log->error("replica.failed", {kv("service", options.service), kv("error", error)});
    board.fail(error);
}

// --- The end -------------------------------------------------------------------------------------

void Replica::Impl::close(Duration limit) {
    ending.run(limit, loop, *callbacks, [this] {
        submissions.close();
        board.close();
        later([this] { close_on_loop(); });
    });
}

void Replica::Impl::close_on_loop() {
    drain();  // What was taken before is carried out.
    opening.reset();
    if (!replica) return end_on_loop();
    replica->close([self = shared_from_this()] {
        self->later([impl = self.get()] { impl->end_on_loop(); });
    });
}

void Replica::Impl::end_on_loop() {
    submissions.flush();
    replica.reset();
    if (!journal) return loop.stop();
    journal->close([self = shared_from_this()] {
        self->later([impl = self.get()] {
            impl->journal.reset();
            impl->loop.stop();
        });
    });
}

void Replica::Impl::later(std::function<void()> task) {
    loop.post([self = shared_from_this(), task = std::move(task)] { task(); });
}

}  // namespace understudy
