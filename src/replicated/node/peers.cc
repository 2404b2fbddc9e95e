#include "replicated/node/peers.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "link/identity.h"

namespace understudy::replicated {

namespace {
constexpr std::string_view refused_event = "replicated.peer_refused";
}

Peers::Peers(Runtime& runtime, Log& log, Options options, Observer& observer)
    : runtime_(runtime),
      log_(log),
      options_(std::move(options)),
      observer_(observer),
      acceptor_(runtime, log, {.links_max = strangers_max, .refused_event = refused_event},
                static_cast<link::Acceptor::Observer&>(*this)) {}

Peers::~Peers() = default;

Result<void> Peers::start() {
    listener_ = US_TRY(runtime_.network().listen(options_.listen, options_.tls,
                                                 [this](std::unique_ptr<Connection> connection) {
                                                     acceptor_.accept(std::move(connection));
                                                 }));
    for (auto& [name, row] : rows_) retry(row);
    return {};
}

void Peers::stop() {
    stopped_ = true;
    listener_.reset();
    acceptor_.clear();
    for (auto& [name, row] : rows_) {
        row.timer.reset();
        row.dial.reset();
        row.watch.reset();
        row.link.reset();
        row.peer.link = nullptr;
        row.peer.identity = 0;
    }
}

void Peers::learn(const std::string& name, const Address& address) {
    if (name == options_.name || address.port == 0) return;
    auto [found, is_new] = rows_.try_emplace(name, *this, name);
    Row& row = found->second;
    const auto known = std::find(row.addresses.begin(), row.addresses.end(), address);
    if (known == row.addresses.end()) {
        if (row.addresses.size() >= addresses_max) row.addresses.pop_back();
        row.addresses.push_back(address);
    }
    if (is_new && listener_ != nullptr && !stopped_) retry(row);
}

void Peers::trust(Row& row, const Address& address) {
    if (address.port == 0) return;
    std::erase(row.addresses, address);
    row.addresses.insert(row.addresses.begin(), address);
    if (row.addresses.size() > addresses_max) row.addresses.pop_back();
    row.next_address = 0;
}

const Peers::Peer* Peers::find(std::string_view name) const {
    const auto found = rows_.find(name);
    if (found == rows_.end() || found->second.peer.link == nullptr) return nullptr;
    return &found->second.peer;
}

std::string Peers::trouble(std::string_view name) const {
    const auto found = rows_.find(name);
    return found == rows_.end() ? std::string() : found->second.trouble;
}

std::vector<const Peers::Peer*> Peers::connected() const {
    std::vector<const Peer*> result;
    for (const auto& [name, row] : rows_) {
        if (row.peer.link != nullptr) result.push_back(&row.peer);
    }
    return result;
}

const Address& Peers::address() const {
    US_ASSERT(listener_ != nullptr);
    return options_.advertise ? *options_.advertise : listener_->address();
}

Hello Peers::hello() const {
    return {.platform = options_.platform,
            .name = options_.name,
            .address = address(),
            .identity = options_.identity,
            .process = runtime_.host().self()};
}

Result<void> Peers::check(const link::Link& link, const Hello& hello) const {
    if (hello.platform != options_.platform) {
        return Error{.code = Errc::refused,
                     .detail = fmt::format("node {} is of platform {}, not {}", hello.name,
                                           hello.platform, options_.platform)};
    }
    if (hello.name == options_.name || hello.identity == options_.identity) {
        return Error{
            .code = Errc::refused,
            .detail = fmt::format("two nodes are named {} or have a copy of one log", hello.name)};
    }
    const auto identity = link.peer_identity();
    if (identity && *identity != hello.name &&
        !link::names_member(*identity, options_.family, hello.name)) {
        return Error{
            .code = Errc::denied,
            .detail = fmt::format("node {} shows the certificate of {}", hello.name, *identity)};
    }
    return {};
}

// --- Dialling --------------------------------------------------------------------------------

void Peers::retry(Row& row) {
    if (stopped_) return;
    Duration wait = knock_interval;
    if (dials(row)) {
        wait = row.wait == Duration::zero() ? Duration::zero()
                                            : runtime_.random().between(row.wait / 2, row.wait);
        row.wait = std::clamp(2 * row.wait, options_.retry_min, options_.retry_max);
    }
    if (row.suspected) wait = Duration::zero();
    row.timer = runtime_.at(runtime_.now() + wait, [this, &row] { dial(row); });
}

void Peers::dial(Row& row) {
    row.timer.reset();
    if (stopped_ || row.link != nullptr || row.dial != nullptr) return;
    if (row.addresses.empty()) return retry(row);
    const Address address = row.addresses[row.next_address++ % row.addresses.size()];
    row.dial = std::make_unique<link::Dial>(
        runtime_,
        link::Dial::Options{
            .address = address, .tls = options_.tls, .connect_timeout = options_.connect_timeout},
        [this] { return encode(hello()); },
        [this, &row](Result<link::Dial::Welcomed> result) { answered(row, std::move(result)); });
}

void Peers::answered(Row& row, Result<link::Dial::Welcomed> result) {
    const auto dialled = std::move(row.dial);
    if (!result) return dial_failed(row, result.error(), dialled->said_hello().has_value());
    const auto hello = decode_hello(result->opaque);
    Result<void> checked = hello ? check(*result->link, *hello) : Result<void>(hello.error());
    if (checked && hello->name != row.peer.name) {
        checked = Error{
            .code = Errc::refused,
            .detail = fmt::format("{} answers where {} was expected", hello->name, row.peer.name)};
    }
    if (!checked) {
        acceptor_.refusals().heard(refused_event, kv("peer", row.peer.name), checked.error());
        row.suspected = false;
        return retry(row);
    }
    establish(row, std::move(result->link), *hello);
}

void Peers::dial_failed(Row& row, const Error& reason, bool connected) {
    const bool suspected = std::exchange(row.suspected, false);
    if (!connected) row.trouble = reason.detail;
    complain(row, reason);
    retry(row);
    if (!connected && suspected && reason.code == Errc::unavailable) gone(row.peer.name);
}

/// A node that cannot be reached is not reported. A node that answers, but is not the expected one,
/// is reported.
void Peers::complain(const Row& row, const Error& reason) {
    if (!link::blames_peer(reason)) return;
    acceptor_.refusals().heard(refused_event, kv("peer", row.peer.name), reason);
}

// --- Being dialled ---------------------------------------------------------------------------

void Peers::peer_hello(LinkId id, Bytes opaque) {
    const auto hello = decode_hello(opaque);
    const link::Link& link = *acceptor_.find(id);
    const Result<void> checked = hello ? check(link, *hello) : Result<void>(hello.error());
    if (!checked) {
        // A node of another platform, or a second node with the same name, is reported too.
        if (!link::blames_peer(checked.error())) {
            acceptor_.refusals().heard(refused_event, link.peer(), checked.error());
        }
        return acceptor_.refuse(id, checked.error());
    }
    learn(hello->name, hello->address);
    Row& row = rows_.at(hello->name);
    trust(row, hello->address);
    if (dials(row)) {
        acceptor_.refuse(id, {.code = Errc::refused, .detail = options_.name + " dials"});
        // A node that dials is not connected, so the present connection has no other end any more.
        // The exception is a new connection that was made while this dial was on its way.
        const bool crossed = row.link != nullptr && row.process == hello->process &&
                             runtime_.now() - row.since < knock_interval;
        if (!crossed) {
            drop(row);
            row.wait = Duration::zero();
            retry(row);
        }
        return;
    }
    auto released = acceptor_.release(id, encode(this->hello()), row);
    establish(row, std::move(released), *hello);
}

// --- In use ----------------------------------------------------------------------------------

// Messages that still arrive on the old connection are ignored.
void Peers::drop(Row& row) {
    if (row.link == nullptr) return;
    row.link.reset();
    row.peer.link = nullptr;
    observer_.peer_lost(row.peer.name);
}

void Peers::establish(Row& row, std::unique_ptr<link::Link> link, const Hello& hello) {
    drop(row);
    row.timer.reset();
    row.dial.reset();
    row.link = std::move(link);
    row.link->observe(row);
    row.peer.link = row.link.get();
    row.peer.identity = hello.identity;
    row.wait = Duration::zero();
    row.suspected = false;
    row.trouble.clear();
    row.process = hello.process;
    row.since = runtime_.now();
    trust(row, hello.address);
    row.watch = runtime_.host().watch(hello.process, [this, name = row.peer.name] { gone(name); });
    log_.info("replicated.peer_connected",
              {kv("peer", row.peer.name), kv("address", to_string(row.link->peer()))});
    observer_.peer_connected(row.peer.name, row.peer.identity);
}

void Peers::message(Row& row, wire::MessageType type, Bytes body) {
    const link::Link* const link = row.link.get();
    const auto taken = observer_.peer_message(row.peer.name, type, body);
    if (!taken && row.link.get() == link) row.link->finish(taken.error());
}

void Peers::lost(Row& row, const Error& reason) {
    complain(row, reason);
    const auto link = std::move(row.link);
    row.peer.link = nullptr;
    log_.info("replicated.peer_lost", {kv("peer", row.peer.name), kv("error", reason)});
    // If the port refuses a connection directly after that, the process is taken for dead. If it is
    // alive, the journal fences it off.
    row.suspected = true;
    retry(row);
    observer_.peer_lost(row.peer.name);
}

void Peers::gone(const std::string& name) {
    log_.info("replicated.peer_gone", {kv("peer", name)});
    observer_.peer_gone(name);
}

}  // namespace understudy::replicated
