#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

#include "understudy/agent.h"

namespace understudy::process {

/// "--name value" pairs for the programs that the tests run.
class Given {
public:
    Given(int count, char** values) {
        for (int at = 1; at + 1 < count; at += 2) {
            given_[std::string(values[at]).substr(2)].emplace_back(values[at + 1]);
        }
        if (count % 2 == 0) {
            (void)std::fprintf(stderr, "every option has a value: %s\n", values[count - 1]);
            std::exit(2);
        }
    }

    [[nodiscard]] bool has(const std::string& name) const { return given_.contains(name); }
    [[nodiscard]] std::string text(const std::string& name, std::string otherwise = {}) const {
        const auto found = given_.find(name);
        return found == given_.end() ? std::move(otherwise) : found->second.back();
    }
    [[nodiscard]] std::vector<std::string> all(const std::string& name) const {
        const auto found = given_.find(name);
        return found == given_.end() ? std::vector<std::string>() : found->second;
    }
    [[nodiscard]] int number(const std::string& name, int otherwise) const {
        return has(name) ? std::stoi(text(name)) : otherwise;
    }
    [[nodiscard]] Duration duration(const std::string& name, Duration otherwise) const {
        return has(name) ? Duration(std::chrono::milliseconds(number(name, 0))) : otherwise;
    }

private:
    std::map<std::string, std::vector<std::string>> given_;
};

/// One write, so that lines of several threads do not mix.
inline void print_line(std::string line) {
    line += '\n';
    if (::write(STDOUT_FILENO, line.data(), line.size()) < 0) std::_Exit(3);  // The test has gone.
}

/// --registry A[,B] [--registry C], --listen, --insecure, --compression any, --tls-cert, --tls-key,
/// --tls-ca
inline AgentOptions agent_options(const Given& given) {
    AgentOptions options;
    options.name = given.text("agent");
    options.registry.clear();
    for (const std::string& addresses : given.all("registry")) {
        std::size_t from = 0;
        while (from <= addresses.size()) {
            const std::size_t comma = std::min(addresses.find(',', from), addresses.size());
            options.registry.push_back(addresses.substr(from, comma - from));
            from = comma + 1;
        }
    }
    options.platform = given.text("platform");
    options.listen = given.text("listen", options.listen);
    options.insecure = given.has("insecure");
    if (given.text("compression") == "any") {
        options.compression = {Compression::zstd, Compression::gzip};
    }
    if (given.has("tls-cert")) {
        options.tls = TlsFiles{given.text("tls-cert"), given.text("tls-key"), given.text("tls-ca")};
    }
    return options;
}

/// "field=value" for each field, then "map/field=value" for each sub-map. For bytes, their number.
inline std::string describe(const RecordImage& image) {
    std::string out;
    for (const auto& [field, value] : image.fields) {
        const Blob* const bytes = value.bytes();
        out += " " + field + "=" + (bytes ? std::to_string(bytes->size()) : value.to_text());
    }
    for (const auto& [submap, fields] : image.submaps) {
        for (const auto& [field, value] : fields) {
            out += " " + submap + "/" + field + "=" + value.to_text();
        }
    }
    return out;
}

inline std::string describe(const Error& error) {
    return std::string(name(error.code)) +
           (error.effect == Effect::unknown ? " unknown " : " none ") + error.detail;
}

}  // namespace understudy::process
