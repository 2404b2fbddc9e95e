#include "tests/contract/certificates.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <utility>

#include <sys/stat.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace understudy::contract {

namespace {

template <auto free_function>
struct Freed {
    template <class T>
    void operator()(T* object) const {
        free_function(object);
    }
};
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

constexpr long validity_seconds = 3600;

void add_extension(X509* certificate, int nid, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
    US_ASSERT(extension != nullptr);
    US_ASSERT(X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

Certificate make_certificate(const std::string& common_name, EVP_PKEY* key, const X509* issuer) {
    static long serial = 0;
    Certificate certificate(X509_new());
    X509_set_version(certificate.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), validity_seconds);
    X509_set_pubkey(certificate.get(), key);
    X509_NAME* subject = X509_get_subject_name(certificate.get());
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1,
                               0);
    X509_set_issuer_name(certificate.get(), issuer ? X509_get_subject_name(issuer) : subject);
    return certificate;
}

File create(const std::string& path, mode_t mode) {
    File file(std::fopen(path.c_str(), "w"), &std::fclose);
    US_ASSERT(file != nullptr);
    US_ASSERT(::chmod(path.c_str(), mode) == 0);
    return file;
}

void write_certificate(const std::string& path, X509* certificate) {
    US_ASSERT(PEM_write_X509(create(path, 0644).get(), certificate) == 1);
}

}  // namespace

struct TestAuthority::Parts {
    Key key;
    Certificate certificate;
};

TestAuthority::TestAuthority(std::string directory, std::string name)
    : stem_(std::move(directory) + "/" + name), parts_(std::make_unique<Parts>()) {
    parts_->key = Key(EVP_EC_gen("P-256"));
    parts_->certificate = make_certificate(name, parts_->key.get(), nullptr);
    add_extension(parts_->certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
    add_extension(parts_->certificate.get(), NID_key_usage, "critical,keyCertSign");
    US_ASSERT(X509_sign(parts_->certificate.get(), parts_->key.get(), EVP_sha256()) > 0);
    write_certificate(authority_file(), parts_->certificate.get());
}

TestAuthority::~TestAuthority() = default;

std::string TestAuthority::authority_file() const {
    return stem_ + ".authority.pem";
}

TlsOptions TestAuthority::issue(const std::string& common_name,
                                const std::string& alternatives) const {
    const Key key(EVP_EC_gen("P-256"));
    const Certificate certificate =
        make_certificate(common_name, key.get(), parts_->certificate.get());
    if (!alternatives.empty()) {
        add_extension(certificate.get(), NID_subject_alt_name, alternatives);
    }
    US_ASSERT(X509_sign(certificate.get(), parts_->key.get(), EVP_sha256()) > 0);

    std::string base = stem_ + "." + common_name;
    std::replace(base.begin() + static_cast<std::ptrdiff_t>(stem_.size()), base.end(), '/', ':');
    write_certificate(base + ".pem", certificate.get());
    US_ASSERT(PEM_write_PrivateKey(create(base + ".key", 0600).get(), key.get(), nullptr, nullptr,
                                   0, nullptr, nullptr) == 1);
    return {base + ".pem", base + ".key", authority_file()};
}

}  // namespace understudy::contract
