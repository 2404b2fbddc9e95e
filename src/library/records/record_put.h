#pragma once

#include "understudy/service.h"

namespace understudy::library {

/// The call with which operators change records; `understudy record put` uses it.
inline constexpr char record_put_call[] = "understudy.record.put";

/// Publishes the call on a member whose application allows it. It runs on the callback thread. Its
/// arguments are {record: text, fields: {NAME: value}, submaps: {NAME: {NAME: value}}}; null
/// removes a field. Everything becomes one change; after an error the record is unchanged.
/// Errors: as Service::publish_rpc().
[[nodiscard]] Result<void> publish_record_put(Service& service);

}  // namespace understudy::library
