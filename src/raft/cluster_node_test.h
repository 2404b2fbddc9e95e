#pragma once

#include "raft/cluster_test.h"

namespace understudy::raft {

struct Cluster::Node {
    consensus::ServerId id;
    bool alive = false;
    std::uint64_t life = 0;  // Counts its starts.
    StoredLog disk;          // What is left after a crash.
    bool slow_disk = false;
    bool electable = true;

    // Lost in a crash.
    std::unique_ptr<consensus::ConsensusCore> core;
    StoredLog log;
    std::deque<DiskWrite> writes;  // Under way.
    std::uint64_t writes_begun = 0, writes_done = 0;
    std::uint64_t hard_write = 0;  // The last write that contains term or vote.
    struct Held {
        std::uint64_t write;
        consensus::Send send;
    };
    std::deque<Held> held;  // Messages that wait until their write is done.
    Applied applied;
    Index commit;
    TimePoint armed = TimePoint::max();
    std::uint64_t arming = 0;
    std::optional<consensus::InstallSnapshot> installing;
    std::uint64_t fetching = 0;
    bool checkpointing = false;
    struct Proposal {
        std::uint64_t command;
        Epoch term;
    };
    std::map<Index, Proposal> proposals;
};

}  // namespace understudy::raft
