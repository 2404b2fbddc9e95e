#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "base/types.h"
#include "replica/tenure.h"
#include "wire/control.pb.h"

namespace understudy::registry {

// Effects of a tenure: what the shell must do, in this order.

using replica::Close;
using replica::Confirm;
using replica::Propose;
using replica::Send;
/// Tell the tenure by process_gone() when this process is proven dead, if that can be proven here.
struct WatchProcess {
    Incarnation agent;
    wire::pb::Process process;
};
struct ForgetProcess {
    Incarnation agent;
};
/// Change the nodes of the registry; report back by nodes_changed() with the same token.
struct ChangeNodes {
    std::uint64_t token;
    wire::pb::NodesAsk change;
};
using Effect =
    std::variant<Send, Close, Propose, WatchProcess, ForgetProcess, Confirm, ChangeNodes>;
using Effects = std::vector<Effect>;

}  // namespace understudy::registry
