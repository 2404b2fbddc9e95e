#include "library/records/service_impl.h"

#include <utility>

#include "base/bytes.h"
#include "library/options.h"
#include "library/records/agent_impl.h"
#include "library/records/call_bytes.h"
#include "library/threads/guard.h"
#include "library/threads/listeners.h"

namespace understudy {

using library::Outbox;

namespace {

// The last report about a record without subscriptions is that it has none.
[[nodiscard]] bool has_none(const std::size_t& subscriptions) { return subscriptions == 0; }

}  // namespace

Service::Impl::Impl(std::shared_ptr<Agent::Impl> its_agent, ServiceOptions its_options)
    : agent(std::move(its_agent)),
      options(std::move(its_options)),
      source(options.journal ? std::make_shared<library::RecordSource>() : nullptr),
      outbox(agent->loop, [this](Outbox::Kind kind, std::uint64_t number,
                                 Bytes bytes) { take_entry(kind, number, bytes); }),
      role_listeners(agent->callbacks, "role listener", library::changes_kept),
      refused_listeners(agent->callbacks, "refusal listener"),
      client_listeners(agent->callbacks, "client listener"),
      subscription_listeners(agent->callbacks, "subscription listener", has_none),
      role_now{options.family, options.member, Role::joining, {}} {}

Error Service::Impl::closed_error() const {
    return {.code = Errc::closed, .detail = full_name() + " is closed"};
}

void Service::Impl::opened(client::Member& its_member) {
    member = &its_member;
    own_record_.emplace(its_member, agent->options.name);
}

Result<void> Service::Impl::begin_journal() {
    hosted = member;
    source->fetch = [weak = weak_from_this()](const std::string& name) {
        std::optional<RecordImage> image;
        const auto self = weak.lock();
        if (self == nullptr) return image;
        (void)self->agent->loop.run([&] {
            if (self->member == nullptr) return;
            const record::Publisher& publisher = self->member->publisher();
            if (const auto record = publisher.find(name)) image = *publisher.image(*record);
        });
        return image;
    };
    journal = std::make_unique<library::JournaledService>(
        library::JournaledService::World{.runtime = agent->loop.runtime(),
                                         .log = *agent->log,
                                         .agent = *agent->client,
                                         .nodes = agent->threads->nodes},
        options, *member, static_cast<library::JournaledService::Observer&>(*this));
    return journal->begin();
}

void Service::Impl::end_journal(std::function<void()> done) {
    if (journal == nullptr) return done();
    journal->close([self = shared_from_this(), done = std::move(done)] {
        self->agent->loop.post([self, done] {
            self->journal.reset();
            if (self->agent->client) self->agent->client->remove_hosted_member(*self->hosted);
            self->hosted = nullptr;
            done();
        });
    });
}

// Earlier publications are sent first.
void Service::Impl::close_on_loop() {
    if (closed.exchange(true)) return;
    outbox.close();
    if (member != nullptr) outbox.drain();
    role_listeners.close();
    refused_listeners.close();
    client_listeners.close();
    subscription_listeners.close();
    handlers.clear();
    own_record_.reset();
    member = nullptr;
    decltype(filter) over;  // Destroyed outside of the lock.
    const std::lock_guard lock(mutex);
    over.swap(filter);
    role_now.role = Role::joining;
    changed.notify_all();
}

void Service::Impl::publish_statistics() {
    if (own_record_) own_record_->update(agent->loop.runtime(), agent->started, calls_);
}

// --- Records -------------------------------------------------------------------------------------

void Service::Impl::take_entry(Outbox::Kind kind, std::uint64_t number, Bytes bytes) {
    if (member == nullptr) return;
    if (journal != nullptr) return take_journal_entry(kind, bytes);
    if (kind == Outbox::Kind::create) {
        ByteReader reader(bytes);
        const auto record = reader.text();
        US_ASSERT(record.has_value());
        const auto created = member->create(*record, reader.rest());
        if (created) {
            ids_.emplace(number, *created);
        } else {
            agent->log->error("record.not_created",
                              {kv("record", *record), kv("error", created.error())});
        }
        return;
    }
    if (number != number_last_) {
        const auto found = ids_.find(number);
        if (found == ids_.end()) return;  // It was not created; that was logged.
        number_last_ = number;
        id_last_ = found->second;
    }
    Result<void> done;
    if (kind == Outbox::Kind::change) {
        done = member->commit(id_last_, bytes);
    } else {
        done = member->remove(id_last_);
        ids_.erase(number);
        number_last_ = 0;
    }
    if (!done) {
        agent->log->error("record.not_published",
                          {kv("service", options.family), kv("error", done.error())});
    }
}

Result<void> Service::Impl::put_in_journal(Outbox::Kind kind, Record::Impl& record, Bytes bytes) {
    record.scratch.clear();
    constexpr std::size_t head_bytes_max = sizeof record.reset + sizeof(std::uint64_t);
    record.scratch.reserve(head_bytes_max + record.name.size() + bytes.size());
    ByteWriter writer(record.scratch);
    writer.fixed(record.reset);
    writer.text(record.name);
    writer.raw(bytes);
    return outbox.add(kind, record.number, record.scratch, weak_from_this());
}

void Service::Impl::take_journal_entry(Outbox::Kind kind, Bytes bytes) {
    using Kind = library::JournaledService::Kind;
    ByteReader reader(bytes);
    const auto reset = reader.fixed<std::uint64_t>();
    const auto name = reader.text();
    US_ASSERT(name.has_value());
    if (*reset != source->resets.load()) {
        agent->log->warn("record.change_dropped",
                         {kv("service", options.family), kv("record", *name),
                          kv("why", "it was made before the records were reset")});
        return;
    }
    journal->submit(kind == Outbox::Kind::create   ? Kind::create
                    : kind == Outbox::Kind::change ? Kind::change
                                                   : Kind::remove,
                    *name, reader.rest());
}

void Service::Impl::records_reset() {
    source->resets.fetch_add(1);
    if (member == nullptr) return;
    const std::lock_guard lock(mutex);
    for (const std::string_view name : member->publisher().names()) {
        if (name.starts_with(library::reserved_prefix) || records.contains(name)) continue;
        records.emplace(name, std::make_shared<Record::Impl>(this, std::string(name),
                                                             ++record_number_last, source));
    }
}

void Service::Impl::journal_failed(const Error& error) {
    agent->log->error("service.journal_failed",
                      {kv("service", options.family), kv("error", error)});
    refused(error);
}

// --- Events of the platform ----------------------------------------------------------------------

void Service::Impl::role_changed(Role role, Epoch epoch) {
    const RoleChange news{options.family, options.member, role, epoch};
    {
        const std::lock_guard lock(mutex);
        role_now = news;
    }
    changed.notify_all();
    role_listeners.tell(news);
    agent->loop.post([self = shared_from_this()] { self->publish_statistics(); });
}

void Service::Impl::registered(std::uint64_t) {
    {
        const std::lock_guard lock(mutex);
        is_registered = true;
        refusal.reset();
    }
    changed.notify_all();
}

void Service::Impl::refused(const Error& reason) {
    {
        const std::lock_guard lock(mutex);
        is_registered = false;
        refusal = reason;
    }
    changed.notify_all();
    refused_listeners.tell(reason);
}

void Service::Impl::subscriptions_changed(std::string_view record, std::size_t,
                                          std::size_t current) {
    if (record.starts_with(library::reserved_prefix)) return;
    subscription_listeners.tell(std::string(record), current);
}

void Service::Impl::clients_changed(std::size_t clients) { client_listeners.tell(clients); }

// The platform's own records contain nothing that the application has to protect.
std::optional<Error> Service::Impl::permit(std::string_view record, std::string_view token) {
    if (record.starts_with(library::reserved_prefix)) return std::nullopt;
    std::shared_ptr<const std::function<bool(std::string_view, std::string_view)>> present;
    {
        const std::lock_guard lock(mutex);
        present = filter;
    }
    if (present == nullptr) return std::nullopt;
    bool allowed = false;
    library::guarded(*agent->log, "permission filter",
                     [&] { allowed = (*present)(record, token); });
    if (allowed) return std::nullopt;
    return Error{.code = Errc::denied, .detail = "the service does not permit this subscription"};
}

// --- Calls ---------------------------------------------------------------------------------------

namespace {

// If a handler throws, it may have done a part of its work.
[[nodiscard]] Result<Buffer> run(const RpcHandler& handler, Bytes bytes) {
    const Arguments arguments = US_TRY(Arguments::from_bytes(bytes));
    try {
        return library::encode(US_TRY(handler(arguments)));
    } catch (const std::exception& exception) {
        return Error{.code = Errc::failed, .effect = Effect::unknown, .detail = exception.what()};
    } catch (...) {
        return Error{.code = Errc::failed,
                     .effect = Effect::unknown,
                     .detail = "the handler threw an object that is not a std::exception"};
    }
}

}  // namespace

void Service::Impl::call(client::CallToken token, std::string_view name, Bytes arguments,
                         TimePoint deadline) {
    ++calls_;
    const auto found = handlers.find(name);
    if (found == handlers.end()) {
        return answer(token, Error{.code = Errc::not_found,
                                   .detail = options.family + " has no call " + std::string(name)});
    }
    const Handler handler = found->second;  // It may be removed while it runs.
    agent->loop.served();
    if (handler.where == RunOn::loop_thread) return answer(token, run(*handler.run, arguments));
    queue_call(token, handler, name, arguments, deadline);
}

void Service::Impl::queue_call(client::CallToken token, const Handler& handler,
                               std::string_view name, Bytes arguments, TimePoint deadline) {
    const std::size_t size = arguments.size();
    if (calls_waiting_.load() >= calls_waiting_max ||
        calls_waiting_bytes_.load() + size > calls_waiting_max_bytes) {
        return answer(token, Error{.code = Errc::limit_exceeded,
                                   .detail = "too many calls wait for " + std::string(name)});
    }
    calls_waiting_.fetch_add(1);
    calls_waiting_bytes_.fetch_add(size);
    agent->callbacks->post([self = shared_from_this(), token, run_it = handler.run,
                            bytes = Buffer(arguments.begin(), arguments.end()), deadline] {
        self->calls_waiting_.fetch_sub(1);
        self->calls_waiting_bytes_.fetch_sub(bytes.size());
        if (self->closed.load()) return;
        Result<Buffer> outcome = Buffer();
        if (library::clock_now() >= deadline) {
            outcome = Error{.code = Errc::timed_out, .detail = "the call waited too long to run"};
        } else {
            outcome = run(*run_it, bytes);
        }
        self->agent->loop.post([self, token, outcome = std::move(outcome)] {
            self->agent->loop.served();
            self->answer(token, outcome);
        });
    });
}

void Service::Impl::answer(client::CallToken token, const Result<Buffer>& outcome) {
    if (member == nullptr) return;
    if (outcome) {
        member->answer(token, Bytes(*outcome));
    } else {
        member->answer(token, outcome.error());
    }
}

// It may run all the same: a caller that sends a call and leaves relies on that.
void Service::Impl::call_abandoned(client::CallToken) {}

}  // namespace understudy
