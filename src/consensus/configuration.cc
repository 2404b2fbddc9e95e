#include "consensus/configuration.h"

#include <algorithm>

#include "base/bytes.h"

namespace understudy::consensus {

namespace {

constexpr std::uint8_t version = 1;

Error bad_configuration(std::string detail) {
    return Error{.code = Errc::corrupt, .detail = "configuration: " + std::move(detail)};
}

auto place(Configuration& configuration, ServerId id) {
    return std::lower_bound(
        configuration.servers.begin(), configuration.servers.end(), id,
        [](const Server& server, ServerId wanted) { return server.id < wanted; });
}

}  // namespace

bool well_formed(const Configuration& configuration) {
    const auto& servers = configuration.servers;
    if (servers.empty() || servers.size() > servers_max) return false;
    ServerId last;
    for (const Server& server : servers) {
        if (server.id <= last) return false;
        if (server.membership != Membership::voter && server.membership != Membership::observer) {
            return false;
        }
        last = server.id;
    }
    return voters(configuration) > 0;
}

void encode(const Configuration& configuration, Buffer& out) {
    US_ASSERT(well_formed(configuration));
    ByteWriter writer(out);
    writer.fixed(version);
    writer.fixed(static_cast<std::uint8_t>(configuration.servers.size()));
    for (const Server& server : configuration.servers) {
        writer.fixed(server.id.value);
        writer.fixed(static_cast<std::uint8_t>(server.membership));
    }
}

Buffer encoded(const Configuration& configuration) {
    Buffer out;
    encode(configuration, out);
    return out;
}

Result<Configuration> decode_configuration(Bytes bytes) {
    ByteReader reader(bytes);
    const auto form = reader.fixed<std::uint8_t>();
    const auto count = reader.fixed<std::uint8_t>();
    if (!form || *form != version || !count) return bad_configuration("unknown version");
    if (*count > servers_max) return bad_configuration("too many servers");
    Configuration configuration;
    for (unsigned i = 0; i < *count; ++i) {
        const auto id = reader.fixed<std::uint64_t>();
        const auto membership = reader.fixed<std::uint8_t>();
        if (!id || !membership) return bad_configuration("too short");
        configuration.servers.push_back({{*id}, static_cast<Membership>(*membership)});
    }
    if (!reader.done()) return bad_configuration("more bytes than servers");
    if (!well_formed(configuration))
        return bad_configuration("servers out of order, twice, or no voter");
    return configuration;
}

const Server* find(const Configuration& configuration, ServerId id) {
    for (const Server& server : configuration.servers) {
        if (server.id == id) return &server;
    }
    return nullptr;
}

bool is_voter(const Configuration& configuration, ServerId id) {
    const Server* server = find(configuration, id);
    return server != nullptr && server->membership == Membership::voter;
}

std::size_t voters(const Configuration& configuration) {
    return static_cast<std::size_t>(
        std::count_if(configuration.servers.begin(), configuration.servers.end(),
                      [](const Server& server) { return server.membership == Membership::voter; }));
}

std::size_t differences(const Configuration& from, const Configuration& to) {
    std::size_t count = 0;
    for (const Server& server : from.servers) {
        const Server* other = find(to, server.id);
        if (other == nullptr || *other != server) ++count;
    }
    for (const Server& server : to.servers) {
        if (find(from, server.id) == nullptr) ++count;
    }
    return count;
}

Configuration with(Configuration configuration, Server server) {
    const auto at = place(configuration, server.id);
    if (at != configuration.servers.end() && at->id == server.id) {
        *at = server;
    } else {
        configuration.servers.insert(at, server);
    }
    return configuration;
}

Configuration without(Configuration configuration, ServerId id) {
    std::erase_if(configuration.servers, [id](const Server& server) { return server.id == id; });
    return configuration;
}

}  // namespace understudy::consensus
