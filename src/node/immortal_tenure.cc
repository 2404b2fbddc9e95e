#include "node/immortal_tenure.h"

#include <algorithm>
#include <utility>

#include "base/plant.h"
#include "understudy/limits.h"

namespace understudy::node {

using immortal::Batch;
using immortal::is_client;
using immortal::Machine;
using immortal::Peer;
using immortal::Position;
using replica::Urgency;

namespace {

constexpr Duration touch_interval = Machine::client_idle_max / 8;
constexpr Duration waiting_look_interval = 1ms;  // It counts over all peers.
constexpr Duration start_retry_interval = 1s;
constexpr std::size_t refused_max = 256;

std::uint64_t random_number(Random& random) {
    std::uint64_t number = 0;
    while (number == 0) number = random.next();
    return number;
}

}  // namespace

ImmortalTenure::ImmortalTenure(World world)
    : world_(std::move(world)),
      time_at_begin_(world_.replica.time()),
      begun_(world_.runtime.now()) {
    if (!world_.machine.started()) start();
    for (const auto& [name, peer] : world_.machine.peers()) {
        if (!peer.out.empty()) output_ready(name);
    }
    timers_changed();
    touch_timer_ = after(touch_interval, [this] { touch_clients(); });
}

ImmortalTenure::~ImmortalTenure() { *alive_ = false; }

void ImmortalTenure::later(std::function<void()> task) {
    world_.runtime.post([alive = alive_, task = std::move(task)] {
        if (*alive) task();
    });
}

std::unique_ptr<Timer> ImmortalTenure::after(Duration delay, std::function<void()> task) {
    return world_.runtime.at(world_.runtime.now() + delay, std::move(task));
}

std::uint64_t ImmortalTenure::wall_ms() const { return world_.runtime.host().wall_ms(); }

bool ImmortalTenure::lags() const {
    return world_.machine.performed() < world_.machine.position();
}

/// As the replica counts it.
Duration ImmortalTenure::service_time() const {
    const Duration time = time_at_begin_ + (world_.runtime.now() - begun_);
    return std::max(time, world_.replica.time());
}

void ImmortalTenure::propose(const immortal::AnyCommand& command, Proposed done) {
    world_.replica.propose(encode(command), Urgency::ordinary,
                           [alive = alive_, done = std::move(done)](const Result<Index>& result) {
                               if (*alive && done) done(result);
                           });
}

void ImmortalTenure::start() {
    Random& random = world_.runtime.random();
    const immortal::StartCommand command{.instance = random_number(random),
                                         .seed = random_number(random),
                                         .wall_ms = wall_ms(),
                                         .version = world_.application.version_newest()};
    propose(command, [this](const Result<Index>& result) {
        if (result) return world_.first_started();
        start_timer_ = after(start_retry_interval, [this] { start(); });
    });
}

// --- Links ---------------------------------------------------------------------------------------

ImmortalHello ImmortalTenure::hello(const std::string& peer) const {
    ImmortalHello hello{.service = peer,
                        .name = world_.machine.name(),
                        .member = world_.options.member,
                        .instance = world_.machine.instance(),
                        .epoch = world_.replica.epoch()};
    if (const Peer* known = world_.machine.find(peer)) {
        hello.known = known->instance;
        hello.received = known->received;
        hello.confirmed = known->out.confirmed();
    }
    return hello;
}

/// May this stream be taken, and where do the two go on?
Result<ImmortalWelcome> ImmortalTenure::greet(const ImmortalHello& hello) const {
    const Machine& machine = world_.machine;
    const auto refused = [&hello](Errc code, const char* why) {
        return Error{.code = code, .detail = hello.name + " " + why};
    };
    const bool client = is_client(hello.name);
    if (!client) US_CHECK(check_service_name(hello.name));
    if (hello.name == machine.name()) return refused(Errc::refused, "calls itself");
    if (forgetting_.contains(hello.name)) return refused(Errc::in_use, "is being forgotten");
    if (hello.known != 0 && hello.known != machine.instance()) {
        return refused(client ? Errc::session_expired : Errc::refused,
                       "knows another instance of this service: it was made anew");
    }
    ImmortalWelcome welcome{.member = world_.options.member,
                            .epoch = world_.replica.epoch(),
                            .instance = machine.instance()};
    welcome.received = US_TRY(machine.greet(hello.name, hello.instance));
    if (const Peer* peer = machine.find(hello.name)) {
        welcome.confirmed = peer->out.confirmed();
        welcome.made = {peer->out.next().value - 1};
    }
    if (hello.resuming && client) return welcome;
    const bool ahead = hello.received > welcome.made && !lags();
    if (client && (hello.confirmed > welcome.received || ahead)) {
        return refused(Errc::session_expired, "was not used for long, and is forgotten");
    }
    if (hello.confirmed > welcome.received) {
        return refused(Errc::refused, "does not keep any more what was never received here");
    }
    if (ahead) return refused(Errc::refused, "has messages that were never sent from here");
    if (hello.received < welcome.confirmed) {
        return refused(Errc::refused, "has less than it said to be durable");
    }
    return welcome;
}

void ImmortalTenure::link_wanted(Courier::GuestId guest, const ImmortalHello& hello) {
    const auto greeted = greet(hello);
    if (!greeted) return refuse(guest, hello, greeted.error());
    if (!hello.resuming || !is_client(hello.name)) return take(guest, hello);
    // Its earlier process may have left calls that are still on their way into the journal, here or
    // at a member that was active after us. What is committed behind this has seen all of them.
    const immortal::ConfirmCommand touch{
        .rows = {{.peer = hello.name, .instance = hello.instance, .upto = {}}}};
    if (planted(Plant::stale_link_taken)) return take(guest, hello);
    propose(touch, [this, guest, hello](const Result<Index>& result) {
        if (!result) return refuse(guest, hello, result.error());
        admit(guest, hello, world_.machine.position());
    });
}

/// The answers that a lagging application still owes come before the client is told what there is.
void ImmortalTenure::admit(Courier::GuestId guest, const ImmortalHello& hello, Position behind) {
    if (world_.machine.performed() >= behind) return take(guest, hello);
    const std::uint64_t number = ++admitting_;
    admissions_[number] = after(retry_interval, [this, number, guest, hello, behind] {
        const auto kept = std::move(admissions_.at(number));
        admissions_.erase(number);
        admit(guest, hello, behind);
    });
}

void ImmortalTenure::take(Courier::GuestId guest, const ImmortalHello& hello) {
    const auto welcome = greet(hello);
    if (!welcome) return refuse(guest, hello, welcome.error());
    rows_[hello.name].instance = hello.instance;
    refused_.erase(hello.name);
    if (!hello.resuming) (void)durable_there(hello.name, hello.received, 0);
    world_.courier.take(guest, *welcome,
                        (hello.resuming ? welcome->confirmed : hello.received).next());
}

void ImmortalTenure::refuse(Courier::GuestId guest, const ImmortalHello& hello,
                            const Error& reason) {
    ++world_.counters.refused;
    if (reason.code == Errc::refused && refused_.size() < refused_max &&
        refused_.insert(hello.name).second) {
        world_.log.warn("immortal.caller_refused",
                        {kv("service", world_.machine.name()), kv("caller", hello.name),
                         kv("member", hello.member), kv("error", reason)});
    }
    world_.courier.refuse(guest, reason);
}

Result<void> ImmortalTenure::link_taken(const std::string& peer, const ImmortalWelcome& welcome) {
    const auto refused = [&peer](const char* why) {
        return Error{.code = Errc::refused, .detail = peer + " " + why};
    };
    const MessageNo received = US_TRY(world_.machine.greet(peer, welcome.instance));
    MessageNo confirmed;
    MessageNo made;
    if (const Peer* known = world_.machine.find(peer)) {
        confirmed = known->out.confirmed();
        made = {known->out.next().value - 1};
    }
    if (welcome.confirmed > received) {
        return refused("does not keep any more what was never received here");
    }
    if (welcome.received > made && !lags()) {
        return refused("has messages that were never sent from here");
    }
    if (welcome.received < confirmed) return refused("has less than it said to be durable");
    rows_[peer].instance = welcome.instance;
    return durable_there(peer, welcome.received, 0);
}

void ImmortalTenure::link_lost(const std::string& peer) {
    const auto found = rows_.find(peer);
    if (found == rows_.end()) return;
    forget_parked(found->second);
    if (is_client(peer) && !to_confirm_.contains(peer)) rows_.erase(found);
}

bool ImmortalTenure::wants_link(const std::string& peer) const {
    const Peer* known = world_.machine.find(peer);
    return known != nullptr && !known->out.empty();
}

/// Nothing of the old peer may reach the journal behind this: it would be taken for the new one's.
void ImmortalTenure::forget(const std::string& peer, Done done) {
    if (const auto found = rows_.find(peer); found != rows_.end()) {
        forget_parked(found->second);
        rows_.erase(found);
    }
    to_confirm_.erase(peer);
    refused_.erase(peer);
    forgetting_.insert(peer);
    world_.courier.drop(peer, {.code = Errc::closed, .detail = peer + " is forgotten"});
    propose(immortal::ForgetCommand{.peer = peer},
            [this, peer, done = std::move(done)](const Result<Index>& result) {
                forgetting_.erase(peer);
                if (!done) return;
                if (result) return done({});
                done(result.error());
            });
}

// --- What arrives --------------------------------------------------------------------------------

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
        return Error{.code = Errc::corrupt,
                     .detail = peer + " leaves out messages before " +
                               std::to_string(batch.first.value)};
    }
    if (batch.first <= row.taken) {
        world_.counters.repeated += std::min(last, row.taken).value - batch.first.value + 1;
    }
    if (last <= row.taken) {
        if (last <= durable) world_.courier.tell_durable(peer);
        return {};
    }
    if (is_client(peer) && (!row.parked.empty() || too_much_waits())) {
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

/// Nothing was taken, or nothing is known: the stream begins again behind what is durable.
void ImmortalTenure::receive_failed(const std::string& peer, const Error& error) {
    if (const auto found = rows_.find(peer); found != rows_.end()) {
        found->second.taken = {};
        forget_parked(found->second);
    }
    world_.courier.drop(peer, error);
}

bool ImmortalTenure::too_much_waits() {
    const TimePoint now = world_.runtime.now();
    if (waiting_looked_ && now - *waiting_looked_ < waiting_look_interval) return too_much_;
    waiting_looked_ = now;
    too_much_ = world_.machine.waiting_bytes() > world_.options.outbox_bytes_max;
    return too_much_;
}

Result<void> ImmortalTenure::park(Row& row, const Batch& batch) {
    if (parked_bytes_ + batch.messages.size() > parked_bytes_max) {
        return Error{.code = Errc::limit_exceeded,
                     .detail = world_.machine.name() + " waits for others"};
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
    // About as much as may wait: what these calls make is not known before they are carried out.
    std::size_t room = too_much_waits() ? 0 : world_.options.outbox_bytes_max / 8 + 1;
    for (auto& [peer, row] : rows_) {
        while (room > 0 && !row.parked.empty()) {
            const Buffer kept = std::move(row.parked.front());
            row.parked.pop_front();
            parked_bytes_ -= kept.size();
            room -= std::min(room, kept.size());
            if (const auto batch = immortal::read_batch(kept)) receive(peer, row, *batch);
        }
    }
    unpark_timer_ = after(retry_interval, [this] { unpark(); });
}

// --- What leaves ---------------------------------------------------------------------------------

void ImmortalTenure::output_ready(const std::string& peer) {
    if (peer == world_.machine.name()) return schedule_own();
    world_.courier.output_ready(peer);
}

immortal::Outbox::ChunkPtr ImmortalTenure::chunk(const std::string& peer, MessageNo from) {
    const Peer* known = world_.machine.find(peer);
    if (known == nullptr) return nullptr;
    return world_.machine.chunk(peer, std::max(from, known->out.confirmed().next()));
}

/// What one calls oneself for needs no network, and no confirmation either.
void ImmortalTenure::schedule_own() {
    if (std::exchange(own_.scheduled, true)) return;
    later([this] {
        own_.scheduled = false;
        send_own();
    });
}

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
            if (result) return schedule_own();
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

/// A client that is connected is not forgotten, even if it has nothing to say for long.
void ImmortalTenure::touch_clients() {
    touch_timer_ = after(touch_interval, [this] { touch_clients(); });
    immortal::ConfirmCommand command;
    std::vector<std::string> silent;
    for (const auto& [name, row] : rows_) {
        const auto heard = is_client(name) ? world_.courier.heard(name) : std::nullopt;
        if (!heard) continue;
        if (world_.runtime.now() - *heard > touch_interval + touch_interval / 2) {
            silent.push_back(name);  // It was asked the last time.
            continue;
        }
        world_.courier.ask(name);
        const Peer* peer = world_.machine.find(name);
        if (peer == nullptr || service_time() - peer->used < touch_interval) continue;
        command.rows.push_back(
            {.peer = name, .instance = row.instance, .upto = peer->out.confirmed()});
    }
    for (const std::string& name : silent) {
        world_.courier.drop(name, {.code = Errc::timed_out, .detail = name + " says nothing"});
    }
    if (!command.rows.empty()) propose(command, nullptr);
}

// --- Timers --------------------------------------------------------------------------------------

void ImmortalTenure::timers_changed() {
    if (std::exchange(fire_scheduled_, true)) return;
    later([this] {
        fire_scheduled_ = false;
        arm_fire();
    });
}

void ImmortalTenure::arm_fire() {
    if (fire_under_way_) return;
    const auto due = world_.machine.next_due();
    if (!due) {
        fire_timer_.reset();
        return;
    }
    // The journal counts in milliseconds: a timer must not be told before its time.
    const Duration at = std::chrono::ceil<std::chrono::milliseconds>(*due);
    if (fire_timer_ && fire_at_ == at) return;
    fire_timer_.reset();
    const Duration wait = at - service_time();
    if (wait <= Duration::zero()) return fire();
    fire_at_ = at;
    fire_timer_ = after(wait, [this] {
        const auto timer = std::move(fire_timer_);
        arm_fire();
    });
}

void ImmortalTenure::fire() {
    immortal::FireCommand command{
        .wall_ms = wall_ms(),
        .timers = world_.machine.due(
            std::chrono::floor<std::chrono::milliseconds>(service_time()))};
    if (command.timers.size() > fired_at_once_max) command.timers.resize(fired_at_once_max);
    if (command.timers.empty()) return;
    fire_under_way_ = true;
    propose(command, [this](const Result<Index>& result) {
        fire_under_way_ = false;
        if (result) return arm_fire();
        fire_timer_ = after(retry_interval, [this] {
            const auto timer = std::move(fire_timer_);
            arm_fire();
        });
    });
}

}  // namespace understudy::node
