#pragma once

#include <string>

#include "apps/exit.h"

namespace understudy::apps::demo {

// The two programs of the fault-tolerant hello world. They use only the public API.

inline constexpr char family[] = "Foo";
inline constexpr char record_name[] = "HelloWorld";
inline constexpr char field_name[] = "a message";

/// A member of the service. Prints MASTER or STANDBY when it gets that role. Runs without end.
[[nodiscard]] Result<Exit> run_member(const std::string& registry, const std::string& member);

/// A client of the service. Prints the message of the active member. Runs without end.
///
/// It writes to Child::notes_descriptor, with the monotonic clock: "lost NS" when its member has
/// gone, "found NS" when a message has arrived.
[[nodiscard]] Result<Exit> run_client(const std::string& registry);

}  // namespace understudy::apps::demo
