#pragma once

namespace understudy::apps {

/// Makes Ctrl-C end the process at once with Exit::interrupted. For commands that change nothing
/// themselves: a change that they requested goes on, and each printed line was already written.
void exit_on_interrupt();

}  // namespace understudy::apps
