#include "replicated/codec.h"

#include <string>

#include "understudy/limits.h"

namespace understudy::replicated {

namespace {

constexpr std::size_t host_size_max = 255;
constexpr std::size_t servers_max = 64;
constexpr std::size_t reference_size_max = 4 * KiB;

}  // namespace

void write_address(ByteWriter& writer, const Address& address) {
    writer.text(address.host);
    writer.fixed(address.port);
}

std::optional<Address> read_address(ByteReader& reader) {
    const auto host = reader.text();
    const auto port = reader.fixed<std::uint16_t>();
    if (reader.failed() || host->size() > host_size_max) return std::nullopt;
    return Address{.host = std::string(*host), .port = *port};
}

void write_member(ByteWriter& writer, const Member& member) {
    writer.text(member.name);
    write_address(writer, member.address);
    writer.fixed(static_cast<std::uint8_t>(member.kind));
}

std::optional<Member> read_member(ByteReader& reader) {
    const auto name = reader.text();
    auto address = read_address(reader);
    const auto kind = reader.fixed<std::uint8_t>();
    if (reader.failed() || !address || *kind < 1 || *kind > 3) return std::nullopt;
    if (!check_identifier("node", *name)) return std::nullopt;
    return Member{.name = std::string(*name),
                  .address = *std::move(address),
                  .kind = static_cast<MemberKind>(*kind)};
}

void write_snapshot(ByteWriter& writer, const consensus::SnapshotRef& snapshot) {
    writer.fixed(snapshot.index.value);
    writer.fixed(snapshot.term.value);
    writer.fixed(snapshot.configuration_index.value);
    writer.varint(snapshot.configuration.servers.size());
    for (const consensus::Server& server : snapshot.configuration.servers) {
        writer.fixed(server.id.value);
        writer.fixed(static_cast<std::uint8_t>(server.membership));
    }
    writer.bytes(snapshot.reference);
}

std::optional<consensus::SnapshotRef> read_snapshot(ByteReader& reader) {
    consensus::SnapshotRef snapshot;
    const auto index = reader.fixed<std::uint64_t>();
    const auto term = reader.fixed<std::uint64_t>();
    const auto configuration_index = reader.fixed<std::uint64_t>();
    const auto count = reader.varint();
    if (reader.failed() || *index == 0 || *term == 0 || *count > servers_max) return std::nullopt;
    if (*configuration_index > *index) return std::nullopt;
    snapshot.index = {*index};
    snapshot.term = {*term};
    snapshot.configuration_index = {*configuration_index};
    for (std::uint64_t i = 0; i < *count; ++i) {
        const auto id = reader.fixed<std::uint64_t>();
        const auto membership = reader.fixed<std::uint8_t>();
        if (reader.failed() || *id == 0 || *membership < 1 || *membership > 2) return std::nullopt;
        auto& servers = snapshot.configuration.servers;
        if (!servers.empty() && servers.back().id.value >= *id) return std::nullopt;
        servers.push_back(
            {.id = {*id}, .membership = static_cast<consensus::Membership>(*membership)});
    }
    const auto reference = reader.bytes();
    if (!reference || reference->size() > reference_size_max) return std::nullopt;
    snapshot.reference.assign(reference->begin(), reference->end());
    return snapshot;
}

}  // namespace understudy::replicated
