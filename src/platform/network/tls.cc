#include "platform/network/tls.h"

#include <algorithm>
#include <climits>
#include <cstring>
#include <span>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace understudy::platform {

namespace {

// Each key update costs a derivation and an answer; no honest peer needs more of them.
constexpr std::uint64_t key_updates_free = 16;
constexpr std::uint64_t bytes_per_key_update = 1 * MiB;
constexpr std::size_t begin_max = 8;  // Shows which protocol the peer uses.

}  // namespace

// The callbacks through which OpenSSL reads and writes, in place of a socket.
struct TlsSession::Callbacks {
    static int read(BIO* bio, char* into, int space) {
        auto& self = *static_cast<TlsSession*>(BIO_get_data(bio));
        BIO_clear_retry_flags(bio);
        if (self.in_.empty()) {
            BIO_set_retry_read(bio);
            return -1;
        }
        const std::size_t size = std::min(self.in_.size(), static_cast<std::size_t>(space));
        std::memcpy(into, self.in_.data(), size);
        self.in_ = self.in_.subspan(size);
        return static_cast<int>(size);
    }

    static int write(BIO* bio, const char* from, int size) {
        auto& self = *static_cast<TlsSession*>(BIO_get_data(bio));
        BIO_clear_retry_flags(bio);
        const auto* bytes = reinterpret_cast<const std::byte*>(from);
        self.out_.insert(self.out_.end(), bytes, bytes + size);
        return size;
    }

    static long control(BIO*, int command, long, void*) {
        return command == BIO_CTRL_FLUSH ? 1 : 0;
    }

    static int create(BIO* bio) {
        BIO_set_init(bio, 1);
        return 1;
    }

    static void message(int is_write, int, int content_type, const void* bytes, std::size_t size,
                        SSL*, void* argument) {
        if (is_write != 0 || content_type != SSL3_RT_HANDSHAKE || size == 0) return;
        if (*static_cast<const unsigned char*>(bytes) != SSL3_MT_KEY_UPDATE) return;
        ++static_cast<TlsSession*>(argument)->key_updates_;
    }

    static const BIO_METHOD* method() {
        static BIO_METHOD* const made = [] {
            BIO_METHOD* fresh =
                BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "understudy");
            US_ASSERT(fresh != nullptr);
            BIO_meth_set_read(fresh, &read);
            BIO_meth_set_write(fresh, &write);
            BIO_meth_set_ctrl(fresh, &control);
            BIO_meth_set_create(fresh, &create);
            return fresh;
        }();
        return made;
    }
};

void TlsSession::Free::operator()(ssl_st* ssl) const {
    SSL_free(ssl);
}

TlsSession::TlsSession(ssl_ctx_st& context, Side side, const std::string& host, Buffer& out)
    : out_(out), host_(host), ssl_(SSL_new(&context)) {
    BIO* bio = BIO_new(Callbacks::method());
    US_ASSERT(ssl_ != nullptr);  // It can only be null for lack of memory.
    US_ASSERT(bio != nullptr);
    BIO_set_data(bio, this);
    SSL_set_bio(ssl_.get(), bio, bio);
    SSL_set_msg_callback(ssl_.get(), &Callbacks::message);
    SSL_set_msg_callback_arg(ssl_.get(), this);
    SSL_set_app_data(ssl_.get(), this);
    SSL_set_verify(ssl_.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, &verify);
    if (side == Side::server) {
        SSL_set_accept_state(ssl_.get());
        return;
    }

    SSL_set_connect_state(ssl_.get());
    SSL_set_hostflags(ssl_.get(), X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                      X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    X509_VERIFY_PARAM* expected = SSL_get0_param(ssl_.get());
    if (X509_VERIFY_PARAM_set1_ip_asc(expected, host.c_str()) == 1) return;
    std::string name = host;  // Written out, because the macro for it uses C casts.
    const bool named = SSL_set1_host(ssl_.get(), host.c_str()) == 1 &&
                       SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                                name.data()) == 1;
    if (host.empty() || !named) {
        failed_ = Error{.code = Errc::denied, .detail = "no certificate can name '" + host + "'"};
    }
}

TlsSession::~TlsSession() = default;

void TlsSession::feed(Bytes cipher) {
    in_ = cipher;
    received_bytes_ += cipher.size();
    if (begin_.size() < begin_max) begin_ += as_text(cipher).substr(0, begin_max - begin_.size());
}

Result<bool> TlsSession::shake_hands() {
    if (failed_) return *failed_;
    ERR_clear_error();
    const int outcome = SSL_do_handshake(ssl_.get());
    if (outcome == 1) return true;
    if (SSL_get_error(ssl_.get(), outcome) == SSL_ERROR_WANT_READ) return false;
    failed_ = failure("handshake");
    if (SSL_is_server(ssl_.get()) == 1 && !peer_speaks_tls()) send_protocol_alert();
    return *failed_;
}

// OpenSSL does not answer a peer that it does not understand, so the peer could only guess.
void TlsSession::send_protocol_alert() {
    constexpr unsigned char alert[] = {0x15, 3, 3, 0, 2, SSL3_AL_FATAL, SSL_AD_PROTOCOL_VERSION};
    const Bytes bytes = std::as_bytes(std::span(alert));
    out_.insert(out_.end(), bytes.begin(), bytes.end());
}

Result<Bytes> TlsSession::read(std::span<std::byte> space) {
    std::size_t filled = 0;
    while (!failed_ && !ended_ && filled < space.size()) {
        ERR_clear_error();
        std::size_t got = 0;
        const int outcome =
            SSL_read_ex(ssl_.get(), space.data() + filled, space.size() - filled, &got);
        filled += got;
        if (key_updates_ > key_updates_free + received_bytes_ / bytes_per_key_update) {
            failed_ = Error{.code = Errc::denied, .detail = "the peer changes keys too often"};
        } else if (outcome != 1) {
            const int error = SSL_get_error(ssl_.get(), outcome);
            if (error == SSL_ERROR_WANT_READ) break;
            ended_ = error == SSL_ERROR_ZERO_RETURN;
            if (!ended_) failed_ = failure("read");
        }
    }
    if (failed_ && filled == 0) return *failed_;
    return Bytes(space.first(filled));
}

Result<void> TlsSession::write(Bytes plain) {
    while (!plain.empty() && !failed_) {
        ERR_clear_error();
        const Bytes part = plain.first(std::min<std::size_t>(plain.size(), INT_MAX));
        std::size_t taken = 0;
        const int outcome = SSL_write_ex(ssl_.get(), part.data(), part.size(), &taken);
        if (outcome != 1) failed_ = failure("write");
        plain = plain.subspan(taken);
    }
    if (failed_) return *failed_;
    return {};
}

void TlsSession::send_closure() {
    if (failed_ || SSL_is_init_finished(ssl_.get()) == 0) return;
    ERR_clear_error();
    (void)SSL_shutdown(ssl_.get());
    ERR_clear_error();
}

std::string TlsSession::peer_name() const {
    const X509* certificate = SSL_get0_peer_certificate(ssl_.get());
    if (certificate == nullptr) return {};
    const X509_NAME* subject = X509_get_subject_name(certificate);
    const int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (index < 0) return {};
    unsigned char* text = nullptr;
    const ASN1_STRING* name = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index));
    const int size = ASN1_STRING_to_UTF8(&text, name);
    if (size < 0) return {};
    std::string result(reinterpret_cast<const char*>(text), static_cast<std::size_t>(size));
    OPENSSL_free(text);
    return result;
}

}  // namespace understudy::platform
