#include "replica/replica.h"

#include <utility>

#include "base/checksum.h"
#include "base/plant.h"

namespace understudy::replica {

std::string_view name(Durability durability) {
    switch (durability) {
        case Durability::disk:
            return "disk";
        case Durability::memory:
            return "memory";
    }
    return "unknown";
}

/// An opening under way. The replica observes the journal from the start, and its owner gets it
/// when the journal is open.
class Replica::Starting final : public journal::Opening {
public:
    Starting(std::unique_ptr<Replica> replica, Opened opened)
        : replica_(std::move(replica)), opened_(std::move(opened)) {}
    Starting(const Starting&) = delete;
    Starting& operator=(const Starting&) = delete;
    ~Starting() override = default;

    void begin(const journal::Open& open) {
        opening_ = open(*replica_, [this](Result<std::unique_ptr<journal::Journal>> journal) {
            ended(std::move(journal));
        });
    }

private:
    // The callback may destroy this object, so its members are moved out before.
    void ended(Result<std::unique_ptr<journal::Journal>> journal) {
        const Opened opened = std::move(opened_);
        auto replica = std::move(replica_);
        if (!journal) return opened(std::move(journal).error());
        if (replica->broken_) {
            const Error error = *replica->broken_;
            (*journal).reset();
            return opened(error);
        }
        replica->begin(**journal);
        replica->journal_ = *std::move(journal);
        opened(std::move(replica));
    }

