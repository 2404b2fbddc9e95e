#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/process/network.h"
#include "wire/frame.h"
#include "wire/message_type.h"

struct ssl_st;
struct ssl_ctx_st;

namespace understudy::process {

/// A frame of our protocol with any payload.
[[nodiscard]] std::string frame(wire::FrameKind kind, const std::string& payload);
/// The header of such a frame with the given length and checksum, right or wrong.
[[nodiscard]] std::string header(std::uint8_t version, std::uint8_t kind, std::uint32_t length,
                                 std::uint32_t checksum);
/// A hello that is accepted by a registry, or by the member of `family` if that is not empty.
[[nodiscard]] std::string good_hello(const std::string& family);
/// A batch of one message.
[[nodiscard]] std::string message(wire::MessageType type, const std::string& body);
/// A batch that claims a small size and unpacks to `size` zeros.
[[nodiscard]] std::string zip_bomb(std::size_t size);
/// The first message of a TLS client.
[[nodiscard]] std::string tls_client_hello();
/// Random bytes; the same for the same seed.
[[nodiscard]] std::string noise(std::uint64_t seed, std::size_t size);

/// Bytes that may come before a handshake and must end the connection.
struct Attack {
    std::string name;
    std::string bytes;
};
[[nodiscard]] std::vector<Attack> attacks_before_hello();
/// Bytes that may come after a handshake with a registry, or with a member.
[[nodiscard]] std::vector<Attack> attacks_on_registry();
[[nodiscard]] std::vector<Attack> attacks_on_member();

/// A client that has completed a TLS handshake and then sends arbitrary bytes.
class TlsPeer {
public:
    /// Throws Broken if the handshake fails.
    TlsPeer(std::uint16_t port, const std::string& certificate, const std::string& key,
            const std::string& authority);
    ~TlsPeer();
    TlsPeer(const TlsPeer&) = delete;
    TlsPeer& operator=(const TlsPeer&) = delete;
    void send(const std::string& bytes);
    [[nodiscard]] bool closed_within(Clock::duration limit);

private:
    Descriptor socket_;
    ssl_ctx_st* context_;
    ssl_st* session_;
};

}  // namespace understudy::process
