#include "library/engine.h"

#ifdef UNDERSTUDY_WITH_RAFT
#include "raft/raft_core.h"
#endif

namespace understudy::library {

consensus::MakeCore engine() {
#ifdef UNDERSTUDY_WITH_RAFT
    return raft::make_core;
#else
    return nullptr;
#endif
}

}  // namespace understudy::library
