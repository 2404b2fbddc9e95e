#include "hosting/replica_port.h"

#include <utility>
#include <vector>

namespace understudy::hosting {

using wire::MessageType;

ReplicaPort::ReplicaPort(Runtime& runtime, Log& log, Options options, Locator& locator,
                         Submitter& submitter)
    : runtime_(runtime),
      options_(std::move(options)),
      refusals_(runtime, log),
      hint_(locator, options_.service, options_.member),
      submitter_(submitter) {}

ReplicaPort::~ReplicaPort() { life_.end(); }

Result<void> ReplicaPort::listen() {
    listener_ = US_TRY(runtime_.network().listen(
        options_.listen, options_.tls,
        [this](std::unique_ptr<Connection> connection) { accepted(std::move(connection)); }));
    return {};
}

void ReplicaPort::accepted(std::unique_ptr<Connection> connection) {
    if (rows_.size() >= connections_max) return;
    Row row{.id = ++last_id_,
            .link = std::make_unique<link::Link>(
                runtime_, std::move(connection), wire::Side::accepting,
                link::Link::Options{.handshake_limit = options_.handshake_limit},
                static_cast<link::Link::Observer&>(*this)),
            .session = {}};
    const link::Link* const key = row.link.get();
    by_id_.emplace(row.id, key);
    rows_.emplace(key, std::move(row));
}

ReplicaPort::Row* ReplicaPort::find(std::uint64_t id) {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : &rows_.at(found->second);
}

// --- The handshake -------------------------------------------------------------------------------

void ReplicaPort::link_hello(link::Link& link, Bytes opaque) {
    Row& row = rows_.at(&link);
    const auto hello = decode_request_hello(opaque);
    Result<void> admitted = hello ? Result<void>() : Result<void>(hello.error());
    if (hello && hello->service != options_.service) {
        admitted = Error{.code = Errc::not_found,
                         .detail = "this is " + options_.service + ", not " + hello->service};
    }
    if (!admitted) {
        row.stage = Stage::leaving;
        return link.refuse(admitted.error());
    }
    if (replica_ == nullptr || !replica_->active()) {
        RequestElsewhere elsewhere;
        if (replica_ != nullptr) {
            const Locator::Place active = hint_.active(replica_->standing());
            elsewhere = {.member = active.member, .epoch = active.epoch, .address = active.address};
        }
        link.welcome(encode(RequestGreeting(elsewhere)));
        return end(row, {.code = Errc::not_active, .detail = "not active here"});
    }
    if (hello->session.value != 0) return welcome(row, hello->session);
    row.stage = Stage::opening;
    open_session(row.id);
}

void ReplicaPort::open_session(std::uint64_t id) {
    replica_->open_session(
        submitter_.counted([this, here = life_.watch(), id](const Result<SessionId>& session) {
            if (here.ended()) return;
            Row* const row = find(id);
            if (row == nullptr || row->stage != Stage::opening) return;
            if (session) return welcome(*row, *session);
            row->stage = Stage::leaving;
            row->link->refuse(session.error());
        }));
}

void ReplicaPort::welcome(Row& row, SessionId session) {
    row.stage = Stage::open;
    row.session = session;
    row.link->welcome(encode(RequestGreeting(RequestWelcome{
        .member = options_.member, .epoch = replica_->epoch(), .session = session})));
}

/// Sends what is to be sent; the connection ends when that has left.
void ReplicaPort::end(Row& row, const Error& reason) {
    if (row.stage == Stage::leaving) return;
    row.stage = Stage::leaving;
    row.link->finish(reason);
}

// --- Requests ------------------------------------------------------------------------------------

void ReplicaPort::link_message(link::Link& link, MessageType type, Bytes body) {
    Row& row = rows_.at(&link);
    if (row.stage != Stage::open) return;
    if (type == MessageType::request) return submit(row, body);
    if (type == MessageType::outcome_ask) return outcome(row, body);
    if (type == MessageType::session_end) {
        replica_->close_session(row.session, submitter_.counted([](const Result<void>&) {}));
        return end(row, {.code = Errc::closed, .detail = "the session is over"});
    }
    end(row, {.code = Errc::corrupt, .detail = "no message of a client"});
}

void ReplicaPort::submit(Row& row, Bytes body) {
    const auto message = decode_submit(body);
    if (!message) return end(row, message.error());
    // To answer this one only would let those that follow it overtake it.
    if (submitter_.holding() && submitter_.full()) {
        return end(
            row, {.code = Errc::unavailable, .detail = options_.service + " is being handed over"});
    }
    const Request request{
        .session = row.session, .number = message->number, .answered = message->answered};
    submitter_.submit(request, message->command,
                      [this, here = life_.watch(), id = row.id,
                       number = message->number](const Result<replica::Reply>& reply) {
                          if (here.ended()) return;
                          AnswerMessage told{.number = number};
                          if (reply) {
                              told.reply = reply->bytes;
                          } else {
                              told.error = reply.error();
                          }
                          answer(id, MessageType::request_answer, told);
                      });
}

void ReplicaPort::outcome(Row& row, Bytes body) {
    const auto number = decode_outcome(body);
    if (!number) return end(row, number.error());
    replica_->outcome(
        {.session = row.session, .number = *number, .answered = {}},
        submitter_.counted([this, here = life_.watch(), id = row.id,
                            number = *number](const Result<replica::Replica::Outcome>& outcome) {
            if (here.ended()) return;
            AnswerMessage told{.number = number};
            if (outcome) {
                told.fate = outcome->fate;
                told.reply = outcome->reply;
            } else {
                told.error = outcome.error();
            }
            answer(id, MessageType::outcome, told);
        }));
}

void ReplicaPort::answer(std::uint64_t id, MessageType type, const AnswerMessage& message) {
    Row* const row = find(id);
    if (row == nullptr || row->stage != Stage::open) return;
    const Buffer head = encode_head(message);
    const Bytes parts[] = {head, message.reply};
    if (row->link->send(type, parts)) return;
    // The reply of a command may be longer than a message. It has been carried out.
    (void)row->link->send(type, encode_head({.number = message.number,
                                             .error = Error{.code = Errc::limit_exceeded,
                                                            .effect = Effect::unknown,
                                                            .detail = "the reply is longer than a "
                                                                      "message may be"}}));
}

// --- The end -------------------------------------------------------------------------------------

void ReplicaPort::standing_changed() {
    const Error reason{.code = Errc::not_active, .detail = "this member is not active any more"};
    for (auto& [link, row] : rows_) {
        if (row.stage == Stage::opening) {
            row.stage = Stage::leaving;
            row.link->refuse(reason);
        } else if (row.stage == Stage::open) {
            end(row, reason);
        }
    }
}

void ReplicaPort::close() {
    listener_.reset();
    replica_ = nullptr;
    standing_changed();
}

void ReplicaPort::link_welcome(link::Link&, Bytes) { US_ASSERT(false); }
void ReplicaPort::link_drained(link::Link&) {}

void ReplicaPort::link_closed(link::Link& link, const Error& reason) {
    const auto found = rows_.find(&link);
    if (found == rows_.end()) return;
    if (link::blames_peer(reason)) refusals_.heard("replica.client_refused", link.peer(), reason);
    by_id_.erase(found->second.id);
    const auto kept = rows_.extract(found);
}

}  // namespace understudy::hosting
