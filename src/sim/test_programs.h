#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/runtime.h"
#include "sim/world.h"

namespace understudy::sim {

/// A program that does nothing; tests act through its runtime.
struct Idle {};
inline std::unique_ptr<Idle> idle(Runtime&, Log&) { return std::make_unique<Idle>(); }

/// One end of a connection that records everything it gets.
class Heard final : public Connection::Observer {
public:
    explicit Heard(std::unique_ptr<Connection> of) : connection(std::move(of)) {
        connection->start(*this);
    }
    void received(Bytes data) override {
        text += as_text(data);
        pieces.push_back(data.size());
        if (on_received) on_received();
    }
    void drained() override { ++drains; }
    void closed(const Error& reason) override { ended = reason; }

    std::unique_ptr<Connection> connection;
    std::string text;
    std::vector<std::size_t> pieces;
    int drains = 0;
    std::optional<Error> ended;
    std::function<void()> on_received;
};

/// Listens on a port and keeps the connections.
class Server {
public:
    static constexpr std::uint16_t port = 7000;

    explicit Server(Runtime& runtime, const std::string& host = "",
                    const std::optional<TlsOptions>& tls = {}) {
        auto opened = runtime.network().listen({host, port}, tls, [this](auto connection) {
            ends.push_back(std::make_unique<Heard>(std::move(connection)));
        });
        US_ASSERT(opened);
        listener = std::move(*opened);
    }

    std::unique_ptr<Listener> listener;
    std::vector<std::unique_ptr<Heard>> ends;
};

/// Connects to a Server once and keeps the result.
class Client {
public:
    explicit Client(Runtime& runtime, const std::string& host, Duration timeout = 10s,
                    const std::optional<TlsOptions>& tls = {}) {
        attempt = runtime.network().connect({host, Server::port}, tls, timeout, [this](auto made) {
            if (made) {
                end = std::make_unique<Heard>(std::move(*made));
            } else {
                failure = made.error();
            }
        });
    }
    void send(std::string_view text) { end->connection->send(as_bytes(text)); }

    std::unique_ptr<Attempt> attempt;
    std::unique_ptr<Heard> end;
    std::optional<Error> failure;
};

/// A connected server and client on two machines.
struct Pair {
    explicit Pair(WorldOptions options = {}) : world(std::move(options)) {
        world.add_node("a");
        world.add_node("b");
        server = &world.node("a").start(
            "server", [](Runtime& runtime, Log&) { return std::make_unique<Server>(runtime); });
        client = &world.node("b").start("client", [](Runtime& runtime, Log&) {
            return std::make_unique<Client>(runtime, "a");
        });
        US_ASSERT(world.run_until([&] { return near().end && far(); }, 5s));
    }
    [[nodiscard]] Client& near() { return client->app<Client>(); }
    [[nodiscard]] Heard* far() {
        auto& ends = server->app<Server>().ends;
        return ends.empty() ? nullptr : ends.back().get();
    }

    World world;
    Process* server = nullptr;
    Process* client = nullptr;
};

/// Greets its peers every few milliseconds, writes every greeting that it gets to its disk, and
/// connects again after each loss. It is the load for the simulator's own tests.
class Gossip final {
public:
    static constexpr std::uint16_t port = 7;

    Gossip(Runtime& runtime, Log& log, std::vector<std::string> peers)
        : runtime_(runtime), log_(log), peers_(std::move(peers)) {
        open_notes();
        listen();
        for (std::size_t i = 0; i < peers_.size(); ++i) dial(i);
        greet_later();
    }

    [[nodiscard]] std::uint64_t heard() const { return heard_; }
    [[nodiscard]] std::uint64_t synced() const { return synced_; }

private:
    struct Line final : Connection::Observer {
        Line(Gossip& in, std::unique_ptr<Connection> of, std::function<void()> then)
            : gossip(in), connection(std::move(of)), over(std::move(then)) {
            connection->start(*this);
        }
        void received(Bytes data) override { gossip.hear(data.size()); }
        void drained() override {}
        void closed(const Error&) override { gossip.later(over); }

