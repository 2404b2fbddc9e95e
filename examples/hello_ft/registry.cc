// The registry of the fault-tolerant Hello World: it knows the members, and which one is active.
//
//     hello_registry [ADDRESS [DIRECTORY]]
//
// Without a directory its journal is in a temporary one, which is removed at the end.

#include <understudy/understudy.h>

#include <cstdio>
#include <filesystem>
#include <stdexcept>

#include "program.h"

int main(int argc, char** argv) try {
    const sigset_t ends = hold_signals();
    std::string directory = argc > 2 ? argv[2] : "";
    if (directory.empty()) {
        directory = (std::filesystem::temp_directory_path() / "hello-registry-XXXXXX").string();
        if (mkdtemp(directory.data()) == nullptr) {
            throw std::runtime_error("no temporary directory");
        }
    }
    {
        const auto registry =
            understudy::Registry::open({.platform = "hello-world",
                                        .listen = registry_addresses(argc, argv, 1).at(0),
                                        .data = directory})
                .value_or_throw();
        wait_for_signal(ends);
    }
    if (argc <= 2) std::filesystem::remove_all(directory);
    return 0;
} catch (const std::exception& exception) {
    std::fprintf(stderr, "registry: %s\n", exception.what());
    return 1;
}
