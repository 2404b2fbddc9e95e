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
/// Keeps no received bytes of its own while it is idle, unlike a stream over a pair of memory
/// buffers, and has no thread, timer or callback.
class TlsSession {
public:
    enum class Side { client, server };

    /// Ciphertext to send is appended to `out`, by every call below.
    /// A client demands that the certificate names `host` (a name or an address).
    TlsSession(ssl_ctx_st& context, Side side, const std::string& host, Buffer& out);
    ~TlsSession();
    TlsSession(const TlsSession&) = delete;
    TlsSession& operator=(const TlsSession&) = delete;

    /// Hands over ciphertext, in place of what is left of the last. Requires: it stays where it is
    /// until the next feed(), or until shake_hands() or read() want more.
    void feed(Bytes cipher);
    /// No byte has come so far.
    [[nodiscard]] bool received_nothing() const { return received_bytes_ == 0; }

    /// True when both ends know each other; false if it needs more input. A client calls it once
    /// before any input. Errors: denied.
    [[nodiscard]] Result<bool> shake_hands();

    /// What there is, decrypted into `space`; empty if it needs more input, or after the peer's
    /// farewell. Errors: denied.
    [[nodiscard]] Result<Bytes> read(std::span<std::byte> space);
    /// The peer has said that nothing follows.
    [[nodiscard]] bool ended() const { return ended_; }

    /// Errors: denied.
    [[nodiscard]] Result<void> write(Bytes plain);
    /// Says that nothing follows, if the handshake is done.
    void send_closure();

    /// Common name of the peer's certificate; empty if it has none.
    [[nodiscard]] std::string peer_name() const;

private:
    struct Callbacks;
    struct Free {
        void operator()(ssl_st* ssl) const;
    };

    /// What stood in the way of the peer's certificate.
    struct Distrust {
        std::string subject;
        std::string why;
    };

    static int verify(int fine, X509_STORE_CTX* store);
    [[nodiscard]] std::string why_distrusted(X509_STORE_CTX& store) const;
    /// Who does not accept whom, and why (base/trust.h).
    [[nodiscard]] Error failure(std::string_view what) const;
    [[nodiscard]] std::string told_by_alert(int alert) const;
    [[nodiscard]] bool peer_speaks_tls() const;
    /// An alert, to a peer that speaks without TLS.
    void say_what_is_spoken();

    Buffer& out_;
    Bytes in_;
    bool ended_ = false;
    std::optional<Error> failed_;
    std::uint64_t received_bytes_ = 0;
    std::uint64_t key_updates_ = 0;
    std::string host_;
    std::string begin_;  // The first bytes that came.
    std::optional<Distrust> distrust_;
    std::unique_ptr<ssl_st, Free> ssl_;
};

/// Certificates and keys as OpenSSL wants them, read again when their files change, so that new
/// certificates serve the next connection without a restart.
///
/// Thread: loop only. Reads small files on the loop: at the first use and after a change.
class TlsContexts {
public:
    static constexpr std::size_t contexts_max = 16;  ///< Then all are forgotten and read anew.
    static constexpr std::size_t file_bytes_max = 1 * MiB;

    explicit TlsContexts(Log& log);
    ~TlsContexts();
    TlsContexts(const TlsContexts&) = delete;
    TlsContexts& operator=(const TlsContexts&) = delete;

    /// Lives until the next call. Errors: bad_config (none): a file is missing, does not parse,
    /// does not match the others, or the key may be read by other users.
    /// Files that turn bad later are reported; the ones read before serve on.
    /// What is expired, or is about to be, is reported when it is read, and once a day by
    /// look_after(). An expired certificate, or one that is not valid yet, never replaces one that
    /// is valid.
    [[nodiscard]] Result<ssl_ctx_st*> get(const TlsOptions& options);
    /// Reads what has changed and looks at the dates, as get() does for those who connect. From
    /// time to time: an agent may keep one connection for years.
    void look_after();

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
