#include "sim/network/fabric.h"

#include <algorithm>

#include <fmt/format.h>

#include "sim/draw.h"
#include "sim/network/sim_network.h"
#include "sim/node.h"
#include "sim/sim_runtime.h"
#include "sim/world.h"

namespace understudy::sim {
namespace {

constexpr Duration resolve_time = 200us;
constexpr Duration syn_again_first = 1s;
constexpr Duration timeout_max = std::chrono::hours(24 * 365);  // Beyond this it means never.
constexpr std::size_t read_max = 64 * KiB;

bool is_loopback(const std::string& host) {
    return host == "localhost" || host == "127.0.0.1" || host == "::1";
}
bool is_any(const std::string& host) { return host.empty() || host == "0.0.0.0" || host == "::"; }

Result<void> check_local_path(const Address& address) {
    if (!is_local(address) || address.host.size() <= local_path_max) return {};
    return Error{.code = Errc::bad_config,
                 .detail = fmt::format("{}: the path of a socket has at most {} bytes",
                                       address.host, local_path_max)};
}

// In the simulator, the name in a certificate is the stem of its file's name, with '/' for ':'.
std::string identity_of(const TlsOptions& tls) {
    const std::string& path = tls.certificate_file;
    const std::size_t slash = path.rfind('/');
    const std::string file = slash == std::string::npos ? path : path.substr(slash + 1);
    std::string name = file.substr(0, file.rfind('.'));
    std::replace(name.begin(), name.end(), ':', '/');
    return name;
}

}  // namespace

/// A port with a listener.
struct Fabric::Open {
    struct Waiting {  // A connection that was not accepted yet.
        std::uint64_t stream;
        Address peer;
        std::optional<std::string> identity;
    };
    SimRuntime* runtime;
    Address address;
    std::optional<TlsOptions> tls;
    Network::Accepted accepted;
    std::vector<Waiting> queue = {};
};

class Fabric::SimHeldPort final : public HeldPort {
public:
    SimHeldPort(Fabric& fabric, Port port, Address address)
        : fabric_(fabric), port_(std::move(port)), address_(std::move(address)) {}
    SimHeldPort(const SimHeldPort&) = delete;
    SimHeldPort& operator=(const SimHeldPort&) = delete;
    ~SimHeldPort() override { fabric_.held_.erase(port_); }
    [[nodiscard]] const Address& address() const override { return address_; }

private:
    Fabric& fabric_;
    const Port port_;
    const Address address_;
};

/// A connection attempt, from the dial to the call of its handler.
struct Fabric::Dial {
    SimRuntime* runtime;
    Dialling wanted;
    Network::Connected connected;
    Node* target = nullptr;
    std::uint64_t stream = 0;                  // Set once the other side has answered.
    std::optional<std::string> identity = {};  // Of the other side.
    std::optional<Error> outcome = {};
    Duration retry = syn_again_first;
};

class Fabric::SimListener final : public Listener {
public:
    SimListener(Fabric& fabric, std::uint64_t id, Address address)
        : fabric_(fabric), id_(id), address_(std::move(address)) {}
    SimListener(const SimListener&) = delete;
    SimListener& operator=(const SimListener&) = delete;
    ~SimListener() override { fabric_.close(id_); }
    [[nodiscard]] const Address& address() const override { return address_; }

private:
    Fabric& fabric_;
    const std::uint64_t id_;
    const Address address_;
};

class Fabric::SimAttempt final : public Attempt {
public:
    SimAttempt(Fabric& fabric, std::uint64_t id) : fabric_(fabric), id_(id) {}
    SimAttempt(const SimAttempt&) = delete;
    SimAttempt& operator=(const SimAttempt&) = delete;
    ~SimAttempt() override { fabric_.give_up(id_); }

private:
    Fabric& fabric_;
    const std::uint64_t id_;
};

Fabric::Fabric(World& world)
    : world_(world), random_(world.fork("network", 0)), read_buffer_(read_max) {}

Fabric::~Fabric() = default;

Result<void> Fabric::check_own(SimRuntime& runtime, const std::string& host) const {
    if (!runtime.alive()) return Error{.code = Errc::closed, .detail = "the process is dead"};
    if (is_any(host) || resolve(host, runtime.node()) == &runtime.node()) return {};
    return Error{.code = Errc::bad_config,
                 .detail = fmt::format("{}: not an address of this host", host)};
}

std::uint16_t Fabric::free_port(Node& node) {
    for (;;) {
        const Address next{.host = {}, .port = node.new_port()};
        const Port port = port_of(node, next);
        if (!ports_.contains(port) && !held_.contains(port)) return next.port;
    }
}

Result<std::unique_ptr<HeldPort>> Fabric::hold_port(SimRuntime& runtime, const std::string& host) {
    US_CHECK(check_own(runtime, host));
    Address address{.host = host, .port = free_port(runtime.node())};
    const Port port = port_of(runtime.node(), address);
    held_.insert(port);
    return std::unique_ptr<HeldPort>(
        std::make_unique<SimHeldPort>(*this, port, std::move(address)));
}

Result<std::unique_ptr<Listener>> Fabric::listen(SimRuntime& runtime, const Address& address,
                                                 const std::optional<TlsOptions>& tls,
                                                 Network::Accepted accepted) {
    US_CHECK(check_own(runtime, address.host));
    Node& node = runtime.node();
    Address bound = address;
    if (is_local(address)) {
        US_CHECK(check_local_path(address));
        bound.port = 0;
    } else if (bound.port == 0) {
        bound.port = free_port(node);
    }
    const std::uint64_t id = ++last_id_;
    if (!ports_.emplace(port_of(node, bound), id).second) {
        return Error{.code = Errc::in_use, .detail = to_string(bound)};
    }
    note(runtime, "net.listen", bound.port, 0);
    open_.emplace(id, std::make_shared<Open>(Open{&runtime, bound, tls, std::move(accepted)}));
    return std::unique_ptr<Listener>(std::make_unique<SimListener>(*this, id, std::move(bound)));
}

std::unique_ptr<Attempt> Fabric::dial(SimRuntime& runtime, Dialling dialling,
                                      Network::Connected connected) {
    const std::uint64_t id = ++last_id_;
    if (!runtime.alive()) return std::make_unique<SimAttempt>(*this, id);
    Dial& dial =
        dials_.emplace(id, Dial{&runtime, std::move(dialling), std::move(connected)}).first->second;
    dial.target = resolve(dial.wanted.address.host, runtime.node());
    note(runtime, "net.dial", id, dial.wanted.address.port);
    if (const auto fine = check_local_path(dial.wanted.address); !fine) {
        world_.at(now(), [this, id, error = fine.error()] { fail(id, error); });
    } else if (dial.target == nullptr) {
        const std::string detail = fmt::format("{}: no such host", dial.wanted.address.host);
        world_.at(now() + resolve_time,
                  [this, id, detail] { fail(id, {.code = Errc::unavailable, .detail = detail}); });
    } else {
        world_.at(now() + delay(runtime.node(), *dial.target), [this, id] { syn(id); });
    }
    world_.at(now() + std::min(dial.wanted.timeout, timeout_max), [this, id] {
        fail(id, {.code = Errc::timed_out, .detail = "no connection in time"});
    });
    return std::make_unique<SimAttempt>(*this, id);
}

// The first packet arrives, or is lost.
void Fabric::syn(std::uint64_t id) {
    const auto found = dials_.find(id);
    if (found == dials_.end() || !found->second.runtime->alive() || found->second.stream) return;
    Dial& dial = found->second;
    if (!passes(dial.runtime->node(), *dial.target)) return syn_again(id);

    const auto at = ports_.find(port_of(*dial.target, dial.wanted.address));
    const bool local = dial.target == &dial.runtime->node();
    if (at == ports_.end() || (!local && is_loopback(open_.at(at->second)->address.host))) {
        const std::string detail = to_string(dial.wanted.address) + ": connection refused";
        return answer_later(id, Error{.code = Errc::unavailable, .detail = detail}, 1);
    }
    const std::uint64_t number = at->second;
    Open& open = *open_.at(number);
    if (open.tls.has_value() != dial.wanted.tls.has_value()) {
        return answer_later(id, Error{.code = Errc::denied, .detail = "TLS on one side only"}, 1);
    }
    if (open.queue.size() >= accept_queue_max) return syn_again(id);

    dial.stream = ++last_id_;
    streams_.emplace(dial.stream,
                     std::make_unique<Stream>(*this, dial.stream, *dial.runtime, *open.runtime));
    Node& from = dial.runtime->node();
    const bool has_path = is_local(open.address);
    Address peer = has_path ? open.address : Address{from.name(), free_port(from)};
    open.queue.push_back({dial.stream, std::move(peer), std::nullopt});
    if (!open.tls) {
        answer_later(id, std::nullopt, 1);
        return accept_later(dial.stream, number, 2 * delay(*dial.target, from));
    }
    open.queue.back().identity = identity_of(*dial.wanted.tls);
    dial.identity = identity_of(*open.tls);
    // The handshake needs the program itself, not only its kernel.
    open.runtime->deliver(SimRuntime::Cause::socket, dial.stream << 1 | 1,
                          [this, id, number, stream = dial.stream, since = now()] {
                              const bool in_time = now() - since <= tls_handshake_max;
                              if (!in_time || !handshake(id, number)) turn_away(stream, number);
                          });
}

void Fabric::syn_again(std::uint64_t id) {
    Dial& dial = dials_.at(id);
    world_.at(now() + dial.retry, [this, id] { syn(id); });
    dial.retry *= 2;
}

bool Fabric::handshake(std::uint64_t id, std::uint64_t open) {
    const auto found = dials_.find(id);
    if (found == dials_.end()) return false;
    const Dial& dial = found->second;
    accept_later(dial.stream, open, 4 * delay(*dial.target, dial.runtime->node()));
    answer_later(id, std::nullopt, 3);
    return true;
}

void Fabric::turn_away(std::uint64_t number, std::uint64_t id) {
    const auto found = open_.find(id);
    if (found == open_.end()) return;  // It was closed, and the stream with it.
    std::erase_if(found->second->queue, [&](const auto& one) { return one.stream == number; });
    if (Stream* const stream = find(number)) stream->abandon(1);
}

void Fabric::answer_later(std::uint64_t id, std::optional<Error> outcome, int trips) {
    Dial& dial = dials_.at(id);
    dial.outcome = std::move(outcome);
    world_.at(now() + trips * delay(*dial.target, dial.runtime->node()),
              [this, id] { answer(id); });
}

void Fabric::answer(std::uint64_t id) {
    const auto found = dials_.find(id);
    if (found == dials_.end()) return;
    Dial& dial = found->second;
    if (!passes(*dial.target, dial.runtime->node())) {
        world_.at(now() + dial.retry, [this, id] { answer(id); });
        dial.retry *= 2;
        return;
    }
    dial.runtime->deliver(SimRuntime::Cause::socket, dial.stream << 1,
                          [this, id] { complete(id); });
}

void Fabric::complete(std::uint64_t id) {
    const auto found = dials_.find(id);
    if (found == dials_.end()) return;
    if (found->second.outcome) return fail(id, *found->second.outcome);
    Dial dial = std::move(dials_.extract(found).mapped());
    Stream* const stream = find(dial.stream);
    if (stream == nullptr || !stream->open(0)) {
        return dial.connected(Error{.code = Errc::unavailable, .detail = "connection reset"});
    }
    note(*dial.runtime, "net.connected", id, dial.stream);
    dial.connected(std::make_unique<SimConnection>(*stream, 0, dial.wanted.address, dial.identity));
}

// It may be called after the end, or outside a turn.
void Fabric::fail(std::uint64_t id, Error why) {
    const auto found = dials_.find(id);
    if (found == dials_.end() || !found->second.runtime->alive()) return;
    SimRuntime& runtime = *found->second.runtime;
    if (!runtime.inside()) {
        return runtime.deliver(SimRuntime::Cause::socket, 0, [this, id, why] { fail(id, why); });
    }
    Dial dial = std::move(dials_.extract(found).mapped());
    if (Stream* const stream = find(dial.stream)) stream->abandon(0);
    note(runtime, "net.not_connected", id, static_cast<std::uint64_t>(why.code));
    dial.connected(std::move(why));
}

void Fabric::give_up(std::uint64_t id) {
    const auto found = dials_.find(id);
    if (found == dials_.end()) return;
    const Dial dropped = std::move(dials_.extract(found).mapped());
    if (Stream* const stream = find(dropped.stream)) stream->abandon(0);
}

void Fabric::accept_later(std::uint64_t stream, std::uint64_t open, Duration wait) {
    world_.at(now() + wait, [this, stream, open] { accept(stream, open); });
}

// The last packet of the handshake arrives, or is lost.
void Fabric::accept(std::uint64_t number, std::uint64_t open) {
    Stream* const stream = find(number);
    if (stream == nullptr || !stream->open(1)) return;
    if (!passes(stream->runtime(0).node(), stream->runtime(1).node())) {
        return accept_later(number, open, syn_again_first);
    }
    stream->runtime(1).deliver(SimRuntime::Cause::socket, number << 1 | 1,
                               [this, number, open] { hand_over(number, open); });
}

void Fabric::hand_over(std::uint64_t number, std::uint64_t id) {
    const auto found = open_.find(id);
    if (found == open_.end()) return;    // It was closed, and the stream with it.
    const OpenPtr open = found->second;  // The call may destroy the listener.
    const auto waiting = std::find_if(open->queue.begin(), open->queue.end(),
                                      [&](const auto& one) { return one.stream == number; });
    if (waiting == open->queue.end()) return;
    Open::Waiting peer = std::move(*waiting);
    open->queue.erase(waiting);
    Stream* const stream = find(number);
    if (stream == nullptr || !stream->open(1)) return;
    note(*open->runtime, "net.accepted", number, 0);
    open->accepted(std::make_unique<SimConnection>(*stream, 1, std::move(peer.peer),
                                                   std::move(peer.identity)));
}

void Fabric::close(std::uint64_t id) {
    const auto found = open_.find(id);
    if (found == open_.end()) return;
    const OpenPtr open = std::move(open_.extract(found).mapped());
    if (!open->runtime->alive()) return;  // Its port is free already.
    ports_.erase(port_of(open->runtime->node(), open->address));
    for (const auto& waiting : open->queue) {
        if (Stream* const stream = find(waiting.stream)) stream->abandon(1);
    }
}

void Fabric::add_node() {
    const std::size_t count = links_.size() + 1;
    links_.resize(count);
    for (auto& row : links_) {
        while (row.size() < count) {
            row.push_back({.base = random_.between(options().latency_min, options().latency_max)});
        }
    }
    links_.back().back().base = options().loopback;
}

void Fabric::set_cut(const Node& from, const Node& to, bool cut) {
    US_ASSERT(&from != &to);
    link(from, to).cut = cut;
    if (!cut) paths_changed();
}

void Fabric::set_extra_delay(const Node& a, const Node& b, Duration extra) {
    link(a, b).extra = extra;
    link(b, a).extra = extra;
}

void Fabric::heal_all() {
    for (auto& row : links_) {
        for (Link& one : row) {
            one.cut = false;
            one.extra = Duration::zero();
        }
    }
    paths_changed();
}

void Fabric::paths_changed() {
    for (const auto& [number, stream] : streams_) stream->path_changed();
}

std::size_t Fabric::reset(const Node& a, const Node& b) {
    std::size_t count = 0;
    for (const auto& [number, stream] : streams_) {
        const Node* const first = &stream->runtime(0).node();
        const Node* const second = &stream->runtime(1).node();
        if ((first == &a && second == &b) || (first == &b && second == &a)) {
            stream->break_now();
            ++count;
        }
    }
    return count;
}

void Fabric::lose_process(SimRuntime& runtime, Goodbye goodbye) {
    for (const auto& [number, stream] : streams_) {
        for (const Stream::Side side : {Stream::Side{0}, Stream::Side{1}}) {
            if (&stream->runtime(side) == &runtime) stream->lose_process(side, goodbye);
        }
    }
    std::erase_if(ports_,
                  [&](const auto& one) { return open_.at(one.second)->runtime == &runtime; });
}

void Fabric::forget(SimRuntime& runtime) {
    // The dropped objects come back here when they are destroyed, so that must not happen during
    // the walk.
    std::vector<Dial> dials;
    std::vector<OpenPtr> opened;
    for (auto at = dials_.begin(); at != dials_.end();) {
        const auto next = std::next(at);
        if (at->second.runtime == &runtime) dials.push_back(std::move(dials_.extract(at).mapped()));
        at = next;
    }
    for (auto at = open_.begin(); at != open_.end();) {
        const auto next = std::next(at);
        if (at->second->runtime == &runtime)
            opened.push_back(std::move(open_.extract(at).mapped()));
        at = next;
    }
}

void Fabric::reap() {
    for (const std::uint64_t number : std::exchange(over_, {})) {
        const auto found = streams_.find(number);
        if (found != streams_.end() && found->second->over()) streams_.erase(found);
    }
}

TimePoint Fabric::now() const { return world_.now(); }

const NetworkOptions& Fabric::options() const { return world_.options().network; }

bool Fabric::passes(const Node& from, const Node& to) const {
    return from.powered() && to.powered() && !links_[from.number()][to.number()].cut;
}

Duration Fabric::delay(const Node& from, const Node& to) {
    const Link& way = link(from, to);
    Duration total = way.base + way.extra + exponential(random_, options().jitter);
    if (happens(random_, options().tail_rate)) {
        total += random_.between(Duration::zero(), options().tail_max);
    }
    return total;
}

std::span<std::byte> Fabric::read_buffer(std::size_t unread) {
    std::size_t count = std::min(unread, read_max);
    if (count > 1 && happens(random_, options().split_rate)) count = 1 + random_.below(count);
    return std::span(read_buffer_).first(count);
}

void Fabric::note(SimRuntime& runtime, std::string_view site, std::uint64_t a, std::uint64_t b) {
    world_.trace().note(now(), runtime.name(), site, a, b);
}

Stream* Fabric::find(std::uint64_t stream) {
    const auto found = streams_.find(stream);
    return found == streams_.end() ? nullptr : found->second.get();
}

Fabric::Port Fabric::port_of(const Node& node, const Address& address) {
    if (is_local(address)) return {.node = node.number(), .number = 0, .path = address.host};
    return {.node = node.number(), .number = address.port, .path = {}};
}

Node* Fabric::resolve(const std::string& host, Node& from) const {
    if (is_local({.host = host})) return &from;
    return is_any(host) || is_loopback(host) ? &from : world_.resolve(host);
}

Fabric::Link& Fabric::link(const Node& from, const Node& to) {
    return links_[from.number()][to.number()];
}

}  // namespace understudy::sim
