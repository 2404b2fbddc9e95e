#include "consensus/message.h"

#include "base/bytes.h"
#include "consensus/configuration.h"

namespace understudy::consensus {

namespace {

enum class Kind : std::uint8_t {
    vote_request = 1,
    vote_result = 2,
    append_request = 3,
    append_result = 4,
    install_request = 5,
    timeout_now = 6,
};

constexpr std::uint8_t flag_pre_vote = 1;
constexpr std::uint8_t flag_disrupt = 2;
constexpr std::uint8_t flag_granted = 2;

Error bad_message(std::string detail) {
    return Error{.code = Errc::corrupt, .detail = "message: " + std::move(detail)};
}

std::size_t varint_size(std::uint64_t value) {
    std::size_t size = 1;
    for (; value >= 0x80; value >>= 7) ++size;
    return size;
}

class Writer {
public:
    explicit Writer(Buffer& out) : writer_(out) {}

    void head(Kind kind, std::uint8_t flags, Epoch term) {
        writer_.fixed(static_cast<std::uint8_t>(kind));
        writer_.fixed(flags);
        writer_.varint(term.value);
    }

    void operator()(const VoteRequest& request) {
        head(Kind::vote_request,
             static_cast<std::uint8_t>((request.pre_vote ? flag_pre_vote : 0) |
                                       (request.disrupt_leader ? flag_disrupt : 0)),
             request.term);
        writer_.fixed(request.candidate.value);
        position(request.last_index, request.last_term);
    }
    void operator()(const VoteResult& result) {
        head(Kind::vote_result,
             static_cast<std::uint8_t>((result.pre_vote ? flag_pre_vote : 0) |
                                       (result.granted ? flag_granted : 0)),
             result.term);
    }
    void operator()(const AppendRequest& request) {
        head(Kind::append_request, 0, request.term);
        position(request.prev_index, request.prev_term);
        writer_.varint(request.leader_commit.value);
        writer_.varint(request.entries.size());
        for (const LogEntry& entry : request.entries) {
            writer_.fixed(static_cast<std::uint8_t>(entry.kind));
            writer_.varint(entry.term.value);
            writer_.bytes(entry.body.bytes);
        }
    }
    void operator()(const AppendResult& result) {
        head(Kind::append_result, 0, result.term);
        writer_.varint(result.rejected.value);
        writer_.varint(result.last_index.value);
        writer_.varint(result.capacity);
    }
    void operator()(const InstallRequest& request) {
        head(Kind::install_request, 0, request.term);
        const SnapshotRef& snapshot = request.snapshot;
        position(snapshot.index, snapshot.term);
        writer_.varint(snapshot.configuration_index.value);
        writer_.bytes(encoded(snapshot.configuration));
        writer_.bytes(snapshot.reference);
    }
    void operator()(const TimeoutNow& now) {
        head(Kind::timeout_now, 0, now.term);
        position(now.last_index, now.last_term);
    }

private:
    void position(Index index, Epoch term) {
        writer_.varint(index.value);
        writer_.varint(term.value);
    }

    ByteWriter writer_;
};

/// Reads everything and asks once; a field that is missing counts as 0.
class Reader {
public:
    explicit Reader(const SharedBytes& frame) : frame_(frame), reader_(frame.bytes) {}

    std::uint8_t byte() { return reader_.fixed<std::uint8_t>().value_or(0); }
    std::uint64_t number() { return reader_.varint().value_or(0); }
    Epoch term() { return {number()}; }
    Index index() { return {number()}; }
    ServerId server() { return {reader_.fixed<std::uint64_t>().value_or(0)}; }
    Bytes bytes() { return reader_.bytes().value_or(Bytes{}); }
    std::size_t rest() const { return reader_.rest().size(); }
    bool done() const { return reader_.done(); }

