#include "apps/commands/command.h"
#include "apps/commands/coordinator_commands.h"
#include "apps/commands/invocation.h"
#include "apps/commands/journal_commands.h"
#include "apps/commands/meta_commands.h"
#include "apps/commands/record_commands.h"
#include "apps/commands/registry_commands.h"
#include "apps/commands/service_commands.h"
#include "apps/demo/hello.h"
#include "apps/output.h"
#include "apps/run/interrupt.h"
#include "apps/version.h"

int main(int argc, char** argv) {
    using namespace understudy::apps;
    open_output();
    exit_on_interrupt();  // The registry and the demonstrations replace this handler.

    CommandLine line("understudy",
                     "High availability for services: state that outlives its process.", version());
    Globals globals;
    const Command root = line.root();
    globals.add_to(root);
    add_registry_commands(root, globals);
    add_coordinator_commands(root, globals);
    add_service_commands(root, globals);
    add_record_commands(root, globals);
    add_journal_commands(root, globals);
    demo::add_demo_commands(root, globals);
    add_meta_commands(line, globals);
    root.footer(
        "Every command takes the options above.\n"
        "Exit codes: 0 done; 1 the answer is no; 2 usage; 69 unreachable; 74 the output cannot be "
        "written,\nor a file cannot be read; 75 try again (no active member, timed out, "
        "outcome unknown);\n77 denied; 130 interrupted.");
    return static_cast<int>(close_output(line.run(argc, argv)));
}
