#include "tests/process/journal_stage.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <unistd.h>

#include "platform/free_port.h"
#include "tests/history/judge.h"

namespace understudy::process {

namespace json = boost::json;

namespace {

/// For a member that may hang: after this time another is asked.
constexpr auto look_limit = 1s;

std::vector<MemberSocket> sockets_of(const auto& members) {
    std::vector<MemberSocket> out;
    for (const auto& member : members) out.push_back({.name = member.name, .path = member.socket});
    return out;
}

}  // namespace

JournalStage::JournalStage()
    : history_file_(directory_ / "history.jsonl"),
      recorder_(std::make_unique<Recorder>(history_file_, gap_max)) {}

void JournalStage::TearDown() {
    clients_.reset();
    for (Process& process : processes_) {
        if (process.running()) {
            process.kill();
            (void)process.wait();
        }
        const std::string errors = process.errors();
        for (const std::string_view bad :
             {"AddressSanitizer", "LeakSanitizer", "ThreadSanitizer", "runtime error:", "assert"}) {
            EXPECT_EQ(errors.find(bad), std::string::npos) << process.name() << ":\n" << errors;
        }
    }
    if (!HasFailure()) return;
    for (const Process& process : processes_) {
        std::string said;
        for (const Line& line : process.lines()) said += line.text + "\n";
        GTEST_LOG_(INFO) << process.name() << " said:\n"
                         << said << "and to stderr:\n"
                         << process.errors();
    }
    const auto kept = std::filesystem::temp_directory_path() /
                      ("understudy-history-" + std::to_string(::getpid()) + ".jsonl");
    std::error_code ignored;
    std::filesystem::copy_file(history_file_, kept,
                               std::filesystem::copy_options::overwrite_existing, ignored);
    GTEST_LOG_(INFO) << "the history is kept: " << kept;
}

JournalStage::Member& JournalStage::add_member(const std::string& name, Options options,
                                               int network) {
    return members_.emplace_back(Member{.name = name,
                                        .options = std::move(options),
                                        .directory = directory_ / name,
                                        .socket = directory_ / (name + ".socket"),
                                        .network = network});
}

void JournalStage::add_group(std::size_t count,
                             const std::vector<std::pair<std::string, int>>& hosts,
                             const std::function<Options(const std::string& name)>& more) {
    Options nodes;
    const auto name_of = [](std::size_t i) { return "n" + std::to_string(i + 1); };
    for (std::size_t i = 0; i < count; ++i) {
        const std::string host = hosts.empty() ? "127.0.0.1" : hosts[i].first;
        const std::string port = std::to_string(platform::free_port());
        nodes.insert(nodes.end(), {"--node", name_of(i) + "=" + host + ":" + port});
    }
    for (std::size_t i = 0; i < count; ++i) {
        Options options = nodes;
        if (!hosts.empty()) options.insert(options.end(), {"--insecure", "yes"});
        if (more) {
            for (const std::string& option : more(name_of(i))) options.push_back(option);
        }
        add_member(name_of(i), std::move(options), hosts.empty() ? -1 : hosts[i].second);
    }
}

Process& JournalStage::start(std::size_t i) {
    Member& member = members_[i];
    Command command{.arguments = {JOURNAL_MEMBER_PROGRAM, "--member", member.name, "--directory",
                                  member.directory, "--socket", member.socket},
                    .environment = member.environment,
                    .network = member.network};
    command.arguments.insert(command.arguments.end(), member.options.begin(), member.options.end());
    const std::string shown = member.name + "#" + std::to_string(processes_.size());
    member.process =
        &processes_.emplace_back(shown, std::move(command), directory_ / (shown + ".stderr"));
    member.process->expect("started");
    return *member.process;
}

void JournalStage::start_all() {
    for (std::size_t i = 0; i < members_.size(); ++i) start(i);
}

void JournalStage::begin_clients(std::size_t count) {
    clients_ = std::make_unique<Clients>(*recorder_, sockets_of(members_), count);
    recorder_->await_service();
}

void JournalStage::run_for(Clock::duration time) {
    std::this_thread::sleep_for(time);
    recorder_->await_service();
}

Caller::Answer JournalStage::ask(std::size_t i, std::string_view question, Clock::duration limit) {
    return caller_.ask({.name = members_[i].name, .path = members_[i].socket}, question, limit);
}

std::string JournalStage::status(std::size_t i, std::string_view key, Clock::duration limit) {
    const auto answer = ask(i, "status", limit);
    if (answer.kind != Caller::Kind::ok) return {};
    return Line{.text = answer.text, .when = {}}.value(key);
}

std::optional<std::size_t> JournalStage::active_now(std::optional<std::size_t> not_this) {
    std::optional<std::size_t> found;
    std::uint64_t highest = 0;
    for (std::size_t i = 0; i < members_.size(); ++i) {
        if (i == not_this || status(i, "role", look_limit) != "active") continue;
        const std::string epoch = status(i, "epoch", look_limit);
        if (epoch.empty() || std::stoull(epoch) <= highest) continue;
        highest = std::stoull(epoch);
        found = i;
    }
    return found;
}

std::size_t JournalStage::active() {
    if (const auto found = eventually([&] { return active_now({}); })) return *found;
    throw Broken("no member is active");
}

std::size_t JournalStage::active_other_than(std::size_t not_this) {
    if (const auto found = eventually([&] { return active_now(not_this); })) return *found;
    throw Broken("no other member is active");
}

void JournalStage::await_role(std::size_t i, std::string_view role) {
    if (eventually([&] { return status(i, "role", look_limit) == role; })) return;
    throw Broken(members_[i].name + " is not " + std::string(role));
}

void JournalStage::kill(std::size_t i) {
    members_[i].process->kill();
    (void)members_[i].process->wait();
}

void JournalStage::expect_failed(std::size_t i, std::string_view words) {
    EXPECT_EQ(members_[i].process->wait().code, 5);
    const Line said = members_[i].process->ever("failed");
    EXPECT_NE(said.text.find(words), std::string::npos) << said.text;
}

// Asks a member that is alone, as a client would that knows no other.
void JournalStage::expect_refused(std::size_t i) {
    const auto answer = ask(i, "session", 5s);
    EXPECT_NE(answer.kind, Caller::Kind::ok) << members_[i].name << " answered " << answer.text;
}

void JournalStage::record_state(std::size_t i) {
    const std::string file = directory_ / "dump";
    const auto answer = ask(i, "dump " + file);
    ASSERT_EQ(answer.kind, Caller::Kind::ok) << answer.text;
    const std::string witness = "node:" + members_[i].name;
    json::array list;
    std::ifstream lines(file);
    for (std::string what; lines >> what;) {
        if (what == "list") {
            std::string value;
            lines >> value;
            list.emplace_back(value);
        } else {
            history::Event state{.process = -1,
                                 .witness = witness,
                                 .type = history::Type::ok,
                                 .f = "state",
                                 .key = "ledger"};
            std::string hash;
            lines >> state.rev >> hash;
            state.value = hash;
            recorder_->write(std::move(state));
        }
    }
    recorder_->write({.process = -1,
                      .witness = witness,
                      .type = history::Type::ok,
                      .f = "final",
                      .key = "list",
                      .value = std::move(list)});
}

void JournalStage::finish() {
    for (std::size_t i = 0; i < members_.size(); ++i) {
        if (members_[i].process == nullptr || !members_[i].process->running()) start(i);
    }
    while (recorder_->acknowledged() < acknowledged_min) recorder_->await_service();
    clients_->stop();
    Clients::drain(*recorder_, sockets_of(members_));

    ASSERT_TRUE(eventually([&] {
        const std::string count = status(active(), "count", look_limit);
        for (std::size_t i = 0; i < members_.size(); ++i) {
            if (status(i, "count", look_limit) != count) return false;
        }
        return !count.empty();
    })) << "members do not come to hold the same";
    for (std::size_t i = 0; i < members_.size(); ++i) record_state(i);
    recorder_->end(true);

    for (const std::string& complaint : recorder_->complaints()) ADD_FAILURE() << complaint;
    std::ifstream file(history_file_);
    const auto history = history::read_history(file);
    ASSERT_TRUE(history) << to_string(history.error());
    const history::Verdict verdict = history::judge(*history);
    for (std::size_t i = 0; i < verdict.faults.size() && i < 20; ++i) {
        ADD_FAILURE() << verdict.faults[i];
    }
    EXPECT_GE(verdict.acknowledged, acknowledged_min);
    std::int64_t longest = 0;
    for (const std::int64_t gap : verdict.gaps_ns) longest = std::max(longest, gap);
    std::cout << "[ HISTORY  ] " << verdict.operations << " operations: " << verdict.acknowledged
              << " acknowledged, " << verdict.refused << " refused, " << verdict.unknown
              << " unknown; " << verdict.gaps_ns.size() << " faults, longest gap "
              << longest / 1'000'000 << " ms\n";
}

}  // namespace understudy::process
