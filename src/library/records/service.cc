#include "understudy/service.h"

#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "library/options.h"
#include "library/records/agent_impl.h"
#include "library/records/service_impl.h"
#include "library/threads/clock.h"
#include "library/threads/once.h"
#include "record/codec.h"
#include "understudy/limits.h"

namespace understudy {

using library::Outbox;

// --- Listeners -----------------------------------------------------------------------------------

void Service::on_role(std::function<void(const RoleChange&)> listener) {
    impl_->role_listeners.add(std::move(listener));
}

void Service::on_refused(std::function<void(const Error&)> listener) {
    impl_->refused_listeners.add(std::move(listener));
}

void Service::on_subscriptions(
    std::function<void(std::string_view, std::size_t, std::size_t)> listener) {
    impl_->subscription_listeners.add([listener = std::move(listener)](
                                          const std::string& record, const std::size_t* previous,
                                          std::size_t current) {
        const std::size_t before = previous == nullptr ? 0 : *previous;
        if (before != current) listener(record, before, current);
    });
}

void Service::on_clients(std::function<void(std::size_t)> listener) {
    impl_->client_listeners.add(std::move(listener));
}

void Service::set_permission_filter(
    std::function<bool(std::string_view, std::string_view)> filter) {
    using Filter = std::function<bool(std::string_view, std::string_view)>;
    auto next = filter ? std::make_shared<const Filter>(std::move(filter)) : nullptr;
    const std::lock_guard lock(impl_->mutex);
    impl_->filter.swap(next);  // The old one is destroyed outside of the lock.
}

Result<void> Service::wait_registered(Duration timeout) {
    Impl& impl = *impl_;
    const TimePoint deadline = library::later(library::clock_now(), timeout);
    std::unique_lock lock(impl.mutex);
    const auto decided = [&] {
        return impl.is_registered || impl.refusal.has_value() || impl.closed.load();
    };
    impl.changed.wait_until(lock, library::to_steady(deadline), decided);
    if (impl.closed.load()) return impl.closed_error();
    if (impl.is_registered) return {};
    if (impl.refusal) return *impl.refusal;
    lock.unlock();
    const std::string trouble = impl.agent->registry_trouble();
    return Error{.code = Errc::timed_out,
                 .detail = fmt::format(
                     "{} is not registered after {} ms: {}", impl.full_name(),
                     std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count(),
                     trouble.empty() ? "the registry has not answered yet" : trouble)};
}

// --- Records -------------------------------------------------------------------------------------

Result<Record> Service::record(std::string_view name) {
    US_CHECK(check_record_name(name));
    US_CHECK(library::check_not_reserved("record", name));
    Impl& impl = *impl_;
    const std::lock_guard lock(impl.mutex);
    if (impl.closed.load()) return impl.closed_error();
    const auto found = impl.records.find(name);
    if (found != impl.records.end()) return Record(found->second);
    if (impl.records.size() + 1 >= records_max) {  // One is the platform's own.
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("{} records of one member", records_max)};
    }
    auto made = std::make_shared<Record::Impl>(impl_.get(), std::string(name),
                                               ++impl.record_number_last, impl.source);
    impl.records.emplace(name, made);
    return Record(std::move(made));
}

std::optional<Record> Service::find_record(std::string_view name) const {
    const std::lock_guard lock(impl_->mutex);
    const auto found = impl_->records.find(name);
    if (found == impl_->records.end()) return std::nullopt;
    return Record(found->second);
}

std::vector<std::string> Service::record_names() const {
    std::vector<std::string> names;
    const std::lock_guard lock(impl_->mutex);
    for (const auto& [name, record] : impl_->records) names.push_back(name);
    return names;
}

Result<void> Service::publish(Record& record) {
    Record::Impl& written = *record.impl_;
    US_CHECK(check_own(record));
    if (impl_->source != nullptr) return publish_in_journal(record);
    if (!written.published) {
        // The first publication is the whole record, so no subscriber sees a part of it.
        Buffer image;
        record::encode_image(written.draft.image(), image);
        written.scratch.clear();
        ByteWriter writer(written.scratch);
        writer.text(written.name);
        writer.raw(image);
        US_CHECK(impl_->outbox.add(Outbox::Kind::create, written.number, written.scratch, impl_));
        (void)written.draft.commit();
        written.published = true;
        return {};
    }
    const auto delta = written.draft.commit();
    if (!delta) return {};
    return impl_->outbox.add(Outbox::Kind::change, written.number, *delta, impl_);
}

Result<void> Service::publish_in_journal(Record& record) {
    Record::Impl& written = *record.impl_;
    US_CHECK(check_active());
    written.refresh();
    if (written.published) {
        const auto delta = written.draft.commit();
        if (!delta) return {};
        return impl_->put_in_journal(Outbox::Kind::change, written, *delta);
    }
    Buffer image;
    record::encode_image(written.draft.image(), image);
    US_CHECK(impl_->put_in_journal(Outbox::Kind::create, written, image));
    (void)written.draft.commit();
    written.published = true;
    return {};
}

Result<void> Service::check_active() const {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->role_now.role == Role::active) return {};
    return Error{.code = Errc::not_active, .detail = impl_->full_name() + " is not active"};
}

