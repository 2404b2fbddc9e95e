#pragma once

#include <string>
#include <vector>

#include "apps/view/listing.h"
#include "wire/control.pb.h"

namespace understudy::apps {

// Services in the form that the commands print. JSON field names: docs/cli.md, stable.

/// One row per service.
[[nodiscard]] Listing list_services(const std::vector<wire::pb::ServiceInfo>& services);
/// One row per member, in joining order.
[[nodiscard]] Listing list_members(const wire::pb::ServiceInfo& service);
/// The service with its members inside.
[[nodiscard]] wire::Dynamic::Map service_json(const wire::pb::ServiceInfo& service);
/// A few lines about the service, then the table of its members.
[[nodiscard]] std::string service_text(const wire::pb::ServiceInfo& service, Paint paint);

/// One row per promotion, oldest first.
[[nodiscard]] Listing list_promotions(const wire::pb::Answer& answer);

/// In the form of `fabric:cluster-list`: [cluster] [masters] [slaves] [services].
[[nodiscard]] Listing list_clusters(const std::vector<wire::pb::ServiceInfo>& services);

/// True if the pattern matches this service. "*" stands for any text; a pattern without it is a
/// prefix.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view family);

/// The member that takes over next: the earliest standby. Empty: none.
[[nodiscard]] std::string next_in_line(const wire::pb::ServiceInfo& service);
/// True if a member is active.
[[nodiscard]] bool is_served(const wire::pb::ServiceInfo& service);

}  // namespace understudy::apps
