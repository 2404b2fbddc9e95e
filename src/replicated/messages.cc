#include "replicated/messages.h"

#include <utility>

#include "consensus/message.h"
#include "replicated/codec.h"
#include "replicated/entry_body.h"
#include "understudy/limits.h"

namespace understudy::replicated {

namespace {

constexpr std::uint32_t hello_magic = 0x444e5355;  // "USND"
constexpr std::uint8_t hello_version = 1;

Error damaged(std::string_view what) {
    return {.code = Errc::corrupt, .detail = "message between nodes: " + std::string(what)};
}

/// How the rest of a message of the consensus is written.
enum class Form : std::uint8_t {
    plain = 1,    ///< As consensus/message.h has it.
    entries = 2,  ///< An append request with entries, each with its urgency.
};

std::optional<std::vector<consensus::LogEntry>> read_entries(ByteReader& reader,
                                                             std::uint32_t count,
                                                             std::vector<bool>& urgent) {
    // Each entry has ten bytes at least, so a false count cannot cause a larger allocation than the
    // message allows.
    if (count > reader.rest().size() / 10) return std::nullopt;
    const auto copy = std::make_shared<const Buffer>(reader.rest().begin(), reader.rest().end());
    ByteReader from{Bytes(*copy)};
    std::vector<consensus::LogEntry> entries;
    entries.reserve(count);
    urgent.reserve(count);
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto term = from.fixed<std::uint64_t>();
        const auto kind = from.fixed<std::uint8_t>();
        const auto body = from.bytes();
        if (from.failed() || *term == 0 || !is_stored_kind(*kind)) return std::nullopt;
        entries.push_back(
            {.term = {*term}, .kind = kind_of(*kind), .body = {.owner = copy, .bytes = *body}});
        urgent.push_back(is_urgent(*kind));
    }
    if (!from.done()) return std::nullopt;
    static_cast<void>(reader.raw(reader.rest().size()));
    return entries;
}

Buffer begin(GroupId group) {
    Buffer out;
    ByteWriter(out).fixed(group.value);
    return out;
}

}  // namespace

Buffer encode(const Hello& hello) {
    Buffer out;
    ByteWriter writer(out);
    writer.fixed(hello_magic);
    writer.fixed(hello_version);
    writer.text(hello.platform);
    writer.text(hello.name);
    write_address(writer, hello.address);
    writer.fixed(hello.identity);
    writer.text(hello.process.boot);
    writer.fixed(hello.process.pid_namespace);
    writer.fixed(hello.process.pid);
    writer.fixed(hello.process.start_ticks);
    return out;
}

Result<Hello> decode_hello(Bytes bytes) {
    ByteReader reader(bytes);
    const auto magic = reader.fixed<std::uint32_t>();
    const auto version = reader.fixed<std::uint8_t>();
    if (reader.failed() || *magic != hello_magic) {
        return Error{.code = Errc::refused, .detail = "only nodes are spoken to here"};
    }
    if (*version != hello_version) {
        return Error{.code = Errc::refused,
                     .detail = "nodes of version " + std::to_string(*version) +
                               " are not spoken to, only of version " +
                               std::to_string(hello_version)};
    }
    const auto platform = reader.text();
    const auto name = reader.text();
    auto address = read_address(reader);
    const auto identity = reader.fixed<std::uint64_t>();
    const auto boot = reader.text();
    const auto pid_namespace = reader.fixed<std::uint64_t>();
    const auto pid = reader.fixed<std::uint64_t>();
    const auto start_ticks = reader.fixed<std::uint64_t>();
    if (!reader.done() || !address || *identity == 0) return damaged("hello");
    US_CHECK(check_identifier("node", *name));
    return Hello{.platform = std::string(*platform),
                 .name = std::string(*name),
                 .address = *std::move(address),
                 .identity = *identity,
                 .process = {.boot = std::string(*boot),
                             .pid_namespace = *pid_namespace,
                             .pid = *pid,
                             .start_ticks = *start_ticks}};
}

