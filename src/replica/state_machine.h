#pragma once

#include "understudy/state_machine.h"

namespace understudy::replica {

using understudy::Command;
using understudy::PiecePlace;
using understudy::SmallStateMachine;
using understudy::Snapshot;
using understudy::StateMachine;

}  // namespace understudy::replica
