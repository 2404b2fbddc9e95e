#pragma once

#include <string>
#include <vector>

#include "apps/view/listing.h"
#include "wire/control.pb.h"

namespace understudy::apps {

// Services as the commands print them. JSON field names: docs/cli.md, stable.

/// One row per service.
[[nodiscard]] Listing list_services(const std::vector<wire::pb::ServiceInfo>& services);
/// One row per member, in line order.
[[nodiscard]] Listing list_members(const wire::pb::ServiceInfo& service);
/// The service with its members inside.
[[nodiscard]] wire::Dynamic::Map service_json(const wire::pb::ServiceInfo& service);
/// A few lines about the service, then the table of its members.
[[nodiscard]] std::string service_text(const wire::pb::ServiceInfo& service, Paint paint);

/// One row per promotion, oldest first.
[[nodiscard]] Listing list_promotions(const wire::pb::Answer& answer);

/// As `fabric:cluster-list` prints it: [cluster] [masters] [slaves] [services].
[[nodiscard]] Listing list_clusters(const std::vector<wire::pb::ServiceInfo>& services);

/// Does the pattern name this service? "*" stands for any text; a plain text is a beginning.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view family);

/// Who takes over next: the earliest standby. Empty: nobody.
[[nodiscard]] std::string next_in_line(const wire::pb::ServiceInfo& service);
/// Does somebody serve?
[[nodiscard]] bool is_served(const wire::pb::ServiceInfo& service);

}  // namespace understudy::apps