    std::unique_ptr<Replica> replica_;
    Opened opened_;
    std::unique_ptr<journal::Opening> opening_;
};

std::unique_ptr<journal::Opening> Replica::open(Runtime& runtime, Log& log, Options options,
                                                const journal::Open& journal, StateMachine& machine,
                                                Opened opened) {
    std::unique_ptr<Replica> replica(new Replica(runtime, log, options, machine));
    auto starting = std::make_unique<Starting>(std::move(replica), std::move(opened));
    starting->begin(journal);
    return starting;
}

Replica::Replica(Runtime& runtime, Log& log, Options options, StateMachine& machine)
    : runtime_(runtime),
      log_(log),
      options_(options),
      machine_(machine),
      sink_(replicated_, machine),
      checkpoints_(runtime, log, options.checkpoints, replicated_, machine),
      proposals_(options.proposals),
      flush_(runtime.turn_ends(), TurnPhase::commands, [this] { flush(); }) {
    checkpoints_.set_duty(options.witness ? CheckpointDuty::others : options.checkpoint_duty);
}

Replica::~Replica() {
    life_.end();
    checkpoints_.stop();  // Its writer ends before the journal.
}

void Replica::begin(journal::Journal& journal) { checkpoints_.start(journal); }

// --- Calls of the owner --------------------------------------------------------------------------

void Replica::submit(Bytes command, Urgency urgency, Answered answered) {
    add({.kind = ItemKind::command, .body = command}, urgency, std::move(answered));
}

void Replica::submit(Bytes command, Answered answered) {
    submit(command, Urgency::ordinary, std::move(answered));
}

void Replica::submit(const Request& request, Bytes command, Answered answered) {
    const session::Finding found = replicated_.sessions.find(request);
    if (found.known == session::Known::answered) {
        ++counters_.repeated;
        // Told when commands are packed: a command that follows may be durable in the same turn.
        known_.push_back({.answered = std::move(answered),
                          .reply = Buffer(found.reply.begin(), found.reply.end())});
        return flush_.mark();
    }
    if (found.known == session::Known::abandoned) {
        return answer_later(std::move(answered), request_abandoned());
    }
    // A standby may lack entries. The active member may know what this one does not.
    if (active() && found.known != session::Known::fresh) {
        ++counters_.expired;
        return answer_later(std::move(answered), request_expired());
    }
    add({.kind = ItemKind::request, .request = request, .body = command}, Urgency::ordinary,
        std::move(answered));
}

void Replica::propose(Bytes command, Urgency urgency, Proposed done) {
    submit(command, urgency, [done = std::move(done)](Result<Reply> reply) {
        if (!done) return;
        if (reply) {
            done(reply->index);
        } else {
            done(std::move(reply).error());
        }
    });
}

void Replica::open_session(std::function<void(Result<SessionId>)> opened) {
    add({.kind = ItemKind::open_session}, Urgency::ordinary,
        [opened = std::move(opened)](Result<Reply> reply) {
            if (!reply) return opened(std::move(reply).error());
            opened(SessionId{ByteReader(reply->bytes).fixed<std::uint64_t>().value_or(0)});
        });
}

void Replica::close_session(SessionId session, Done done) {
    add({.kind = ItemKind::close_session, .request = {.session = session, .number = {}}},
        Urgency::ordinary, [done = std::move(done)](Result<Reply> reply) {
            if (!done) return;
            if (!reply) return done(std::move(reply).error());
            done({});
        });
}

void Replica::outcome(const Request& request, std::function<void(Result<Outcome>)> told) {
    Answered answered = [told = std::move(told)](Result<Reply> reply) {
        if (reply) return told(Outcome{.fate = RequestFate::applied, .reply = reply->bytes});
        if (reply.error().code == Errc::refused) {
            return told(Outcome{.fate = RequestFate::not_applied, .reply = {}});
        }
        if (reply.error().code == Errc::session_expired) {
            return told(Outcome{.fate = RequestFate::unknown, .reply = {}});
        }
        told(std::move(reply).error());
    };
    // As for a request. But if nothing is known of it yet, its abandonment is appended.
    const session::Finding found = replicated_.sessions.find(request);
    if (found.known == session::Known::fresh || !active()) {
        if (found.known != session::Known::answered && found.known != session::Known::abandoned) {
            return add({.kind = ItemKind::abandon, .request = request}, Urgency::ordinary,
                       std::move(answered));
        }
    }
    submit(request, {}, std::move(answered));
}

void Replica::read(Done done) {
    if (broken_ || closing_ || !active()) {
        ++counters_.refused;
        later([done = std::move(done), error = not_active()] { done(error); });
        return;
    }
    ++counters_.reads;
    if (planted(Plant::reads_unconfirmed)) return later([done = std::move(done)] { done({}); });
    reads_.push_back(std::move(done));
    flush_.mark();
}

void Replica::checkpoint_now(Proposed done) { checkpoints_.now(std::move(done)); }

void Replica::set_checkpoint_duty(bool mine) {
    if (options_.witness) return;
    checkpoints_.set_duty(mine ? CheckpointDuty::mine : CheckpointDuty::others);
}

void Replica::close(std::function<void()> done) {
    flush();
    closing_ = true;
    checkpoints_.stop();
    journal_->close(std::move(done));
}

void Replica::on_standing(std::function<void(const Standing&)> changed) {
    on_standing_ = std::move(changed);
}

void Replica::on_failed(std::function<void(const Error&)> failed) {
    on_failed_ = std::move(failed);
}

void Replica::on_space_changed(std::function<void(Space)> changed) {
    on_space_changed_ = std::move(changed);
}

Space Replica::space() const { return journal_->space(); }
Index Replica::checkpoint() const { return journal_->checkpoint(); }

std::uint64_t Replica::hash() const {
    Buffer parts;
    ByteWriter writer(parts);
    writer.fixed(machine_.hash());
    writer.fixed(replicated_.sessions.hash());
    writer.fixed(static_cast<std::uint64_t>(replicated_.time.count()));
    return hash64(parts);
}

// --- Into the journal ----------------------------------------------------------------------------

void Replica::add(const Item& item, Urgency urgency, Answered answered) {
    if (broken_ || closing_ || !active()) {
        ++counters_.refused;
        return answer_later(std::move(answered), not_active());
    }
    if (auto added = proposals_.add(item, log_time(), urgency, answered); !added) {
        ++counters_.refused;
        return answer_later(std::move(answered), std::move(added).error());
    }
    flush_.mark();
}

Error Replica::not_active() const {
    if (broken_) return {.code = broken_->code, .detail = broken_->detail};  // Nothing was taken.
    if (closing_) return {.code = Errc::closed, .detail = "the replica is being closed"};
    return {.code = Errc::not_active,
            .detail = standing_.active.empty() ? std::string("nobody is known to be active")
                                               : standing_.active + " is active"};
}

Duration Replica::log_time() const {
    const Duration time = tenure_time_ + (runtime_.now() - tenure_began_);
    return std::max(time, replicated_.time);
}

void Replica::answer_later(Answered answered, Error error) {
    later([answered = std::move(answered), error = std::move(error)] {
        if (answered) answered(error);
    });
}

/// At the end of the turn, so that commands of one turn share entries.
void Replica::flush() {
    const Lifetime::Watch here = life_.watch();
    for (const Known& known : std::exchange(known_, {})) {
        if (known.answered) known.answered(Reply{.index = {}, .bytes = known.reply});
        if (here.ended()) return;
    }
    while (auto taken = proposals_.take()) append(taken->first, std::move(taken->second));
    confirm_reads();
}

void Replica::append(Urgency urgency, Proposals::Pack pack) {
    ++counters_.packs;
    std::vector<journal::Draft> drafts(1);
    drafts[0].type = journal::EntryType::commands;
    drafts[0].body = std::move(pack.body);
    auto waiting = std::make_shared<const std::vector<Answered>>(std::move(pack.waiting));
    journal_->append(std::move(drafts), urgency,
                     [this, waiting = std::move(waiting)](const Result<Index>& result) {
                         const auto kept =
                             waiting;  // A callback may destroy us, and the journal with us.
                         appended(*kept, result);
                     });
}

void Replica::appended(const std::vector<Answered>& waiting, const Result<Index>& result) {
    const Lifetime::Watch here = life_.watch();
    if (!result) {
        for (const Answered& answered : waiting) {
            if (answered) answered(result.error());
            if (here.ended()) return;
        }
        return;
    }
    Results results = proposals_.take_results(*result);
    US_ASSERT(results.size() == waiting.size());
    for (std::size_t i = 0; i < waiting.size(); ++i) {
        if (waiting[i]) waiting[i](results.at(i));
        if (here.ended()) return;
    }
    proposals_.reuse(std::move(results));
}

/// One confirmation serves all reads that came before it began. Later reads wait for the next one.
void Replica::confirm_reads() {
    if (confirming_ || reads_.empty()) return;
    confirming_ = true;
    ++counters_.confirms;
    auto served = std::make_shared<const std::vector<Done>>(std::exchange(reads_, {}));
    journal_->confirm([this, served = std::move(served)](const Result<void>& result) {
        const auto kept = served;
        const Lifetime::Watch here = life_.watch();
        confirming_ = false;
        if (!reads_.empty()) flush_.mark();
        for (const Done& done : *kept) {
            done(result);
            if (here.ended()) return;
        }
    });
}

// --- From the journal ----------------------------------------------------------------------------

Result<void> Replica::restore(const journal::StateSlice& slice) {
    if (slice.first) {
        ++counters_.restorations;
        checkpoints_.drop();
    }
    if (!options_.witness) US_CHECK(sink_.take(slice.bytes, slice.first, slice.last));
    if (slice.last) applied_ = slice.at;
    return {};
}

void Replica::committed(const journal::Entry& entry) {
    if (broken_) return;
    US_ASSERT(entry.index > applied_);
    ++counters_.entries;
    const std::uint64_t before = counters_.commands;
    // A journal may give us `commands` as a `command`: to the journal both are bytes.
    if (!options_.witness && journal::has_body(entry.type)) {
        const bool ours = active() && entry.epoch == standing_.epoch && journal_ != nullptr;
        Results* results = ours ? &proposals_.applied(entry.index) : nullptr;
        if (auto applied = apply_pack(entry, results); !applied) {
            return break_off(std::move(applied).error());
        }
    }
    applied_ = entry.index;
    checkpoints_.applied(counters_.commands - before, entry.body.size());
}

Result<void> Replica::apply_pack(const journal::Entry& entry, Results* results) {
    PackReader reader(entry.body);
    replicated_.time = std::max(replicated_.time, reader.time());
    Command command{.index = entry.index, .time = replicated_.time, .body = {}};
    while (const auto item = reader.next()) apply_item(*item, command, results);
    if (reader.done()) return {};
    return Error{.code = Errc::corrupt,
                 .detail = "entry " + std::to_string(entry.index.value) + " is no pack"};
}

void Replica::apply_item(const Item& item, Command& command, Results* results) {
    using session::Known;
    session::Table& sessions = replicated_.sessions;
    auto kind = Results::Kind::reply;
    Bytes reply;
    session::Finding found;
    reply_.clear();
    switch (item.kind) {
        case ItemKind::command:
            apply_command(item, command);
            reply = reply_;
            break;
        case ItemKind::request:
            found = sessions.begin(item.request, replicated_.time);
            if (found.known == Known::fresh) {
                apply_command(item, command);
                sessions.finish(item.request, reply_, replicated_.time);
                found = {.known = Known::answered, .reply = reply_};
            } else if (found.known == Known::answered) {
                ++counters_.repeated;
                if (planted(Plant::request_carried_out_again)) apply_command(item, command);
            }
            break;
        case ItemKind::open_session:
            ByteWriter(reply_).fixed(sessions.open(replicated_.time).value);
            reply = reply_;
            break;
        case ItemKind::close_session:
            sessions.close(item.request.session);
            break;
        case ItemKind::abandon:
            found = planted(Plant::abandoned_in_word_only)
                        ? session::Finding{.known = Known::abandoned}
                        : sessions.abandon(item.request, replicated_.time);
            break;
    }
    if (item.kind == ItemKind::request || item.kind == ItemKind::abandon) {
        reply = found.reply;
        if (found.known == Known::abandoned) kind = Results::Kind::abandoned;
        if (found.known == Known::forgotten || found.known == Known::no_session) {
            ++counters_.expired;
            kind = Results::Kind::expired;
        }
    }
    if (results != nullptr) results->add(kind, reply);
}

void Replica::apply_command(const Item& item, Command& command) {
    reply_.clear();
    command.body = item.body;
    machine_.apply(command, reply_);
    ++command.place;
    ++counters_.commands;
}

void Replica::standing_changed(const Standing& standing) {
    standing_ = standing;
    proposals_.forget_results();
    if (active()) {
        tenure_time_ = replicated_.time;
        tenure_began_ = runtime_.now();
    }
    checkpoints_.set_role(options_.witness ? Role::joining : standing.role);
    const Lifetime::Watch here = life_.watch();
    if (!active()) refuse_waiting();
    if (here.ended()) return;
    if (const auto changed = on_standing_) changed(standing);
}

/// Commands that have not been appended did not happen.
void Replica::refuse_waiting() {
    const Lifetime::Watch here = life_.watch();
    const Error error = not_active();
    for (const Answered& answered : proposals_.take_waiting()) {
        ++counters_.refused;
        if (answered) answered(error);
        if (here.ended()) return;
    }
    for (const Done& done : std::exchange(reads_, {})) {
        done(error);
        if (here.ended()) return;
    }
}

void Replica::space_changed(Space space) {
    const auto changed = on_space_changed_;  // A copy: the callback may destroy us.
    if (changed) changed(space);
}

void Replica::failed(const Error& error) {
    broken_ = error;
    checkpoints_.stop();
    if (on_failed_) std::exchange(on_failed_, {})(error);
}

/// Nothing more is applied. Entries after one that was left out would lead to another state.
void Replica::break_off(Error error) {
    broken_ = std::move(error);
    log_.error("replica.broken", {kv("error", *broken_)});
    checkpoints_.stop();
    later([this] {
        const Lifetime::Watch here = life_.watch();
        refuse_waiting();
        if (!here.ended() && on_failed_) std::exchange(on_failed_, {})(*broken_);
    });
}

void Replica::later(std::function<void()> task) { runtime_.post(life_.guarded(std::move(task))); }

}  // namespace understudy::replica
