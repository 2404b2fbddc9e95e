// The incoming and outgoing streams of a tenure.

#include <algorithm>
#include <utility>
#include <vector>

#include "node/immortal/immortal_tenure.h"

namespace understudy::node {

using immortal::Batch;
using immortal::is_client;
using immortal::Machine;
using immortal::Peer;

namespace {

constexpr Duration touch_interval = Machine::client_idle_max / 8;
constexpr Duration waiting_look_interval = 1ms;  // Counting goes over all peers.

}  // namespace

// --- Incoming messages ---------------------------------------------------------------------------

MessageNo ImmortalTenure::durable_here(const std::string& peer) const {
    const Peer* known = world_.machine.find(peer);
    return known == nullptr ? MessageNo{} : known->received;
}

void ImmortalTenure::input_durable(const std::string& peer) {
    if (peer == world_.machine.name()) return;
    world_.courier.tell_durable(peer);
}

Result<void> ImmortalTenure::batch_received(const std::string& peer, const Batch& batch) {
    Row& row = rows_[peer];
    const MessageNo durable = durable_here(peer);
    row.taken = std::max(row.taken, durable);
    const MessageNo last{batch.first.value + batch.count - 1};
    ++world_.counters.batches_received;
    world_.counters.messages_received += batch.count;
    if (batch.first > row.taken.next()) {
        return Error{
            .code = Errc::corrupt,
            .detail = peer + " left out messages before " + std::to_string(batch.first.value)};
    }
    if (batch.first <= row.taken) {
        world_.counters.repeated += std::min(last, row.taken).value - batch.first.value + 1;
    }
    if (last <= row.taken) {
        if (last <= durable) world_.courier.tell_durable(peer);
        return {};
    }
    if (!row.parked.empty() || must_wait(peer)) {
        US_CHECK(park(row, batch));
        row.taken = last;
        return {};
    }
    row.taken = last;
    receive(peer, row, batch);
    return {};
}

void ImmortalTenure::receive(const std::string& peer, Row& row, const Batch& batch) {
    const immortal::ReceiveCommand command{
        .source = peer, .instance = row.instance, .wall_ms = wall_ms(), .batch = batch};
    propose(command, [this, peer](const Result<Index>& result) {
        if (!result) receive_failed(peer, result.error());
    });
}

/// The batch was not taken, or its outcome is not known: the stream begins again after what is
/// durable.
void ImmortalTenure::receive_failed(const std::string& peer, const Error& error) {
    if (const auto found = rows_.find(peer); found != rows_.end()) {
        found->second.taken = {};
        forget_parked(found->second);
    }
    world_.courier.drop(peer, error);
}

bool ImmortalTenure::lags_far() const {
    return world_.application.lag_bytes() > world_.options.lag_bytes_max;
}

/// Messages of other immortals must not wait for room in outboxes, because theirs may wait for
/// ours. They may wait for the application, because it makes progress by itself.
bool ImmortalTenure::must_wait(const std::string& peer) {
    if (world_.submitter.holding()) return true;
    return lags_far() || (is_client(peer) && too_much_waits());
}

bool ImmortalTenure::too_much_waits() {
    if (lags_far()) return true;
    const TimePoint now = world_.runtime.now();
    if (waiting_looked_ && now - *waiting_looked_ < waiting_look_interval) return too_much_;
    waiting_looked_ = now;
    too_much_ = world_.machine.waiting_bytes() > world_.options.outbox_bytes_max;
    return too_much_;
}

Result<void> ImmortalTenure::park(Row& row, const Batch& batch) {
    if (parked_bytes_ + batch.messages.size() > parked_bytes_max) {
        const std::string& service = world_.machine.name();
        return Error{.code = Errc::limit_exceeded,
                     .detail = lags_far() ? "the application of " + service + " lags"
                                          : service + " waits for others"};
    }
    Buffer kept = immortal::encode_batch_head(batch);
    kept.insert(kept.end(), batch.messages.begin(), batch.messages.end());
    parked_bytes_ += kept.size();
    row.parked.push_back(std::move(kept));
    if (!unpark_timer_) unpark_timer_ = after(retry_interval, [this] { unpark(); });
    return {};
}

void ImmortalTenure::forget_parked(Row& row) {
    for (const Buffer& batch : row.parked) parked_bytes_ -= batch.size();
    if (!row.parked.empty()) row.taken = {};
    row.parked.clear();
}

void ImmortalTenure::unpark() {
    const auto timer = std::move(unpark_timer_);
    if (parked_bytes_ == 0) return;
    // About as much as may wait: the messages that these calls produce are not known before they
    // are carried out.
    std::size_t room = world_.options.outbox_bytes_max / 8 + 1;
    for (auto& [peer, row] : rows_) {
        while (room > 0 && !row.parked.empty() && !must_wait(peer)) {
            const Buffer kept = std::move(row.parked.front());
            row.parked.pop_front();
            parked_bytes_ -= kept.size();
            room -= std::min(room, kept.size());
            if (const auto batch = immortal::read_batch(kept)) receive(peer, row, *batch);
        }
    }
    unpark_timer_ = after(retry_interval, [this] { unpark(); });
}

// --- Outgoing messages ---------------------------------------------------------------------------

void ImmortalTenure::output_ready(const std::string& peer) {
    if (peer == world_.machine.name()) return send_own_.mark();
    world_.courier.output_ready(peer);
}

immortal::Outbox::ChunkPtr ImmortalTenure::chunk(const std::string& peer, MessageNo from) {
    const Peer* known = world_.machine.find(peer);
    if (known == nullptr) return nullptr;
    return world_.machine.chunk(peer, std::max(from, known->out.confirmed().next()));
}

/// Calls to itself need neither network nor confirmation.
void ImmortalTenure::send_own() {
    const std::string& name = world_.machine.name();
    own_.next = std::max(own_.next, durable_here(name).next());
    while (own_.under_way_bytes < world_.options.unconfirmed_bytes_max && !own_.retry) {
        const auto run = chunk(name, own_.next);
        if (run == nullptr) return;
        const immortal::ReceiveCommand command{
            .source = name,
            .instance = world_.machine.instance(),
            .wall_ms = wall_ms(),
            .batch = {.first = run->first, .count = run->count, .messages = run->messages}};
        own_.next = run->last().next();
        own_.under_way_bytes += run->messages.size();
        propose(command, [this, bytes = run->messages.size()](const Result<Index>& result) {
            own_.under_way_bytes -= bytes;
            if (result) return send_own_.mark();
            own_.next = {};
            if (own_.retry) return;
            own_.retry = after(retry_interval, [this] {
                const auto timer = std::move(own_.retry);
                send_own();
            });
        });
    }
}

Result<void> ImmortalTenure::durable_there(const std::string& peer, MessageNo upto,
                                           std::size_t bytes) {
    const Peer* known = world_.machine.find(peer);
    if (known == nullptr) return {};
    if (upto >= known->out.next() && !lags()) {
        return Error{.code = Errc::corrupt,
                     .detail = peer + " has messages that were never sent from here"};
    }
    Row& row = rows_[peer];
    if (upto <= known->out.confirmed() || upto <= row.confirm) return {};
    row.confirm = upto;
    to_confirm_.insert(peer);
    confirm_bytes_ += bytes;
    confirm_later(confirm_bytes_ >= world_.options.trim_bytes);
    return {};
}

void ImmortalTenure::confirm_later(bool at_once) {
    if (confirm_under_way_) return;
    if (at_once) return confirm();
    if (confirm_timer_) return;
    confirm_timer_ = after(world_.options.trim_interval, [this] {
        const auto timer = std::move(confirm_timer_);
        confirm();
    });
}

void ImmortalTenure::confirm() {
    confirm_timer_.reset();
    confirm_bytes_ = 0;
    if (confirm_under_way_ || to_confirm_.empty()) return;
    immortal::ConfirmCommand command;
    for (const std::string& peer : to_confirm_) {
        const Row& row = rows_.at(peer);
        command.rows.push_back({.peer = peer, .instance = row.instance, .upto = row.confirm});
    }
    const auto told = std::make_shared<const std::set<std::string>>(std::exchange(to_confirm_, {}));
    confirm_under_way_ = true;
    propose(command, [this, told](const Result<Index>& result) {
        confirm_under_way_ = false;
        if (!result) {
            for (const std::string& peer : *told) {
                if (rows_.contains(peer)) to_confirm_.insert(peer);
            }
        } else {
            for (const std::string& peer : *told) {
                if (is_client(peer) && !to_confirm_.contains(peer) &&
                    !world_.courier.linked(peer)) {
                    rows_.erase(peer);
                }
            }
        }
        if (!to_confirm_.empty()) {
            confirm_later(confirm_bytes_ >= world_.options.trim_bytes);
        }
    });
}

void ImmortalTenure::touch_later() {
    touch_timer_ = after(touch_interval, [this] {
        const auto timer = std::move(touch_timer_);
        touch_clients();
    });
}

/// A connected client is not forgotten, even if it is silent for long.
void ImmortalTenure::touch_clients() {
    touch_later();
    immortal::ConfirmCommand command;
    std::vector<std::string> silent;
    for (const auto& [name, row] : rows_) {
        const auto heard = is_client(name) ? world_.courier.heard(name) : std::nullopt;
        if (!heard) continue;
        if (world_.runtime.now() - *heard > touch_interval + touch_interval / 2) {
            silent.push_back(name);  // It was asked last time.
            continue;
        }
        world_.courier.ask(name);
        const Peer* peer = world_.machine.find(name);
        if (peer == nullptr || service_time() - peer->used < touch_interval) continue;
        command.rows.push_back(
            {.peer = name, .instance = row.instance, .upto = peer->out.confirmed()});
    }
    for (const std::string& name : silent) {
        world_.courier.drop(name, {.code = Errc::timed_out, .detail = name + " sends nothing"});
    }
    if (!command.rows.empty()) propose(command, nullptr);
}

}  // namespace understudy::node
