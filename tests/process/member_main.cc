// A member, or many, as an application would have them. Prints its events on stdout for the test.
//
//     started pid=N address=HOST:PORT
//     registry up|down
//     role FAMILY MEMBER ROLE epoch=N
//     refused FAMILY MEMBER CODE EFFECT DETAIL
//     registered N                          all members of this process are in line
//
// The record "Ticks" counts every --tick milliseconds, whatever the role is, and holds --blob bytes
// that change with it. Calls: append(id), optionally slow, writes "id member epoch" to the file
// --append; descriptors() starts a child that reports the descriptors with which it was started. On
// stdin: "fork", "close".

#include <atomic>
#include <csignal>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/process/given.h"
#include "understudy/understudy.h"

namespace understudy::process {

namespace {

void stop_on(const Error& error) {
    print_line("failed " + describe(error));
    std::_Exit(4);
}

template <class T>
T must(Result<T> result) {
    if (!result) stop_on(result.error());
    return *std::move(result);
}

/// The descriptors that this process started with, without those that it opens to look.
int list_descriptors() {
    std::set<std::string> seen;
    DIR* const folder = ::opendir("/proc/self/fd");
    if (folder == nullptr) return 1;
    const int own = ::dirfd(folder);
    std::string line = "born";
    while (const dirent* const one = ::readdir(folder)) {
        if (one->d_name[0] == '.' || std::to_string(own) == one->d_name) continue;
        std::string target(256, '\0');
        const std::string path = std::string("/proc/self/fd/") + one->d_name;
        const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
        target.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
        line += std::string(" ") + one->d_name + ":" + target;
    }
    (void)::closedir(folder);
    print_line(line);
    return 0;
}

void start_child_that_lists() {
    std::string program = "/proc/self/exe";
    std::string command = "list-descriptors";
    char* const arguments[] = {program.data(), command.data(), nullptr};
    pid_t child = 0;
    if (::posix_spawn(&child, program.c_str(), nullptr, nullptr, arguments, ::environ) != 0) {
        return print_line("failed posix_spawn");
    }
    (void)::waitpid(child, nullptr, 0);
}

/// A child that never calls exec: it keeps every socket open until the test ends it.
void fork_child() {
    const pid_t child = ::fork();
    if (child == 0) {
        (void)::alarm(60);
        while (true) (void)::pause();
    }
    print_line("forked pid=" + std::to_string(child));
}

class Program {
public:
    explicit Program(const Given& given) : given_(given) {
        for (int count = given.number("agents", 1); count > 0; --count) {
            AgentOptions options = agent_options(given);
            if (!options.name.empty() && count > 1) options.name += "-" + std::to_string(count);
            agents_.push_back(std::make_unique<Agent>(must(Agent::open(std::move(options)))));
        }
        print_line("started pid=" + std::to_string(::getpid()) +
                   " address=" + agents_.front()->address());
        agents_.front()->on_registry(
            [](bool up) { print_line(up ? "registry up" : "registry down"); });
        join();
    }

    ~Program() {
        ending_ = true;
        if (ticker_.joinable()) ticker_.join();
        if (waiter_.joinable()) waiter_.join();
    }

    /// Runs until SIGTERM or "close"; both take the members out of the line.
    int run(int signals) {
        pollfd sources[] = {{.fd = signals, .events = POLLIN, .revents = 0},
                            {.fd = STDIN_FILENO, .events = POLLIN, .revents = 0}};
        std::string input;
        while (true) {
            if (::poll(sources, 2, -1) < 0) continue;
            if (sources[0].revents != 0) break;
            char buffer[4096];
            const ssize_t count = ::read(STDIN_FILENO, buffer, sizeof buffer);
            if (count <= 0) break;  // The test has gone.
            input.append(buffer, static_cast<std::size_t>(count));
            bool ended = false;
            for (std::size_t end; (end = input.find('\n')) != std::string::npos;) {
                ended = !obey(input.substr(0, end)) || ended;
                input.erase(0, end + 1);
            }
            if (ended) break;
        }
        for (const auto& agent : agents_) agent->close();
        print_line("closed");
        return 0;
    }

private:
    void join() {
        const int families = given_.number("families", 0);
        const std::string base = given_.text("family", "Foo");
        const std::string member = given_.text("member", "m1");
        if (families == 0) {
            services_.push_back(create(base, member, *agents_.front()));
        }
        for (int at = 0; at < families; ++at) {
            Agent& agent = *agents_[static_cast<std::size_t>(at) % agents_.size()];
            services_.push_back(create(base + std::to_string(at), member, agent));
        }
        if (given_.has("tick")) ticker_ = std::thread([this] { tick(); });
        waiter_ = std::thread([this] {
            for (Service& service : services_) {
                while (!service.wait_registered(100ms)) {
                    if (ending_) return;
                }
            }
            print_line("registered " + std::to_string(services_.size()));
        });
    }

