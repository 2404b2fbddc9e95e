#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/types.h>

#include "base/log.h"
#include "runtime/network.h"
#include "understudy/types.h"

namespace understudy::platform {

/// The encryption of one connection: bytes in, bytes out, no socket.
///
/// An idle session keeps no received bytes, unlike a stream over a pair of memory buffers. It has
/// no thread, timer or callback.
class TlsSession {
public:
    enum class Side { client, server };

    /// Every call below appends the ciphertext to send to `out`. A client requires that the
    /// certificate names `host` (a name or an address).
    TlsSession(ssl_ctx_st& context, Side side, const std::string& host, Buffer& out);
    ~TlsSession();
    TlsSession(const TlsSession&) = delete;
    TlsSession& operator=(const TlsSession&) = delete;

    /// Passes ciphertext, in place of what is left of the last. Requires: it stays valid until the
    /// next feed(), or until shake_hands() or read() ask for more.
    void feed(Bytes cipher);
    /// True if no byte has arrived.
    [[nodiscard]] bool received_nothing() const { return received_bytes_ == 0; }

    /// True when both ends have authenticated each other; false if more input is needed. A client
    /// calls it once before any input. Errors: denied.
    [[nodiscard]] Result<bool> shake_hands();

    /// Decrypts available input into `space`. Empty if more input is needed, or after the peer's
    /// closure. Errors: denied.
    [[nodiscard]] Result<Bytes> read(std::span<std::byte> space);
    /// True if the peer has sent its closure.
    [[nodiscard]] bool ended() const { return ended_; }

    /// Errors: denied.
    [[nodiscard]] Result<void> write(Bytes plain);
    /// Sends the closure, if the handshake is done.
    void send_closure();

    /// Common name of the peer's certificate; empty if it has none.
    [[nodiscard]] std::string peer_name() const;

private:
    struct Callbacks;
    struct Free {
        void operator()(ssl_st* ssl) const;
    };

    /// The reason why the peer's certificate was not accepted.
    struct Distrust {
        std::string subject;
        std::string why;
    };

    static int verify(int fine, X509_STORE_CTX* store);
    [[nodiscard]] std::string why_distrusted(X509_STORE_CTX& store) const;
    /// Which end does not accept the other, and why (base/trust.h).
    [[nodiscard]] Error failure(std::string_view what) const;
    [[nodiscard]] std::string told_by_alert(int alert) const;
    [[nodiscard]] bool peer_speaks_tls() const;
    /// Sends an alert to a peer that does not use TLS.
    void send_protocol_alert();

    Buffer& out_;
    Bytes in_;
    bool ended_ = false;
    std::optional<Error> failed_;
    std::uint64_t received_bytes_ = 0;
    std::uint64_t key_updates_ = 0;
    std::string host_;
    std::string begin_;  // The first bytes that arrived.
    std::optional<Distrust> distrust_;
    std::unique_ptr<ssl_st, Free> ssl_;
};

/// Certificates and keys for OpenSSL. They are read again when their files change, so that new
/// certificates are used for the next connection without a restart.
///
/// Thread: loop only. Reads small files on the loop: at the first use and after a change.
class TlsContexts {
public:
    /// At the bound all are dropped and read again.
    static constexpr std::size_t contexts_max = 16;
    static constexpr std::size_t file_bytes_max = 1 * MiB;

    explicit TlsContexts(Log& log);
    ~TlsContexts();
    TlsContexts(const TlsContexts&) = delete;
    TlsContexts& operator=(const TlsContexts&) = delete;

    /// The result is valid until the next call.
    /// Errors: bad_config (none): a file is missing, cannot be parsed or does not match the others,
    /// or other users may read the key.
    /// If files become unusable later, that is reported, and the previous ones stay in use. A
    /// certificate that has expired, or is about to, is reported when it is read, and once a day by
    /// reload_changed(). A certificate that has expired or is not valid yet never replaces a valid
    /// one.
    [[nodiscard]] Result<ssl_ctx_st*> get(const TlsOptions& options);
    /// Reads changed files and checks the dates, as get() does for a new connection. It is called
    /// at intervals, because an agent may keep one connection for years.
    void reload_changed();

private:
    struct Stamps;
    struct Entry;

    void refresh(Entry& entry, const Stamps& stamps);
    void reload(Entry& entry, const Stamps& stamps);
    void look_at_dates(Entry& entry);

    Log& log_;
    std::vector<std::unique_ptr<Entry>> entries_;
};

}  // namespace understudy::platform
