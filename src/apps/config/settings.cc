#include "apps/config/settings.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "apps/view/quantity.h"
#include "library/registry/registry_nodes.h"

namespace understudy::apps {

namespace {

using Field = OptionSpec::Field;

constexpr std::array specs{
    OptionSpec{.section = "registry",
               .key = "listen",
               .field = [](Settings& s) -> Field { return &s.registry.listen; },
               .unit = Unit::address,
               .value_name = "HOST:PORT",
               .doc = "The address for agents and operators. Port 0: the system chooses."},
    OptionSpec{.section = "registry",
               .key = "data",
               .field = [](Settings& s) -> Field { return &s.registry.data; },
               .unit = Unit::path,
               .value_name = "DIR",
               .doc = "Directory of its journal, created if absent. One registry at a time. "
                      "Required."},
    OptionSpec{
        .section = "registry",
        .key = "platform",
        .field = [](Settings& s) -> Field { return &s.registry.platform; },
        .unit = Unit::text,
        .value_name = "NAME",
        .doc = "Name of a new platform. An existing directory keeps the name that it was founded "
               "with."},
    OptionSpec{.section = "registry",
               .key = "name",
               .field = [](Settings& s) -> Field { return &s.registry.name; },
               .unit = Unit::text,
               .value_name = "NAME",
               .doc = "The name of this registry. With several nodes: its name in "
                      "--peers."},
    OptionSpec{.section = "registry",
               .key = "peers",
               .field = [](Settings& s) -> Field { return &s.registry.peers; },
               .unit = Unit::nodes,
               .value_name = "NAME=HOST:PORT[,...]",
               .doc = "The first nodes of a registry of three or five, including this one; the "
                      "same at each. Unset: this registry runs alone."},
    OptionSpec{.section = "registry",
               .key = "advertise",
               .field = [](Settings& s) -> Field { return &s.registry.advertise; },
               .unit = Unit::address,
               .value_name = "HOST:PORT",
               .doc = "The address for the other nodes and agents, if not the one in --peers."},
    OptionSpec{.section = "registry",
               .key = "election_timeout",
               .field = [](Settings& s) -> Field { return &s.registry.election_timeout_ms; },
               .unit = Unit::milliseconds,
               .value_name = "DURATION",
               .min = 100,
               .max = 10'000,
               .doc = "With several nodes: how long the active one may be silent before the others "
                      "elect another. Less than a third of the shortest lease of a service."},
    OptionSpec{
        .section = "registry",
        .key = "tls_cert",
        .field = [](Settings& s) -> Field { return &s.registry.tls_cert; },
        .unit = Unit::path,
        .value_name = "FILE",
        .doc = "PEM file with this process's certificate chain. Give all three TLS files or none."},
    OptionSpec{.section = "registry",
               .key = "tls_key",
               .field = [](Settings& s) -> Field { return &s.registry.tls_key; },
               .unit = Unit::path,
               .value_name = "FILE",
               .doc = "PEM file with this process's key, readable only by its owner."},
    OptionSpec{.section = "registry",
               .key = "tls_ca",
               .field = [](Settings& s) -> Field { return &s.registry.tls_ca; },
               .unit = Unit::path,
               .value_name = "FILE",
               .doc = "PEM file with the authority that signs the peers' certificates."},
    OptionSpec{.section = "registry",
               .key = "insecure",
               .field = [](Settings& s) -> Field { return &s.registry.insecure; },
               .unit = Unit::flag,
               .value_name = "",
               .doc = "Allows listening beyond loopback without TLS: anybody who reaches the port "
                      "commands the platform."},
    OptionSpec{.section = "registry",
               .key = "segment_size",
               .field = [](Settings& s) -> Field { return &s.registry.segment_size_bytes; },
               .unit = Unit::bytes,
               .value_name = "SIZE",
               .min = 64 * KiB,
               .max = 4 * GiB,
               .step = 4 * KiB,
               .doc = "Size of one segment file of the journal; one more is kept in reserve."},
    OptionSpec{.section = "registry",
               .key = "log_format",
               .field = [](Settings& s) -> Field { return &s.registry.log_format; },
               .unit = Unit::choice,
               .value_name = "FORMAT",
               .choices = "logfmt|json",
               .doc = "One event per line on standard error, in this format."},
    OptionSpec{.section = "registry",
               .key = "log_level",
               .field = [](Settings& s) -> Field { return &s.registry.log_level; },
               .unit = Unit::choice,
               .value_name = "LEVEL",
               .choices = "debug|info|warn|error",
               .doc = "Events below this level are not written."},
    OptionSpec{.section = "coordinator",
               .key = "instance",
               .field = [](Settings& s) -> Field { return &s.coordinator.instance; },
               .unit = Unit::text,
               .value_name = "NAME",
               .doc = "The immortal whose copy this is. Required."},
    OptionSpec{.section = "coordinator",
               .key = "replica",
               .field = [](Settings& s) -> Field { return &s.coordinator.replica; },
               .unit = Unit::number,
               .value_name = "N",
               .max = 65'535,
               .doc = "The number of the copy. Two copies never run with the same number."},
    OptionSpec{.section = "coordinator",
               .key = "port",
               .field = [](Settings& s) -> Field { return &s.coordinator.port; },
               .unit = Unit::number,
               .value_name = "PORT",
               .max = 65'535,
               .doc = "The port for other immortals and clients. 0: the system "
                      "chooses."},
    OptionSpec{.section = "coordinator",
               .key = "host",
               .field = [](Settings& s) -> Field { return &s.coordinator.host; },
               .unit = Unit::text,
               .value_name = "HOST",
               .doc = "The address for --port."},
    OptionSpec{.section = "coordinator",
               .key = "app_port",
               .field = [](Settings& s) -> Field { return &s.coordinator.app_port; },
               .unit = Unit::number,
               .value_name = "PORT",
               .max = 65'535,
               .doc = "The port for the application. 0: the system "
                      "chooses."},
    OptionSpec{.section = "coordinator",
               .key = "app_host",
               .field = [](Settings& s) -> Field { return &s.coordinator.app_host; },
               .unit = Unit::text,
               .value_name = "HOST",
               .doc = "The address for --app-port. Beyond loopback only with "
                      "--insecure: any process that reaches it can act as the application."},
    OptionSpec{.section = "coordinator",
               .key = "app_socket",
               .field = [](Settings& s) -> Field { return &s.coordinator.app_socket; },
               .unit = Unit::path,
               .value_name = "PATH",
               .doc = "In place of --app-port: a Unix-domain socket, only for processes of this "
                      "user. It is created at the start and removed at the end."},
    OptionSpec{.section = "coordinator",
               .key = "log",
               .field = [](Settings& s) -> Field { return &s.coordinator.log; },
               .unit = Unit::path,
               .value_name = "DIR",
               .doc = "Directory of the journals, created if absent: that of this instance "
                      "is a directory in it."},
    OptionSpec{.section = "coordinator",
               .key = "journal",
               .field = [](Settings& s) -> Field { return &s.coordinator.journal; },
               .unit = Unit::choice,
               .value_name = "KIND",
               .choices = "shared|local",
               .doc = "shared: all copies reach the directory. local: there is one "
                      "copy. With --members it is replicated, and each copy has its "
                      "own."},
    OptionSpec{.section = "coordinator",
               .key = "members",
               .field = [](Settings& s) -> Field { return &s.coordinator.members; },
               .unit = Unit::nodes,
               .value_name = "NAME=HOST:PORT[,...]",
               .doc = "The copies of a replicated journal, replica-0 and so on: the "
                      "same at each of them. The ports are for the journal."},
    OptionSpec{.section = "coordinator",
               .key = "peers",
               .field = [](Settings& s) -> Field { return &s.coordinator.peers; },
               .unit = Unit::nodes,
               .value_name = "NAME=HOST:PORT[,...]",
               .doc =
                   "Addresses of copies of other immortals, and of the other copies of this one, "
                   "without a registry. One NAME=HOST:PORT for each copy."},
    OptionSpec{.section = "coordinator",
               .key = "lease",
               .field = [](Settings& s) -> Field { return &s.coordinator.lease_ms; },
               .unit = Unit::milliseconds,
               .value_name = "DURATION",
               .min = 100,
               .max = 60'000,
               .doc = "Shared journal, without a registry: how long the active copy may "
                      "be silent."},
    OptionSpec{.section = "coordinator",
               .key = "checkpoint_every",
               .field = [](Settings& s) -> Field { return &s.coordinator.checkpoint_every_bytes; },
               .unit = Unit::bytes,
               .value_name = "SIZE",
               .min = 64 * KiB,
               .max = 64 * GiB,
               .doc = "A checkpoint is due after this many bytes of calls."},
    OptionSpec{.section = "coordinator",
               .key = "stall_limit",
               .field = [](Settings& s) -> Field { return &s.coordinator.stall_limit_ms; },
               .unit = Unit::milliseconds,
               .value_name = "DURATION",
               .min = 100,
               .max = 3'600'000,
               .doc = "How long the application may do nothing while there is "
                      "something to do; then another copy takes over."},
    OptionSpec{.section = "coordinator",
               .key = "upgrade",
               .field = [](Settings& s) -> Field { return &s.coordinator.upgrade; },
               .unit = Unit::number,
               .value_name = "VERSION",
               .max = 4'294'967'295,
               .doc = "When this copy is active, code of this version is used from then "
                      "on."},
    OptionSpec{.section = "coordinator",
               .key = "tls_cert",
               .field = [](Settings& s) -> Field { return &s.coordinator.tls_cert; },
               .unit = Unit::path,
               .value_name = "FILE",
               .doc = "PEM file with this process's certificate chain. Give all three TLS files or "
                      "none."},
    OptionSpec{.section = "coordinator",
               .key = "tls_key",
               .field = [](Settings& s) -> Field { return &s.coordinator.tls_key; },
               .unit = Unit::path,
               .value_name = "FILE",
               .doc = "PEM file with this process's key, readable only by its owner."},
    OptionSpec{.section = "coordinator",
               .key = "tls_ca",
               .field = [](Settings& s) -> Field { return &s.coordinator.tls_ca; },
               .unit = Unit::path,
               .value_name = "FILE",
               .doc = "PEM file with the authority that signs the peers' certificates."},
    OptionSpec{.section = "coordinator",
               .key = "insecure",
               .field = [](Settings& s) -> Field { return &s.coordinator.insecure; },
               .unit = Unit::flag,
               .value_name = "",
               .doc = "Allows listening beyond loopback without TLS."},
    OptionSpec{.section = "coordinator",
               .key = "log_format",
               .field = [](Settings& s) -> Field { return &s.coordinator.log_format; },
               .unit = Unit::choice,
               .value_name = "FORMAT",
               .choices = "logfmt|json",
               .doc = "One event per line on standard error, in this format."},
    OptionSpec{.section = "coordinator",
               .key = "log_level",
               .field = [](Settings& s) -> Field { return &s.coordinator.log_level; },
               .unit = Unit::choice,
               .value_name = "LEVEL",
               .choices = "debug|info|warn|error",
               .doc = "Events below this level are not written."},
    OptionSpec{.section = "client",
               .key = "registry",
               .field = [](Settings& s) -> Field { return &s.client.registry; },
               .unit = Unit::addresses,
               .value_name = "HOST:PORT[,...]",
               .short_variable = "UNDERSTUDY_REGISTRY",
               .doc = "The registry to ask. If there are several, the first that answers."},
    OptionSpec{.section = "client",
               .key = "timeout",
               .field = [](Settings& s) -> Field { return &s.client.timeout_ms; },
               .unit = Unit::milliseconds,
               .value_name = "DURATION",
               .min = 1,
               .max = 3'600'000,
               .doc = "How long to wait for an answer: 500ms, 5s, 2m."},
    OptionSpec{
        .section = "client",
        .key = "tls_cert",
        .field = [](Settings& s) -> Field { return &s.client.tls_cert; },
        .unit = Unit::path,
        .value_name = "FILE",
        .doc = "PEM file with this process's certificate chain. Give all three TLS files or none."},
    OptionSpec{.section = "client",
               .key = "tls_key",
               .field = [](Settings& s) -> Field { return &s.client.tls_key; },
               .unit = Unit::path,
               .value_name = "FILE",
               .doc = "PEM file with this process's key, readable only by its owner."},
    OptionSpec{
        .section = "client",
        .key = "tls_ca",
        .field = [](Settings& s) -> Field { return &s.client.tls_ca; },
        .unit = Unit::path,
        .value_name = "FILE",
        .doc =
            "PEM file with the authority that signs certificates of the registry and the members."},
};

[[nodiscard]] Error expected(const OptionSpec& spec, std::string_view text, std::string_view what) {
    return {.code = Errc::bad_config,
            .detail = fmt::format("{} = \"{}\": expected {}", spec.name(), text, what)};
}

/// An error with the reason why the text is not an address; with a list, it names the entry.
[[nodiscard]] Error expected_address(const OptionSpec& spec, std::string_view text,
                                     const Error& reason) {
    return expected(spec, text, fmt::format("{}: {}", spec.value_name, reason.detail));
}

// The default may be the empty text; then the empty text is accepted.
[[nodiscard]] Result<void> assign_text(std::string& field, const OptionSpec& spec,
                                       std::string_view text) {
    if (spec.unit == Unit::choice) {
        const std::string all = fmt::format("|{}|", spec.choices);
        if (text.empty() || all.find(fmt::format("|{}|", text)) == std::string::npos) {
            return expected(spec, text, fmt::format("one of {}", spec.choices));
        }
    }
    if (text.empty() && value_text({}, spec).empty()) {
        field.clear();
        return {};
    }
    if (spec.unit == Unit::nodes) {
        if (auto nodes = library::parse_nodes(text); !nodes) {
            return expected_address(spec, text, nodes.error());
        }
    }
    if (spec.unit == Unit::address || spec.unit == Unit::addresses) {
        std::string_view rest = text;
        while (true) {
            const std::size_t comma =
                spec.unit == Unit::addresses ? rest.find(',') : std::string_view::npos;
            if (auto one = parse_address(rest.substr(0, comma)); !one) {
                return expected_address(spec, text, one.error());
            }
            if (comma == std::string_view::npos) break;
            rest.remove_prefix(comma + 1);
        }
    }
    field = text;
    return {};
}

[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

[[nodiscard]] std::string format_number(std::uint64_t value) { return std::to_string(value); }

[[nodiscard]] Result<void> assign_number(std::uint64_t& field, const OptionSpec& spec,
                                         std::string_view text) {
    const auto value = spec.unit == Unit::number  ? parse_number(text)
                       : spec.unit == Unit::bytes ? parse_size(text)
                                                  : parse_duration_ms(text);
    const auto shown = spec.unit == Unit::number  ? format_number
                       : spec.unit == Unit::bytes ? format_size
                                                  : format_duration_ms;
    if (!value || *value < spec.min || *value > spec.max) {
        std::string range = fmt::format("{} to {}", shown(spec.min), shown(spec.max));
        if (!value && spec.unit == Unit::bytes) range += ": " + size_advice(text);
        if (!value && spec.unit == Unit::milliseconds) range += ": " + duration_advice(text);
        return expected(spec, text, range);
    }
    if (*value % spec.step != 0) {
        return expected(spec, text, fmt::format("a multiple of {}", shown(spec.step)));
    }
    field = *value;
    return {};
}

[[nodiscard]] Result<void> assign_flag(bool& field, const OptionSpec& spec, std::string_view text) {
    if (text != "true" && text != "false") return expected(spec, text, "true or false");
    field = text == "true";
    return {};
}

}  // namespace

std::string OptionSpec::name() const { return fmt::format("{}.{}", section, key); }

std::string OptionSpec::flag() const {
    std::string text = fmt::format("--{}", key);
    std::replace(text.begin(), text.end(), '_', '-');
    return text;
}

std::string OptionSpec::variable() const {
    std::string text = fmt::format("UNDERSTUDY__{}__{}", section, key);
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char letter) { return static_cast<char>(std::toupper(letter)); });
    return text;
}

