// Measures how many entries per second become durable in the log of a node, and how many the disk
// alone can take.
//
// Resource: the disk, and one core. Estimate before the first run: entries of 100 B with 1,024
// under way make flushes of about 60 KiB, 95 us each, two in turn. If only the disk took time,
// 1,024 entries would take 120 us. The loop takes about 0.5 us per entry: 1 M/s. With entries of 1
// KiB, a flush of 512 KiB takes 250 us: 600 k/s.
#include "journal/node_log/node_log.h"

#include <deque>
#include <memory>
#include <string>

#include <benchmark/benchmark.h>

#include "base/log.h"
#include "base/scratch_test.h"
#include "platform/asio_runtime.h"

namespace understudy::journal {
namespace {

class Writer final : private NodeLog::Observer {
public:
    Writer(std::string directory, std::uint64_t groups)
        : runtime_(log_), groups_(groups), entries_(groups + 1) {
        opening_ = NodeLog::open(runtime_, log_, {.directory = std::move(directory)}, *this,
                                 [this](Result<std::unique_ptr<NodeLog>> opened) {
                                     US_ASSERT(static_cast<bool>(opened));
                                     node_ = *std::move(opened);
                                 });
        run_until([this] { return node_ != nullptr; });
    }
    ~Writer() override {
        bool closed = false;
        node_->close([&] { closed = true; });
        run_until([&] { return closed; });
    }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    /// Writes one entry for the next group, while other groups write too.
    void write(const std::shared_ptr<const Buffer>& body) {
        const std::uint64_t group = 1 + next_++ % groups_;
        GroupWrite write;
        write.entries.push_back({.term = {1}, .kind = 1, .owner = body, .body = *body});
        // A real log is trimmed.
        if (++entries_[group] % 4096 == 0) write.trim = node_->last({group});
        const auto position = node_->write({group}, std::move(write), Urgency::ordinary);
        US_ASSERT(static_cast<bool>(position));
        if (turns_.empty() || turns_.back().first != *position) turns_.push_back({*position, 0});
        ++turns_.back().second;
        ++under_way;
    }
    template <class Reached>
    void run_until(Reached reached) {
        while (!reached()) runtime_.poll_for(10ms);
    }

    std::size_t under_way = 0;
    std::int64_t done = 0;

private:
    void durable(LogPosition position) override {
        while (!turns_.empty() && turns_.front().first <= position) {
            under_way -= turns_.front().second;
            done += static_cast<std::int64_t>(turns_.front().second);
            turns_.pop_front();
        }
    }
    void space_changed(Space) override {}
    void failed(const Error&) override { US_ASSERT(false); }

    NullLog log_;
    platform::AsioRuntime runtime_;
    const std::uint64_t groups_;
    std::vector<std::uint64_t> entries_;
    std::uint64_t next_ = 0;
    std::deque<std::pair<LogPosition, std::size_t>> turns_;
    std::unique_ptr<Opening> opening_;
    std::unique_ptr<NodeLog> node_;
};

void node_log(benchmark::State& state) {
    const auto bytes = static_cast<std::size_t>(state.range(0));
    const auto groups = static_cast<std::uint64_t>(state.range(1));
    const auto window = static_cast<std::size_t>(state.range(2));
    const Scratch scratch;
    const auto body = std::make_shared<const Buffer>(bytes);
    Writer writer(scratch.path + "/log", groups);
    for (auto each : state) {
        (void)each;
        while (writer.under_way < window) writer.write(body);
        writer.run_until([&] { return writer.under_way <= window / 2; });
    }
    writer.run_until([&] { return writer.under_way == 0; });
    state.SetItemsProcessed(writer.done);
}

/// The lower limit: writes a number of bytes into a written file and syncs it, repeatedly.
void raw_flush(benchmark::State& state) {
    const Buffer bytes(static_cast<std::size_t>(state.range(0)));
    const Scratch scratch;
    NullLog log;
    platform::AsioRuntime runtime(log);
    auto file = runtime.disk().open(scratch.path + "/raw", Disk::Open::create_new);
    US_ASSERT(static_cast<bool>(file));
    constexpr std::uint64_t size = 64 * MiB;
    const Buffer zeros(1 * MiB);
    for (std::uint64_t at = 0; at < size; at += zeros.size()) {
        US_ASSERT(static_cast<bool>((*file)->write_at(at, zeros)));
    }
    US_ASSERT(static_cast<bool>((*file)->sync()));
    std::uint64_t at = 0;
    for (auto each : state) {
        (void)each;
        if (at + bytes.size() > size) at = 0;
        US_ASSERT(static_cast<bool>((*file)->write_at(at, bytes)));
        US_ASSERT(static_cast<bool>((*file)->sync()));
        at += bytes.size();
    }
    state.SetItemsProcessed(state.iterations());
}

BENCHMARK(raw_flush)->Arg(4 << 10)->Arg(64 << 10)->Arg(512 << 10)->UseRealTime();
BENCHMARK(node_log)
    ->ArgNames({"bytes", "groups", "window"})
    ->Args({100, 1, 1})
    ->Args({100, 1, 1024})
    ->Args({100, 300, 1024})
    ->Args({1024, 1, 1024})
    ->Args({1024, 300, 1024})
    ->UseRealTime();

}  // namespace
}  // namespace understudy::journal
