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
      refusals_(runtime, log),
      options_(std::move(options)),
      locator_(locator),
      owner_(owner),
      send_marked_(runtime.turn_ends(), TurnPhase::messages, [this] { send_marked(); }) {}

Courier::~Courier() { life_.end(); }

void Courier::later(std::function<void()> task) { runtime_.post(life_.guarded(std::move(task))); }

Courier::Line& Courier::line(const std::string& peer) {
    const auto [found, is_new] = lines_.try_emplace(peer);
    if (is_new) found->second.peer = peer;
    return found->second;
}

void Courier::erase(Line& line) {
    std::erase(marked_, &line);
    if (line.link) by_link_.erase(line.link.get());
    if (line.dialled) by_link_.erase(line.dialled.get());
    lines_.erase(line.peer);
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
    const Lifetime::Watch here = life_.watch();
    guests_.clear();
    leaving_.clear();
    by_link_.clear();
    marked_.clear();
    for (auto& [peer, line] : lines_) {
        line.marked = false;
        line.watch.reset();
        line.attempt.reset();
        line.dialled.reset();
        line.retry.reset();
        line.silence.reset();
        line.link.reset();
        line.under_way.clear();
        line.under_way_bytes = 0;
    }
    std::erase_if(lines_, [](const auto& each) { return is_client(each.first); });
    for (const auto& [link, done] : std::exchange(ended_, {})) {
        done();
        if (here.ended()) return;
    }
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
    line.link->finish({.code = Errc::closed, .detail = "the session is over"});
    by_link_.erase(line.link.get());
    const link::Link* const key = line.link.get();
    leaving_.emplace(key, std::move(line.link));
    ended_.emplace(key, std::move(done));
    erase(line);
}

// --- Link in use ---------------------------------------------------------------------------------

void Courier::establish(Line& line, std::unique_ptr<link::Link> link, MessageNo from) {
    if (line.link) by_link_.erase(line.link.get());
    if (line.dialled) by_link_.erase(line.dialled.get());
    line.dialled.reset();
    line.attempt.reset();
    line.retry.reset();
    line.silence.reset();
    line.link = std::move(link);
    by_link_[line.link.get()] = &line;
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
    by_link_.erase(line.link.get());
    lost(line, reason);
}

void Courier::lost(Line& line, const Error& reason) {
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
    // Lines that are marked meanwhile are handled later.
    for (Line* line : std::exchange(marked_, {})) {
        line->marked = false;
        send(*line);
    }
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

void Courier::link_message(link::Link& link, wire::MessageType type, Bytes body) {
    const auto found = by_link_.find(&link);
    if (found == by_link_.end() || found->second->link.get() != &link) return;
    Line& line = *found->second;
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
    const auto still = by_link_.find(&link);
    if (still != by_link_.end()) end_link(*still->second, taken.error());
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

void Courier::link_drained(link::Link& link) {
    const auto found = by_link_.find(&link);
    if (found != by_link_.end()) mark(*found->second);
}

void Courier::link_closed(link::Link& link, const Error& reason) {
    if (const auto leaving = leaving_.find(&link); leaving != leaving_.end()) {
        const auto kept = std::move(leaving->second);
        leaving_.erase(leaving);
        const auto ended = ended_.find(&link);
        if (ended == ended_.end()) return;
        const auto done = std::move(ended->second);
        ended_.erase(ended);
        return done();
    }
    if (const auto guest = guest_of(link); guest != guests_.end()) {
        if (link::blames_peer(reason)) {
            refusals_.heard("immortal.guest_refused", link.peer(), reason);
        }
        guests_.erase(guest);
        return;
    }
    const auto found = by_link_.find(&link);
    if (found == by_link_.end()) return;
    Line& line = *found->second;
    by_link_.erase(found);
    if (line.dialled.get() == &link) {
        const auto dialled = std::move(line.dialled);
        return dial_failed(line, reason);
    }
    lost(line, reason);
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
