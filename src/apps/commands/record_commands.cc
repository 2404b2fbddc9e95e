#include "apps/commands/record_commands.h"

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "apps/commands/session.h"
#include "apps/view/quantity.h"
#include "apps/view/record_view.h"
#include "library/records/record_put.h"
#include "wire/json.h"

namespace understudy::apps {

using wire::Dynamic;

namespace {

struct RecordWanted {
    std::string family;
    std::string record;
    std::vector<std::string> assignments;
    std::string count;
    std::string call;
    std::string arguments;
    std::string deadline = "5s";
    bool repeatable = false;
};

/// The data of callbacks, for the thread that waits for it.
template <class State>
class Gathering {
public:
    /// Changes the state and wakes the waiter.
    template <class Body>
    void update(Body body) {
        const std::lock_guard lock(mutex_);
        body(state_);
        changes_.notify_all();
    }
    template <class Predicate>
    [[nodiscard]] bool await(Duration limit, Predicate predicate) {
        std::unique_lock lock(mutex_);
        return changes_.wait_for(lock, limit, [&] { return predicate(state_); });
    }
    template <class Predicate>
    void await(Predicate predicate) {
        std::unique_lock lock(mutex_);
        changes_.wait(lock, [&] { return predicate(state_); });
    }

private:
    std::mutex mutex_;
    std::condition_variable changes_;
    State state_;
};

Result<Exit> list_records(const Invocation& invocation, const RecordWanted& given) {
    struct Names {
        std::set<std::string> names;
        bool heard = false;
    };
    auto session = US_TRY(Session::open(invocation));
    auto proxy = US_TRY(session.proxy(given.family));
    const auto gathering = std::make_shared<Gathering<Names>>();
    proxy.on_records([gathering](const std::vector<std::string>& added,
                                 const std::vector<std::string>& removed) {
        gathering->update([&](Names& state) {
            state.names.insert(added.begin(), added.end());
            for (const std::string& name : removed) state.names.erase(name);
            state.heard = true;
        });
    });
    std::set<std::string> names;
    const bool heard = gathering->await(session.timeout(), [&](const Names& state) {
        names = state.names;
        return state.heard;
    });
    if (!heard) {
        return Error{.code = Errc::timed_out,
                     .detail = fmt::format("{} did not list its records", given.family)};
    }
    Listing listing{.columns = {{.key = "record", .title = "RECORD"}}, .rows = {},
                    .name_key = "record"};
    for (const std::string& name : names) {
        listing.rows.push_back({{"record", name}, {"service", given.family}});
    }
    print(to_text(listing, invocation.format, invocation.paint));
    return Exit::done;
}

Result<Exit> get(const Invocation& invocation, const RecordWanted& given) {
    auto session = US_TRY(Session::open(invocation));
    auto proxy = US_TRY(session.proxy(given.family));
    auto image = proxy.get(given.record, session.timeout());
    if (!image) {
        return advise(std::move(image).error(), "understudy record list " + given.family);
    }
    if (invocation.format == Format::json || invocation.format == Format::jsonl) {
        print(to_json_line(record_json(given.family, given.record, *image)));
    } else {
        print(to_text(list_fields(*image), invocation.format, invocation.paint));
    }
    return Exit::done;
}

[[nodiscard]] std::string_view record_status_text(RecordStatus status) {
    switch (status) {
        case RecordStatus::connecting:
            return "nothing has arrived yet";
        case RecordStatus::connected: return "every change arrives again";
        case RecordStatus::stale: return "the member is away; a change may be missing";
        case RecordStatus::absent: return "the active member has no such record";
        case RecordStatus::refused: return "the member does not allow it";
    }
    return "unknown";
}

Result<Exit> watch(const Invocation& invocation, const RecordWanted& given) {
    std::uint64_t count = 0;  // 0: without end.
    if (!given.count.empty()) {
        // A plain number; units would have the same meaning.
        const auto parsed = parse_size(given.count);
        if (!parsed || *parsed == 0) {
            return Error{.code = Errc::bad_config, .detail = "--count: expected a number from 1"};
        }
        count = *parsed;
    }
    if (invocation.format == Format::csv || invocation.format == Format::name) {
        return Error{.code = Errc::bad_config,
                     .detail = "record watch prints table, json or jsonl"};
    }
    const bool people = invocation.for_people();
    auto session = US_TRY(Session::open(invocation));
    auto proxy = US_TRY(session.proxy(given.family));
    const auto gathering = std::make_shared<Gathering<std::uint64_t>>();
    const auto subscription = US_TRY(proxy.subscribe(
        given.record, [=](const RecordImage&, const RecordChange& change) {
            gathering->update([&](std::uint64_t& seen) {
                if (count != 0 && seen >= count) return;
                print(people ? change_text(change)
                             : to_json_line(change_json(given.family, given.record, change)));
                ++seen;
            });
        }));
    proxy.on_record_status(subscription, [troubled = false](RecordStatus status) mutable {
        const bool trouble =
            status != RecordStatus::connecting && status != RecordStatus::connected;
        const bool over = status == RecordStatus::connected && troubled;
        if (trouble || over) remark(fmt::format("understudy: {}", record_status_text(status)));
        troubled = trouble || (troubled && !over);
    });
    gathering->await([&](std::uint64_t seen) { return count != 0 && seen >= count; });
    return Exit::done;
}

Result<Exit> put(const Invocation& invocation, const RecordWanted& given) {
    const Dynamic assignments = US_TRY(parse_assignments(given.record, given.assignments));
    const auto arguments = US_TRY(Arguments::from_json(wire::to_json(assignments)));
    auto session = US_TRY(Session::open(invocation));
    auto proxy = US_TRY(session.proxy(given.family));
    auto result = proxy.call(library::record_put_call, arguments, {.deadline = session.timeout()});
    if (!result) {
        Error error = std::move(result).error();
        if (error.code == Errc::not_found) {
            error.code = Errc::refused;
            error.detail = fmt::format("the active member of {} takes no records from operators: "
                                       "its program does not set ServiceOptions::allow_record_put",
                                       given.family);
        }
        return error;
    }
    if (invocation.for_people()) {
        print(fmt::format("{}/{}: {} assignment(s) published\n", given.family, given.record,
                          given.assignments.size()));
    } else {
        print(result->json() + '\n');
    }
    return Exit::done;
}

Result<Exit> call(const Invocation& invocation, const RecordWanted& given) {
    const auto deadline_ms = parse_duration_ms(given.deadline);
    if (!deadline_ms || *deadline_ms == 0) {
        return Error{
            .code = Errc::bad_config,
            .detail = fmt::format("--deadline {}: expected more than 0ms{}", given.deadline,
                                  deadline_ms ? "" : ": " + duration_advice(given.deadline))};
    }
    Arguments arguments;
    if (!given.arguments.empty()) arguments = US_TRY(Arguments::from_json(given.arguments));
    auto session = US_TRY(Session::open(invocation));
    auto proxy = US_TRY(session.proxy(given.family));
    const auto begun = std::chrono::steady_clock::now();
    const auto result =
        US_TRY(proxy.call(given.call, arguments,
                          {.deadline = std::chrono::milliseconds(*deadline_ms),
                           .repeatable = given.repeatable}));
    const auto took_us = std::chrono::duration_cast<std::chrono::microseconds>(
                             std::chrono::steady_clock::now() - begun)
                             .count();
    if (invocation.for_people()) {
        const auto text = result.text();
        print((text ? std::string(*text) : result.json()) + '\n');
        return Exit::done;
    }
    Dynamic::Map json{{"service", given.family}, {"call", given.call}, {"took_us", took_us},
                      {"member", proxy.status().member}};
    json.emplace("result", US_TRY(wire::parse_json(result.json())));
    print(to_json_line(json));
    return Exit::done;
}

[[nodiscard]] Parameter family_name() {
    return {.names = "family", .value_name = "FAMILY", .about = "The service.",
            .completes = Completes::service};
}

[[nodiscard]] Parameter record_name() {
    return {.names = "record", .value_name = "RECORD", .about = "The record."};
}

}  // namespace

void add_record_commands(const Command& root, Globals& globals) {
    const auto given = std::make_shared<RecordWanted>();
    const auto running = [&](Result<Exit> (*body)(const Invocation&, const RecordWanted&)) {
        return globals.running(
            [given, body](const Invocation& invocation) { return body(invocation, *given); });
    };
    const Command record =
        root.add("record", "Records that the active member of a service publishes.");

    const Command listing = record.add("list", "The records of the active member.");
    listing.argument(family_name(), given->family);
    listing.runs(running(list_records));

    const Command getting = record.add("get", "One record as it is now.");
    getting.argument(family_name(), given->family);
    getting.argument(record_name(), given->record);
    getting.runs(running(get));

    const Command watching = record.add("watch", "A record's image, then each change; it follows a "
                                                 "failover, and then shows an image again.");
    watching.argument(family_name(), given->family);
    watching.argument(record_name(), given->record);
    watching.option({.names = "--count", .value_name = "N", .about = "Ends after N changes."},
                    given->count);
    watching.runs(running(watch));

    const Command putting =
        record.add("put", "Changes a record, where the member's program allows it.");
    putting.argument(family_name(), given->family);
    putting.argument(record_name(), given->record);
    putting.arguments({.names = "assignments", .value_name = "FIELD=VALUE",
                       .about = "FIELD=TEXT, FIELD:=NUMBER, FIELD:=null, SUBMAP/FIELD=TEXT."},
                      given->assignments);
    putting.runs(running(put));

    const Command calling =
        root.add("call", "Runs a call on the active member and prints its result.");
    calling.argument(family_name(), given->family);
    calling.argument({.names = "name", .value_name = "NAME", .about = "The call."}, given->call);
    calling.argument({.names = "arguments", .value_name = "JSON",
                      .about = "An object: the named arguments.", .required = false},
                     given->arguments);
    calling.option({.names = "--deadline", .value_name = "DURATION",
                    .about = "How long the call may take; 5s if not given."},
                   given->deadline);
    calling.flag("--repeatable",
                 "Running it twice does no harm: retry when the outcome is unknown.",
                 given->repeatable);
    calling.runs(running(call));
    calling.footer("Exit code 75: nobody is active, or nobody knows whether it ran; 1: it ran and "
                   "failed,\nor it was refused.");
}

}  // namespace understudy::apps
