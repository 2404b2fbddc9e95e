// A member of a service with a journal, as an application would have one: registers, and a list
// that only grows.
//
//     --member NAME --directory DIR --socket PATH
//     --lease MS                      on a shared directory
//     --node NAME=HOST:PORT ...       in a replicated group, one for each founder
//     --alone yes                     on a local journal
//     --tls-cert, --tls-key, --tls-ca, --insecure yes
//     --checkpoint-every BYTES
//
// Prints on stdout:
//
//     started pid=N
//     role ROLE epoch=E active=NAME
//     failed CODE EFFECT DETAIL       and ends with code 5
//
// Clients connect to the socket. Each packet is a question or its answer:
//
//     session                         ok SESSION
//     submit SESSION NUMBER COMMAND   ok EPOCH REPLY; epoch 0: not known
//     outcome SESSION NUMBER          ok applied|not_applied|unknown REPLY
//     read KEY                        ok =VALUE, or ok if there is none
//     status                          ok role=ROLE epoch=E applied=INDEX count=N full=0|1
//     dump FILE                       ok; "list VALUE" and "state COUNT HASH" by line
//     anything that is refused        error CODE EFFECT DETAIL
//
// Commands: "append VALUE", "write KEY VALUE", "cas KEY EXPECTED VALUE" ("-": none), "pad BYTES".
// The reply is how many commands were applied, then true or false for a cas.

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/process/given.h"
#include "understudy/understudy.h"

namespace understudy::process {

namespace {

constexpr Duration answer_limit = 4s;
constexpr std::size_t question_bytes_max = 4096;
constexpr std::uint64_t state_every = 16;  // Commands between two hashes in a dump.

class Ledger final : public SmallStateMachine {
public:
    void apply(const Command& command, Buffer& reply) override {
        const std::lock_guard lock(mutex_);
        std::istringstream words{std::string(as_text(command.body))};
        std::string verb;
        words >> verb;
        ++count_;
        std::string told = std::to_string(count_);
        if (verb == "append") {
            words >> list_.emplace_back();
        } else if (verb == "write") {
            std::string key, value;
            words >> key >> value;
            registers_[key] = value;
        } else if (verb == "cas") {
            std::string key, expected, value;
            words >> key >> expected >> value;
            const auto found = registers_.find(key);
            const bool same = (found == registers_.end() ? "-" : found->second) == expected;
            if (same) registers_[key] = value;
            told += same ? " true" : " false";
        }
        for (const std::byte byte : command.body) chain(std::to_integer<std::uint64_t>(byte));
        chain(count_);
        if (count_ % state_every == 0) states_.emplace_back(count_, chain_);
        reply.assign(as_bytes(told).begin(), as_bytes(told).end());
    }

    void snapshot(Buffer& out) const override {
        const std::lock_guard lock(mutex_);
        std::string text = std::to_string(count_) + ' ' + std::to_string(chain_) + ' ' +
                           std::to_string(list_.size()) + '\n';
        for (const std::string& value : list_) text += value + '\n';
        for (const auto& [key, value] : registers_) text += key + ' ' + value + '\n';
        out.insert(out.end(), as_bytes(text).begin(), as_bytes(text).end());
    }

    Result<void> restore(Bytes state) override {
        const std::lock_guard lock(mutex_);
        std::istringstream words{std::string(as_text(state))};
        std::size_t size = 0;
        if (!(words >> count_ >> chain_ >> size)) return Error{.code = Errc::corrupt};
        list_.assign(size, {});
        for (std::string& value : list_) words >> value;
        registers_.clear();
        for (std::string key, value; words >> key >> value;) registers_[key] = value;
        return {};
    }

    [[nodiscard]] std::string read(const std::string& key) const {
        const std::lock_guard lock(mutex_);
        const auto found = registers_.find(key);
        return found == registers_.end() ? std::string() : " =" + found->second;
    }
    [[nodiscard]] std::uint64_t count() const {
        const std::lock_guard lock(mutex_);
        return count_;
    }
    void dump(const std::string& file) const {
        const std::lock_guard lock(mutex_);
        std::ofstream out(file);
        for (const std::string& value : list_) out << "list " << value << '\n';
        for (const auto& [count, hash] : states_) out << "state " << count << ' ' << hash << '\n';
    }

private:
    void chain(std::uint64_t next) { chain_ = (chain_ ^ next) * 0x100000001b3; }

    mutable std::mutex mutex_;  // Threads that answer also read the state.
    std::map<std::string, std::string> registers_;
    std::vector<std::string> list_;
    std::uint64_t count_ = 0;
    std::uint64_t chain_ = 0xcbf29ce484222325;  // Over all commands in order.
    std::vector<std::pair<std::uint64_t, std::uint64_t>> states_;
};

[[nodiscard]] ReplicaOptions options_of(const Given& given) {
    ReplicaOptions options{.service = "Ledger", .member = given.text("member"), .journal = {}};
    options.checkpoint_every_bytes =
        static_cast<std::uint64_t>(given.number("checkpoint-every", 256 * 1024));
    if (given.has("lease")) {
        options.journal =
            SharedDirectory{.path = given.text("directory"), .lease = given.duration("lease", 1s)};
        return options;
    }
    if (given.has("alone")) {
        options.journal = LocalDirectory{.path = given.text("directory")};
        return options;
    }
    ReplicatedGroup group{.directory = given.text("directory"), .nodes = {}};
    for (const std::string& node : given.all("node")) {
        const std::size_t at = node.find('=');
        group.nodes.push_back({.name = node.substr(0, at), .address = node.substr(at + 1)});
    }
    if (given.has("tls-cert")) {
        group.tls = TlsFiles{given.text("tls-cert"), given.text("tls-key"), given.text("tls-ca")};
    }
    group.insecure = given.has("insecure");
    options.journal = std::move(group);
    return options;
}

class Member {
public:
    explicit Member(const Given& given)
        : ledger_(std::make_shared<Ledger>()),
          replica_(Replica::open(options_of(given), ledger_).value_or_throw()) {
        replica_.on_role([](const ReplicaStatus& now) {
            if (now.failed) {
                print_line("failed " + describe(*now.failed));
                std::_Exit(5);
            }
            print_line("role " + std::string(name(now.role)) +
                       " epoch=" + std::to_string(now.epoch.value) + " active=" + now.active);
        });
    }

