// A member with a state machine on a journal, for the tests of the program.
//
//   replica KIND DIR COUNT ADDRESS [stay]     KIND: local, shared, node; ADDRESS: of a node
//
// Submits COUNT commands, prints "ready", and ends; with "stay" it ends when its standard input
// does.

#include "understudy/understudy.h"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

namespace {

using namespace understudy;

class Last final : public SmallStateMachine {
public:
    void apply(const Command& command, Buffer& reply) override {
        last_.assign(command.body.begin(), command.body.end());
        reply = last_;
    }
    void snapshot(Buffer& out) const override {
        out.insert(out.end(), last_.begin(), last_.end());
    }
    Result<void> restore(Bytes state) override {
        last_.assign(state.begin(), state.end());
        return {};
    }

private:
    Buffer last_;
};

ReplicaOptions options_of(const std::string& kind, const std::string& directory,
                          const std::string& address) {
    ReplicaOptions options{.service = "Last", .member = "A", .journal = LocalDirectory{directory}};
    if (kind == "shared") options.journal = SharedDirectory{directory};
    if (kind == "node") {
        options.journal = ReplicatedGroup{.directory = directory, .nodes = {{"A", address}}};
    }
    return options;
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc < 5) return 2;
    auto replica = Replica::open(options_of(argv[1], argv[2], argv[4]), std::make_shared<Last>())
                       .value_or_throw();
    replica.wait_active().value_or_throw();
    for (int at = 0; at < std::atoi(argv[3]); ++at) {
        const std::string text = "command " + std::to_string(at);
        (void)replica.submit(as_bytes(text)).value_or_throw();
    }
    const SessionId session = replica.open_session().value_or_throw();
    const Request request{.session = session, .number = RequestNo{1}};
    (void)replica.submit(request, as_bytes("once")).value_or_throw();
    std::printf("ready\n");
    std::fflush(stdout);
    if (argc > 5) {
        while (std::getchar() != EOF) {
        }
    }
    replica.close();
    return 0;
} catch (const understudy::Exception& exception) {
    std::fprintf(stderr, "%s\n", exception.what());
    return 1;
}
