#include "tests/process/stage.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include "tests/process/checks.h"

namespace understudy::process {

namespace {

void add(std::vector<std::string>& to, const std::vector<std::string>& more) {
    to.insert(to.end(), more.begin(), more.end());
}

/// Small pools for freed memory, so that resident sizes are meaningful under a sanitizer.
const std::vector<std::string> small_pools{"ASAN_OPTIONS=quarantine_size_mb=2"};

}  // namespace

Stage::Stage() : data_(directory_ / "registry"), environment_(small_pools) {}

void Stage::TearDown() {
    for (Process& process : processes_) {
        EXPECT_FALSE(process.ended_by_itself()) << process.name() << "\n" << process.errors();
        const std::string errors = process.errors();
        for (const std::string_view bad : {"AddressSanitizer", "LeakSanitizer", "ThreadSanitizer",
                                           "runtime error:", "assert", "level=error"}) {
            if (allowed_.contains(std::string(bad))) continue;
            EXPECT_EQ(errors.find(bad), std::string::npos) << process.name() << ":\n" << errors;
        }
    }
    if (!HasFailure()) return;
    for (const Process& process : processes_) {
        std::string said;
        const auto lines = process.lines();
        const std::size_t first = lines.size() > 60 ? lines.size() - 60 : 0;
        for (std::size_t at = first; at < lines.size(); ++at) said += lines[at].text + "\n";
        GTEST_LOG_(INFO) << process.name() << " said (last " << lines.size() - first << " of "
                         << lines.size() << " lines):\n"
                         << said << "and to stderr:\n"
                         << process.errors();
    }
}

Process& Stage::spawn(const std::string& name, Command command) {
    add(command.environment, environment_);
    if (command.network < 0) command.network = network_;
    const int turn = ++starts_[name];
    const std::string shown = turn == 1 ? name : name + "#" + std::to_string(turn);
    return processes_.emplace_back(shown, std::move(command), directory_ / (shown + ".stderr"));
}

Process& Stage::spawn_registry(Options more) {
    const std::string listen = registry_address_.empty() ? listen_host + ":0" : registry_address_;
    Command command{
        .arguments = {UNDERSTUDY_PROGRAM, "registry", "--data", data_, "--listen", listen}};
    add(command.arguments, more);
    command.arguments.insert(command.arguments.begin(), wrapper_.begin(), wrapper_.end());
    registry_ = &spawn("registry", std::move(command));
    return *registry_;
}

Process& Stage::start_registry(Options more) {
    Process& process = spawn_registry(std::move(more));
    // "registry ready on HOST:PORT, platform NAME, revision N"
    std::string address = process.expect("registry ready on").word(3);
    address.pop_back();
    registry_address_ = address;
    return process;
}

void Stage::kill_registry() {
    registry_->kill();
    (void)registry_->wait();
}

Process& Stage::start_member(const std::string& name, Options more) {
    Command command{.arguments = {MEMBER_PROGRAM, "--registry", registry_address_, "--member", name,
                                  "--agent", "agent-" + name, "--append", directory_ / "appended"}};
    const bool many = std::find(more.begin(), more.end(), "--families") != more.end();
    const bool quiet = std::find(more.begin(), more.end(), "--tick") != more.end();
    if (!many && !quiet) add(command.arguments, {"--tick", "10"});
    if (std::find(more.begin(), more.end(), "--lease") == more.end()) {
        add(command.arguments, long_lease);
    }
    add(command.arguments, common_);
    add(command.arguments, more);
    Process& process = spawn(name, std::move(command));
    process.expect("started");
    return process;
}

Process& Stage::start_member_as(std::string_view role, const std::string& name, Options more) {
    Process& process = start_member(name, std::move(more));
    process.expect("role Foo " + name + " " + std::string(role));
    return process;
}

Process& Stage::start_client(const std::string& name, Options more) {
    Command command{.arguments = {CLIENT_PROGRAM, "--registry", registry_address_, "--agent", name,
                                  "--family", "Foo", "--record", "Ticks"}};
    add(command.arguments, common_);
    add(command.arguments, more);
    Process& process = spawn(name, std::move(command));
    process.expect("started");
    return process;
}

Process& Stage::start_watcher(const std::string& family, Options more) {
    Command command{.arguments = {CLIENT_PROGRAM, "--registry", registry_address_, "--agent",
                                  "watcher", "--services", family}};
    add(command.arguments, common_);
    add(command.arguments, more);
    Process& process = spawn("watcher", std::move(command));
    process.expect("registry up");
    return process;
}

Finished Stage::understudy(std::vector<std::string> arguments) {
    add(arguments, {"--registry", registry_address_});
    const bool limited =
        std::find(arguments.begin(), arguments.end(), "--timeout") != arguments.end();
    if (arguments.front() == "service" && !limited) {
        add(arguments, {"--timeout", std::to_string(patience / 1s) + "s"});
    }
    return understudy_alone(std::move(arguments));
}

Finished Stage::understudy_alone(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), UNDERSTUDY_PROGRAM);
    return run(
        {.arguments = std::move(arguments), .environment = environment_, .network = network_});
}

void Stage::check_calls(const Process& client) const {
    std::vector<std::string> ids;
    for (const Appended& one : appended()) ids.push_back(one.id);
    for (const std::string& fault : faults_in_calls(client.lines(), ids)) {
        ADD_FAILURE() << client.name() << ": " << fault;
    }
}

void Stage::end(Process& client) {
    client.say("close");
    EXPECT_EQ(client.wait().code, 0) << client.errors();
}

std::vector<Stage::Appended> Stage::appended() const {
    std::vector<Appended> out;
    for (const std::string& line : split(contents(directory_ / "appended"), '\n')) {
        std::istringstream words(line);
        Appended one{};
        words >> one.id >> one.member >> one.epoch;
        out.push_back(std::move(one));
    }
    return out;
}

void check_ticks(const Process& client) {
    for (const std::string& fault : faults_in_ticks(client.lines())) {
        ADD_FAILURE() << client.name() << ": " << fault;
    }
}

void check_services(const Process& watcher) {
    for (const std::string& fault : faults_in_services(watcher.lines())) {
        ADD_FAILURE() << watcher.name() << ": " << fault;
    }
}

std::vector<Line> outcomes(const Process& client) {
    std::vector<Line> out = client.lines();
    std::erase_if(out,
                  [](const Line& line) { return !line.matches("done") && !line.matches("error"); });
    return out;
}

}  // namespace understudy::process