std::span<const OptionSpec> option_specs() { return specs; }

const OptionSpec* find_option(std::string_view name) {
    const auto found = std::find_if(specs.begin(), specs.end(),
                                    [&](const OptionSpec& spec) { return spec.name() == name; });
    return found == specs.end() ? nullptr : &*found;
}

std::vector<std::string> option_names() {
    std::vector<std::string> names;
    for (const OptionSpec& spec : specs) names.push_back(spec.name());
    return names;
}

std::vector<std::string> section_names() {
    return {std::string(registry_section), std::string(coordinator_section),
            std::string(client_section)};
}

Result<void> assign(Settings& settings, const OptionSpec& spec, std::string_view text) {
    const Field field = spec.field(settings);
    if (auto* const* string = std::get_if<std::string*>(&field)) {
        return assign_text(**string, spec, text);
    }
    if (auto* const* number = std::get_if<std::uint64_t*>(&field)) {
        return assign_number(**number, spec, text);
    }
    return assign_flag(**std::get_if<bool*>(&field), spec, text);
}

std::string value_text(const Settings& settings, const OptionSpec& spec) {
    Settings copy = settings;
    const Field field = spec.field(copy);
    if (auto* const* string = std::get_if<std::string*>(&field)) return **string;
    if (auto* const* flag = std::get_if<bool*>(&field)) return **flag ? "true" : "false";
    const std::uint64_t value = **std::get_if<std::uint64_t*>(&field);
    if (spec.unit == Unit::number) return format_number(value);
    return spec.unit == Unit::bytes ? format_size(value) : format_duration_ms(value);
}

}  // namespace understudy::apps