    Result<void> entries(std::vector<LogEntry>& out, std::uint64_t count) {
        // An entry has three bytes at least: a count that lies cannot make us allocate.
        if (count > entries_per_message_max || count > rest() / 3)
            return bad_message("entry count");
        out.reserve(static_cast<std::size_t>(count));
        for (std::uint64_t i = 0; i < count; ++i) {
            LogEntry entry;
            entry.kind = static_cast<EntryKind>(byte());
            entry.term = term();
            const Bytes body = bytes();
            if (!body.empty()) entry.body = {.owner = frame_.owner, .bytes = body};
            out.push_back(std::move(entry));
        }
        return {};
    }

private:
    const SharedBytes& frame_;
    ByteReader reader_;
};

// Higher numbers are nonsense that would overflow somewhere.
constexpr std::uint64_t number_max = std::uint64_t{1} << 62;

bool sane(Index index) { return index.value <= number_max; }
bool sane(Epoch term) { return term.value <= number_max; }

/// A place in a log: both 0, or neither.
bool sane(Index index, Epoch term) {
    return sane(index) && sane(term) && (index.value == 0) == (term.value == 0);
}

Result<void> check_entries(const AppendRequest& request) {
    if (request.entries.size() != request.count) return bad_message("entries are missing");
    if (request.count > entries_per_message_max) return bad_message("too many entries");
    Epoch last = request.prev_term;
    for (const LogEntry& entry : request.entries) {
        if (entry.term.value == 0 || entry.term < last || entry.term > request.term) {
            return bad_message("entry terms");
        }
        last = entry.term;
        const Bytes body = entry.body.bytes;
        if (body.size() > entry_size_max) {
            return Error{.code = Errc::limit_exceeded, .detail = "message: entry too large"};
        }
        switch (entry.kind) {
            case EntryKind::command:
                break;
            case EntryKind::barrier:
                if (!body.empty()) return bad_message("barrier with a body");
                break;
            case EntryKind::configuration:
                // The engine would record it at the place of the first.
                if (request.count != 1) return bad_message("configuration among other entries");
                if (auto decoded = decode_configuration(body); !decoded) {
                    return std::move(decoded).error();
                }
                break;
            default:
                return bad_message("entry kind");
        }
    }
    return {};
}

struct Checker {
    Result<void> operator()(const VoteRequest& request) const {
        if (request.candidate.value == 0) return bad_message("no candidate");
        if (!sane(request.last_index, request.last_term) || request.last_term > request.term) {
            return bad_message("last entry");
        }
        return {};
    }
    Result<void> operator()(const VoteResult&) const { return {}; }
    Result<void> operator()(const AppendRequest& request) const {
        if (!sane(request.prev_index, request.prev_term) || request.prev_term > request.term ||
            !sane(request.leader_commit)) {
            return bad_message("previous entry");
        }
        return check_entries(request);
    }
    Result<void> operator()(const AppendResult& result) const {
        if (!sane(result.rejected) || !sane(result.last_index)) return bad_message("index");
        if (result.rejected.value != 0 && result.last_index >= result.rejected) {
            return bad_message("hint behind what was rejected");
        }
        return {};
    }
    Result<void> operator()(const InstallRequest& request) const {
        const SnapshotRef& snapshot = request.snapshot;
        if (!sane(snapshot.index, snapshot.term) || snapshot.index.value == 0 ||
            snapshot.term > request.term) {
            return bad_message("checkpoint's place");
        }
        if (snapshot.configuration_index.value == 0 ||
            snapshot.configuration_index > snapshot.index || !well_formed(snapshot.configuration)) {
            return bad_message("checkpoint's configuration");
        }
        if (snapshot.reference.size() > reference_size_max) {
            return Error{.code = Errc::limit_exceeded, .detail = "message: reference too large"};
        }
        return {};
    }
    Result<void> operator()(const TimeoutNow& now) const {
        if (!sane(now.last_index, now.last_term) || now.last_term > now.term) {
            return bad_message("last entry");
        }
        return {};
    }
};

Result<Message> read(Kind kind, std::uint8_t flags, Epoch term, Reader& in) {
    switch (kind) {
        case Kind::vote_request: {
            VoteRequest request;
            request.term = term;
            if (flags > (flag_pre_vote | flag_disrupt)) return bad_message("flags");
            request.pre_vote = (flags & flag_pre_vote) != 0;
            request.disrupt_leader = (flags & flag_disrupt) != 0;
            request.candidate = in.server();
            request.last_index = in.index();
            request.last_term = in.term();
            return Message(request);
        }
        case Kind::vote_result:
            if (flags > (flag_pre_vote | flag_granted)) return bad_message("flags");
            return Message(VoteResult{.term = term,
                                      .granted = (flags & flag_granted) != 0,
                                      .pre_vote = (flags & flag_pre_vote) != 0});
        case Kind::append_request: {
            AppendRequest request;
            request.term = term;
            if (flags != 0) return bad_message("flags");
            request.prev_index = in.index();
            request.prev_term = in.term();
            request.leader_commit = in.index();
            US_CHECK(in.entries(request.entries, in.number()));
            request.count = static_cast<std::uint32_t>(request.entries.size());
            return Message(std::move(request));
        }
        case Kind::append_result: {
            AppendResult result;
            result.term = term;
            if (flags != 0) return bad_message("flags");
            result.rejected = in.index();
            result.last_index = in.index();
            const std::uint64_t capacity = in.number();
            if (capacity > 0xffff) return bad_message("capacity");
            result.capacity = static_cast<std::uint16_t>(capacity);
            return Message(result);
        }
        case Kind::install_request: {
            InstallRequest request;
            request.term = term;
            if (flags != 0) return bad_message("flags");
            SnapshotRef& snapshot = request.snapshot;
            snapshot.index = in.index();
            snapshot.term = in.term();
            snapshot.configuration_index = in.index();
            snapshot.configuration = US_TRY(decode_configuration(in.bytes()));
            const Bytes reference = in.bytes();
            if (reference.size() > reference_size_max) return bad_message("reference too large");
            snapshot.reference.assign(reference.begin(), reference.end());
            return Message(std::move(request));
        }
        case Kind::timeout_now: {
            TimeoutNow now;
            now.term = term;
            if (flags != 0) return bad_message("flags");
            now.last_index = in.index();
            now.last_term = in.term();
            return Message(now);
        }
    }
    return bad_message("unknown kind");
}

std::size_t body_size(const LogEntry& entry) {
    const std::size_t size = entry.body.bytes.size();
    return 1 + varint_size(entry.term.value) + varint_size(size) + size;
}

}  // namespace

Epoch term_of(const Message& message) {
    return std::visit([](const auto& one) { return one.term; }, message);
}

Result<void> check(const Message& message) {
    const Epoch term = term_of(message);
    if (term.value == 0 || !sane(term)) return bad_message("term");
    return std::visit(Checker{}, message);
}

void encode(const Message& message, Buffer& out) {
    if (const auto* request = std::get_if<AppendRequest>(&message)) {
        US_ASSERT(request->count == request->entries.size());
        out.reserve(out.size() + encoded_size(message));
    }
    std::visit(Writer(out), message);
}

std::size_t encoded_size(const Message& message) {
    if (const auto* request = std::get_if<AppendRequest>(&message)) {
        std::size_t size =
            2 + varint_size(request->term.value) + varint_size(request->prev_index.value) +
            varint_size(request->prev_term.value) + varint_size(request->leader_commit.value) +
            varint_size(request->entries.size());
        for (const LogEntry& entry : request->entries) size += body_size(entry);
        return size;
    }
    Buffer out;  // The others are a few bytes.
    std::visit(Writer(out), message);
    return out.size();
}

Result<Message> decode(const SharedBytes& frame) {
    Reader in(frame);
    const auto kind = static_cast<Kind>(in.byte());
    const std::uint8_t flags = in.byte();
    const Epoch term = in.term();
    Message message = US_TRY(read(kind, flags, term, in));
    if (!in.done()) return bad_message("too short or too long");
    US_CHECK(check(message));
    return message;
}

}  // namespace understudy::consensus