    [[noreturn]] void serve(const std::string& path) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        (void)::unlink(path.c_str());
        const int listener = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
            ::listen(listener, 64) != 0) {
            print_line("failed to listen on " + path);
            std::_Exit(4);
        }
        print_line("started pid=" + std::to_string(::getpid()));
        while (true) {
            const int client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
            if (client >= 0) {
                std::thread([this, client] { attend(client); }).detach();
            } else {
                // No descriptor is left.
                std::this_thread::sleep_for(std::chrono::milliseconds(20));
            }
        }
    }

    void close() { replica_.close(); }

private:
    void attend(int client) {
        std::string question(question_bytes_max, '\0');
        while (true) {
            const ssize_t size = ::recv(client, question.data(), question.size(), 0);
            if (size <= 0) break;
            const std::string told = answer(question.substr(0, static_cast<std::size_t>(size)));
            if (::send(client, told.data(), told.size(), MSG_NOSIGNAL) < 0) break;
        }
        (void)::close(client);
    }

    [[nodiscard]] std::string answer(const std::string& question) {
        std::istringstream words(question);
        std::string verb;
        words >> verb;
        const auto text = [&] {
            std::string one;
            words >> one;
            return one;
        };
        const auto number = [&] {
            std::uint64_t one = 0;
            words >> one;
            return one;
        };
        if (verb == "session") {
            const auto session = replica_.open_session(answer_limit);
            return session ? "ok " + std::to_string(session->value) : refusal(session.error());
        }
        if (verb == "submit") {
            const SessionId session{number()};
            const RequestNo no{number()};
            std::string command;
            std::getline(words >> std::ws, command);
            return submit({.session = session, .number = no, .answered = RequestNo{no.value - 1}},
                          std::move(command));
        }
        if (verb == "outcome") {
            const SessionId session{number()};
            const auto outcome =
                replica_.outcome({.session = session, .number = RequestNo{number()}}, answer_limit);
            if (!outcome) return refusal(outcome.error());
            switch (outcome->fate) {
                case RequestFate::applied:
                    return "ok applied " + std::string(as_text(outcome->reply));
                case RequestFate::not_applied:
                    return "ok not_applied";
                case RequestFate::unknown:
                    return "ok unknown";
            }
        }
        if (verb == "read") {
            std::string value;
            const std::string key = text();
            const auto read = replica_.read([&] { value = ledger_->read(key); }, 1h);
            return read ? "ok" + value : refusal(read.error());
        }
        if (verb == "status") {
            const ReplicaStatus now = replica_.status();
            return "ok role=" + std::string(name(now.role)) +
                   " epoch=" + std::to_string(now.epoch.value) +
                   " applied=" + std::to_string(now.applied.value) +
                   " count=" + std::to_string(ledger_->count()) +
                   " full=" + (now.disk_full ? "1" : "0");
        }
        if (verb == "dump") {
            ledger_->dump(text());
            return "ok";
        }
        return "error bad_config none what?";
    }

    [[nodiscard]] std::string submit(const Request& request, std::string command) {
        if (command.starts_with("pad ")) {
            const auto size = static_cast<std::size_t>(std::stoul(command.substr(4)));
            command.resize(std::max(size, command.size()), 'x');
        }
        const ReplicaStatus before = replica_.status();
        const auto reply = replica_.submit(request, as_bytes(command), answer_limit);
        if (!reply) return refusal(reply.error());
        const ReplicaStatus after = replica_.status();
        const bool one_tenure = before.role == Role::active && after.role == Role::active &&
                                before.epoch == after.epoch;
        return "ok " + std::to_string(one_tenure ? after.epoch.value : 0) + ' ' +
               std::string(as_text(*reply));
    }

    [[nodiscard]] static std::string refusal(const Error& error) {
        return "error " + describe(error);
    }

    const std::shared_ptr<Ledger> ledger_;
    Replica replica_;
};

}  // namespace
}  // namespace understudy::process

int main(int count, char** values) {
    using namespace understudy::process;
    const Given given(count, values);
    sigset_t ending;
    (void)sigemptyset(&ending);
    (void)sigaddset(&ending, SIGTERM);
    (void)::pthread_sigmask(SIG_BLOCK, &ending, nullptr);
    Member member(given);
    std::thread([&] {
        int signal = 0;
        (void)::sigwait(&ending, &signal);
        member.close();
        print_line("closed");
        std::_Exit(0);
    }).detach();
    member.serve(given.text("socket"));
}
