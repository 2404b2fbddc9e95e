#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "understudy/types.h"

namespace understudy::apps {

struct RegistrySettings {
    std::string listen = "127.0.0.1:22222";
    /// Not an option: with several nodes the default is this node's own address.
    bool listen_given = false;
    std::string data;
    std::string platform = "understudy";
    std::string name = "registry";
    std::string peers;      ///< Empty: this registry runs alone.
    std::string advertise;  ///< Empty: the address in peers.
    std::uint64_t election_timeout_ms = 300;
    std::string tls_cert;
    std::string tls_key;
    std::string tls_ca;
    bool insecure = false;
    std::uint64_t segment_size_bytes = 1 * MiB;
    std::string log_format = "logfmt";
    std::string log_level = "info";
};

/// Settings of a coordinator.
struct CoordinatorSettings {
    std::string instance;
    std::uint64_t replica = 0;
    std::string host = "127.0.0.1";
    std::uint64_t port = 0;  ///< 0: the system chooses.
    std::string app_host = "127.0.0.1";
    std::uint64_t app_port = 0;
    std::string app_socket;  ///< In place of app_host and app_port.
    std::string log;
    std::string journal = "shared";
    std::string members;  ///< With a replicated journal.
    std::string peers;
    std::uint64_t lease_ms = 1000;
    std::uint64_t checkpoint_every_bytes = 64 * MiB;
    std::uint64_t stall_limit_ms = 10'000;
    std::uint64_t upgrade = 0;  ///< 0: none.
    std::string tls_cert;
    std::string tls_key;
    std::string tls_ca;
    bool insecure = false;
    std::string log_format = "logfmt";
    std::string log_level = "info";
};

/// Settings of every command that asks a platform.
struct ClientSettings {
    std::string registry = "127.0.0.1:22222";
    std::uint64_t timeout_ms = 5000;
    std::string tls_cert;
    std::string tls_key;
    std::string tls_ca;
};

struct Settings {
    RegistrySettings registry;
    CoordinatorSettings coordinator;
    ClientSettings client;
};

enum class Unit : std::uint8_t {
    text,
    address,
    addresses,
    nodes,
    path,
    flag,
    number,
    bytes,
    milliseconds,
    choice,
};

/// One row describes one option completely: the TOML reader, the environment, the flags, `--help`,
/// `config show` and the reference page are made from it.
struct OptionSpec {
    using Field = std::variant<std::string*, std::uint64_t*, bool*>;

    std::string_view section;
    std::string_view key;
    Field (*field)(Settings&);
    Unit unit;
    std::string_view value_name;         ///< In --help, such as HOST:PORT.
    std::uint64_t min = 0, max = 0;      ///< For numbers; values outside are refused.
    std::uint64_t step = 1;              ///< Values that are not multiples of it are refused.
    std::string_view choices = {};       ///< "a|b".
    std::string_view short_variable = {};  ///< A second, shorter environment variable.
    std::string_view doc;

    [[nodiscard]] std::string name() const;      ///< registry.segment_size
    [[nodiscard]] std::string flag() const;      ///< --segment-size
    [[nodiscard]] std::string variable() const;  ///< UNDERSTUDY__REGISTRY__SEGMENT_SIZE
};

inline constexpr std::string_view registry_section = "registry";
inline constexpr std::string_view coordinator_section = "coordinator";
inline constexpr std::string_view client_section = "client";

/// All options; those of one section are adjacent.
[[nodiscard]] std::span<const OptionSpec> option_specs();
[[nodiscard]] const OptionSpec* find_option(std::string_view name);
[[nodiscard]] std::vector<std::string> option_names();
[[nodiscard]] std::vector<std::string> section_names();

/// Sets one option from text. Errors: bad_config (none): says what is expected.
[[nodiscard]] Result<void> assign(Settings& settings, const OptionSpec& spec,
                                  std::string_view text);
/// The text that assign() reads back.
[[nodiscard]] std::string value_text(const Settings& settings, const OptionSpec& spec);

}  // namespace understudy::apps
