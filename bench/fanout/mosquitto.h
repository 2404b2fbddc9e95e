#pragma once

#include <memory>
#include <string>

#include <mosquitto.h>

#include "understudy/types.h"

namespace understudy::bench {

struct MosquittoDestroy {
    void operator()(struct mosquitto* client) const { mosquitto_destroy(client); }
};
using MosquittoClient = std::unique_ptr<struct mosquitto, MosquittoDestroy>;

/// Requires: mosquitto_lib_init(). Errors: failed (none).
[[nodiscard]] inline Result<MosquittoClient> connect_mosquitto(const std::string& address,
                                                               void* object) {
    constexpr int no_keepalive_s = 3600;
    const Address where = US_TRY(parse_address(address));
    MosquittoClient client(mosquitto_new(nullptr, true, object));
    if (client) mosquitto_int_option(client.get(), MOSQ_OPT_TCP_NODELAY, 1);
    if (!client || mosquitto_connect(client.get(), where.host.c_str(), where.port,
                                     no_keepalive_s) != MOSQ_ERR_SUCCESS) {
        return Error{.code = Errc::failed, .detail = "mosquitto does not answer at " + address};
    }
    return client;
}

}  // namespace understudy::bench