Result<void> Service::publish_durably(Record& record, Duration timeout) {
    Impl& impl = *impl_;
    if (impl.source == nullptr) {
        return Error{.code = Errc::bad_config, .detail = impl.full_name() + " has no journal"};
    }
    library::LoopThread& loop = impl.agent->loop;
    if (loop.on_loop() || impl.agent->callbacks->on_thread()) {
        return Error{.code = Errc::bad_config,
                     .detail = "a callback may not wait until a change is durable"};
    }
    US_CHECK(publish(record));
    const auto answer = std::make_shared<library::Once<Result<void>>>();
    auto outcome = loop.await(
        [self = impl_, answer, reset = record.impl_->reset] {
            if (self->journal == nullptr) return answer->set(self->closed_error());
            self->outbox.drain();
            if (self->source->resets.load() != reset) {
                return answer->set(Error{.code = Errc::not_active,
                                         .effect = Effect::unknown,
                                         .detail = "the records were reset meanwhile"});
            }
            self->journal->when_durable([answer](Result<void> done) { answer->set(done); });
        },
        *answer, library::later(library::clock_now(), timeout));
    if (outcome) return *std::move(outcome);
    return Error{.code = impl.closed.load() ? Errc::closed : Errc::timed_out,
                 .effect = Effect::unknown,
                 .detail = impl.full_name() + " has not made the change durable in time"};
}

Result<void> Service::remove_record(Record& record) {
    Record::Impl& written = *record.impl_;
    US_CHECK(check_own(record));
    if (impl_->source != nullptr) {
        US_CHECK(check_active());
        written.refresh();
    }
    if (written.removed.exchange(true)) {
        return Error{.code = Errc::not_found, .detail = "record " + written.name + " was removed"};
    }
    Result<void> done;
    if (written.published) {
        done = impl_->source != nullptr
                   ? impl_->put_in_journal(Outbox::Kind::remove, written, {})
                   : impl_->outbox.add(Outbox::Kind::remove, written.number, {}, impl_);
    }
    // The name may be used again only now, because the loop must get the removal first.
    const std::lock_guard lock(impl_->mutex);
    impl_->records.erase(written.name);
    return done;
}

Result<void> Service::check_own(const Record& record) const {
    const Record::Impl& written = *record.impl_;
    if (written.service != impl_.get()) {
        return Error{.code = Errc::bad_config,
                     .detail = fmt::format("record {} is not one of {}", written.name,
                                           impl_->full_name())};
    }
    if (impl_->closed.load()) return impl_->closed_error();
    if (written.removed.load()) {
        return Error{.code = Errc::not_found, .detail = "record " + written.name + " was removed"};
    }
    return {};
}

// --- Calls ---------------------------------------------------------------------------------------

Result<void> Service::publish_rpc(std::string_view name, RpcHandler handler, RunOn where) {
    US_CHECK(check_call_name(name));
    if (!handler) return Error{.code = Errc::bad_config, .detail = "a call without a handler"};
    if (impl_->closed.load()) return impl_->closed_error();
    {
        const std::lock_guard lock(impl_->mutex);
        if (!impl_->rpcs.emplace(name).second) {
            return Error{
                .code = Errc::already_exists,
                .detail = fmt::format("{} already has a call {}", impl_->full_name(), name)};
        }
    }
    auto run = std::make_shared<const RpcHandler>(std::move(handler));
    const bool posted = impl_->agent->loop.post(
        [impl = impl_, name = std::string(name), run = std::move(run), where] {
            if (impl->member == nullptr) return;
            impl->handlers.insert_or_assign(name, Impl::Handler{run, where});
            impl->member->publish_rpc(name);
        });
    if (!posted) return impl_->closed_error();
    return {};
}

Result<void> Service::unpublish_rpc(std::string_view name) {
    if (impl_->closed.load()) return impl_->closed_error();
    {
        const std::lock_guard lock(impl_->mutex);
        const auto found = impl_->rpcs.find(name);
        if (found == impl_->rpcs.end()) {
            return Error{.code = Errc::not_found,
                         .detail = fmt::format("{} has no call {}", impl_->full_name(), name)};
        }
        impl_->rpcs.erase(found);
    }
    const bool posted = impl_->agent->loop.post([impl = impl_, name = std::string(name)] {
        if (impl->member == nullptr) return;
        impl->handlers.erase(name);
        impl->member->unpublish_rpc(name);
    });
    if (!posted) return impl_->closed_error();
    return {};
}

// --- State ---------------------------------------------------------------------------------------

Role Service::role() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->role_now.role;
}

Epoch Service::epoch() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->role_now.epoch;
}

std::string Service::family() const { return impl_->options.family; }

std::string Service::member() const { return impl_->options.member; }

void Service::close() {
    const auto take_out = [impl = impl_] {
        client::Member* member = impl->member;
        impl->close_on_loop();
        impl->agent->services.erase({impl->options.family, impl->options.member});
        if (member == nullptr) return;
        if (impl->journal != nullptr) {
            impl->end_journal([] {});
        } else {
            impl->agent->client->remove_member(*member, nullptr);
        }
        impl->agent->unfollow(impl->options.family);
    };
    // A handler on the loop is called by the member that this would destroy.
    library::LoopThread& loop = impl_->agent->loop;
    if (loop.on_loop()) {
        loop.post(take_out);
    } else {
        (void)loop.run(take_out);
    }
}

}  // namespace understudy
