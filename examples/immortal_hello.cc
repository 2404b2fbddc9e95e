// Hello world between two immortals: a client greets a server ten times a second and counts the
// answers. Neither contains any code for failures.
//
//   immortal_hello server A /tmp/server      and B and C likewise: copies on a shared directory
//   immortal_hello client A /tmp/client
//   immortal_hello ask NAME                  greets once, from a program that is no immortal
//   (instead of the directory: HOST:PORT of a coordinator, which then keeps the journal)
//
// Kill any of them, as often as you like, and start them again: no greeting is lost, and none is
// counted twice.

#include <iostream>
#include <map>
#include <string>
#include <thread>

#include <understudy/understudy.h>

namespace {

using namespace understudy;

class Server final : public Immortal {
public:
    std::int64_t greet(const std::string& name) { return ++greetings[name]; }

    template <class F>
    void fields(F& f) {
        f(greetings);
    }
    template <class H>
    static void handlers(H& h) {
        h("greet", &Server::greet);
    }

    std::map<std::string, std::int64_t> greetings;
};

class Client final : public Immortal {
public:
    void first_start() override { greet(); }
    void greet() { call<&Server::greet>("server", "client").then<&Client::greeted>(++greetings); }
    void greeted(const Result<std::int64_t>& count, std::int64_t greeting) {
        if (count && *count == greeting) ++answers;
        after<&Client::greet>(100ms);
    }

    template <class F>
    void fields(F& f) {
        f(greetings, answers);
    }
    template <class H>
    static void handlers(H& h) {
        h("greet", &Client::greet);
        h("greeted", &Client::greeted);
    }

    std::int64_t greetings = 0;
    std::int64_t answers = 0;  ///< Each was the one that was due: none was lost, none came twice.
};

/// Once a second, prints what `say` returns for the state, if this copy is active.
template <class T>
void run(ImmortalOptions options, const std::function<void(const T&)>& say) {
    auto member = ImmortalMember::open<T>(std::move(options)).value_or_throw();
    member.on_role([](const ImmortalStatus& now) {
        std::cout << name(now.role) << ", epoch " << now.epoch.value << std::endl;
    });
    member.wait_open(1h).value_or_throw();
    for (;; std::this_thread::sleep_for(1s)) (void)member.template look<T>(say);
}

}  // namespace

int main(int argc, char** argv) try {
    const std::string part = argc > 1 ? argv[1] : "";
    const std::map<std::string, std::vector<std::string>> peers{
        {"server", {"127.0.0.1:7701", "127.0.0.1:7702", "127.0.0.1:7703"}},
        {"client", {"127.0.0.1:7711", "127.0.0.1:7712", "127.0.0.1:7713"}}};
    if (part == "ask" && argc == 3) {
        auto client = ImmortalClient::open({.service = "server", .members = peers.at("server")});
        const auto count = std::move(client).value_or_throw().call<&Server::greet>(argv[2]);
        if (!count) return std::cerr << "immortal_hello: " << to_string(count.error()) << "\n", 1;
        return std::cout << *count << "\n", 0;
    }
    const std::string copy = argc == 4 ? argv[2] : "";
    if (!peers.contains(part) || (copy != "A" && copy != "B" && copy != "C")) {
        return std::cerr << "immortal_hello server|client A|B|C DIRECTORY, or ask NAME\n", 2;
    }
    const auto which = static_cast<std::size_t>(copy[0] - 'A');
    ImmortalOptions options{.service = part, .member = copy, .journal = SharedDirectory{argv[3]},
                            .listen = peers.at(part)[which], .peers = peers};
    if (std::string(argv[3]).find(':') != std::string::npos) options.coordinator = argv[3];
    if (part == "server") run<Server>(options, [](const Server& server) {
        for (const auto& [who, count] : server.greetings) std::cout << who << ": " << count << "  ";
        std::cout << std::endl;
    });
    run<Client>(options, [](const Client& client) {
        std::cout << client.answers << " answers to " << client.greetings << std::endl;
    });
} catch (const std::exception& exception) {
    std::cerr << "immortal_hello: " << exception.what() << "\n";
    return 1;
}
