#pragma once

#include <optional>
#include <string>
#include <vector>

#include "understudy/tls.h"
#include "understudy/types.h"

namespace understudy {

/// A journal in a directory of this machine. One process uses it at a time.
struct LocalDirectory {
    std::string path;
};

/// A journal in a directory that all members reach: on one machine, or on NFSv4, CephFS or GFS2.
/// Two members suffice. The active member holds a lock there and shows progress.
struct SharedDirectory {
    std::string path;
    Duration lease = 1s;  ///< How long an active member may be silent.
    /// HOST:PORT at which standbys hear at once what the active member has committed, as the others
    /// reach it; port 0 is any. A standby that cannot reach it looks every 20 ms; so do all if it
    /// is empty.
    std::string listen = "127.0.0.1:0";
    std::optional<TlsFiles> tls = {};  ///< For `listen`; needed beyond loopback.
};

/// A journal that the members keep together, each on its own disk. A majority must run. All members
/// name the same nodes in the same order; all must run at the same time once.
struct ReplicatedGroup {
    struct Node {
        std::string name;
        std::string address;      ///< HOST:PORT
        std::string member = {};  ///< Of this service there. Empty: it is called like the node.
    };
    std::string directory;    ///< Of this node alone.
    std::vector<Node> nodes;  ///< All nodes of the group, this one among them.
    /// The name of this node if replicas of several services share it: they have the same threads
    /// (ReplicaOptions::threads), and name the same node, directory and list of nodes. Then the
    /// node has one log and one port for all of them. Empty: the node belongs to this replica alone
    /// and is called like its member.
    std::string node = {};
    std::optional<TlsFiles> tls = {};
    bool insecure = false;  ///< Allows addresses beyond loopback without TLS.
};

}  // namespace understudy
