#include "apps/command.h"
#include "apps/coordinator_commands.h"
#include "apps/demo/hello.h"
#include "apps/interrupt.h"
#include "apps/invocation.h"
#include "apps/journal_commands.h"
#include "apps/meta_commands.h"
#include "apps/output.h"
#include "apps/record_commands.h"
#include "apps/registry_commands.h"
#include "apps/service_commands.h"
#include "apps/version.h"

int main(int argc, char** argv) {
    using namespace understudy::apps;
    open_output();
    exit_on_interrupt();  // The registry and the demonstrations take the signal for themselves.

    CommandLine line("understudy", "High availability for services: state that outlives its process.",
                     version());
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
    root.footer("The options above are taken by every command.\n"
                "Exit codes: 0 done; 1 the answer is no; 2 usage; 69 unreachable; 74 the output cannot be "
                "written,\nor a file cannot be read; 75 try again (no active member, timed out, "
                "outcome unknown);\n77 denied; 130 interrupted.");
    return static_cast<int>(close_output(line.run(argc, argv)));
}
