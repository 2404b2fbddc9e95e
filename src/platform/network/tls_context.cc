#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "platform/network/fd.h"
#include "platform/network/tls.h"
#include "platform/network/tls_validity.h"

namespace understudy::platform {

namespace {

template <auto free_function>
struct Freed {
    template <class T>
    void operator()(T* object) const {
        free_function(object);
    }
};
using BioPointer = std::unique_ptr<BIO, Freed<BIO_free>>;
using CertificatePointer = std::unique_ptr<X509, Freed<X509_free>>;
using KeyPointer = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using ContextPointer = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;

// Changes whenever the file is written or replaced.
struct Stamp {
    ino_t inode = 0;
    off_t size = 0;
    std::int64_t modified_ns = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;

    static Stamp of(const struct stat& status) {
        return {status.st_ino, status.st_size,
                status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec};
    }
    static Stamp of(const std::string& path) {
        struct stat status{};
        return ::stat(path.c_str(), &status) == 0 ? of(status) : Stamp{};
    }
};

Error unusable(const std::string& path, std::string_view why) {
    ERR_clear_error();
    return Error{.code = Errc::bad_config, .detail = path + ": " + std::string(why)};
}

// The bytes of a PEM file. They are wiped from memory at the end.
class Secret {
public:
    explicit Secret(std::string text) : text_(std::move(text)) {}
    Secret(Secret&& other) noexcept : text_(std::exchange(other.text_, {})) {}
    Secret& operator=(Secret&&) = delete;
    ~Secret() { OPENSSL_cleanse(text_.data(), text_.size()); }

    [[nodiscard]] BioPointer bio() const {
        return BioPointer(BIO_new_mem_buf(text_.data(), static_cast<int>(text_.size())));
    }

private:
    std::string text_;
};

enum class Readers { anybody, owner_only };

// OpenSSL could read the file itself, but through a descriptor that a concurrent fork inherits.
Result<Secret> read_file(const std::string& path, Readers readers) {
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) {
        const int error = errno;  // A shortage is not a fault of the file: it is read again.
        return system_error(shortage_code(error).value_or(Errc::bad_config), path, error);
    }
    struct stat status{};
    if (::fstat(file.get(), &status) != 0) return system_error(Errc::bad_config, path, errno);
    if (!S_ISREG(status.st_mode)) return unusable(path, "is not a file");
    if (readers == Readers::owner_only && (status.st_mode & 077) != 0) {
        return unusable(path, "the key may be read by other users; its mode must be 0600");
    }

    std::string text(TlsContexts::file_bytes_max, '\0');
    std::size_t filled = 0;
    for (;;) {
        const auto got = ::read(file.get(), text.data() + filled, text.size() - filled);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return system_error(Errc::bad_config, path, errno);
        if (got == 0) break;
        filled += static_cast<std::size_t>(got);
        if (filled == text.size()) return unusable(path, "is larger than 1 MiB");
    }
    text.resize(filled);
    return Secret(std::move(text));
}

// Encrypted keys are not supported: OpenSSL would ask for the password on the terminal.
int no_password(char*, int, int, void*) {
    return -1;
}

Result<std::vector<CertificatePointer>> read_certificates(const std::string& path) {
    const Secret text = US_TRY(read_file(path, Readers::anybody));
    const BioPointer bio = text.bio();
    std::vector<CertificatePointer> certificates;
    while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr)) {
        certificates.emplace_back(next);
    }
    const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    if (certificates.empty() || !at_end) return unusable(path, "contains no readable certificate");
    return certificates;
}

/// A certificate file with its dates, for the operator.
struct Dated {
    std::string file;
    std::string subject;
    Validity validity;
};

/// The certificate of a chain that ends first; without it the others cannot be used.
Dated first_to_end(const std::string& file, const std::vector<CertificatePointer>& chain) {
    const auto ends = [](const CertificatePointer& each) { return validity_of(each.get()).ends_s; };
    const auto& first =
        *std::min_element(chain.begin(), chain.end(),
                          [&](const auto& a, const auto& b) { return ends(a) < ends(b); });
    return {file, subject_text(first.get()), validity_of(first.get())};
}

/// The authority that is valid for longest; an old one may stay in the file.
Dated last_to_end(const std::string& file, const std::vector<CertificatePointer>& all) {
    const auto ends = [](const CertificatePointer& each) { return validity_of(each.get()).ends_s; };
    const auto& last = *std::max_element(
        all.begin(), all.end(), [&](const auto& a, const auto& b) { return ends(a) < ends(b); });
    return {file, subject_text(last.get()), validity_of(last.get())};
}

Result<Dated> load_own_certificate(SSL_CTX* context, const TlsOptions& options) {
    auto chain = US_TRY(read_certificates(options.certificate_file));
    bool taken = SSL_CTX_use_certificate(context, chain.front().get()) == 1;
    for (std::size_t i = 1; i < chain.size(); ++i) {
        taken = taken && SSL_CTX_add1_chain_cert(context, chain[i].get()) == 1;
    }
    if (!taken) return unusable(options.certificate_file, "the certificate cannot be used");

    const Secret text = US_TRY(read_file(options.key_file, Readers::owner_only));
    const KeyPointer key(
        PEM_read_bio_PrivateKey(text.bio().get(), nullptr, no_password, nullptr));
    if (!key) return unusable(options.key_file, "contains no readable key without a password");
    if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 ||
        SSL_CTX_check_private_key(context) != 1) {
        return unusable(options.key_file,
                        "is not the key of the certificate in " + options.certificate_file);
    }
    return first_to_end(options.certificate_file, chain);
}

