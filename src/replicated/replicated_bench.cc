// Measures how many entries three nodes store. Each has its own log on the disk of this host. They
// are connected over loopback, and all three loops run on one thread.
//
// Resource: one core, and one disk that does the flushes of three. Estimate before the first run:
// an entry of 100 B is proposed once, sent twice, written three times and told three times, each
// 100 ns: about 1 us, so 1 M/s. The flushes of three nodes come in addition. One loop per core
// would be faster.
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "base/log.h"
#include "base/scratch_test.h"
#include "platform/asio_runtime.h"
#include "raft/raft_core.h"
#include "replicated/node/node.h"

namespace understudy::replicated {
namespace {

constexpr std::size_t nodes_count = 3;

class Sum final : public journal::Observer {
public:
    Result<void> restore(const journal::StateSlice&) override { return {}; }
    void committed(const journal::Entry& entry) override { bytes += entry.body.size(); }
    void standing_changed(const journal::Standing& standing) override {
        active = standing.role == Role::active;
    }
    void space_changed(journal::Space) override {}
    void failed(const Error& error) override { US_ASSERT(error.code == Errc::closed); }

    std::uint64_t bytes = 0;
    bool active = false;
    std::unique_ptr<journal::Opening> opening;
    std::unique_ptr<journal::Journal> journal;
    std::size_t under_way = 0;
};

struct OneNode {
    explicit OneNode(Log& log) : runtime(log) {}
    platform::AsioRuntime runtime;
    std::unique_ptr<journal::Opening> opening;
    std::unique_ptr<Node> node;
    std::vector<std::unique_ptr<Sum>> groups;
};

class Three {
public:
    explicit Three(std::size_t groups) {
        for (std::size_t i = 0; i < nodes_count; ++i) {
            nodes.push_back(std::make_unique<OneNode>(log_));
            OneNode& one = *nodes.back();
            Node::Options options{.platform = "bench",
                                  .name = "n" + std::to_string(i),
                                  .listen = {"127.0.0.1", 0},
                                  .advertise = std::nullopt,
                                  .peers = {},
                                  .tls = std::nullopt,
                                  .directory = scratch_.path + "/n" + std::to_string(i)};
            one.opening = Node::open(one.runtime, log_, std::move(options), raft::make_core,
                                     [&one](Result<std::unique_ptr<Node>> opened) {
                                         US_ASSERT(static_cast<bool>(opened));
                                         one.node = *std::move(opened);
                                     });
            run_until([&] { return one.node != nullptr; });
        }
        GroupOptions options;
        for (const auto& each : nodes) {
            options.founders.push_back({.name = "n" + std::to_string(options.founders.size()),
                                        .address = each->node->address(),
                                        .kind = MemberKind::data});
        }
        for (std::size_t g = 0; g < groups; ++g) {
            options.service = "s" + std::to_string(g);
            for (const auto& one : nodes) {
                one->groups.push_back(std::make_unique<Sum>());
                Sum& sum = *one->groups.back();
                sum.opening = one->node->open_journal(
                    options, sum, [&sum](Result<std::unique_ptr<journal::Journal>> opened) {
                        US_ASSERT(static_cast<bool>(opened));
                        sum.journal = *std::move(opened);
                    });
            }
        }
        for (std::size_t g = 0; g < groups; ++g) {
            run_until([&] { return active(g) != nullptr; });
        }
    }
    Three(const Three&) = delete;
    Three& operator=(const Three&) = delete;
    ~Three() {
        for (const auto& one : nodes) one->groups.clear();
        for (const auto& one : nodes) {
            bool closed = false;
            one->node->close([&] { closed = true; });
            run_until([&] { return closed; });
            one->node.reset();
        }
        nodes.clear();
    }

    Sum* active(std::size_t group) {
        for (const auto& one : nodes) {
            Sum& sum = *one->groups.at(group);
            if (sum.active && sum.journal) return &sum;
        }
        return nullptr;
    }
    template <class Reached>
    void run_until(Reached reached) {
        while (!reached()) {
            bool busy = false;
            for (const auto& one : nodes) busy |= one->runtime.poll();
            if (!busy) nodes.front()->runtime.poll_for(20us);
        }
    }

    std::vector<std::unique_ptr<OneNode>> nodes;

private:
    const Scratch scratch_;
    NullLog log_;
};

void append(benchmark::State& state) {
    const auto body_bytes = static_cast<std::size_t>(state.range(0));
    const auto window = static_cast<std::size_t>(state.range(1));
    const auto groups = static_cast<std::size_t>(state.range(2));
    Three three(groups);
    std::size_t under_way = 0;
    std::int64_t done = 0;
    const auto fill = [&](Sum& sum) {
        while (sum.under_way < window) {
            ++sum.under_way;
            ++under_way;
            std::vector<journal::Draft> drafts(1);
            drafts[0].body.resize(body_bytes);
            sum.journal->append(std::move(drafts), journal::Urgency::ordinary,
                                [&](const Result<Index>& outcome) {
                                    --sum.under_way;
                                    --under_way;
                                    if (outcome) ++done;
                                });
        }
    };
    for (auto each : state) {
        (void)each;
        for (std::size_t g = 0; g < groups; ++g) {
            if (Sum* sum = three.active(g)) fill(*sum);
        }
        three.run_until([&] { return under_way <= window * groups / 2; });
    }
    three.run_until([&] { return under_way == 0; });
    state.SetItemsProcessed(done);
}

BENCHMARK(append)
    ->ArgNames({"bytes", "window", "groups"})
    ->Args({100, 1, 1})
    ->Args({1024, 1, 1})
    ->Args({100, 1024, 1})
    ->Args({1024, 1024, 1})
    ->Args({100, 4, 300})
    ->UseRealTime();

}  // namespace
}  // namespace understudy::replicated
