#pragma once

#include <memory>
#include <string>

#include <hiredis/hiredis.h>

#include "understudy/types.h"

namespace understudy::bench {

struct RedisFree {
    void operator()(redisContext* context) const { redisFree(context); }
};
using RedisConnection = std::unique_ptr<redisContext, RedisFree>;

/// Errors: failed (none).
[[nodiscard]] inline Result<RedisConnection> connect_redis(const std::string& address) {
    const Address where = US_TRY(parse_address(address));
    RedisConnection connection(redisConnect(where.host.c_str(), where.port));
    if (!connection || connection->err != 0) {
        return Error{.code = Errc::failed, .detail = "redis does not answer at " + address};
    }
    return connection;
}

}  // namespace understudy::bench
