#include "replicated/node/members.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "replicated/codec.h"
#include "understudy/limits.h"

namespace understudy::replicated {

namespace {

constexpr std::uint8_t members_version = 1;

}  // namespace

std::string_view name(MemberKind kind) {
    switch (kind) {
        case MemberKind::data:
            return "data";
        case MemberKind::checkpointer:
            return "checkpointer";
        case MemberKind::witness:
            return "witness";
    }
    return "unknown";
}

const MemberRow* Members::find(std::string_view name) const {
    const auto found = std::find_if(rows_.begin(), rows_.end(),
                                    [&](const MemberRow& row) { return row.member.name == name; });
    return found == rows_.end() ? nullptr : &*found;
}

const MemberRow* Members::find(ServerId id) const {
    const auto found = std::find_if(rows_.begin(), rows_.end(),
                                    [&](const MemberRow& row) { return row.id == id; });
    return found == rows_.end() ? nullptr : &*found;
}

Members Members::with(MemberRow row) const {
    Members result = *this;
    const auto same =
        std::find_if(result.rows_.begin(), result.rows_.end(),
                     [&](const MemberRow& each) { return each.member.name == row.member.name; });
    if (same == result.rows_.end()) {
        result.rows_.push_back(std::move(row));
    } else {
        *same = std::move(row);
    }
    return result;
}

Members Members::without(std::string_view name) const {
    Members result = *this;
    std::erase_if(result.rows_, [&](const MemberRow& row) { return row.member.name == name; });
    return result;
}

bool Members::votes(const MemberRow& row) const {
    // In a group of two, the vote of a checkpointer would only add a host that must not fail.
    return row.member.kind != MemberKind::checkpointer || rows_.size() > 2;
}

std::size_t Members::voters() const {
    return static_cast<std::size_t>(std::count_if(
        rows_.begin(), rows_.end(), [&](const MemberRow& row) { return votes(row); }));
}

consensus::Configuration Members::configuration() const {
    consensus::Configuration result;
    for (const MemberRow& row : rows_) {
        result.servers.push_back({.id = row.id,
                                  .membership = votes(row) ? consensus::Membership::voter
                                                           : consensus::Membership::observer});
    }
    std::sort(result.servers.begin(), result.servers.end(),
              [](const auto& a, const auto& b) { return a.id < b.id; });
    return result;
}

Result<void> Members::check() const {
    Buffer encoded;
    encode(encoded);
    if (rows_.size() > rows_max || encoded.size() > encoded_bytes_max) {
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("{} members in {} bytes, at most {} in {}", rows_.size(),
                                           encoded.size(), rows_max, encoded_bytes_max)};
    }
    return {};
}

void Members::encode(Buffer& out) const {
    ByteWriter writer(out);
    writer.fixed(members_version);
    writer.varint(rows_.size());
    for (const MemberRow& row : rows_) {
        writer.fixed(row.id.value);
        write_member(writer, row.member);
    }
}

Result<Members> Members::decode(Bytes bytes) {
    const Error damaged{.code = Errc::corrupt, .detail = "list of members"};
    ByteReader reader(bytes);
    const auto version = reader.fixed<std::uint8_t>();
    const auto count = reader.varint();
    if (reader.failed() || *version != members_version || *count > rows_max) return damaged;
    Members members;
    for (std::uint64_t i = 0; i < *count; ++i) {
        const auto id = reader.fixed<std::uint64_t>();
        auto member = read_member(reader);
        if (!id || *id == 0 || !member) return damaged;
        if (members.find(ServerId{*id}) != nullptr || members.find(member->name) != nullptr) {
            return damaged;
        }
        members.rows_.push_back({.id = {*id}, .member = *std::move(member)});
    }
    if (!reader.done()) return damaged;
    return members;
}

GroupId group_of(std::string_view service) {
    return {std::max<std::uint64_t>(hash64(as_bytes(service)), 1)};
}

std::string directory_of(GroupId group) { return fmt::format("{:016x}", group.value); }

ServerId server_of(std::uint64_t log_identity, GroupId group) {
    Buffer both;
    ByteWriter writer(both);
    writer.fixed(log_identity);
    writer.fixed(group.value);
    return {std::max<std::uint64_t>(hash64(both), 1)};
}

}  // namespace understudy::replicated
