#include "tests/swarm/journal_client.h"

#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"

namespace understudy::swarm {

namespace json = boost::json;

namespace {

constexpr std::uint64_t window = 8;  ///< Replies for which a client may ask again.

Error unavailable() { return {.code = Errc::unavailable, .detail = "nobody answers here"}; }

json::value value_of(std::uint64_t value) {
    return value == 0 ? json::value(nullptr) : json::value(value);
}

Result<std::uint64_t> number_in(Bytes reply) {
    const auto value = ByteReader(reply).fixed<std::uint64_t>();
    if (!value) return Error{.code = Errc::corrupt, .detail = "a reply of another length"};
    return *value;
}

}  // namespace

std::string Workload::key(Random& random, bool list) {
    Key& key = list ? keys_.back() : keys_[random.below(keys_.size() - 1)];
    if (key.name.empty() || key.operations >= operations_max || key.unknown >= unknown_max) {
        key = {.name = fmt::format("{}{}", list ? "list" : "cell", ++keys_made_)};
    }
    ++key.operations;
    return key.name;
}

void Workload::unknown(const std::string& key) {
    for (Key& each : keys_) each.unknown += each.name == key ? 1 : 0;
}

void Workload::line(history::Event event) {
    event.index = history.events.size();
    event.time = (world.now() - world.start()).count();
    history.events.push_back(std::move(event));
}

JournalClient::JournalClient(Workload& workload, std::uint64_t seed)
    : workload_(workload),
      world_(workload.world),
      random_(seed),
      process_(workload.next_process++) {}

Duration JournalClient::latency() {
    return random_.between(20us, random_.chance(1, 20) ? 20ms : 500us);
}

void JournalClient::think() {
    const Duration wait = random_.chance(1, 4) ? 10us : random_.between(1ms, 30ms);
    world_.after(wait, [this] {
        if (workload_.draining) return;
        if (session_.value == 0) return open_session();
        begin();
    });
}

void JournalClient::open_session() {
    const std::uint64_t mine = ++attempt_;
    send(
        [](JournalMember& member, const auto& done) {
            member.replica()->open_session([done](Result<SessionId> opened) {
                done(opened ? Result<std::uint64_t>(opened->value) : opened.error());
            });
        },
        [this, mine](const Told& told) {
            if (mine != attempt_ || !told.value) return;
            ++attempt_;
            session_ = {*told.value};
            number_ = 0;
            think();
        });
    world_.after(random_.between(100ms, 600ms), [this, mine] {
        if (mine != attempt_) return;
        ++attempt_;  // A later answer is ignored.
        target({});
        think();
    });
}

void JournalClient::begin() {
    US_ASSERT(!operation_);
    Operation operation;
    Order& order = operation.order;
    const std::uint64_t kind = random_.below(10);
    const bool list = kind >= 7;
    order.key = workload_.key(random_, list);
    if (kind < 3) {
        operation.f = "read";
    } else {
        order.value = ++workload_.next_value;
        order.pad_bytes = random_.chance(1, 3) ? random_.below(workload_.pad_bytes_max + 1) : 0;
        operation.f = kind < 5 ? "write" : kind < 7 ? "cas" : "append";
        order.kind = kind < 5   ? Order::Kind::write
                     : kind < 7 ? Order::Kind::cas
                                : Order::Kind::append;
        if (kind >= 5 && kind < 7 && seen_key_ == order.key) order.expected = seen_;
        if (random_.chance(5, 6)) {
            ++number_;
            operation.request = {.session = session_,
                                 .number = {number_},
                                 .answered = {number_ > window ? number_ - window : 0}};
        }
    }
    operation.process = process_;
    operation.deadline = world_.now() + random_.between(500ms, 6s);
    json::value asked = nullptr;
    if (operation.f == "cas") {
        asked = json::array{value_of(order.expected), order.value};
    } else if (operation.f != "read") {
        asked = order.value;
    }
    workload_.line({.process = process_,
                    .type = history::Type::invoke,
                    .f = operation.f,
                    .key = order.key,
                    .value = std::move(asked)});
    operation_ = std::move(operation);
    attempt();
}

void JournalClient::send(const Serve& serve, const Reply& reply) {
    sim::Process* const process = workload_.members[target_];
    const auto lost = [this] { return random_.chance(workload_.loss_per_mille, 1000); };
    if (lost()) return;
    world_.after(latency(), [this, process, serve, reply, lost] {
        if (!process->alive()) {
            world_.after(latency(),
                         [reply] { reply({.value = unavailable(), .epoch = {}, .node = {}}); });
            return;
        }
        const std::uint64_t life = process->starts();
        process->runtime().post([this, process, life, serve, reply, lost] {
            auto& member = process->app<JournalMember>();
            const auto done = [this, process, life, reply, lost](Result<std::uint64_t> value) {
                if (!process->alive() || process->starts() != life || lost()) return;
                auto& from = process->app<JournalMember>();
                const Epoch epoch = from.replica() == nullptr ? Epoch{} : from.replica()->epoch();
                world_.after(latency(),
                             [reply, told = Told{.value = std::move(value),
                                                 .epoch = epoch,
                                                 .node = process->node().name()}] { reply(told); });
            };
            if (member.replica() == nullptr || member.broken()) return done(unavailable());
            serve(member, done);
        });
    });
}

void JournalClient::attempt() {
    const std::uint64_t mine = ++attempt_;
    ++operation_->attempts;
    const Operation& operation = *operation_;
    Serve serve;
    if (operation.f == "read") {
        serve = [key = operation.order.key](JournalMember& member, const auto& done) {
            member.replica()->read([&member, key, done](const Result<void>& ready) {
                done(ready ? Result<std::uint64_t>(member.machine().value(key)) : ready.error());
            });
        };
    } else {
        serve = [this, order = operation.order, request = operation.request](JournalMember& member,
                                                                             const auto& done) {
            auto told = [this, value = order.value, done](const Result<replica::Reply>& result) {
                if (!result) return done(result.error());
                // A request that was carried out earlier may be only in a checkpoint.
                const bool fresh = result->index.value != 0;
                if (fresh && workload_.on_acknowledged)
                    workload_.on_acknowledged(value, result->index);
                done(number_in(result->bytes));
            };
            if (request) return member.replica()->submit(*request, encoded(order), std::move(told));
            member.replica()->submit(encoded(order), std::move(told));
        };
    }
    send(serve, [this, mine](const Told& told) {
        if (mine == attempt_) answered(told);
    });
    world_.after(random_.between(80ms, 900ms), [this, mine] {
        if (mine != attempt_) return;
        answered({.value = Error{.code = Errc::timed_out, .effect = Effect::unknown},
                  .epoch = {},
                  .node = {}});
    });
}

void JournalClient::answered(const Told& told) {
    ++attempt_;
    Operation& operation = *operation_;
    if (told.value) return finish(history::Type::ok, &told, {});
    const Error& error = told.value.error();
    if (error.code == Errc::corrupt) workload_.oracle.broken("J9: " + to_string(error));
    if (operation.f != "read" && error.effect == Effect::unknown) operation.maybe = true;
    if (operation.request && error.code == Errc::session_expired) {
        session_ = {};
        workload_.sometimes.happened("session expired");
        return finish(history::Type::info, nullptr, to_string(error));
    }
    // Only after its outcome was asked for: then it will never be carried out.
    if (operation.request && error.code == Errc::refused) {
        return finish(history::Type::fail, nullptr, to_string(error));
    }
    if (operation.maybe && !operation.request) {
        return finish(history::Type::info, nullptr, to_string(error));
    }
    target(error.detail);
    if (world_.now() < operation.deadline || workload_.draining) {
        return again(random_.between(2ms, 60ms));
    }
    if (!operation.maybe) return finish(history::Type::fail, nullptr, to_string(error));
    if (!operation.asks_outcome && random_.chance(1, 2)) {
        return finish(history::Type::info, nullptr, to_string(error));
    }
    if (operation.asks_outcome && world_.now() > operation.deadline + 10s) {
        return finish(history::Type::info, nullptr, to_string(error));
    }
    operation.asks_outcome = true;
    again(random_.between(2ms, 60ms));
}

void JournalClient::again(Duration wait) {
    const std::uint64_t mine = ++attempt_;
    world_.after(wait, [this, mine] {
        if (mine != attempt_) return;
        if (operation_->asks_outcome) return ask_outcome();
        attempt();
    });
}

/// The final outcome. The answer is a reply, or 0 if it was never carried out.
void JournalClient::ask_outcome() {
    const std::uint64_t mine = ++attempt_;
    ++operation_->attempts;
    struct Found {
        std::optional<RequestFate> fate;
    };
    auto found = std::make_shared<Found>();
    send(
        [request = *operation_->request, found](JournalMember& member, const auto& done) {
            member.replica()->outcome(
                request, [found, done](const Result<replica::Replica::Outcome>& outcome) {
                    if (!outcome) return done(outcome.error());
                    found->fate = outcome->fate;
                    if (outcome->fate != RequestFate::applied) return done(std::uint64_t{0});
                    done(number_in(outcome->reply));
                });
        },
        [this, mine, found](const Told& told) {
            if (mine != attempt_) return;
            if (!told.value) return answered(told);
            ++attempt_;
            workload_.sometimes.happened(
                found->fate == RequestFate::not_applied ? "outcome asked: abandoned"
                : found->fate == RequestFate::unknown   ? "outcome asked: forgotten"
                                                        : "outcome asked: carried out");
            if (found->fate == RequestFate::not_applied) {
                return finish(history::Type::fail, nullptr, "abandoned");
            }
            if (found->fate == RequestFate::unknown) {
                return finish(history::Type::info, nullptr, "forgotten");
            }
            finish(history::Type::ok, &told, {});
        });
    world_.after(random_.between(80ms, 900ms), [this, mine] {
        if (mine != attempt_) return;
        answered({.value = Error{.code = Errc::timed_out, .effect = Effect::unknown},
                  .epoch = {},
                  .node = {}});
    });
}

void JournalClient::finish(history::Type type, const Told* told, const std::string& why) {
    const Operation operation = *std::exchange(operation_, std::nullopt);
    ++attempt_;
    history::Event event{.process = operation.process,
                         .type = type,
                         .f = operation.f,
                         .key = operation.order.key,
                         .error = why};
    // A read without an answer has no effect, so it has failed.
    if (operation.f == "read" && type != history::Type::ok) event.type = history::Type::fail;
    if (event.type == history::Type::ok) {
        const std::uint64_t value = *told->value;
        ++workload_.done;
        ++done_;
        // The member that answered a repeated request need not be the one that carried it out.
        if (operation.attempts == 1) {
            event.epoch = told->epoch.value;
            event.node = told->node;
        }
        if (operation.f == "read") {
            event.value = value_of(value);
            seen_ = value;
        } else {
            workload_.oracle.acknowledged(operation.order.value);
            if (operation.f == "cas") event.value = value == 1;
            if (operation.f == "append") event.rev = value;
            if (operation.f == "write" || (operation.f == "cas" && value == 1)) {
                seen_ = operation.order.value;
            }
            if (operation.request && random_.chance(1, 6)) repeat(operation, value);
        }
        if (operation.f != "append") seen_key_ = operation.order.key;
    } else if (event.type == history::Type::fail) {
        ++workload_.refused;
        if (operation.f != "read") workload_.oracle.refused(operation.order.value);
    } else {
        ++workload_.open_ended;
        workload_.unknown(operation.order.key);
        process_ = workload_.next_process++;
    }
    workload_.line(std::move(event));
    think();
}

/// A request that was answered gets the same answer again, from any member.
void JournalClient::repeat(const Operation& operation, std::uint64_t reply) {
    world_.after(random_.between(10us, 300ms),
                 [this, order = operation.order, request = *operation.request, reply] {
                     const std::size_t before = target_;
                     if (random_.chance(1, 2)) target({});
                     send(
                         [order, request](JournalMember& member, const auto& done) {
                             member.replica()->submit(request, encoded(order),
                                                      [done](const Result<replica::Reply>& result) {
                                                          if (!result) return done(result.error());
                                                          done(number_in(result->bytes));
                                                      });
                         },
                         [this, order, reply](const Told& told) {
                             if (!told.value) return;
                             workload_.sometimes.happened("request answered twice");
                             if (*told.value == reply) return;
                             workload_.oracle.broken(
                                 fmt::format("J9: {} was answered with {}, and with {} by {}",
                                             order.value, reply, *told.value, told.node));
                         });
                     target_ = before;
                 });
}

void JournalClient::target(const std::string& hint) {
    for (std::size_t i = 0; i < workload_.members.size(); ++i) {
        if (hint == workload_.members[i]->node().name() + " is active" && random_.chance(4, 5)) {
            target_ = i;
            return;
        }
    }
    target_ = random_.below(workload_.members.size());
}

}  // namespace understudy::swarm
