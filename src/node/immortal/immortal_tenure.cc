#include "node/immortal/immortal_tenure.h"

#include <algorithm>
#include <utility>

#include "base/plant.h"
#include "understudy/limits.h"

namespace understudy::node {

using immortal::is_client;
using immortal::Machine;
using immortal::Peer;
using immortal::Position;

namespace {

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
    touch_later();
}

ImmortalTenure::~ImmortalTenure() { life_.end(); }

std::unique_ptr<Timer> ImmortalTenure::after(Duration delay, std::function<void()> task) {
    return world_.runtime.at(world_.runtime.now() + delay, std::move(task));
}

std::uint64_t ImmortalTenure::wall_ms() const { return world_.runtime.host().wall_ms(); }

bool ImmortalTenure::lags() const {
    return world_.machine.performed() < world_.machine.position();
}

/// The time as the replica counts it.
Duration ImmortalTenure::service_time() const {
    const Duration time = time_at_begin_ + (world_.runtime.now() - begun_);
    return std::max(time, world_.replica.time());
}

void ImmortalTenure::propose(const immortal::AnyCommand& command, Proposed done) {
    world_.submitter.submit(
        {}, encode(command),
        [here = life_.watch(), done = std::move(done)](const Result<replica::Reply>& reply) {
            if (here.ended() || !done) return;
            done(reply ? Result<Index>(reply->index) : reply.error());
        });
}

void ImmortalTenure::released() {
    if (parked_bytes_ > 0) unpark();
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

/// Decides whether this stream may be accepted, and where both streams continue.
Result<ImmortalWelcome> ImmortalTenure::greet(const ImmortalHello& hello) const {
    const Machine& machine = world_.machine;
    const auto refused = [&hello](Errc code, const char* why) {
        return Error{.code = code, .detail = hello.name + " " + why};
    };
    const bool client = is_client(hello.name);
    if (!client) US_CHECK(check_service_name(hello.name));
    if (hello.name == machine.name()) return refused(Errc::refused, "is this service itself");
    if (forgetting_.contains(hello.name)) return refused(Errc::in_use, "is being forgotten");
    if (hello.known != 0 && hello.known != machine.instance()) {
        return refused(client ? Errc::session_expired : Errc::refused,
                       "knows another instance of this service: it was created again");
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
        return refused(Errc::session_expired, "was not used for long and has been forgotten");
    }
    if (hello.confirmed > welcome.received) {
        return refused(Errc::refused, "no longer keeps messages that were never received here");
    }
    if (ahead) return refused(Errc::refused, "has messages that were never sent from here");
    if (hello.received < welcome.confirmed) {
        return refused(Errc::refused, "has less than it confirmed as durable");
    }
    return welcome;
}

void ImmortalTenure::link_wanted(Courier::GuestId guest, const ImmortalHello& hello) {
    const auto greeted = greet(hello);
    if (!greeted) return refuse(guest, hello, greeted.error());
    if (!hello.resuming || !is_client(hello.name)) return take(guest, hello);
    // Its earlier process may have left calls that are still on their way into the journal, here or
    // at a member that was active later. All of them come before this command, so its commit shows
    // which of them arrived.
    const immortal::ConfirmCommand touch{
        .rows = {{.peer = hello.name, .instance = hello.instance, .upto = {}}}};
    if (planted(Plant::stale_link_taken)) return take(guest, hello);
    propose(touch, [this, guest, hello](const Result<Index>& result) {
        if (!result) return refuse(guest, hello, result.error());
        admit(guest, hello, world_.machine.position());
    });
}

/// A lagging application may still owe answers. They come before the client is told the end of the
/// stream.
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
        return refused("no longer keeps messages that were never received here");
    }
    if (welcome.received > made && !lags()) {
        return refused("has messages that were never sent from here");
    }
    if (welcome.received < confirmed) return refused("has less than it confirmed as durable");
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

/// Nothing of the old peer may reach the journal after this, because it would count as input of the
/// new one.
void ImmortalTenure::forget(const std::string& peer, Done done) {
    if (const auto found = rows_.find(peer); found != rows_.end()) {
        forget_parked(found->second);
        rows_.erase(found);
    }
    to_confirm_.erase(peer);
    refused_.erase(peer);
    forgetting_.insert(peer);
    world_.courier.forget(peer, {.code = Errc::closed, .detail = peer + " is forgotten"});
    propose(immortal::ForgetCommand{.peer = peer},
            [this, peer, done = std::move(done)](const Result<Index>& result) {
                forgetting_.erase(peer);
                if (!done) return;
                if (result) return done({});
                done(result.error());
            });
}

// --- Timers --------------------------------------------------------------------------------------

void ImmortalTenure::timers_changed() { arm_fire_.mark(); }

void ImmortalTenure::arm_fire() {
    if (fire_under_way_) return;
    const auto due = world_.machine.next_due();
    if (!due) {
        fire_timer_.reset();
        return;
    }
    // The journal counts in milliseconds, and a timer must not fire before its time.
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
