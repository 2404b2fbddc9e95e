// The error of a failed TLS connection: which end does not accept the other, whose certificate, and
// why.

#include <string_view>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include "base/trust.h"
#include "platform/network/tls.h"
#include "platform/network/tls_validity.h"

namespace understudy::platform {

namespace {

[[nodiscard]] std::string end_text(const X509* certificate) {
    return "it expired on " + date_text(validity_of(certificate).ends_s);
}

[[nodiscard]] std::string begin_text(const X509* certificate) {
    return "it is not valid before " + date_text(validity_of(certificate).begins_s);
}

/// OpenSSL numbers the alerts of the peer from here.
constexpr int alert_base = 1000;

}  // namespace

int TlsSession::verify(int fine, X509_STORE_CTX* store) {
    auto* const ssl = static_cast<SSL*>(
        X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    auto* const self = static_cast<TlsSession*>(SSL_get_app_data(ssl));
    if (fine == 0 && !self->distrust_) {
        const X509* const its = X509_STORE_CTX_get0_cert(store);
        self->distrust_ = {.subject = its == nullptr ? "without a name" : subject_text(its),
                           .why = self->why_distrusted(*store)};
    }
    return fine;
}

std::string TlsSession::why_distrusted(X509_STORE_CTX& store) const {
    const X509* const at = X509_STORE_CTX_get_current_cert(&store);
    const int error = X509_STORE_CTX_get_error(&store);
    const char* const words = X509_verify_cert_error_string(error);
    if (at == nullptr) return words;
    const bool own = X509_STORE_CTX_get_error_depth(&store) == 0;
    const std::string whose = own ? "" : "of its authority " + subject_text(at) + ": ";
    switch (error) {
        case X509_V_ERR_CERT_HAS_EXPIRED: return whose + end_text(at);
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return whose + begin_text(at) + ", and the clock here says " + date_text(wall_now_s());
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
            return "it is self-signed, and it is not an authority of this end";
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        case X509_V_ERR_CERT_SIGNATURE_FAILURE:
            return "another authority signed it (" + issuer_text(at) +
                   "), which is not one of this end";
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH:
            return "it is for " + hosts_text(at) + ", not for " + host_;
        default: return whose + words;
    }
}

bool TlsSession::peer_speaks_tls() const {
    if (begin_.size() < 2) return true;  // Too few bytes to decide.
    const auto type = static_cast<unsigned char>(begin_[0]);
    return type >= 0x14 && type <= 0x18 && begin_[1] == 3;
}

/// The reason why the peer does not accept us. An alert says less than the peer knows; our own
/// dates are known here.
std::string TlsSession::told_by_alert(int alert) const {
    const X509* const own = SSL_get_certificate(ssl_.get());
    const Standing ours =
        own == nullptr ? Standing::good : standing(validity_of(own), wall_now_s());
    if (own != nullptr && ours == Standing::expired) return end_text(own);
    if (own != nullptr && ours == Standing::not_yet) return begin_text(own);
    switch (alert) {
        case SSL_AD_CERTIFICATE_EXPIRED:
            return "it, or that of its authority, has expired according to the clock there";
        case SSL_AD_UNKNOWN_CA:
            return "its authority (" + (own == nullptr ? "none" : issuer_text(own)) +
                   ") is not one of the other end";
        case SSL_AD_BAD_CERTIFICATE:
            return "it does not name this host, or is not valid yet according to the clock there";
        case SSL_AD_CERTIFICATE_REQUIRED: return "there is none";
        default: return {};
    }
}

Error TlsSession::failure(std::string_view what) const {
    const unsigned long error = ERR_peek_last_error();
    const int reason = ERR_GET_REASON(error);
    const bool alerted = ERR_GET_LIB(error) == ERR_LIB_SSL && reason > alert_base;
    const char* const words = ERR_reason_error_string(error);
    ERR_clear_error();
    Error told{.code = Errc::denied};
    if (distrust_) {
        told.detail =
            std::string(distrusts_peer) + ", " + distrust_->subject + ": " + distrust_->why;
        return told;
    }
    if (!peer_speaks_tls()) {
        told.detail = peer_is_plain;
        return told;
    }
    if (alerted) {
        if (const std::string why = told_by_alert(reason - alert_base); !why.empty()) {
            const X509* const own = SSL_get_certificate(ssl_.get());
            told.detail = std::string(distrusted_by_peer) + ", " +
                          (own == nullptr ? "without a name" : subject_text(own)) + ": " + why;
            return told;
        }
    }
    if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
        told.detail = "it shows no certificate, and this end requires one";
        return told;
    }
    told.detail = "TLS " + std::string(what) + ": " + (words != nullptr ? words : "broken");
    return told;
}

}  // namespace understudy::platform
