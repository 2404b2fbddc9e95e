// A client, as an application would have one. Prints its events on stdout for the test.
//
//     started pid=N
//     registry up|down
//     status connected|disconnected member=M epoch=N
//     image|delta RECORD epoch=N seq=N FIELD=VALUE ... MAP/FIELD=VALUE ...   the whole record
//     freshness RECORD STATUS
//     service FAMILY epoch=N active=M line=M,M,... roles=R,R,... lease order
//     done ID ANSWER...  |  error ID CODE EFFECT DETAIL
//
// --record NAME subscribes, --services all|FAMILY watches, --calls MILLISECONDS keeps calling
// append() with ids of its own. On stdin: "call ID NAME DEADLINE_MS [MS]", "repeat ID NAME
// DEADLINE_MS [MS]" (may run twice), "images", "close".

#include <atomic>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <poll.h>
#include <unistd.h>

#include "tests/process/given.h"
#include "understudy/understudy.h"

namespace understudy::process {

namespace {

template <class T>
T must(Result<T> result) {
    if (!result) {
        print_line("failed " + describe(result.error()));
        std::_Exit(4);
    }
    return *std::move(result);
}

std::string_view name_of(RecordStatus status) {
    switch (status) {
        case RecordStatus::connecting:
            return "connecting";
        case RecordStatus::connected:
            return "connected";
        case RecordStatus::stale:
            return "stale";
        case RecordStatus::absent:
            return "absent";
        case RecordStatus::refused:
            return "refused";
    }
    return "?";
}

std::string describe(const ServiceStatus& service) {
    std::string line;
    std::string roles;
    for (const MemberStatus& member : service.members) {
        line += (line.empty() ? "" : ",") + member.name;
        roles += (roles.empty() ? "" : ",") + std::string(name(member.role));
    }
    return "service " + service.family + " epoch=" + std::to_string(service.epoch.value) +
           " active=" + service.active + " line=" + line + " roles=" + roles;
}

class Program {
public:
    explicit Program(const Given& given)
        : given_(given), agent_(must(Agent::open(agent_options(given)))) {
        print_line("started pid=" + std::to_string(::getpid()));
        agent_.on_registry([](bool up) { print_line(up ? "registry up" : "registry down"); });
        if (given.text("services") == "all") {
            agent_.on_services([](const ServiceStatus& s) { print_line(describe(s)); });
        } else if (given.has("services")) {
            agent_.on_service(given.text("services"),
                              [](const ServiceStatus& s) { print_line(describe(s)); });
        }
        if (given.has("family")) open_proxy();
        if (given.has("calls")) caller_ = std::thread([this] { keep_calling(); });
    }

    ~Program() { stop_calling(); }

    int run() {
        std::string input;
        while (true) {
            char buffer[4096];
            const ssize_t count = ::read(STDIN_FILENO, buffer, sizeof buffer);
            if (count <= 0) break;
            input.append(buffer, static_cast<std::size_t>(count));
            bool ended = false;
            for (std::size_t end; (end = input.find('\n')) != std::string::npos;) {
                ended = !obey(input.substr(0, end)) || ended;
                input.erase(0, end + 1);
            }
            if (ended) break;
        }
        stop_calling();
        agent_.close();
        print_line("closed");
        return 0;
    }

private:
    /// When this returns, the last call has its outcome.
    void stop_calling() {
        ending_ = true;
        if (caller_.joinable()) caller_.join();
    }

    void open_proxy() {
        proxy_ = given_.has("member")
                     ? must(agent_.member_proxy(given_.text("family"), given_.text("member")))
                     : must(agent_.proxy(given_.text("family")));
        proxy_->on_status([](const ConnectionStatus& status) {
            print_line(std::string("status ") + (status.connected ? "connected" : "disconnected") +
                       " member=" + status.member + " epoch=" + std::to_string(status.epoch.value));
        });
        for (const std::string& record : given_.all("record")) {
            subscriptions_.push_back(
                must(proxy_->subscribe(record, [record](const auto& image, const auto& change) {
                    print_line((change.is_image ? "image " : "delta ") + record +
                               " epoch=" + std::to_string(change.epoch.value) + " seq=" +
                               std::to_string(change.sequence) + process::describe(image));
                })));
            proxy_->on_record_status(subscriptions_.back(), [record](RecordStatus status) {
                print_line("freshness " + record + " " + std::string(name_of(status)));
            });
        }
    }

    static void print_outcome(const std::string& id, const Result<CallResult>& outcome) {
        if (outcome) {
            print_line("done " + id + " " + std::string(outcome->text().value_or("-")));
        } else {
            print_line("error " + id + " " + process::describe(outcome.error()));
        }
    }

    void keep_calling() {
        const Duration pause = given_.duration("calls", 10ms);
        const std::string prefix = given_.text("agent", "c") + "-";
        for (int n = 1; !ending_; ++n) {
            const std::string id = prefix + std::to_string(n);
            const auto outcome = proxy_->call("append", {{"id", id}}, {.deadline = 2s});
            print_outcome(id, outcome);
            std::this_thread::sleep_for(pause);
        }
    }

    void start_call(std::istringstream& words, bool repeatable) {
        std::string id;
        std::string name;
        std::int64_t deadline_ms = 0;
        std::int64_t ms = 0;
        words >> id >> name >> deadline_ms;
        Arguments arguments =
            words >> ms ? Arguments{{"id", id}, {"ms", ms}} : Arguments{{"id", id}};
        proxy_->call_async(
            name, arguments,
            {.deadline = std::chrono::milliseconds(deadline_ms), .repeatable = repeatable},
            [id](const Result<CallResult>& outcome) { print_outcome(id, outcome); });
    }

    bool obey(const std::string& command) {
        std::istringstream words(command);
        std::string verb;
        words >> verb;
        if (verb == "close") return false;
        if (verb == "call") start_call(words, false);
        if (verb == "repeat") start_call(words, true);
        if (verb == "images") {
            for (const Subscription& one : subscriptions_) {
                print_line("held " + std::string(name_of(one.status())) +
                           process::describe(one.image()));
            }
        }
        return true;
    }

    const Given& given_;
    Agent agent_;
    std::optional<Proxy> proxy_;
    std::vector<Subscription> subscriptions_;
    std::atomic<bool> ending_ = false;
    std::thread caller_;
};

}  // namespace

}  // namespace understudy::process

int main(int count, char** values) {
    const understudy::process::Given given(count, values);
    understudy::process::Program program(given);
    return program.run();
}
