#include "node/immortal/courier.h"

#include <algorithm>
#include <utility>

#include "base/plant.h"
#include "immortal/machine.h"

namespace understudy::node {

using immortal::Batch;
using immortal::is_client;

Courier::Courier(Runtime& runtime, Log& log, Options options, hosting::Locator& locator,
                 Owner& owner)
    : runtime_(runtime),
      log_(log),
      options_(std::move(options)),
      locator_(locator),
      owner_(owner),
      acceptor_(runtime, log,
                {.link = {.handshake_limit = options_.handshake_limit},
                 .links_max = guests_max,
                 .refused_event = "immortal.guest_refused"},
                static_cast<link::Acceptor::Observer&>(*this)),
      send_marked_(runtime.turn_ends(), TurnPhase::messages, [this] { send_marked(); }) {}

Courier::~Courier() { life_.end(); }

void Courier::later(std::function<void()> task) { runtime_.post(life_.guarded(std::move(task))); }

Courier::Line& Courier::line(const std::string& peer) {
    return lines_.try_emplace(peer, *this, peer).first->second;
}

void Courier::erase(Line& line) {
    std::erase(marked_, &line);
    std::replace(sending_.begin(), sending_.end(), &line, static_cast<Line*>(nullptr));
    lines_.erase(lines_.find(line.peer));
}

bool Courier::linked(std::string_view peer) const {
    const auto found = lines_.find(peer);
    return found != lines_.end() && found->second.link != nullptr;
}

std::optional<TimePoint> Courier::heard(std::string_view peer) const {
    const auto found = lines_.find(peer);
    if (found == lines_.end() || found->second.link == nullptr) return std::nullopt;
    return found->second.heard;
}

void Courier::ask(const std::string& peer) {
    const auto found = lines_.find(peer);
    if (found == lines_.end() || found->second.link == nullptr) return;
    found->second.ask = true;
    mark(found->second);
}

void Courier::output_ready(const std::string& peer) {
    if (is_client(peer) && !linked(peer)) return;  // A client is never dialled.
    mark(line(peer));
}

void Courier::tell_durable(const std::string& peer) {
    const auto found = lines_.find(peer);
    if (found == lines_.end() || found->second.link == nullptr) return;
    found->second.tell = true;
    mark(found->second);
}

void Courier::drop(const std::string& peer, const Error& reason) {
    const auto found = lines_.find(peer);
    if (found != lines_.end() && found->second.link) end_link(found->second, reason);
}

void Courier::forget(const std::string& peer, const Error& reason) {
    drop(peer, reason);
    const auto found = lines_.find(peer);
    if (found == lines_.end()) return;
    found->second.epoch = {};
}

void Courier::drop_all() {
    hellos_.clear();
    marked_.clear();
    std::fill(sending_.begin(), sending_.end(), nullptr);
    for (auto& [peer, line] : lines_) {
        line.marked = false;
        line.watch.reset();
        line.dial.reset();
        line.retry.reset();
        line.silence.reset();
        line.link.reset();
        line.under_way.clear();
        line.under_way_bytes = 0;
    }
    std::erase_if(lines_, [](const auto& each) { return is_client(each.first); });
    acceptor_.clear();
}

void Courier::end_session(const std::string& peer, std::function<void()> done) {
    const auto found = lines_.find(peer);
    if (found == lines_.end() || found->second.link == nullptr) {
        if (found != lines_.end()) erase(found->second);
        return later(std::move(done));
    }
    Line& line = found->second;
    const Buffer body = encode(CallsDurable{.upto = owner_.durable_here(peer), .over = true});
    line.link->send(wire::MessageType::calls_durable, body);
    acceptor_.finish(std::move(line.link), {.code = Errc::closed, .detail = "the session is over"},
                     std::move(done));
    erase(line);
}

// --- Link in use ---------------------------------------------------------------------------------

void Courier::establish(Line& line, std::unique_ptr<link::Link> link, MessageNo from) {
    line.dial.reset();
    line.retry.reset();
    line.silence.reset();
    line.link = std::move(link);
    line.link->observe(line);
    line.since = runtime_.now();
    line.heard = line.since;
    line.quiet_since = line.since;
    line.next = from;
    line.under_way.clear();
    line.under_way_bytes = 0;
    line.tell = false;
    line.ask = false;
    ++counters_.links;
    log_.info("immortal.linked", {kv("peer", line.peer),
                                  kv("address", to_string(line.link->peer())),
                                  kv("epoch", line.epoch), kv("from", from.value)});
    mark(line);
}

void Courier::end_link(Line& line, const Error& reason) {
    const Lifetime::Watch here = life_.watch();
    const auto link = std::move(line.link);
    line.silence.reset();
    line.under_way.clear();
    line.under_way_bytes = 0;
    log_.info("immortal.link_lost", {kv("peer", line.peer), kv("error", reason)});
    line.search.ended(runtime_.now() - line.since);
    const std::string peer = line.peer;
    if (is_client(peer) && peer != options_.name) erase(line);
    owner_.link_lost(peer);
    if (here.ended() || is_client(peer)) return;
    const auto found = lines_.find(peer);
    if (found != lines_.end()) mark(found->second);
}

void Courier::mark(Line& line) {
    if (line.marked) return;
    line.marked = true;
    marked_.push_back(&line);
    send_marked_.mark();
}

void Courier::send_marked() {
    // Lines that are marked during the loop have their turn later. To send may erase lines.
    sending_.swap(marked_);
    for (std::size_t i = 0; i < sending_.size(); ++i) {
        Line* const line = sending_[i];
        if (line == nullptr) continue;
        line->marked = false;
        send(*line);
    }
    sending_.clear();
}

void Courier::send(Line& line) {
    if (line.link == nullptr) return dial(line);
    if (std::exchange(line.tell, false) || line.ask) {
        const CallsDurable durable{.upto = owner_.durable_here(line.peer),
                                   .asks = std::exchange(line.ask, false)};
        line.link->send(wire::MessageType::calls_durable, encode(durable));
    }
    send_chunks(line);
    watch_silence(line);
}

void Courier::send_chunks(Line& line) {
    while (line.under_way_bytes < options_.window_bytes && !line.link->full()) {
        const auto chunk = owner_.chunk(line.peer, line.next);
        if (chunk == nullptr) return;
        const Buffer head = immortal::encode_batch_head(
            {.first = chunk->first, .count = chunk->count, .messages = {}});
        const Bytes parts[] = {head, chunk->messages};
        US_ASSERT(line.link->send(wire::MessageType::calls, parts));
        line.next = chunk->last().next();
        line.under_way.push_back({.last = chunk->last(), .bytes = chunk->messages.size()});
        line.under_way_bytes += chunk->messages.size();
        ++counters_.batches_sent;
        if (planted(Plant::trimmed_when_sent)) {
            (void)owner_.durable_there(line.peer, chunk->last(), chunk->messages.size());
        }
    }
}

void Courier::message(Line& line, wire::MessageType type, Bytes body) {
    const link::Link* const link = line.link.get();
    line.heard = runtime_.now();
    line.quiet_since = line.heard;
    const Lifetime::Watch here = life_.watch();
    Result<void> taken;
    if (type == wire::MessageType::calls) {
        const auto batch = immortal::decode_batch(body);
        taken = batch ? owner_.batch_received(line.peer, *batch) : Result<void>(batch.error());
    } else if (type == wire::MessageType::calls_durable) {
        taken = take_durable(line, body);
    } else {
        taken = Error{.code = Errc::corrupt, .detail = "not a message between immortals"};
    }
    if (here.ended() || taken) return;
    const auto still = std::find_if(lines_.begin(), lines_.end(), [link](const auto& each) {
        return each.second.link.get() == link;
    });
    if (still != lines_.end()) end_link(still->second, taken.error());
}

Result<void> Courier::take_durable(Line& line, Bytes body) {
    const CallsDurable durable = US_TRY(decode_durable(body));
    std::size_t bytes = 0;
    while (!line.under_way.empty() && line.under_way.front().last <= durable.upto) {
        bytes += line.under_way.front().bytes;
        line.under_way.pop_front();
    }
    line.under_way_bytes -= bytes;
    // Messages of an earlier link may have become durable since this one began.
    line.next = std::max(line.next, durable.upto.next());
    if (durable.asks) line.tell = true;
    const std::string peer = line.peer;
    const Lifetime::Watch here = life_.watch();
    US_CHECK(owner_.durable_there(peer, durable.upto, bytes));
    if (here.ended()) return {};
    if (durable.over && is_client(peer)) {
        owner_.session_over(peer);
        return {};
    }
    const auto found = lines_.find(peer);
    if (found != lines_.end() && found->second.link) mark(found->second);
    return {};
}

// --- Silence -------------------------------------------------------------------------------------

void Courier::watch_silence(Line& line) {
    if (line.silence || !owner_.wants_link(line.peer)) return;
    line.quiet_since = runtime_.now();
    line.silence =
        runtime_.at(runtime_.now() + options_.silence_max / 2, [this, &line] { silent(line); });
}

void Courier::silent(Line& line) {
    const auto timer = std::move(line.silence);
    if (line.link == nullptr || !owner_.wants_link(line.peer)) return;
    const Duration quiet = runtime_.now() - line.quiet_since;
    if (quiet >= options_.silence_max) {
        line.search.ended(Duration::zero());
        return end_link(line, {.code = Errc::timed_out, .detail = line.peer + " sends nothing"});
    }
    if (quiet >= options_.silence_max / 2) {
        line.ask = true;
        mark(line);
    }
    line.silence =
        runtime_.at(runtime_.now() + options_.silence_max / 2, [this, &line] { silent(line); });
}

}  // namespace understudy::node
