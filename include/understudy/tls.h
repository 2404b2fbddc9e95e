#pragma once

#include <string>

namespace understudy {

/// Certificates of this process. Every connection then uses TLS 1.3, and both ends must show a
/// certificate.
struct TlsFiles {
    std::string certificate;  ///< PEM: the certificate of this process and its chain.
    std::string key;          ///< PEM: its private key; only the owner may read the file.
    std::string authority;    ///< PEM: the authority that signs the certificates of peers.
};

}  // namespace understudy
