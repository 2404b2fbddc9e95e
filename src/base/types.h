#pragma once

#include "understudy/types.h"

namespace understudy {

using Revision = Strong<struct RevisionTag>;  ///< Counts the changes of the registry's state.
using Incarnation = Strong<struct IncarnationTag>;  ///< One run of one process; random, never 0.
using JoinOrder = Strong<struct JoinOrderTag>;      ///< Place in joining order; 0: none yet.
using LinkId = Strong<struct LinkTag>;  ///< An accepted connection; never reused in a process.
using CallId = Strong<struct CallIdTag>;            ///< One call of a connection; never reused.
using SubscriptionId = Strong<struct SubscriptionIdTag>;  ///< Chosen by the subscriber.
using Sequence = Strong<struct SequenceTag>;  ///< Counts the changes of one record in one epoch.

}  // namespace understudy
