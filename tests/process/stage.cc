#include "tests/process/stage.h"

#include <algorithm>
#include <sstream>
#include <utility>

namespace understudy::process {

namespace {

void add(std::vector<std::string>& to, const std::vector<std::string>& more) {
    to.insert(to.end(), more.begin(), more.end());
}

/// Small pools for freed memory, so that resident sizes mean something under a sanitizer.
const std::vector<std::string> small_pools{"ASAN_OPTIONS=quarantine_size_mb=2"};

}  // namespace

Stage::Stage() : data_(directory_ / "registry"), environment_(small_pools) {}

void Stage::TearDown() {
    for (Process& process : processes_) {
        EXPECT_FALSE(process.ended_by_itself()) << process.name() << "\n" << process.errors();
        const std::string errors = process.errors();
        for (const std::string_view bad :
             {"AddressSanitizer", "LeakSanitizer", "runtime error:", "assert", "level=error"}) {
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
    const std::string listen =
        registry_address_.empty() ? listen_host + ":0" : registry_address_;
    Command command{.arguments = {UNDERSTUDY_PROGRAM, "registry", "--data", data_, "--listen",
                                  listen}};
    add(command.arguments, more);
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
    return understudy_alone(std::move(arguments));
}

Finished Stage::understudy_alone(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), UNDERSTUDY_PROGRAM);
    return run({.arguments = std::move(arguments), .environment = environment_, .network = network_});
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
    std::uint64_t epoch = 0;
    std::uint64_t sequence = 0;
    std::string from;
    bool imaged = false;
    for (const Line& line : client.lines()) {
        const bool image = line.matches("image Ticks");
        if (!image && !line.matches("delta Ticks")) continue;
        SCOPED_TRACE(client.name() + ": " + line.text);
        const std::uint64_t its_epoch = line.number("epoch");
        const std::uint64_t its_sequence = line.number("seq");
        if (image) {
            EXPECT_GE(its_epoch, epoch) << "an image of an older epoch";
            EXPECT_TRUE(its_epoch > epoch || its_sequence >= sequence) << "an image of the past";
        } else {
            EXPECT_TRUE(imaged) << "a delta before the image";
            EXPECT_EQ(its_epoch, epoch) << "a delta across epochs";
            EXPECT_EQ(its_sequence, sequence + 1) << "a gap";
            EXPECT_EQ(line.value("from"), from);
        }
        imaged = true;
        epoch = its_epoch;
        sequence = its_sequence;
        from = line.value("from");
        for (const std::string& word : split(line.text, ' ')) {
            EXPECT_TRUE(!word.starts_with("only-") || word == "only-" + from + "=1") << word;
            EXPECT_TRUE(!word.starts_with("places/") ||
                        word == "places/" + from + "=" + line.value("n"))
                << word;
        }
    }
    EXPECT_NE(epoch, 0U) << client.name() << " heard nothing";
}

std::vector<Line> outcomes(const Process& client) {
    std::vector<Line> out = client.lines();
    std::erase_if(out, [](const Line& line) {
        return !line.matches("done") && !line.matches("error");
    });
    return out;
}

void check_calls(const Process& client, const std::vector<std::string>& appended_ids) {
    std::map<std::string, int> times;
    for (const std::string& id : appended_ids) ++times[id];
    std::set<std::string> answered;
    for (const Line& line : outcomes(client)) {
        const std::string id = line.word(1);
        EXPECT_TRUE(answered.insert(id).second) << "answered twice: " << line.text;
        if (line.matches("done")) {
            EXPECT_EQ(times[id], 1) << line.text;
        } else if (line.word(3) == "none") {
            EXPECT_EQ(times[id], 0) << line.text;
        } else {
            EXPECT_LE(times[id], 1) << line.text;
        }
    }
    EXPECT_FALSE(answered.empty()) << client.name() << " made no call";
}

void check_services(const Process& watcher) {
    std::map<std::string, std::uint64_t> epochs;
    std::map<std::pair<std::string, std::uint64_t>, std::string> holders;
    for (const Line& line : watcher.lines("service")) {
        const std::string family = line.word(1);
        const std::uint64_t epoch = line.number("epoch");
        EXPECT_GE(epoch, epochs[family]) << line.text;
        epochs[family] = epoch;
        const std::string active = line.value("active");
        if (active.empty()) continue;
        const auto [held, first] = holders.try_emplace({family, epoch}, active);
        EXPECT_EQ(held->second, active) << "two members under one epoch: " << line.text;
    }
}

}  // namespace understudy::process
