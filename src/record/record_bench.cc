// The cost of one change of a record, from the publisher's put to the subscriber's change.
//
// Resource: one core. Estimate before the first run, for a record of ten fields of which one
// changes: put and commit 250 ns (two tree look-ups, a note, one buffer), publish 150 ns plus 30 ns
// for each subscriber, mirror 250 ns (two tree look-ups, two map nodes). Wanted on two cores for
// everything, the network included: 1.5 M changes/s to one subscriber, 4 M deliveries/s to a
// hundred.
#include <benchmark/benchmark.h>

#include "record/draft.h"
#include "record/messages.h"
#include "record/mirror.h"
#include "record/publisher.h"
#include "wire/channel.h"

namespace understudy::record {
namespace {

Draft ten_fields() {
    Draft draft;
    for (int i = 0; i < 10; ++i) (void)draft.put("field" + std::to_string(i), i);
    (void)draft.commit();
    return draft;
}

// Every link is one channel, which is flushed when it has the messages of one turn.
class Channels final : public Outlet {
public:
    Flow send(LinkId, wire::MessageType type, std::span<const Bytes> parts) override {
        (void)channel.put(type, parts);
        if (channel.pending_bytes() > 64 * KiB) sent += channel.flush().size();
        return Flow::open;
    }
    void subscriptions_changed(std::string_view, std::size_t, std::size_t) override {}

    wire::Channel channel = opened();
    std::uint64_t sent = 0;

private:
    class Nobody final : public wire::Channel::Sink {
        void hello(Bytes) override {}
        void welcome(Bytes) override {}
        void refused(const Error&) override {}
        void message(wire::MessageType, Bytes) override {}
    };
    static wire::Channel opened() {
        wire::Channel client(wire::Side::connecting, {}), server(wire::Side::accepting, {});
        Nobody nobody;
        (void)client.hello({});
        (void)server.receive(client.flush(), nobody);
        (void)server.welcome({});
        (void)server.flush();
        return server;
    }
};

void put_and_commit(benchmark::State& state) {
    Draft draft = ten_fields();
    std::int64_t value = 100;
    std::size_t bytes = 0;
    for (auto each : state) {
        (void)each;
        (void)draft.put("field7", ++value);
        bytes += draft.commit()->size();
    }
    state.SetItemsProcessed(state.iterations());
    state.counters["bytes_each"] = static_cast<double>(bytes) /
                                   static_cast<double>(state.iterations());
}
BENCHMARK(put_and_commit);

struct Changes {
    Buffer image;
    std::vector<Buffer> deltas;
};

Changes thousand_changes() {
    Changes made;
    Draft draft = ten_fields();
    encode_image(draft.image(), made.image);
    for (int i = 0; i < 1000; ++i) {
        (void)draft.put("field7", 1000 + i);
        made.deltas.push_back(*draft.commit());
    }
    return made;
}

void publish(benchmark::State& state) {
    const auto subscribers = static_cast<std::uint64_t>(state.range(0));
    const auto [image, deltas] = thousand_changes();
    Channels channels;
    Publisher publisher(channels);
    const RecordId record = publisher.create("record", image).value_or_throw();
    publisher.activate(Epoch{1});
    for (std::uint64_t i = 0; i < subscribers; ++i) {
        publisher.link_added(LinkId{i});
        publisher.subscribe(LinkId{i}, SubscriptionId{1}, "record");
    }
    std::size_t next = 0;
    for (auto each : state) {
        (void)each;
        (void)publisher.commit(record, deltas[next]);
        next = (next + 1) % deltas.size();
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
    state.counters["checksum"] = static_cast<double>(channels.sent % 65536);
}
BENCHMARK(publish)->Arg(1)->Arg(10)->Arg(100);

void mirror(benchmark::State& state) {
    const bool wants_change = state.range(0) != 0;
    const auto [image, deltas] = thousand_changes();
    Mirror mirror;
    (void)mirror.apply_image(Epoch{1}, Sequence{1}, image);
    RecordChange change;
    std::uint64_t sequence = 1;
    std::int64_t sum = 0;
    for (auto each : state) {
        (void)each;
        ++sequence;
        (void)mirror.apply_delta(Epoch{1}, Sequence{sequence}, deltas[sequence % deltas.size()],
                                 wants_change ? &change : nullptr);
        sum += *mirror.image().integer("field7");
    }
    state.SetItemsProcessed(state.iterations());
    state.counters["checksum"] = static_cast<double>(sum % 65536);
}
BENCHMARK(mirror)->Arg(0)->Arg(1);

}  // namespace
}  // namespace understudy::record
