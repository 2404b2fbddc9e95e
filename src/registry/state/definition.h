#pragma once

#include "role/start_order.h"
#include "understudy/types.h"
#include "wire/control.pb.h"

namespace understudy::registry {

// Services that are registered before their members run: what operators may ask for, and the
// definition that results. Pure functions on values.

inline constexpr int replicas_max = 32;  ///< Of one service.
inline constexpr std::uint32_t replica_number_max = 999;
inline constexpr std::size_t directory_size_max = 1024;  ///< In bytes.
inline constexpr std::uint64_t defined_lease_ms = 1000;  ///< Until a member gives another.

[[nodiscard]] role::LastResort last_resort_of(const wire::pb::ServiceConfig& config);
[[nodiscard]] role::Checkpointer checkpointer_of(const wire::pb::ServiceConfig& config);

struct Definition {
    wire::pb::Definition rows;
    role::LastResort last_resort = role::LastResort::never;
    role::Checkpointer checkpointer = role::Checkpointer::dedicated;
};

/// Is this well-formed? Errors: bad_config, limit_exceeded (none).
[[nodiscard]] Result<void> check(const wire::pb::DefinitionAsk& wanted);

/// Sets the values that are given; the others stay. The same request twice changes nothing more.
/// `old`: null if there is none.
/// Errors: bad_config; already_exists: values differ, and `update` is not set (none).
[[nodiscard]] Result<Definition> define(const Definition* old, const wire::pb::DefineAsk& wanted);
/// The same of one replica. Errors: as define(), limit_exceeded (none).
[[nodiscard]] Result<wire::pb::Definition> add_replica(const wire::pb::Definition& old,
                                                       const wire::pb::AddReplicaAsk& wanted);
/// Errors: not_found; refused: the last one (none).
[[nodiscard]] Result<wire::pb::Definition> remove_replica(const wire::pb::Definition& old,
                                                          const wire::pb::RemoveReplicaAsk& wanted);

/// Is the journal of another kind, or in another place for a replica that both have?
[[nodiscard]] bool moves_journal(const wire::pb::Definition& from, const wire::pb::Definition& to);

}  // namespace understudy::registry
