#include "apps/commands/service_commands.h"

#include <chrono>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "apps/commands/definition_commands.h"
#include "apps/commands/session.h"
#include "apps/commands/watching.h"
#include "apps/view/quantity.h"
#include "apps/view/service_view.h"

namespace understudy::apps {

namespace pb = wire::pb;
using wire::Dynamic;

namespace {

struct ServiceWanted {
    std::string name;
    std::string path;
    std::string to;
    std::string consistency = "linearizable";
    bool watch = false;
};
using Render = std::function<Result<std::string>(Session&)>;

Result<Exit> show_or_watch(const Invocation& invocation, const ServiceWanted& wanted,
                           const Render& render) {
    const bool cached = wanted.consistency == "cached";
    auto session = US_TRY(Session::open(
        invocation, cached ? Session::Needs::any_node : Session::Needs::registry));
    session.set_consistency(cached ? Consistency::cached : Consistency::linearizable);
    if (wanted.watch) return watch_platform(invocation, session, render);
    print(US_TRY(render(session)));
    if (cached) {
        const pb::LookupAnswer& from = session.looked_up();
        remark(fmt::format("from {}, revision {}, {} old", from.node(), from.revision(),
                           humane_us(from.age_ms() * 1000)));
    }
    return Exit::done;
}

Result<Exit> list_all_services(const Invocation& invocation, const ServiceWanted& wanted) {
    return show_or_watch(invocation, wanted,
                         [&](Session& session) -> Result<std::string> {
                             return to_text(list_services(US_TRY(session.services())),
                                            invocation.format, invocation.paint);
                         });
}

Result<Exit> list_cluster(const Invocation& invocation, const ServiceWanted& wanted) {
    return show_or_watch(
        invocation, wanted, [&](Session& session) -> Result<std::string> {
            auto services = US_TRY(session.services());
            std::erase_if(services, [&](const pb::ServiceInfo& service) {
                return !matches(wanted.path, service.config().family());
            });
            return to_text(list_clusters(services), invocation.format, invocation.paint);
        });
}

Result<Exit> show(const Invocation& invocation, const ServiceWanted& wanted) {
    bool served = false;
    const auto shown = US_TRY(show_or_watch(
        invocation, wanted, [&](Session& session) -> Result<std::string> {
            const auto service = US_TRY(session.service(wanted.name));
            served = is_served(service);
            switch (invocation.format) {
                case Format::table: return service_text(service, invocation.paint);
                case Format::json:
                case Format::jsonl: return to_json_line(service_json(service));
                case Format::csv:
                case Format::name: break;
            }
            return to_text(list_members(service), invocation.format, invocation.paint);
        }));
    return served ? shown : Exit::no;
}

Result<Exit> switch_over(const Invocation& invocation, const ServiceWanted& wanted) {
    auto session = US_TRY(Session::open(invocation));
    const auto before = US_TRY(session.service(wanted.name));
    pb::Ask ask;
    ask.mutable_switchover()->set_family(wanted.name);
    ask.mutable_switchover()->set_to(wanted.to);
    const auto asked = std::chrono::steady_clock::now();
    auto answer = session.ask(std::move(ask));
    if (!answer) {
        return advise(std::move(answer).error(), "understudy service show " + wanted.name);
    }
    const auto took_us = std::chrono::duration_cast<std::chrono::microseconds>(
                             std::chrono::steady_clock::now() - asked)
                             .count();
    const Dynamic::Map done{{"service", wanted.name},
                            {"previous", before.active()},
                            {"active", answer->member()},
                            {"epoch", answer->epoch()},
                            {"took_us", took_us}};
    if (invocation.for_people()) {
        print(fmt::format("{}: {} -> {}, epoch {}, {}\n", wanted.name, before.active(),
                          answer->member(), answer->epoch(),
                          humane_us(static_cast<std::uint64_t>(took_us))));
    } else if (invocation.format == Format::name) {
        print(answer->member() + '\n');
    } else {
        print(to_json_line(done));
    }
    return Exit::done;
}

Result<Exit> explain(const Invocation& invocation, const ServiceWanted& wanted) {
    auto session = US_TRY(Session::open(invocation));
    (void)US_TRY(session.service(wanted.name));
    pb::Ask ask;
    ask.mutable_explain()->set_family(wanted.name);
    const auto answer = US_TRY(session.ask(std::move(ask)));
    print(to_text(list_promotions(answer), invocation.format, invocation.paint));
    return Exit::done;
}

[[nodiscard]] Parameter service_name() {
    return {.names = "name", .value_name = "NAME", .about = "The service.",
            .completes = Completes::service};
}

}  // namespace

void add_service_commands(const Command& root, Globals& globals) {
    const auto given = std::make_shared<ServiceWanted>();
    const auto running = [&](Result<Exit> (*body)(const Invocation&, const ServiceWanted&)) {
        return globals.running(
            [given, body](const Invocation& invocation) { return body(invocation, *given); });
    };
    const std::string watch_about = "Goes on and shows each change.";
    const auto add_consistency = [given](const Command& command) {
        command.option({.names = "--consistency",
                        .value_name = "HOW",
                        .about = "linearizable: contains everything acknowledged. cached: any node "
                                 "answers from its own state and says how old it is.",
                        .choices = "linearizable|cached"},
                       given->consistency);
    };

    const Command service =
        root.add("service", "Services: the active member, the next one, and why.");
    const Command listing = service.add("list", "All services of the platform.");
    listing.flag("-w,--watch", watch_about, given->watch);
    add_consistency(listing);
    listing.runs(running(list_all_services));

    const Command showing = service.add("show", "One service with its members, in joining order.");
    showing.argument(service_name(), given->name);
    showing.flag("-w,--watch", watch_about, given->watch);
    add_consistency(showing);
    showing.runs(running(show));
    showing.footer("Exit code 1: no member serves it, or there is no such service.");

    add_definition_commands(service, globals);

    const Command switching = service.add(
        "switchover", "Moves the active role: drain, then grant. No client sees an error.");
    switching.argument(service_name(), given->name);
    switching.option({.names = "--to",
                      .value_name = "MEMBER",
                      .about = "The new active member. Default: the next in line."},
                     given->to);
    switching.runs(running(switch_over));
    switching.footer(
        "With a journal: the successor catches up first, and the journal decides.\n"
        "The checkpointer is no successor unless last_resort = allow.");

    const Command explaining =
        service.add("explain", "Every promotion: cause, evidence, epoch, how long it took.");
    explaining.argument(service_name(), given->name);
    explaining.runs(running(explain));
    explaining.footer(
        "NOTICED: from the last sign of life of the previous member to the evidence.\n"
        "DECIDED: from the evidence to a durable grant.");

    const Command cluster = root.add("cluster", "Services in the words of A-MQ's cluster list.");
    const Command clusters = cluster.add("list", "[cluster] [masters] [slaves] [services]");
    clusters.argument({.names = "path",
                       .value_name = "PATH",
                       .about = "Only services whose name begins with it; * stands for any text.",
                       .completes = Completes::service,
                       .required = false},
                      given->path);
    clusters.flag("-w,--watch", watch_about, given->watch);
    clusters.runs(running(list_cluster));
}

}  // namespace understudy::apps
