#include "apps/run/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include "apps/exit.h"

namespace understudy::apps {

void exit_on_interrupt() {
    struct sigaction action {};
    action.sa_handler = [](int) { ::_exit(static_cast<int>(Exit::interrupted)); };
    (void)::sigaction(SIGINT, &action, nullptr);
}

}  // namespace understudy::apps
