#include "replicated/node/peers.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "link/identity.h"

namespace understudy::replicated {

Peers::Peers(Runtime& runtime, Log& log, Options options, Observer& observer)
    : runtime_(runtime),
      log_(log),
      refusals_(runtime, log),
      options_(std::move(options)),
      observer_(observer) {}

Peers::~Peers() = default;

Result<void> Peers::start() {
    listener_ = US_TRY(runtime_.network().listen(
        options_.listen, options_.tls,
        [this](std::unique_ptr<Connection> connection) { accepted(std::move(connection)); }));
    for (auto& [name, row] : rows_) retry(row);
    return {};
}

void Peers::stop() {
    stopped_ = true;
    listener_.reset();
    by_link_.clear();
    strangers_.clear();
    for (auto& [name, row] : rows_) {
        row.timer.reset();
        row.attempt.reset();
        row.watch.reset();
        row.dialled.reset();
        row.link.reset();
        row.peer.link = nullptr;
        row.peer.identity = 0;
    }
}

void Peers::learn(const std::string& name, const Address& address) {
    if (name == options_.name || address.port == 0) return;
    auto [found, is_new] = rows_.try_emplace(name);
    Row& row = found->second;
    if (is_new) row.peer.name = name;
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
    row.timer = runtime_.at(runtime_.now() + wait, [this, &row] { connect(row); });
}

void Peers::connect(Row& row) {
    row.timer.reset();
    if (stopped_ || row.link != nullptr || row.dialled != nullptr || row.attempt != nullptr) return;
    if (row.addresses.empty()) return retry(row);
    const Address address = row.addresses[row.next_address++ % row.addresses.size()];
    row.attempt =
        runtime_.network().connect(address, options_.tls, options_.connect_timeout,
                                   [this, &row](Result<std::unique_ptr<Connection>> made) {
                                       connected(row, std::move(made));
                                   });
}

void Peers::connected(Row& row, Result<std::unique_ptr<Connection>> made) {
    const auto attempt = std::move(row.attempt);
    const bool suspected = std::exchange(row.suspected, false);
    if (!made) {
        row.trouble = made.error().detail;
        complain(row, made.error());
        retry(row);
        if (suspected && made.error().code == Errc::unavailable) gone(row.peer.name);
        return;
    }
    if (row.link != nullptr) return;
    row.dialled = std::make_unique<link::Link>(runtime_, *std::move(made), wire::Side::connecting,
                                               link::Link::Options{},
                                               static_cast<link::Link::Observer&>(*this));
    by_link_[row.dialled.get()] = &row;
    row.dialled->hello(encode(hello()));
}

/// Who is away is no news; who is there and not what it should be is.
void Peers::complain(const Row& row, const Error& reason) {
    if (!link::blames_peer(reason)) return;
    refusals_.heard("replicated.peer_refused", kv("peer", row.peer.name), reason);
}

void Peers::link_welcome(link::Link& link, Bytes opaque) {
    Row& row = *by_link_.at(&link);
    const auto hello = decode_hello(opaque);
    Result<void> checked = hello ? check(link, *hello) : Result<void>(hello.error());
    if (checked && hello->name != row.peer.name) {
        checked = Error{
            .code = Errc::refused,
            .detail = fmt::format("{} answers where {} was expected", hello->name, row.peer.name)};
    }
    if (!checked) {
        refusals_.heard("replicated.peer_refused", kv("peer", row.peer.name), checked.error());
        return link.finish(checked.error());
    }
    establish(row, std::move(row.dialled), *hello);
}

// --- Being dialled ---------------------------------------------------------------------------

void Peers::accepted(std::unique_ptr<Connection> connection) {
    // Honest ones say who they are at once: who has not for longest makes way.
    if (strangers_.size() >= strangers_max) strangers_.erase(strangers_.begin());
    strangers_.push_back(std::make_unique<link::Link>(runtime_, std::move(connection),
                                                      wire::Side::accepting, link::Link::Options{},
                                                      static_cast<link::Link::Observer&>(*this)));
}

void Peers::link_hello(link::Link& link, Bytes opaque) {
    const auto hello = decode_hello(opaque);
    const Result<void> checked = hello ? check(link, *hello) : Result<void>(hello.error());
    if (!checked) {
        refusals_.heard("replicated.peer_refused", link.peer(), checked.error());
        return link.refuse(checked.error());
    }
    learn(hello->name, hello->address);
    Row& row = rows_.at(hello->name);
    trust(row, hello->address);
    if (dials(row)) {
        link.refuse({.code = Errc::refused, .detail = options_.name + " dials"});
        // Who dials is not connected: what we take for a connection has lost its other end, unless
        // the two have crossed.
        const bool crossed = row.link != nullptr && row.process == hello->process &&
                             runtime_.now() - row.since < knock_interval;
        if (!crossed) {
            drop(row);
            row.wait = Duration::zero();
            retry(row);
        }
        return;
    }
    const auto stranger = std::find_if(strangers_.begin(), strangers_.end(),
                                       [&](const auto& each) { return each.get() == &link; });
    US_ASSERT(stranger != strangers_.end());
    auto owned = std::move(*stranger);
    strangers_.erase(stranger);
    by_link_[&link] = &row;
    link.welcome(encode(this->hello()));
    establish(row, std::move(owned), *hello);
}

// --- In use ----------------------------------------------------------------------------------

// What the old connection still carries is of the past.
void Peers::drop(Row& row) {
    if (row.link == nullptr) return;
    by_link_.erase(row.link.get());
    row.link.reset();
    row.peer.link = nullptr;
    observer_.peer_lost(row.peer.name);
}

void Peers::establish(Row& row, std::unique_ptr<link::Link> link, const Hello& hello) {
    drop(row);
    row.timer.reset();
    row.attempt.reset();
    if (row.dialled != nullptr) {
        by_link_.erase(row.dialled.get());
        row.dialled.reset();
    }
    row.link = std::move(link);
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

void Peers::link_message(link::Link& link, wire::MessageType type, Bytes body) {
    const auto found = by_link_.find(&link);
    if (found == by_link_.end()) return;
    const std::string name = found->second->peer.name;
    if (auto taken = observer_.peer_message(name, type, body); !taken) {
        refusals_.heard("replicated.peer_refused", kv("peer", name), taken.error());
        if (by_link_.contains(&link)) link.finish(taken.error());
    }
}

void Peers::link_drained(link::Link&) {}

void Peers::link_closed(link::Link& link, const Error& reason) {
    const auto found = by_link_.find(&link);
    if (found == by_link_.end()) {
        if (link::blames_peer(reason)) {
            refusals_.heard("replicated.peer_refused", link.peer(), reason);
        }
        std::erase_if(strangers_, [&](const auto& each) { return each.get() == &link; });
        return;
    }
    Row& row = *found->second;
    complain(row, reason);
    by_link_.erase(found);
    if (row.dialled.get() == &link) {
        const auto dialled = std::move(row.dialled);
        return retry(row);
    }
    lost(row, reason);
}

void Peers::lost(Row& row, const Error& reason) {
    const auto link = std::move(row.link);
    row.peer.link = nullptr;
    log_.info("replicated.peer_lost", {kv("peer", row.peer.name), kv("error", reason)});
    // A port that refuses right after that is as good as proof, where a journal is the fence.
    row.suspected = true;
    retry(row);
    observer_.peer_lost(row.peer.name);
}

void Peers::gone(const std::string& name) {
    log_.info("replicated.peer_gone", {kv("peer", name)});
    observer_.peer_gone(name);
}

}  // namespace understudy::replicated