        Gossip& gossip;
        std::unique_ptr<Connection> connection;
        std::function<void()> over;
    };

    void open_notes() {
        (void)runtime_.disk().make_directory("/gossip");
        auto opened = runtime_.disk().open("/gossip/notes", Disk::Open::create);
        if (opened) notes_ = std::shared_ptr<File>(std::move(*opened));
    }
    void listen() {
        auto opened = runtime_.network().listen({"", port}, {}, [this](auto connection) {
            const std::uint64_t id = ++last_id_;
            in_[id] =
                std::make_unique<Line>(*this, std::move(connection), [this, id] { in_.erase(id); });
        });
        US_ASSERT(opened);
        listener_ = std::move(*opened);
    }
    void dial(std::size_t peer) {
        dialling_[peer] =
            runtime_.network().connect({peers_[peer], port}, {}, 1s, [this, peer](auto connection) {
                if (!connection) return later([this, peer] { dial(peer); });
                out_[peer] = std::make_unique<Line>(*this, std::move(*connection), [this, peer] {
                    out_.erase(peer);
                    dial(peer);
                });
            });
    }
    // Not at once, because the object to destroy may be the caller.
    void later(std::function<void()> task) {
        const std::uint64_t id = ++last_id_;
        timers_[id] = runtime_.at(runtime_.now() + runtime_.random().between(1ms, 50ms),
                                  [this, id, task = std::move(task)] {
                                      const auto self = timers_.extract(id);
                                      task();
                                  });
    }
    void greet_later() {
        greeting_ = runtime_.at(runtime_.now() + runtime_.random().between(1ms, 9ms), [this] {
            for (auto& [peer, line] : out_) {
                if (line->connection->backlog_bytes() > 64 * KiB) continue;
                line->connection->send(Buffer(1 + runtime_.random().below(300)));
            }
            greet_later();
        });
    }
    void hear(std::size_t bytes) {
        heard_ += bytes;
        if (!notes_ || noting_ || failed_) return;
        noting_ = true;
        const auto outcome = std::make_shared<bool>(false);
        runtime_.worker("notes").submit(
            [file = notes_, at = heard_, outcome] {
                *outcome = file->write_at(at % 5000, as_bytes("greeting")) && file->sync();
            },
            [this, outcome] {
                noting_ = false;
                failed_ = !*outcome;
                synced_ += *outcome;
                if (failed_) log_.warn("gossip.notes_failed", {kv("synced", synced_)});
            },
            Worker::Place::inline_if_idle);
    }

    Runtime& runtime_;
    Log& log_;
    const std::vector<std::string> peers_;
    std::shared_ptr<File> notes_;
    std::unique_ptr<Listener> listener_;
    std::map<std::size_t, std::unique_ptr<Attempt>> dialling_;
    std::map<std::size_t, std::unique_ptr<Line>> out_;
    std::map<std::uint64_t, std::unique_ptr<Line>> in_;
    std::map<std::uint64_t, std::unique_ptr<Timer>> timers_;
    std::unique_ptr<Timer> greeting_;
    std::uint64_t last_id_ = 0;
    std::uint64_t heard_ = 0;
    std::uint64_t synced_ = 0;
    bool noting_ = false;
    bool failed_ = false;
};

/// `count` machines "g0", "g1"... of a world, each with a Gossip that knows all others.
inline void start_gossip(World& world, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) world.add_node("g" + std::to_string(i));
    for (std::size_t i = 0; i < count; ++i) {
        std::vector<std::string> peers;
        for (std::size_t other = 0; other < count; ++other) {
            if (other != i) peers.push_back("g" + std::to_string(other));
        }
        world.node("g" + std::to_string(i)).start("gossip", [peers](Runtime& runtime, Log& log) {
            return std::make_unique<Gossip>(runtime, log, peers);
        });
    }
}

}  // namespace understudy::sim
