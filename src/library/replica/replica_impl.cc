#include "library/replica/replica_impl.h"

#include "hosting/options.h"
#include "library/engine.h"
#include "library/options.h"

namespace understudy {

Replica::Impl::Impl(std::shared_ptr<Log> its_log, ReplicaOptions its_options,
                    MakeStateMachine its_make, std::shared_ptr<library::ThreadPair> its_threads)
    : log(std::move(its_log)),
      options(std::move(its_options)),
      make(std::move(its_make)),
      threads(std::move(its_threads)),
      loop(threads->loop),
      callbacks(std::make_shared<library::Callbacks>(log, threads->callbacks)),
      waiter("replica", loop, *callbacks, ending),
      board(callbacks, waiter),
      submissions(
          log, callbacks, Replica::outstanding_bytes_max,
          [this](std::function<void()> task) { later(std::move(task)); },
          [this]() -> TurnEnds& { return loop.runtime().turn_ends(); }, [this] { drain(); }) {}

void Replica::Impl::begin() {
    later([this] {
        if (ending.begun()) return;
        if (auto begun = begin_on_loop(); !begun) failed(begun.error());
    });
}

Result<void> Replica::Impl::begin_on_loop() {
    Runtime& runtime = loop.runtime();
    hosting::Places::Options where;
    where.registry = US_TRY(library::check_registry(options.registry, options.tls));
    places = US_TRY(hosting::Places::open(runtime, *log, std::move(where)));
    const bool registry = places->agent() != nullptr;
    const std::string address = options.listen.empty() && registry ? "127.0.0.1:0" : options.listen;
    if (!address.empty()) {
        own = US_TRY(hosting::own_address(
            runtime.network(),
            US_TRY(library::check_listen(address, options.tls.has_value(), options.insecure))));
    }
    copy = std::make_unique<hosting::Copy>(
        hosting::Copy::World{.runtime = runtime,
                             .log = *log,
                             .agent = places->agent(),
                             .make_journal =
                                 [this](hosting::Copy::Electable electable) {
                                     return hosting::JournalChoice::make(
                                         {.runtime = loop.runtime(),
                                          .log = *log,
                                          .nodes = threads->nodes,
                                          .engine = library::engine()},
                                         options, electable, {});
                                 }},
        hosting::Copy::Names{.service = options.service, .member = options.member},
        static_cast<hosting::Copy::Owner&>(*this));
    if (registry) {
        US_CHECK(copy->enter(hosting::place_in_line(options, own->address, options.advertise)));
    }
    open();
    return {};
}

void Replica::Impl::open() {
    machine = make();
    US_ASSERT(machine != nullptr);
    copy->open([this](const journal::Open& journal, std::optional<replica::CheckpointDuty> duty,
                      hosting::Copy::Opened opened) {
        return open_member(journal, duty, std::move(opened));
    });
}

std::unique_ptr<journal::Opening> Replica::Impl::open_member(
    const journal::Open& journal, std::optional<replica::CheckpointDuty> duty,
    hosting::Copy::Opened opened) {
    const bool alone = std::holds_alternative<LocalDirectory>(options.journal);
    hosting::ReplicaMember::Options how;
    how.service = options.service;
    how.member = options.member;
    if (own) how.listen = own->address;
    how.tls = library::to_options(options.tls);
    how.replica.checkpoints.every_bytes = options.checkpoint_every_bytes;
    how.replica.checkpoint_duty =
        duty.value_or(alone ? replica::CheckpointDuty::mine : replica::CheckpointDuty::standbys);
    return hosting::ReplicaMember::open(
        loop.runtime(), *log, std::move(how), journal, *machine, *places,
        hosting::Copy::passing_on<hosting::ReplicaMember>(std::move(opened)));
}

hosting::ReplicaMember* Replica::Impl::member() const {
    return copy == nullptr ? nullptr : static_cast<hosting::ReplicaMember*>(copy->member());
}

// --- Commands ------------------------------------------------------------------------------------

void Replica::Impl::submit(const std::optional<Request>& request, Bytes command,
                           Answered answered) {
    using Full = library::CommandQueue::Full;
    submissions.submit(request, command, waiter.may_wait() ? Full::wait : Full::refuse,
                       std::move(answered));
}

Result<hosting::ReplicaMember*> Replica::Impl::serving() {
    if (member() != nullptr) return member();
    if (ending.begun()) return waiter.closed(Effect::none);
    US_CHECK(board.check_open());
    return Error{.code = Errc::not_active, .detail = "the journal is being opened again"};
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
        (*here)->submit(
            item.request, command,
            [this, answered = std::move(item.answered),
             size = item.size](Result<replica::Reply> reply) mutable {
                auto told = reply ? Result<Buffer>(Buffer(reply->bytes.begin(), reply->bytes.end()))
                                  : Result<Buffer>(std::move(reply).error());
                submissions.answer(std::move(answered), std::move(told), size);
            });
    }
}

// --- Status --------------------------------------------------------------------------------------

ReplicaStatus Replica::Impl::status_on_loop() const {
    ReplicaStatus status;
    if (member() == nullptr) return status;
    const replica::Replica& replica = member()->replica();
    const replica::Standing& standing = replica.standing();
    status.role = copy->role();
    status.epoch = standing.epoch;
    if (own) status.address = to_string(member()->address());
    status.active = standing.active;
    status.applied = replica.applied();
    status.checkpoint = replica.checkpoint();
    status.time = replica.time();
    status.durability = name(replica.durability());
    status.disk_full = replica.space() != replica::Space::ok;
    status.sessions = replica.sessions();
    status.commands = replica.counters().commands;
    status.repeated = replica.counters().repeated;
    status.checkpoints = replica.checkpoint_counters().taken;
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

/// A member that cannot go on leaves the line, so that no other process waits for it.
void Replica::Impl::copy_failed(const Error& error) {
    failed(error);
    later([this] {
        if (copy != nullptr && !ending.begun()) copy->end([] {});
    });
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
    if (copy == nullptr) return close_places();
    copy->end([this] { close_places(); });
}

void Replica::Impl::close_places() {
    submissions.flush();
    const auto end = [this] { later([this] { end_on_loop(); }); };
    if (places == nullptr) return end();
    places->close(end);
}

void Replica::Impl::end_on_loop() {
    copy.reset();
    places.reset();
    machine.reset();
    ending.leave(loop);
}

void Replica::Impl::later(std::function<void()> task) {
    loop.post([self = shared_from_this(), task = std::move(task)] { task(); });
}

}  // namespace understudy
