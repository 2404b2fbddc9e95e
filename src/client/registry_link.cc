#include "client/registry_link.h"

#include "base/bytes.h"
#include "wire/control.h"

namespace understudy::client {

namespace pb = wire::pb;
using wire::MessageType;

RegistryLink::RegistryLink(Runtime& runtime, Log& log, Options options, pb::Hello hello,
                           Observer& observer)
    : runtime_(runtime),
      log_(log),
      options_(std::move(options)),
      hello_(std::move(hello)),
      observer_(observer),
      backoff_(options_.retry_min, options_.retry_max) {
    US_ASSERT(!options_.addresses.empty());
}

void RegistryLink::start() { connect(); }

void RegistryLink::stop() {
    stopped_ = true;
    up_ = false;
    timer_.reset();
    attempt_.reset();
    if (link_ != nullptr) link_->finish({.code = Errc::closed, .detail = "agent closed"});
}

void RegistryLink::connect() {
    const Address& address = options_.addresses[next_address_];
    attempt_ = runtime_.network().connect(
        address, options_.tls, options_.connect_timeout,
        [this](Result<std::unique_ptr<Connection>> connected) {
            attempt_.reset();
            if (!connected) return retry(connected.error());
            link_ = std::make_unique<Link>(runtime_, *std::move(connected), wire::Side::connecting,
                                           options_.link, static_cast<Link::Observer&>(*this));
            Buffer hello;
            link_->hello(wire::encode(hello_, hello));
        });
}

/// The next address at once; after a whole round without an answer, a pause.
void RegistryLink::retry(const Error& reason) {
    last_error_ = reason;
    if (up_ || (!told_down_ && failed_in_row_ + 1 >= options_.addresses.size())) {
        told_down_ = true;
        up_ = false;
        log_.warn(
            "agent.registry_down",
            {kv("registry", to_string(options_.addresses[next_address_])), kv("error", reason)});
        observer_.registry_down(reason);
        if (stopped_) return;
    }
    next_address_ = (next_address_ + 1) % options_.addresses.size();
    ++failed_in_row_;
    const bool round_over = failed_in_row_ % options_.addresses.size() == 0;
    const Duration wait = round_over ? backoff_.wait(runtime_.random()) : Duration::zero();
    timer_ = runtime_.at(runtime_.now() + wait, [this] { connect(); });
}

void RegistryLink::link_hello(Link&, Bytes) { US_ASSERT(false); }

void RegistryLink::link_welcome(Link& link, Bytes opaque) {
    auto welcome = wire::decode_as<pb::Welcome>(opaque);
    if (!welcome) return link.finish(welcome.error());
    up_ = true;
    told_down_ = false;
    failed_in_row_ = 0;
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