Buffer encode(const Found& message) {
    Buffer out = begin(message.group);
    ByteWriter(out).text(message.service);
    return out;
}

Buffer encode(const Founded& message) {
    Buffer out = begin(message.group);
    ByteWriter(out).fixed(static_cast<std::uint8_t>(message.members ? 1 : 0));
    if (message.members) message.members->encode(out);
    return out;
}

Buffer encode(const Join& message) {
    Buffer out = begin(message.group);
    ByteWriter writer(out);
    write_member(writer, message.member);
    return out;
}

Buffer encode(const Fetch& message) {
    Buffer out = begin(message.group);
    ByteWriter writer(out);
    writer.fixed(message.index.value);
    writer.fixed(message.offset);
    writer.fixed(message.beyond.value);
    return out;
}

Buffer encode_head(const Chunk& message) {
    Buffer out = begin(message.group);
    ByteWriter writer(out);
    writer.fixed(message.index.value);
    writer.fixed(message.offset);
    writer.fixed(static_cast<std::uint8_t>(message.place));
    writer.fixed(message.checksum);
    writer.fixed(static_cast<std::uint8_t>(message.snapshot ? 1 : 0));
    if (message.snapshot) write_snapshot(writer, *message.snapshot);
    return out;
}

Buffer encode(const ChunkTaken& message) {
    Buffer out = begin(message.group);
    ByteWriter writer(out);
    writer.fixed(message.index.value);
    writer.fixed(message.offset);
    return out;
}

Result<Found> decode_found(Bytes body) {
    ByteReader reader(body);
    const auto group = reader.fixed<std::uint64_t>();
    const auto service = reader.text();
    if (!reader.done()) return damaged("found");
    return Found{.group = {*group}, .service = std::string(*service)};
}

Result<Founded> decode_founded(Bytes body) {
    ByteReader reader(body);
    const auto group = reader.fixed<std::uint64_t>();
    const auto has_members = reader.fixed<std::uint8_t>();
    if (reader.failed() || *has_members > 1) return damaged("founded");
    Founded message{.group = {*group}, .members = std::nullopt};
    if (*has_members == 0) {
        if (!reader.done()) return damaged("founded");
        return message;
    }
    message.members = US_TRY(Members::decode(reader.rest()));
    return message;
}

Result<Join> decode_join(Bytes body) {
    ByteReader reader(body);
    const auto group = reader.fixed<std::uint64_t>();
    auto member = read_member(reader);
    if (!reader.done() || !member) return damaged("join");
    return Join{.group = {*group}, .member = *std::move(member)};
}

Result<Fetch> decode_fetch(Bytes body) {
    ByteReader reader(body);
    const auto group = reader.fixed<std::uint64_t>();
    const auto index = reader.fixed<std::uint64_t>();
    const auto offset = reader.fixed<std::uint64_t>();
    const auto beyond = reader.fixed<std::uint64_t>();
    if (!reader.done()) return damaged("fetch");
    return Fetch{.group = {*group}, .index = {*index}, .offset = *offset, .beyond = {*beyond}};
}

Result<Chunk> decode_chunk(Bytes body) {
    ByteReader reader(body);
    const auto group = reader.fixed<std::uint64_t>();
    const auto index = reader.fixed<std::uint64_t>();
    const auto offset = reader.fixed<std::uint64_t>();
    const auto place = reader.fixed<std::uint8_t>();
    const auto checksum = reader.fixed<std::uint32_t>();
    const auto has_snapshot = reader.fixed<std::uint8_t>();
    if (reader.failed() || *place > 2 || *has_snapshot > 1) return damaged("chunk");
    Chunk chunk{.group = {*group},
                .index = {*index},
                .offset = *offset,
                .place = static_cast<Chunk::Place>(*place),
                .checksum = *checksum,
                .snapshot = std::nullopt,
                .bytes = {}};
    if (*has_snapshot == 1) {
        chunk.snapshot = read_snapshot(reader);
        if (!chunk.snapshot || chunk.snapshot->index != chunk.index) return damaged("chunk");
    }
    chunk.bytes = reader.rest();
    return chunk;
}

