#include "tests/process/hostile.h"

#include <array>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <zlib.h>

#include <openssl/ssl.h>

#include "base/random.h"
#include "wire/channel.h"
#include "wire/control.h"

namespace understudy::process {

using wire::FrameKind;
using wire::MessageType;

namespace {

std::string text_of(Bytes bytes) { return std::string(as_text(bytes)); }

void put_number(std::string& out, auto number) {
    std::array<char, sizeof number> bytes{};
    std::memcpy(bytes.data(), &number, sizeof number);
    out.append(bytes.data(), bytes.size());
}

template <class Message>
std::string serialized(const Message& value) {
    std::string out;
    (void)value.SerializeToString(&out);
    return out;
}

std::string varint(std::uint64_t number) {
    std::string out;
    for (; number >= 0x80; number >>= 7) out += static_cast<char>(number | 0x80);
    out += static_cast<char>(number);
    return out;
}

std::string batch(const std::string& messages) { return frame(FrameKind::batch, messages); }

/// What both ends refuse after the handshake.
std::vector<Attack> attacks_behind_hello(const std::string& hello) {
    std::vector<Attack> out;
    const auto add = [&](std::string name, const std::string& bytes) {
        out.push_back({std::move(name), hello + bytes});
    };
    add("noise", noise(7, 4096));
    add("a second hello", hello);
    add("a frame above the bound",
        header(wire::frame_version, static_cast<std::uint8_t>(FrameKind::batch),
               wire::payload_size_max + 1, 0));
    add("a message longer than its batch", batch(varint(1000) + '\x03' + "short"));
    add("a message above the bound", batch(varint(std::uint64_t{1} << 40) + '\x03'));
    add("a number without an end", batch(std::string(16, '\xff')));
    add("type 0", batch(varint(0) + '\0'));
    add("a compression that was not agreed", frame(FrameKind::batch_zstd, noise(9, 64)));
    add("a gzip bomb", zip_bomb(std::size_t{512} << 20));
    add("a gzip batch that is none",
        frame(FrameKind::batch_gzip, std::string("\x00\x10\x00\x00", 4) + noise(11, 600)));
    return out;
}

}  // namespace

std::string header(std::uint8_t version, std::uint8_t kind, std::uint32_t length,
                   std::uint32_t checksum) {
    std::string out;
    put_number(out, wire::frame_magic);
    put_number(out, version);
    put_number(out, kind);
    put_number(out, length);
    put_number(out, checksum);
    return out;
}

std::string frame(FrameKind kind, const std::string& payload) {
    Buffer whole(wire::header_size + payload.size());
    std::memcpy(whole.data() + wire::header_size, payload.data(), payload.size());
    wire::seal(kind, whole);
    return text_of(whole);
}

std::string message(MessageType type, const std::string& body) {
    return batch(varint(body.size()) + static_cast<char>(type) + body);
}

std::string good_hello(const std::string& family) {
    wire::pb::Hello hello;
    hello.set_agent("stranger");
    hello.set_incarnation(0x5eed);
    hello.set_family(family);
    // Both ends support gzip, so that a bomb is unpacked.
    return frame(FrameKind::hello, std::string("\x01\x01\x01\x01", 4) + serialized(hello));
}

std::string zip_bomb(std::size_t size) {
    std::string packed(compressBound(size) / 64 + 65536, '\0');
    z_stream stream{};
    (void)deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    std::string zeros(std::size_t{1} << 20, '\0');
    for (std::size_t done = 0; done < size; done += zeros.size()) {
        stream.next_in = reinterpret_cast<Bytef*>(zeros.data());
        stream.avail_in = static_cast<uInt>(zeros.size());
        (void)deflate(&stream, done + zeros.size() < size ? Z_NO_FLUSH : Z_FINISH);
    }
    packed.resize(stream.total_out);
    (void)deflateEnd(&stream);
    packed.resize(std::min(packed.size(), wire::payload_size_max - 4));
    std::string payload;
    put_number(payload, std::uint32_t{4 * MiB});  // The claimed size is within all bounds.
    return frame(FrameKind::batch_gzip, payload + packed);
}

std::string tls_client_hello() {
    SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
    SSL* const session = SSL_new(context);
    BIO* const in = BIO_new(BIO_s_mem());
    BIO* const out = BIO_new(BIO_s_mem());
    SSL_set_bio(session, in, out);
    SSL_set_connect_state(session);
    (void)SSL_do_handshake(session);
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(out, &bytes);
    std::string flight(bytes, static_cast<std::size_t>(size));
    SSL_free(session);
    SSL_CTX_free(context);
    return flight;
}

std::string noise(std::uint64_t seed, std::size_t size) {
    Random random(seed);
    std::string out;
    while (out.size() < size) put_number(out, random.next());
    out.resize(size);
    return out;
}

std::vector<Attack> attacks_before_hello() {
    const auto hello = static_cast<std::uint8_t>(FrameKind::hello);
    const auto batch_kind = static_cast<std::uint8_t>(FrameKind::batch);
    std::string broken = good_hello("");
    broken.back() = static_cast<char>(broken.back() ^ 1);
    return {
        {"noise", noise(1, 4096)},
        {"zeros", std::string(4096, '\0')},
        {"HTTP", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"},
        {"a TLS client", tls_client_hello()},
        {"a frame of 4 GiB", header(wire::frame_version, hello, 0xffffffff, 0)},
        {"a hello above its bound", header(wire::frame_version, hello, 8193, 0)},
        {"another frame version", header(9, hello, 10, 0) + std::string(10, 'x')},
        {"an unknown kind", header(wire::frame_version, 99, 10, 0) + std::string(10, 'x')},
        {"a broken checksum", broken},
        {"a batch before the hello", header(wire::frame_version, batch_kind, 0, 0)},
        {"a welcome to the one who gives them", frame(FrameKind::welcome, std::string(3, '\0'))},
        {"an empty hello", frame(FrameKind::hello, "")},
        {"versions that do not meet", frame(FrameKind::hello, "\x09\x0b\x01\x01")},
        {"a hello that does not parse",
         frame(FrameKind::hello, std::string("\x01\x01\x00", 3) + noise(3, 200))},
        {"half a header", good_hello("").substr(0, 7)},
        {"half a hello", good_hello("").substr(0, 20)},
        {"nothing", ""},
    };
}

std::vector<Attack> attacks_on_registry() {
    const std::string hello = good_hello("");
    std::vector<Attack> out = attacks_behind_hello(hello);
    for (int type = 1; type <= 7; ++type) {
        if (type == static_cast<int>(MessageType::heartbeat)) continue;  // It is sent back unread.
        out.push_back({"type " + std::to_string(type) + " that does not parse",
                       hello + message(static_cast<MessageType>(type), "\xff\xff\xff")});
    }
    out.push_back({"a message for members", hello + message(MessageType::subscribe, "x")});
    return out;
}

std::vector<Attack> attacks_on_member() {
    const std::string hello = good_hello("Foo");
    std::vector<Attack> out = attacks_behind_hello(hello);
    out.push_back(
        {"a subscription that does not parse", hello + message(MessageType::subscribe, "")});
    out.push_back(
        {"a call that does not parse", hello + message(MessageType::rpc_request, "\xff")});
    out.push_back({"a message for registries", hello + message(MessageType::register_member, "")});
    return out;
}

TlsPeer::TlsPeer(std::uint16_t port, const std::string& certificate, const std::string& key,
                 const std::string& authority)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
      context_(SSL_CTX_new(TLS_client_method())),
      session_(nullptr) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
        0) {
        throw Broken("connect to port " + std::to_string(port));
    }
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
    if (SSL_CTX_use_certificate_chain_file(context_, certificate.c_str()) != 1 ||
        SSL_CTX_use_PrivateKey_file(context_, key.c_str(), SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_load_verify_locations(context_, authority.c_str(), nullptr) != 1) {
        throw Broken("certificates of a TLS peer");
    }
    session_ = SSL_new(context_);
    (void)SSL_set_fd(session_, socket_.get());
    if (SSL_connect(session_) != 1) throw Broken("TLS handshake with port " + std::to_string(port));
}

TlsPeer::~TlsPeer() {
    SSL_free(session_);
    SSL_CTX_free(context_);
}

void TlsPeer::send(const std::string& bytes) {
    if (bytes.empty()) return;
    (void)SSL_write(session_, bytes.data(), static_cast<int>(bytes.size()));
}

bool TlsPeer::closed_within(Clock::duration limit) {
    const auto deadline = Clock::now() + limit;
    std::array<char, 16384> buffer{};
    while (Clock::now() < deadline) {
        const timeval wait{.tv_sec = 0, .tv_usec = 100'000};
        (void)::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
        const int count = SSL_read(session_, buffer.data(), static_cast<int>(buffer.size()));
        if (count > 0) continue;
        if (SSL_get_error(session_, count) != SSL_ERROR_WANT_READ) return true;
    }
    return false;
}

}  // namespace understudy::process
