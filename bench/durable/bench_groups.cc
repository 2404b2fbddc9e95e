// bench_groups DIRECTORY NAME NAME=HOST:PORT,... GROUPS
//
// One of three nodes, with many services on it. Each service is a sum on its own replicated
// journal, as on a node that holds partitions. Prints "ready" when each service has an active
// member.
// Reads from its standard input, and ends with it:
//   load BYTES WINDOW WARM_UP_MS MEASURED_MS FILE   says "loaded PER_SECOND CHECKSUM"
// The load is on the services whose active member is here, with WINDOW commands under way on each.

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "bench/calls/closed_loop.h"
#include "platform/asio_runtime.h"
#include "raft/raft_core.h"
#include "replica/replica.h"
#include "replicated/node/node.h"

namespace understudy::bench {

namespace {

class Sum final : public SmallStateMachine {
public:
    void apply(const Command& command, Buffer& reply) override {
        sum_ += command.body.size();
        ByteWriter(reply).fixed(sum_);
    }
    void snapshot(Buffer& out) const override { ByteWriter(out).fixed(sum_); }
    Result<void> restore(Bytes state) override {
        sum_ = ByteReader(state).fixed<std::uint64_t>().value_or(0);
        return {};
    }

private:
    std::uint64_t sum_ = 0;
};

[[noreturn]] void fail(const Error& error) {
    std::fprintf(stderr, "bench_groups: %s %s\n", std::string(name(error.code)).c_str(),
                 error.detail.c_str());
    std::_Exit(1);
}

void say(const std::string& line) {
    const std::string whole = line + "\n";
    if (::write(STDOUT_FILENO, whole.data(), whole.size()) < 0) std::_Exit(1);
}

struct Group {
    Sum sum;
    std::unique_ptr<journal::Opening> opening;
    std::unique_ptr<replica::Replica> replica;
    std::size_t under_way = 0;
};

/// The load that one line of standard input requests.
struct Load {
    std::size_t bytes = 0;
    std::size_t window = 0;
    std::int64_t warm_up_ms = 0;
    std::int64_t measured_ms = 0;
    std::string file;
};

/// Thread: loop only, except post().
class GroupsNode {
public:
    GroupsNode(const std::string& directory, const std::string& its_name, const std::string& nodes,
               std::size_t groups)
        : groups_(groups) {
        replicated::Node::Options options{.platform = "bench",
                                          .name = its_name,
                                          .listen = {},
                                          .advertise = std::nullopt,
                                          .peers = {},
                                          .tls = std::nullopt,
                                          .directory = directory};
        std::istringstream list(nodes);
        for (std::string node; std::getline(list, node, ',');) {
            const std::size_t equals = node.find('=');
            const replicated::Node::Peer peer{.name = node.substr(0, equals),
                                        .address = *parse_address(node.substr(equals + 1))};
            founders_.push_back({.name = peer.name,
                                 .address = peer.address,
                                 .kind = replicated::MemberKind::data});
            if (peer.name == its_name) {
                options.listen = peer.address;
            } else {
                options.peers.push_back(peer);
            }
        }
        opening_ = replicated::Node::open(runtime_, log_, std::move(options), raft::make_core,
                                          [this](Result<std::unique_ptr<replicated::Node>> opened) {
                                              if (!opened) fail(opened.error());
                                              node_ = *std::move(opened);
                                              open_groups();
                                          });
    }

    void run() { runtime_.run(); }
    void post(Runtime::Task task) { runtime_.post(std::move(task)); }
    void stop() {
        std::_Exit(0);
    }  // The files that it leaves are in a temporary directory of the caller.

    void load(const Load& load) {
        command_.assign(load.bytes, std::byte{'x'});
        window_ = load.window;
        file_ = load.file;
        const Duration warm_up = std::chrono::milliseconds(load.warm_up_ms);
        const Duration measured = std::chrono::milliseconds(load.measured_ms);
        counted_.emplace(warm_up, measured);
        loading_ = true;
        timer_ = runtime_.at(runtime_.now() + warm_up + measured, [this] { end(); });
        refill();
    }

private:
    void open_groups() {
        for (std::size_t i = 0; i < groups_.size(); ++i) {
            replicated::GroupOptions options;
            options.service = "s" + std::to_string(i);
            options.founders = founders_;
            Group& group = groups_[i];
            // The checkpoints of all groups together are as frequent as those of one group alone.
            replica::Replica::Options how;
            how.checkpoints.every_bytes = 64 * MiB / groups_.size();
            how.checkpoint_duty = replica::CheckpointDuty::standbys;
            group.opening = replica::Replica::open(
                runtime_, log_, how, node_->journal(std::move(options)), group.sum,
                [this, &group](Result<std::unique_ptr<replica::Replica>> opened) {
                    if (!opened) fail(opened.error());
                    group.replica = *std::move(opened);
                    group.replica->on_failed([](const Error& error) { fail(error); });
                });
        }
        look_for_actives();
    }

    void look_for_actives() {
        for (const Group& group : groups_) {
            if (group.replica && !group.replica->standing().active.empty()) continue;
            timer_ = runtime_.at(runtime_.now() + 10ms, [this] { look_for_actives(); });
            return;
        }
        say("ready");
    }

    void refill() {
        refilling_ = false;
        for (Group& group : groups_) {
            if (group.replica->standing().role != Role::active) continue;
            if (group.under_way > window_ / 2) continue;
            while (loading_ && group.under_way < window_) submit(group);
        }
    }

    void submit(Group& group) {
        ++group.under_way;
        group.replica->submit(command_, [this, &group, begun = now()](
                                            const Result<replica::Reply>& reply) {
            --group.under_way;
            // A leader that changes is no failure of the journal.
            if (reply) (void)counted_->done(begun, reply->bytes.size());
            if (!loading_ || refilling_ || group.under_way > window_ / 2) return;
            refilling_ = true;
            runtime_.post([this] { refill(); });
        });
    }

    void end() {
        loading_ = false;
        const Calls calls = counted_->result();
        if (!calls.latency.write(file_)) fail({.code = Errc::failed, .detail = file_});
        say("loaded " + std::to_string(calls.per_second) + " " + std::to_string(calls.checksum));
    }

    NullLog log_;
    platform::AsioRuntime runtime_{log_};
    std::vector<replicated::Member> founders_;
    std::unique_ptr<journal::Opening> opening_;
    std::unique_ptr<replicated::Node> node_;
    std::vector<Group> groups_;
    std::unique_ptr<Timer> timer_;

    Buffer command_;
    std::size_t window_ = 0;
    std::string file_;
    std::optional<Outstanding> counted_;
    bool loading_ = false;
    bool refilling_ = false;
};

int run(const std::vector<std::string>& arguments) {
    if (arguments.size() != 4) {
        fail({.code = Errc::bad_config, .detail = "usage: see the head of bench_groups.cc"});
    }
    GroupsNode node(arguments[0], arguments[1], arguments[2], std::stoul(arguments[3]));
    std::thread reader([&node] {
        for (std::string line; std::getline(std::cin, line);) {
            std::istringstream words(line);
            std::string verb;
            Load load;
            words >> verb >> load.bytes >> load.window >> load.warm_up_ms >> load.measured_ms >>
                load.file;
            if (verb == "load") node.post([&node, load] { node.load(load); });
        }
        node.post([&node] { node.stop(); });
    });
    node.run();
    reader.join();
    return 0;
}

}  // namespace

}  // namespace understudy::bench

int main(int count, char** arguments) {
    return understudy::bench::run({arguments + 1, arguments + count});
}
