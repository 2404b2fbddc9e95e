#pragma once

#include <optional>

#include "base/bytes.h"
#include "consensus/core.h"
#include "replicated/node/members.h"

namespace understudy::replicated {

// Parts that several of our formats share. Little-endian, as base/bytes.h writes.
// Source: docs/protocols/replication.md, section "Encodings".

void write_address(ByteWriter& writer, const Address& address);
[[nodiscard]] std::optional<Address> read_address(ByteReader& reader);

void write_member(ByteWriter& writer, const Member& member);
/// Also nullopt if no such member could have been written.
[[nodiscard]] std::optional<Member> read_member(ByteReader& reader);

void write_snapshot(ByteWriter& writer, const consensus::SnapshotRef& snapshot);
[[nodiscard]] std::optional<consensus::SnapshotRef> read_snapshot(ByteReader& reader);

}  // namespace understudy::replicated
