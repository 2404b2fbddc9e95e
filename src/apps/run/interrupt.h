#pragma once

namespace understudy::apps {

/// Ctrl-C ends the process at once with Exit::interrupted. For commands that change nothing of
/// their own: what they asked for goes on, and each printed line is out already.
void exit_on_interrupt();

}  // namespace understudy::apps