    Service create(const std::string& family, const std::string& member, Agent& agent) {
        ServiceOptions options{.family = family, .member = member};
        options.lease = given_.duration("lease", options.lease);
        if (given_.text("on-registry-loss") == "step_down") {
            options.on_registry_loss = OnRegistryLoss::step_down;
        }
        if (given_.has("balanced")) options.redundancy = Redundancy::load_balanced;
        Service service = must(agent.create_service(std::move(options)));
        service.on_role([](const RoleChange& change) {
            print_line("role " + change.family + " " + change.member + " " +
                       std::string(name(change.role)) +
                       " epoch=" + std::to_string(change.epoch.value));
        });
        service.on_refused([family, member](const Error& error) {
            print_line("refused " + family + " " + member + " " + describe(error));
        });
        publish_calls(service);
        return service;
    }

    void publish_calls(Service& service) {
        const std::string file = given_.text("append");
        if (!file.empty()) {
            must_do(service.publish_rpc("append", [service, file](const Arguments& a) {
                return append(service, file, a);
            }));
        }
        must_do(service.publish_rpc("descriptors", [](const Arguments&) {
            start_child_that_lists();
            return Result<CallResult>(CallResult());
        }));
    }

    static Result<CallResult> append(const Service& service, const std::string& file,
                                     const Arguments& arguments) {
        if (const auto wait = arguments.integer("ms")) {
            print_line("appending " + std::string(*arguments.text("id")));
            std::this_thread::sleep_for(std::chrono::milliseconds(*wait));
        }
        const std::string answer = service.member() + " " + std::to_string(service.epoch().value);
        const std::string line = std::string(*arguments.text("id")) + " " + answer + "\n";
        const int out = ::open(file.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
        const bool written =
            out >= 0 && ::write(out, line.data(), line.size()) == static_cast<ssize_t>(line.size());
        if (out >= 0) (void)::close(out);
        if (!written) return Error{.code = Errc::failed, .detail = "append"};
        return CallResult(Value(answer));
    }

    static void must_do(const Result<void>& result) {
        if (!result) stop_on(result.error());
    }

    void tick() {
        const Duration pause = given_.duration("tick", 10ms);
        Service& service = services_.front();
        Record record = must(service.record("Ticks"));
        const std::string member = service.member();
        Blob blob(static_cast<std::size_t>(given_.number("blob", 0)));
        for (std::int64_t n = 1; !ending_; ++n) {
            must_do(record.put("n", n));
            must_do(record.put("from", member));
            must_do(record.put("only-" + member, 1));
            must_do(record.put("places", member, n));
            if (!blob.empty()) {
                blob[static_cast<std::size_t>(n) % blob.size()] = std::byte{7};
                must_do(record.put("blob", blob));
            }
            if (const auto done = service.publish(record); !done) return;
            std::this_thread::sleep_for(pause);
        }
    }

    bool obey(const std::string& command) {
        if (command == "close") return false;
        if (command == "fork") fork_child();
        return true;
    }

    const Given& given_;
    std::vector<std::unique_ptr<Agent>> agents_;
    std::vector<Service> services_;
    std::atomic<bool> ending_ = false;
    std::thread ticker_;
    std::thread waiter_;
};

int run(int count, char** values) {
    if (count == 2 && std::string(values[1]) == "list-descriptors") return list_descriptors();
    // Before the first thread: the library installs no handlers, so all threads inherit the mask.
    sigset_t ours;
    (void)sigemptyset(&ours);
    (void)sigaddset(&ours, SIGTERM);
    (void)::pthread_sigmask(SIG_BLOCK, &ours, nullptr);
    const int signals = ::signalfd(-1, &ours, SFD_CLOEXEC);
    const Given given(count, values);
    Program program(given);
    return program.run(signals);
}

}  // namespace

}  // namespace understudy::process

int main(int count, char** values) { return understudy::process::run(count, values); }