Result<ChunkTaken> decode_chunk_taken(Bytes body) {
    ByteReader reader(body);
    const auto group = reader.fixed<std::uint64_t>();
    const auto index = reader.fixed<std::uint64_t>();
    const auto offset = reader.fixed<std::uint64_t>();
    if (!reader.done()) return damaged("chunk taken");
    return ChunkTaken{.group = {*group}, .index = {*index}, .offset = *offset};
}

std::span<const Bytes> ConsensusEncoder::encode(GroupId group, const consensus::Message& message) {
    heads_.clear();
    parts_.clear();
    ByteWriter writer(heads_);
    writer.fixed(group.value);
    writer.fixed(static_cast<std::uint8_t>(Form::plain));
    consensus::encode(message, heads_);
    parts_.push_back(heads_);
    return parts_;
}

std::span<const Bytes> ConsensusEncoder::encode(GroupId group,
                                                const consensus::AppendRequest& request,
                                                std::span<const journal::GroupEntry> entries) {
    constexpr std::size_t head_bytes = 64;
    US_ASSERT(!entries.empty());
    heads_.clear();
    parts_.clear();
    // The parts point into it, so it must not move while it grows.
    heads_.reserve(head_bytes + entries.size() * entry_overhead_bytes);
    ByteWriter writer(heads_);
    writer.fixed(group.value);
    writer.fixed(static_cast<std::uint8_t>(Form::entries));
    writer.fixed(request.term.value);
    writer.fixed(request.prev_index.value);
    writer.fixed(request.prev_term.value);
    writer.fixed(request.leader_commit.value);
    writer.fixed(static_cast<std::uint32_t>(entries.size()));
    std::size_t begin = 0;
    for (const journal::GroupEntry& entry : entries) {
        writer.fixed(entry.term.value);
        writer.fixed(entry.kind);
        writer.varint(entry.body.size());
        parts_.push_back(Bytes(heads_).subspan(begin));
        parts_.push_back(entry.body);
        begin = heads_.size();
    }
    return parts_;
}

Result<ConsensusMessage> decode_consensus(Bytes body) {
    ByteReader reader(body);
    const auto group = reader.fixed<std::uint64_t>();
    const auto form = reader.fixed<std::uint8_t>();
    if (reader.failed()) return damaged("head");
    ConsensusMessage result{.group = {*group}, .message = {}, .urgent = {}};
    if (static_cast<Form>(*form) == Form::plain) {
        // Without entries, no view of the message is kept after this call.
        result.message = US_TRY(consensus::decode({.owner = nullptr, .bytes = reader.rest()}));
        const auto* request = std::get_if<consensus::AppendRequest>(&result.message);
        if (request != nullptr && !request->entries.empty()) return damaged("plain entries");
        return result;
    }
    if (static_cast<Form>(*form) != Form::entries) return damaged("form");

    const auto term = reader.fixed<std::uint64_t>();
    const auto prev_index = reader.fixed<std::uint64_t>();
    const auto prev_term = reader.fixed<std::uint64_t>();
    const auto leader_commit = reader.fixed<std::uint64_t>();
    const auto count = reader.fixed<std::uint32_t>();
    if (reader.failed() || *count == 0) return damaged("append request");
    auto entries = read_entries(reader, *count, result.urgent);
    if (!entries) return damaged("entries");
    consensus::Message message = consensus::AppendRequest{.term = {*term},
                                                          .prev_index = {*prev_index},
                                                          .prev_term = {*prev_term},
                                                          .leader_commit = {*leader_commit},
                                                          .count = *count,
                                                          .entries = *std::move(entries)};
    US_CHECK(consensus::check(message));
    result.message = std::move(message);
    return result;
}

}  // namespace understudy::replicated
