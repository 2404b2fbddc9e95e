#include "hosting/replica_port.h"

#include <utility>

namespace understudy::hosting {

using wire::MessageType;

ReplicaPort::ReplicaPort(Runtime& runtime, Log& log, Options options, Locator& locator,
                         Submitter& submitter)
    : options_(std::move(options)),
      hint_(locator, options_.service, options_.member),
      submitter_(submitter),
      connections_(runtime, log,
                   {.link = {.handshake_limit = options_.handshake_limit},
                    .links_max = connections_max,
                    .unread_max_bytes = link::Link::backlog_max_bytes,
                    .refused_event = "replica.client_refused"}) {
    connections_.serve(static_cast<SessionServer::Desk&>(*this));
}

ReplicaPort::~ReplicaPort() { life_.end(); }

Result<void> ReplicaPort::listen() { return connections_.listen(options_.listen, options_.tls); }

// --- The handshake -------------------------------------------------------------------------------

void ReplicaPort::session_hello(LinkId id, Bytes opaque) {
    const auto hello = decode_request_hello(opaque);
    if (!hello) return connections_.refuse(id, hello.error());
    if (hello->service != options_.service) {
        return connections_.refuse(
            id, {.code = Errc::not_found,
                 .detail = "this is " + options_.service + ", not " + hello->service});
    }
    if (replica_ == nullptr || !replica_->active()) {
        RequestElsewhere elsewhere;
        if (replica_ != nullptr) {
            const Locator::Place active = hint_.active(replica_->standing());
            elsewhere = {.member = active.member, .epoch = active.epoch, .address = active.address};
        }
        return connections_.send_away(id, encode(RequestGreeting(elsewhere)),
                                      {.code = Errc::not_active, .detail = "not active here"});
    }
    if (hello->session.value != 0) return welcome(id, hello->session);
    opening_.insert(id);
    open_session(id);
}

void ReplicaPort::open_session(LinkId id) {
    replica_->open_session(
        submitter_.counted(life_.guarded([this, id](const Result<SessionId>& session) {
            if (opening_.erase(id) == 0) return;
            if (session) return welcome(id, *session);
            connections_.refuse(id, session.error());
        })));
}

void ReplicaPort::welcome(LinkId id, SessionId session) {
    const Buffer greeting = encode(RequestGreeting(
        RequestWelcome{.member = options_.member, .epoch = replica_->epoch(), .session = session}));
    if (connections_.open(id, greeting)) sessions_.emplace(id, session);
}

/// The connection is closed when everything that waits on it has been sent.
void ReplicaPort::end(LinkId id, const Error& reason) {
    if (sessions_.erase(id) > 0) connections_.finish(id, reason);
}

// --- Requests ------------------------------------------------------------------------------------

void ReplicaPort::session_message(LinkId id, MessageType type, Bytes body) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) return;
    const SessionId session = found->second;
    if (type == MessageType::request) return submit(id, session, body);
    if (type == MessageType::outcome_ask) return outcome(id, session, body);
    if (type == MessageType::session_end) {
        replica_->close_session(session, submitter_.counted([](const Result<void>&) {}));
        return end(id, {.code = Errc::closed, .detail = "the session is over"});
    }
    end(id, {.code = Errc::corrupt, .detail = "no message of a client"});
}

void ReplicaPort::submit(LinkId id, SessionId session, Bytes body) {
    const auto message = decode_submit(body);
    if (!message) return end(id, message.error());
    // If only this request were refused, later requests would be carried out before it.
    if (const auto room = submitter_.check_room(); !room) {
        return end(id, {.code = Errc::unavailable, .detail = room.error().detail});
    }
    const Request request{
        .session = session, .number = message->number, .answered = message->answered};
    submitter_.submit(
        request, message->command,
        life_.guarded([this, id, number = message->number](const Result<replica::Reply>& reply) {
            AnswerMessage told{.number = number};
            if (reply) {
                told.reply = reply->bytes;
            } else {
                told.error = reply.error();
            }
            answer(id, MessageType::request_answer, told);
        }));
}

void ReplicaPort::outcome(LinkId id, SessionId session, Bytes body) {
    const auto number = decode_outcome(body);
    if (!number) return end(id, number.error());
    replica_->outcome(
        {.session = session, .number = *number, .answered = {}},
        submitter_.counted(life_.guarded(
            [this, id, number = *number](const Result<replica::Replica::Outcome>& outcome) {
                AnswerMessage told{.number = number};
                if (outcome) {
                    told.fate = outcome->fate;
                    told.reply = outcome->reply;
                } else {
                    told.error = outcome.error();
                }
                answer(id, MessageType::outcome, told);
            })));
}

void ReplicaPort::answer(LinkId id, MessageType type, const AnswerMessage& message) {
    if (!sessions_.contains(id)) return;
    const Buffer head = encode_head(message);
    const Bytes parts[] = {head, message.reply};
    switch (connections_.send(id, type, parts)) {
        case SessionServer::Sent::taken:
        case SessionServer::Sent::gone:
            return;
        case SessionServer::Sent::unread:
            // The client asks again when it reads again.
            sessions_.erase(id);
            return connections_.cut(id);
        case SessionServer::Sent::too_long: {
            // The reply of a command may be longer than a message. It has been carried out.
            const AnswerMessage refusal{
                .number = message.number,
                .error = Error{.code = Errc::limit_exceeded,
                               .effect = Effect::unknown,
                               .detail = "the reply is longer than a message may be"}};
            (void)connections_.send(id, type, encode_head(refusal));
        }
    }
}

// --- The end -------------------------------------------------------------------------------------

void ReplicaPort::tenure_changed() {
    const Error reason{.code = Errc::not_active, .detail = "this member is not active any more"};
    for (const LinkId id : std::exchange(opening_, {})) connections_.refuse(id, reason);
    sessions_.clear();
    connections_.end_sessions(reason);
}

void ReplicaPort::close() {
    connections_.stop_listening();
    replica_ = nullptr;
    tenure_changed();
}

void ReplicaPort::session_closed(LinkId id) {
    opening_.erase(id);
    sessions_.erase(id);
}

}  // namespace understudy::hosting
