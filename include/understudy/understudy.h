#pragma once

// The whole public API. A fault-tolerant service in ten lines: README.md.

#include "understudy/agent.h"
#include "understudy/immortal.h"
#include "understudy/immortal_client.h"
#include "understudy/immortal_member.h"
#include "understudy/limits.h"
#include "understudy/pack.h"
#include "understudy/proxy.h"
#include "understudy/record.h"
#include "understudy/registry.h"
#include "understudy/replica.h"
#include "understudy/request.h"
#include "understudy/result.h"
#include "understudy/rpc.h"
#include "understudy/service.h"
#include "understudy/snapshot_map.h"
#include "understudy/state_machine.h"
#include "understudy/threads.h"
#include "understudy/types.h"
#include "understudy/value.h"
