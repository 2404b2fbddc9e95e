#pragma once

#include "understudy/service.h"

namespace understudy::library {

/// The call by which operators change records, as `understudy record put` makes it.
inline constexpr char record_put_call[] = "understudy.record.put";

/// Publishes it on a member whose application allows it. It runs on the callback thread, and takes
/// {record: text, fields: {NAME: value}, submaps: {NAME: {NAME: value}}}; null removes a field. All
/// of it becomes one change, or none: with an error the record is as it was.
/// Errors: as Service::publish_rpc().
[[nodiscard]] Result<void> publish_record_put(Service& service);

}  // namespace understudy::library
