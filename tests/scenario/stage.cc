#include "tests/scenario/stage.h"

#include <utility>

#include <fmt/format.h>

namespace understudy::scenario {

namespace {

[[nodiscard]] client::AgentOptions options_of(const std::string& name, const std::string& host,
                                              std::vector<Address> registry) {
    client::AgentOptions options;
    options.name = name;
    options.registry = std::move(registry);
    options.listen = {host, 0};
    return options;
}

}  // namespace

RegistryApp::RegistryApp(Runtime& runtime, Log& log, const std::string& directory,
                         std::optional<Buffer> backup) {
    node::RegistryServer::Options options;
    options.listen = {"r", registry_port};
    options.directory = directory;
    options.segment_size_bytes = 64 * KiB;
    options.restore = std::move(backup);
    server = std::make_unique<node::RegistryServer>(runtime, log, std::move(options),
                                                    [this](const Result<void>& opened) {
                                                        if (opened) {
                                                            serving = true;
                                                        } else {
                                                            refusal = opened.error();
                                                        }
                                                    });
}

MemberApp::MemberApp(Runtime& runtime, Log& log, const std::string& host, const MemberPlan& plan)
    : plan_(plan) {
    auto opened =
        client::Agent::open(runtime, log, options_of(plan.member, host, plan.registry), *this);
    US_ASSERT(opened);
    agent = *std::move(opened);
    auto created = agent->create_member({.family = plan.family,
                                         .member = plan.member,
                                         .role = {.redundancy = plan.redundancy,
                                                  .lease = plan.lease,
                                                  .on_registry_loss = plan.on_registry_loss}},
                                        *this);
    US_ASSERT(created);
    member = *created;
    member->publish_rpc("who");
    auto record = member->create("data", {});
    US_ASSERT(record);
    record_ = *record;
    publish(0);
}

void MemberApp::publish(std::int64_t n) {
    US_ASSERT(draft_.put("from", plan_.member));
    US_ASSERT(draft_.put("n", n));
    if (const auto delta = draft_.commit()) US_ASSERT(member->commit(record_, *delta));
}

void MemberApp::role_changed(Role role, Epoch epoch) {
    heard.push_back(fmt::format("{} {}", name(role), epoch.value));
}

void MemberApp::refused(const Error& reason) {
    heard.push_back(fmt::format("refused {}", name(reason.code)));
}

void MemberApp::call(client::CallToken token, std::string_view, Bytes, TimePoint) {
    ++calls;
    if (hold_answers) return held.push_back(token);
    member->answer(token, as_bytes(plan_.member));
}

ClientApp::ClientApp(Runtime& runtime, Log& log, const std::string& host, const std::string& member,
                     std::vector<Address> registry)
    : runtime_(runtime) {
    auto opened = client::Agent::open(
        runtime, log, options_of("client-" + host, host, std::move(registry)), *this);
    US_ASSERT(opened);
    agent = *std::move(opened);
    auto made = agent->open_proxy("Foo", member, *this);
    US_ASSERT(made);
    proxy = *std::move(made);
    US_ASSERT(proxy->subscribe("data"));
}

ClientApp::~ClientApp() {
    agent->release_proxy(*proxy);
    proxy.reset();
}

void ClientApp::call(Duration patience) {
    auto begun =
        proxy->call({.name = "who", .arguments = {}, .deadline = runtime_.now() + patience});
    if (!begun) return outcomes.push_back(begun.error());
    begun_.emplace(*begun, runtime_.now());
}

void ClientApp::status_changed(const client::ProxyStatus& now) {
    if (now.connected != status.connected || now.member != status.member) {
        mirror.disconnected();
        if (!now.epochs_comparable) mirror.forget_epoch();
    }
    status = now;
    statuses.push_back(now.connected ? fmt::format("to {} {}", now.member, now.epoch.value)
                                     : "off");
}

void ClientApp::record_event(const record::Event& event) {
    const bool is_image = event.type == wire::MessageType::image;
    if (!is_image && event.type != wire::MessageType::delta) return;
    US_ASSERT(mirror.apply(event));
    if (is_image) shown.push_back(mirror.image().text("from", "?"));
}

void ClientApp::call_finished(CallId call, Result<Buffer> outcome) {
    outcomes.push_back(std::move(outcome));
    const auto begun = begun_.extract(call);
    if (!begun.empty()) took.push_back(runtime_.now() - begun.mapped());
}

Stage::Stage(std::uint64_t seed) : seed_line(seed), world({.seed = seed}) { (void)node("r"); }

sim::Node& Stage::node(const std::string& name) {
    for (const auto& known : world.nodes()) {
        if (known->name() == name) return *known;
    }
    return world.add_node(name);
}

sim::Process& Stage::start_registry() {
    auto& process = node("r").start("registry", [this](Runtime& runtime, Log& log) {
        return std::make_unique<RegistryApp>(runtime, log, directory);
    });
    US_ASSERT(until([this] { return registry().serving; }));
    return process;
}

Buffer Stage::backup() {
    Buffer image;
    registry().server->state().snapshot(image);
    return image;
}

void Stage::restore(const Buffer& backup, const std::string& into) {
    auto& process = node("r").start("restore", [&](Runtime& runtime, Log& log) {
        return std::make_unique<RegistryApp>(runtime, log, into, backup);
    });
    US_ASSERT(until([&] { return process.app<RegistryApp>().serving; }));
    process.crash();
    directory = into;
}

sim::Process& Stage::start_member(const std::string& host, const MemberPlan& plan) {
    return node(host).start(plan.member, [host, plan](Runtime& runtime, Log& log) {
        return std::make_unique<MemberApp>(runtime, log, host, plan);
    });
}

sim::Process& Stage::start_client(const std::string& host, const std::string& name,
                                  const std::string& member) {
    return node(host).start(name, [host, member](Runtime& runtime, Log& log) {
        return std::make_unique<ClientApp>(runtime, log, host, member);
    });
}

std::string Stage::active(const std::string& family) {
    const auto* found = registry().server->state().find(family);
    const auto* member = found == nullptr ? nullptr : found->active_member();
    return member == nullptr ? "" : member->name;
}

std::vector<std::string> Stage::line(const std::string& family) {
    std::vector<std::string> names;
    const auto* found = registry().server->state().find(family);
    if (found == nullptr) return names;
    for (const auto& [order, member] : found->line) names.push_back(member.name);
    return names;
}

}  // namespace understudy::scenario