Result<Dated> load_authority(SSL_CTX* context, const TlsOptions& options) {
    const auto authorities = US_TRY(read_certificates(options.authority_file));
    for (const CertificatePointer& each : authorities) {
        if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), each.get()) != 1) {
            return unusable(options.authority_file, "the certificate cannot be used");
        }
    }
    return last_to_end(options.authority_file, authorities);
}

struct Loaded {
    ContextPointer context;
    Dated own;
    Dated authority;
};

Result<Loaded> load(const TlsOptions& options) {
    ContextPointer context(SSL_CTX_new(TLS_method()));
    if (!context) return unusable(options.certificate_file, "OpenSSL cannot create a context");
    SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    // Sessions are not resumed: each connection proves its identity again, and a handshake is short
    // compared with a connection's life.
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context.get(), 0);
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);  // Saves 16 KiB per idle end.
    Dated own = US_TRY(load_own_certificate(context.get(), options));
    Dated authority = US_TRY(load_authority(context.get(), options));
    return Loaded{std::move(context), std::move(own), std::move(authority)};
}

bool usable(const Dated& dated, std::int64_t now_s) {
    const Standing now = standing(dated.validity, now_s);
    return now == Standing::good || now == Standing::ends_soon;
}

std::string why_not_usable(const Dated& dated, std::int64_t now_s) {
    const bool expired = standing(dated.validity, now_s) == Standing::expired;
    return (expired ? "expired on " : "is not valid before ") +
           date_text(expired ? dated.validity.ends_s : dated.validity.begins_s);
}

}  // namespace

struct TlsContexts::Stamps {
    Stamp certificate, key, authority;
    friend bool operator==(const Stamps&, const Stamps&) = default;

    static Stamps of(const TlsOptions& options) {
        return {Stamp::of(options.certificate_file), Stamp::of(options.key_file),
                Stamp::of(options.authority_file)};
    }
};

struct TlsContexts::Entry {
    TlsOptions options;
    Stamps stamps;
    Loaded loaded;
    ExpiryWatch own = {};
    ExpiryWatch authority = {};
    Stamps refused = {};  // Newer files that could not be used; they are reported once.
    std::int64_t refused_until_s = 0;  // They may become usable at this time.
};

TlsContexts::TlsContexts(Log& log) : log_(log) {}
TlsContexts::~TlsContexts() = default;

Result<ssl_ctx_st*> TlsContexts::get(const TlsOptions& options) {
    // The stamps are taken before reading, so a change in between is seen at the next call.
    const Stamps stamps = Stamps::of(options);
    for (const auto& entry : entries_) {
        if (entry->options != options) continue;
        refresh(*entry, stamps);
        return entry->loaded.context.get();
    }
    auto loaded = US_TRY(load(options));
    if (entries_.size() == contexts_max) entries_.clear();
    entries_.push_back(std::make_unique<Entry>(
        Entry{.options = options, .stamps = stamps, .loaded = std::move(loaded)}));
    look_at_dates(*entries_.back());
    return entries_.back()->loaded.context.get();
}

void TlsContexts::reload_changed() {
    for (const auto& entry : entries_) {
        refresh(*entry, Stamps::of(entry->options));
        look_at_dates(*entry);
    }
}

void TlsContexts::refresh(Entry& entry, const Stamps& stamps) {
    if (entry.stamps == stamps) return;
    if (entry.refused == stamps && wall_now_s() < entry.refused_until_s) return;
    reload(entry, stamps);
}

// Files that do not match are probably half replaced. Until they match, the old ones stay in use.
void TlsContexts::reload(Entry& entry, const Stamps& stamps) {
    const auto refuse = [&](const Error& reason, std::int64_t until_s) {
        entry.refused = stamps;
        entry.refused_until_s = until_s;
        log_.warn("tls.reload_refused", {kv("error", reason)});
    };
    constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
    const std::int64_t now_s = wall_now_s();
    auto loaded = load(entry.options);
    if (!loaded) return refuse(loaded.error(), never);
    if (usable(entry.loaded.own, now_s) && !usable(loaded->own, now_s)) {
        const Validity& validity = loaded->own.validity;
        return refuse(
            unusable(loaded->own.file, why_not_usable(loaded->own, now_s) +
                                           "; the previous certificate stays in use, valid until " +
                                           date_text(entry.loaded.own.validity.ends_s)),
            now_s < validity.begins_s ? validity.begins_s : never);
    }
    entry.loaded = std::move(*loaded);
    entry.stamps = stamps;
    log_.info("tls.reloaded", {kv("certificate_file", entry.options.certificate_file)});
    entry.own = {};
    entry.authority = {};
    look_at_dates(entry);
}

void TlsContexts::look_at_dates(Entry& entry) {
    const std::int64_t now_s = wall_now_s();
    const auto look = [&](const Dated& dated, ExpiryWatch& watch) {
        const Standing now = standing(dated.validity, now_s);
        if (!watch.worth_telling(now, now_s)) return;
        const LogField file = kv("file", dated.file);
        const LogField subject = kv("subject", dated.subject);
        const LogField ends = kv("ends", date_text(dated.validity.ends_s));
        if (now == Standing::expired) {
            return log_.warn("tls.certificate_expired", {file, subject, ends});
        }
        if (now == Standing::ends_soon) {
            return log_.warn("tls.certificate_ends_soon",
                             {file, subject, ends, kv("days", days_left(dated.validity, now_s))});
        }
        log_.warn("tls.certificate_not_valid_yet",
                  {file, subject, kv("begins", date_text(dated.validity.begins_s))});
    };
    look(entry.loaded.own, entry.own);
    look(entry.loaded.authority, entry.authority);
}

}  // namespace understudy::platform
