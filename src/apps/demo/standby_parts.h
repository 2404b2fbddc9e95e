#pragma once

#include <cstdint>
#include <string>

#include "apps/exit.h"

namespace understudy::apps::demo {

// The two programs of the demonstration of active standbys. They use only the public API.

inline constexpr char server_name[] = "server";
inline constexpr char client_name[] = "client";

struct CopyOptions {
    std::string registry;
    std::string member;
    std::string directory;  ///< Of the journal; the server's copies share one.
};

/// A copy of the server: an immortal that counts its answers. Prints its role when it is active,
/// and when it has had another role for a moment. Runs without end.
[[nodiscard]] Result<Exit> run_server_copy(const CopyOptions& options);

/// The client: an immortal that asks the server repeatedly, one question at a time, and counts the
/// answers. It has no code for failures.
///
/// On SIGUSR1 it waits for the next answer and prints the number of answers, and the longest wait
/// since the last report. On SIGUSR2 it stops asking and prints the counts of itself and the
/// server. Runs without end.
[[nodiscard]] Result<Exit> run_asking_client(const CopyOptions& options);

/// The lines of the client.
struct ClientReport {
    std::uint64_t answers = 0;
    std::uint64_t longest_us = 0;
};
[[nodiscard]] std::string to_line(const ClientReport& report);
[[nodiscard]] bool from_line(const std::string& line, ClientReport& report);

struct ClientTotal {
    std::uint64_t asked = 0;
    std::uint64_t answered = 0;
    std::uint64_t counted = 0;  ///< By the server.
};
[[nodiscard]] std::string to_line(const ClientTotal& total);
[[nodiscard]] bool from_line(const std::string& line, ClientTotal& total);

}  // namespace understudy::apps::demo
