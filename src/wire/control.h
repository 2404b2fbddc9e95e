#pragma once

#include "understudy/types.h"
#include "wire/control.pb.h"
#include "wire/message_type.h"

namespace understudy::wire {

/// A message as bytes for Channel::put. Reuses `scratch`.
template <class Message>
[[nodiscard]] Bytes encode(const Message& message, Buffer& scratch) {
    scratch.resize(message.ByteSizeLong());
    const bool whole =
        message.SerializeToArray(scratch.data(), static_cast<int>(scratch.size()));
    US_ASSERT(whole);
    return scratch;
}

/// Errors: corrupt (none).
template <class Message>
[[nodiscard]] Result<Message> decode_as(Bytes body) {
    Message message;
    if (!message.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
        return Error{.code = Errc::corrupt, .detail = "control message does not parse"};
    }
    return message;
}

[[nodiscard]] inline pb::Failure to_failure(const Error& error) {
    pb::Failure failure;
    failure.set_code(static_cast<std::uint32_t>(error.code));
    failure.set_effect(static_cast<std::uint32_t>(error.effect));
    failure.set_detail(error.detail);
    return failure;
}

/// A peer's failure as an Error. An effect that is not known here becomes `unknown`.
[[nodiscard]] inline Error from_failure(const pb::Failure& failure) {
    return Error{.code = static_cast<Errc>(failure.code()),
                 .effect = failure.effect() == 0 ? Effect::none : Effect::unknown,
                 .detail = failure.detail()};
}

[[nodiscard]] inline pb::Endpoint to_endpoint(const Address& address) {
    pb::Endpoint endpoint;
    endpoint.set_host(address.host);
    endpoint.set_port(address.port);
    return endpoint;
}

[[nodiscard]] inline Address from_endpoint(const pb::Endpoint& endpoint) {
    return Address{endpoint.host(), static_cast<std::uint16_t>(endpoint.port())};
}

}  // namespace understudy::wire
