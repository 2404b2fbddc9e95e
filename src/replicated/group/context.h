#pragma once

#include <string>

#include "base/log.h"
#include "consensus/core.h"
#include "journal/journal.h"
#include "journal/node_log/node_log.h"
#include "replicated/node/node.h"
#include "replicated/surroundings.h"
#include "runtime/runtime.h"

namespace understudy::replicated {

/// What a group and its parts are given. It does not change while the group is open.
struct GroupContext {
    Runtime& runtime;
    Log& log;
    journal::NodeLog& node_log;
    Surroundings& surroundings;
    consensus::MakeCore make_core;
    std::string directory;  ///< Of its checkpoints.
    Member self;
    GroupOptions options;
    Node::Options node;
    journal::Observer& observer;
    GroupId id = group_of(options.service);
    ServerId self_id = server_of(node_log.identity(), id);  ///< This member.
};

}  // namespace understudy::replicated
