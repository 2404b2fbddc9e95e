#include "client/registry_link.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "wire/control.h"

namespace understudy::client {

namespace pb = wire::pb;
using wire::MessageType;

RegistryLink::RegistryLink(Runtime& runtime, Log& log, Options options, pb::Hello hello,
                           Observer& observer)
    : runtime_(runtime),
      log_(log),
      refusals_(runtime, log),
      options_(std::move(options)),
      hello_(std::move(hello)),
      observer_(observer),
      backoff_(options_.retry_min, options_.retry_max) {
    US_ASSERT(!options_.addresses.empty());
    hello_.set_any_node(options_.any_node);
    current_ = options_.addresses.front();
}

void RegistryLink::start() {
    round_.assign(options_.addresses.begin() + 1, options_.addresses.end());
    connect();
}

void RegistryLink::stop() {
    stopped_ = true;
    up_ = false;
    timer_.reset();
    attempt_.reset();
    if (link_ != nullptr) link_->finish({.code = Errc::closed, .detail = "agent closed"});
}

void RegistryLink::connect() {
    attempt_ = runtime_.network().connect(
        current_, options_.tls, options_.connect_timeout,
        [this](Result<std::unique_ptr<Connection>> connected) {
            attempt_.reset();
            if (!connected) return retry(connected.error());
            Link::Options link = options_.link;
            if (candidates().size() > 1) {
                link.handshake_limit = std::min(link.handshake_limit, handshake_max);
            }
            link_ = std::make_unique<Link>(runtime_, *std::move(connected), wire::Side::connecting,
                                           link, static_cast<Link::Observer&>(*this));
            Buffer hello;
            link_->hello(wire::encode(hello_, hello));
        });
}

/// First the configured ones, then the learned ones.
std::vector<Address> RegistryLink::candidates() const {
    std::vector<Address> all = options_.addresses;
    for (const auto& [name, address] : nodes_) {
        if (std::find(all.begin(), all.end(), address) == all.end()) all.push_back(address);
    }
    return all;
}

template <class Message>
void RegistryLink::learn(const Message& message) {
    if (message.nodes().empty()) return;
    nodes_.clear();
    if (names_.size() > 4 * nodes_max) names_.clear();
    for (const pb::RegistryNode& node : message.nodes()) {
        if (nodes_.size() == nodes_max) break;
        const Address address = wire::from_endpoint(node.endpoint());
        if (address.host.empty() || address.port == 0) continue;
        nodes_.emplace(node.name(), address);
        names_[address] = node.name();
    }
}

/// Tries the next address at once. After a round in which none answered there is a pause.
void RegistryLink::retry(const Error& reason) {
    note(reason);
    const bool was_up = up_;
    if (was_up) answered_.reset();
    if (was_up || (!told_down_ && round_.empty())) {
        told_down_ = true;
        up_ = false;
        complain(reason);
        observer_.registry_down(last_error());
        if (stopped_) return;
    } else if (told_down_) {
        complain(reason);
    }
    const bool silent = !was_up || reason.code == Errc::timed_out;
    if (was_up) begin_round();
    if (silent) {
        failed_.insert(current_);
        // The next node is told, so that it does not name this address again.
        const auto name = names_.find(current_);
        if (name != names_.end()) hello_.set_lost_node(name->second);
    } else {
        round_.push_front(current_);  // Perhaps only the connection broke: try the node again.
    }
    next_in_round();
}

/// Logs each reason of each address once.
void RegistryLink::complain(const Error& reason) {
    refusals_.heard("agent.registry_down", kv("registry", to_string(current_)), reason);
}

void RegistryLink::note(Error reason) {
    reasons_[current_] = reason;
    last_error_ = std::move(reason);
}

Error RegistryLink::last_error() const {
    // The answer of a node tells more than that other nodes cannot be reached.
    if (answered_) return *answered_;
    // An error about certificates needs a person. Of the other errors the last one is kept.
    Error whole = last_error_;
    std::string detail;
    std::size_t told = 0;
    for (const Address& address : candidates()) {
        const auto found = reasons_.find(address);
        if (found == reasons_.end()) continue;
        const Error& each = found->second;
        detail += fmt::format("{}{}: {}", told++ == 0 ? "" : "; ", to_string(address),
                              each.detail.empty() ? name(each.code) : each.detail);
        if (each.code == Errc::denied) whole.code = Errc::denied;
    }
    if (told > 1) whole.detail = std::move(detail);
    return whole;
}

/// All addresses, the present one last.
void RegistryLink::begin_round() {
    if (!std::exchange(answered_now_, false)) answered_.reset();
    const std::vector<Address> all = candidates();
    round_.assign(all.begin(), all.end());
    const auto here = std::find(round_.begin(), round_.end(), current_);
    if (here != round_.end()) std::rotate(round_.begin(), here + 1, round_.end());
    failed_.clear();
    hello_.clear_lost_node();
}

void RegistryLink::next_in_round() {
    if (!round_.empty()) {
        const Address next = round_.front();
        round_.pop_front();
        return go_to(next, Duration::zero());
    }
    begin_round();
    const Address next = round_.front();
    round_.pop_front();
    go_to(next, backoff_.wait(runtime_.random()));
}

void RegistryLink::go_to(const Address& address, Duration wait) {
    current_ = address;
    timer_ = runtime_.at(runtime_.now() + wait, [this] { connect(); });
}

/// This node is not active. The node that it names is tried at once, unless it failed in this
/// round.
void RegistryLink::sent_on(const pb::Welcome& welcome) {
    link_.reset();
    std::string why = welcome.peer() + " answers, and ";
    why += welcome.active_node().empty()
               ? "no node of the registry is active yet"
               : "its active node, " + welcome.active_node() + ", does not";
    if (!welcome.reason().empty()) why = "no node of the registry is active: " + welcome.reason();
    answered_ = Error{.code = Errc::not_active, .detail = std::move(why)};
    answered_now_ = true;
    note(*answered_);
    failed_.insert(current_);
    const auto active = nodes_.find(welcome.active_node());
    log_.debug("agent.registry_sent_on",
               {kv("node", welcome.peer()), kv("active", welcome.active_node())});
    if (active != nodes_.end() && !failed_.contains(active->second)) {
        std::erase(round_, active->second);
        return go_to(active->second, Duration::zero());
    }
    if (!told_down_ && round_.empty()) {
        told_down_ = true;
        observer_.registry_down(last_error());
        if (stopped_) return;
    }
    next_in_round();
}

void RegistryLink::link_hello(Link&, Bytes) { US_ASSERT(false); }

void RegistryLink::link_welcome(Link& link, Bytes opaque) {
    auto welcome = wire::decode_as<pb::Welcome>(opaque);
    if (!welcome) return link.finish(welcome.error());
    names_[current_] = welcome->peer();
    if (!welcome->not_active()) nodes_.clear();
    learn(*welcome);
    if (welcome->not_active() && !options_.any_node) return sent_on(*welcome);
    up_ = true;
    answered_.reset();
    told_down_ = false;
    failed_.clear();
    reasons_.clear();
    refusals_.forget();
    round_.clear();
    hello_.clear_lost_node();
    backoff_.succeeded();
    beats_.clear();
    beat_answered_ = beat_last_;
    log_.info("agent.registry_up",
              {kv("registry", to_string(link.peer())), kv("platform", welcome->platform())});
    observer_.registry_up(*welcome);
    beat();
}

void RegistryLink::beat() {
    if (!up_) return;
    observer_.registry_beat();
    if (!up_) return;
    if (beat_last_ - beat_answered_ >= unanswered_max) {
        const Error reason{.code = Errc::timed_out, .detail = "registry does not answer"};
        link_.reset();
        return retry(reason);
    }
    ++beat_last_;
    beats_.emplace_back(beat_last_, runtime_.now());
    pb::Heartbeat heartbeat;
    heartbeat.set_number(beat_last_);
    (void)send(MessageType::heartbeat, heartbeat);
    timer_ = runtime_.at(runtime_.now() + options_.heartbeat, [this] { beat(); });
}

void RegistryLink::set_heartbeat(Duration interval) {
    if (interval == options_.heartbeat) return;
    const bool sooner = interval < options_.heartbeat;
    options_.heartbeat = interval;
    if (up_ && sooner) timer_ = runtime_.at(runtime_.now() + interval, [this] { beat(); });
}

bool RegistryLink::send(MessageType type, Bytes body) {
    return up_ && link_ != nullptr && link_->send(type, body);
}

void RegistryLink::link_message(Link& link, MessageType type, Bytes body) {
    if (type == MessageType::registry_nodes) {
        const auto nodes = wire::decode_as<pb::RegistryNodes>(body);
        if (!nodes) return link.finish(nodes.error());
        learn(*nodes);
    }
    if (type != MessageType::heartbeat_ack) return observer_.registry_message(type, body);
    const auto ack = wire::decode_as<pb::Heartbeat>(body);
    if (!ack) return link.finish(ack.error());
    while (!beats_.empty() && beats_.front().first <= ack->number()) {
        const auto [number, sent] = beats_.front();
        beats_.pop_front();
        beat_answered_ = number;
        if (number == ack->number()) observer_.registry_heard(sent);
    }
}

void RegistryLink::link_drained(Link&) {}

void RegistryLink::link_closed(Link&, const Error& reason) {
    link_.reset();
    timer_.reset();
    if (stopped_) return;
    retry(reason);
}

}  // namespace understudy::client
