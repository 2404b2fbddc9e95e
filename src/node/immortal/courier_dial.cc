// How links are made.

#include <algorithm>
#include <utility>

#include "base/plant.h"
#include "immortal/machine.h"
#include "link/identity.h"
#include "node/immortal/courier.h"

namespace understudy::node {

using immortal::is_client;

// --- Incoming links ------------------------------------------------------------------------------

namespace {

Error wrong_certificate(const std::string& claimed, const std::string& shown) {
    return {.code = Errc::denied, .detail = claimed + " shows the certificate of " + shown};
}

/// A client's name is its own secret; any owner of a certificate of our authority may be a client.
Result<void> prove(const std::string& common_name, const ImmortalHello& hello) {
    if (is_client(hello.name)) return {};
    if (link::names_member(common_name, hello.name, hello.member)) return {};
    return wrong_certificate(hello.name + "/" + hello.member, common_name);
}

/// A member that redirects does not prove which member it is: any member of the service may
/// redirect.
Result<void> prove(const std::string& common_name, const std::string& service,
                   const ImmortalAnswer& answer) {
    const auto* welcome = std::get_if<ImmortalWelcome>(&answer);
    const bool proven = welcome != nullptr
                            ? link::names_member(common_name, service, welcome->member)
                            : link::names_service(common_name, service);
    if (proven) return {};
    return wrong_certificate(welcome != nullptr ? service + "/" + welcome->member : service,
                             common_name);
}

}  // namespace

Result<void> Courier::check(const ImmortalHello& hello) const {
    const auto found = lines_.find(hello.name);
    if (found == lines_.end() || is_client(hello.name)) return {};
    const Line& line = found->second;
    if (hello.epoch < line.epoch) {
        return Error{.code = Errc::stale_epoch,
                     .detail = hello.name + "/" + hello.member + " was active in epoch " +
                               std::to_string(hello.epoch.value) + ", and there is a member in " +
                               std::to_string(line.epoch.value)};
    }
    // Both dial. Without a rule each would drop the other's link in favour of its own.
    const auto said_hello = line.dial ? line.dial->said_hello() : std::nullopt;
    if (said_hello && options_.name < hello.name && runtime_.now() - *said_hello < crossing_max) {
        return Error{.code = Errc::in_use, .detail = options_.name + " is dialling"};
    }
    return {};
}

void Courier::peer_hello(LinkId id, Bytes opaque) {
    auto hello = decode_hello(opaque);
    if (!hello) return acceptor_.refuse(id, hello.error());
    if (options_.tls) {
        const auto proven = prove(acceptor_.find(id)->peer_identity().value_or(""), *hello);
        if (!proven) return acceptor_.refuse(id, proven.error());
    }
    if (const auto checked = check(*hello); !checked) return acceptor_.refuse(id, checked.error());
    // A client has one link. Messages that another process of the same client still sends must not
    // count as messages of this one.
    if (is_client(hello->name) && !planted(Plant::stale_link_taken)) {
        drop(hello->name, {.code = Errc::closed, .detail = "the session has a newer link"});
    }
    hellos_.emplace(id, *hello);
    owner_.link_wanted(id, *hello);
}

void Courier::take(GuestId id, const ImmortalWelcome& welcome, MessageNo from) {
    const auto guest = hellos_.extract(id);
    if (guest.empty()) return;
    const ImmortalHello& hello = guest.mapped();
    Line& row = line(hello.name);
    row.epoch = std::max(row.epoch, hello.epoch);
    establish(row, acceptor_.release(id, encode(ImmortalAnswer(welcome)), row), from);
}

void Courier::send_elsewhere(GuestId id, const ImmortalElsewhere& elsewhere) {
    hellos_.erase(id);
    acceptor_.send_away(id, encode(ImmortalAnswer(elsewhere)),
                        {.code = Errc::not_active, .detail = "not active here"});
}

void Courier::refuse(GuestId id, const Error& reason) {
    hellos_.erase(id);
    acceptor_.refuse(id, reason);
}

// --- Dialling ------------------------------------------------------------------------------------

void Courier::dial(Line& line) {
    if (line.link || line.dial || line.retry) return;
    if (line.peer == options_.name || is_client(line.peer)) return;
    if (!owner_.wants_link(line.peer)) return;
    if (line.watch == nullptr) {
        line.watch = locator_.watch(
            line.peer, [this, &line](const std::vector<hosting::Locator::Place>& places) {
                found(line, places);
            });
    }
    const hosting::ActiveSearch::Step step = line.search.next(runtime_.random());
    if (const auto* wait = std::get_if<hosting::ActiveSearch::Wait>(&step)) {
        line.retry = runtime_.at(runtime_.now() + wait->time, [this, &line] {
            const auto timer = std::move(line.retry);
            dial(line);
        });
        return;
    }
    const auto* ask = std::get_if<hosting::ActiveSearch::Ask>(&step);
    if (ask == nullptr) return;
    line.dialled_to = ask->place.address;
    line.dial = std::make_unique<link::Dial>(
        runtime_,
        link::Dial::Options{.address = line.dialled_to,
                            .tls = options_.tls,
                            .connect_timeout = options_.connect_timeout,
                            .link = {.handshake_limit = options_.handshake_limit}},
        [this, &line] { return encode(owner_.hello(line.peer)); },
        [this, &line](Result<link::Dial::Welcomed> result) { answered(line, std::move(result)); });
}

void Courier::found(Line& line, const std::vector<hosting::Locator::Place>& places) {
    if (!line.search.found(places)) return;
    if (line.link && places.front().epoch > line.epoch) {
        return end_link(
            line, {.code = Errc::stale_epoch, .detail = line.peer + " has a new active member"});
    }
    line.retry.reset();
    dial(line);
}

void Courier::dial_failed(Line& line, const Error& reason) {
    const bool expected = hosting::ActiveSearch::expects(reason);
    if (!expected)
        acceptor_.refusals().heard("immortal.peer_refused", kv("peer", line.peer), reason);
    line.search.failed();
    dial(line);
    if (!expected) owner_.link_refused(std::string(line.peer), reason);
}

void Courier::answered(Line& line, Result<link::Dial::Welcomed> result) {
    const auto dialled = std::move(line.dial);
    if (!result) return dial_failed(line, result.error());
    auto answer = decode_answer(result->opaque);
    if (!answer) return dial_failed(line, answer.error());
    if (options_.tls) {
        const auto proven = prove(result->link->peer_identity().value_or(""), line.peer, *answer);
        if (!proven) return dial_failed(line, proven.error());
    }
    if (const auto* elsewhere = std::get_if<ImmortalElsewhere>(&*answer)) {
        line.search.elsewhere({.member = elsewhere->member,
                               .address = elsewhere->address,
                               .epoch = elsewhere->epoch});
        return dial(line);
    }
    const auto& welcome = std::get<ImmortalWelcome>(*answer);
    const Lifetime::Watch here = life_.watch();
    const std::string peer = line.peer;
    const auto taken = welcomed(line, welcome);
    if (here.ended() || !lines_.contains(peer)) return;
    if (!taken) return dial_failed(line, taken.error());
    locator_.heard(peer, {.member = welcome.member,
                          .address = line.dialled_to,
                          .epoch = welcome.epoch});
    establish(line, std::move(result->link), welcome.received.next());
}

Result<void> Courier::welcomed(Line& line, const ImmortalWelcome& welcome) {
    if (welcome.epoch < line.epoch) {
        return Error{.code = Errc::stale_epoch,
                     .detail = line.peer + "/" + welcome.member + " is no longer active"};
    }
    US_CHECK(owner_.link_taken(line.peer, welcome));
    line.epoch = welcome.epoch;
    return {};
}

}  // namespace understudy::node
