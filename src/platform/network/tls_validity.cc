#include "platform/network/tls_validity.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <memory>
#include <string_view>

#include <arpa/inet.h>

#include <openssl/asn1.h>
#include <openssl/crypto.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace understudy::platform {

namespace {

constexpr std::int64_t day_s = 86'400;
constexpr std::size_t shown_max = 80;
constexpr int hosts_shown_max = 4;

[[nodiscard]] std::int64_t seconds_of(const ASN1_TIME* time) {
    std::tm parts{};
    if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return 0;
    return ::timegm(&parts);
}

/// Makes text of others safe for a terminal and a log.
[[nodiscard]] std::string shown(std::string_view text) {
    std::string out(text.substr(0, shown_max));
    for (char& letter : out) {
        const auto code = static_cast<unsigned char>(letter);
        if (code < 0x20 || code >= 0x7F) letter = '?';
    }
    return out;
}

[[nodiscard]] std::string name_text(const X509_NAME* name) {
    const int index = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (index >= 0) {
        const ASN1_STRING* text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index));
        return "CN=" + shown({reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                              static_cast<std::size_t>(ASN1_STRING_length(text))});
    }
    std::array<char, shown_max + 1> line{};
    X509_NAME_oneline(name, line.data(), static_cast<int>(line.size()));
    return line.front() == '\0' ? "without a name" : shown(line.data());
}

[[nodiscard]] std::string host_text(const GENERAL_NAME& name) {
    if (name.type != GEN_DNS && name.type != GEN_IPADD) return {};
    const ASN1_STRING* const value =
        name.type == GEN_DNS ? name.d.dNSName : name.d.iPAddress;
    const unsigned char* const bytes = ASN1_STRING_get0_data(value);
    const auto size = static_cast<std::size_t>(ASN1_STRING_length(value));
    if (name.type == GEN_DNS) {
        return "DNS:" + shown({reinterpret_cast<const char*>(bytes), size});
    }
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (size != 4 && size != 16) return {};
    ::inet_ntop(size == 4 ? AF_INET : AF_INET6, bytes, text.data(), text.size());
    return std::string("IP:") + text.data();
}

}  // namespace

std::int64_t warned_before_s(const Validity& validity) {
    return std::min(30 * day_s, (validity.ends_s - validity.begins_s) / 3);
}

Standing standing(const Validity& validity, std::int64_t now_s) {
    if (now_s > validity.ends_s) return Standing::expired;
    if (now_s < validity.begins_s) return Standing::not_yet;
    return validity.ends_s - now_s < warned_before_s(validity) ? Standing::ends_soon
                                                               : Standing::good;
}

std::int64_t days_left(const Validity& validity, std::int64_t now_s) {
    return (validity.ends_s - now_s) / day_s;
}

std::int64_t wall_now_s() { return std::time(nullptr); }

bool ExpiryWatch::worth_telling(Standing now, std::int64_t now_s) {
    const bool changed = told_ != now;
    if (!changed && now_s - told_at_s_ < day_s) return false;
    told_ = now;
    told_at_s_ = now_s;
    return now != Standing::good;
}

std::string date_text(std::int64_t wall_s) {
    const auto seconds = static_cast<std::time_t>(wall_s);
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    std::array<char, 40> text{};
    (void)std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &utc);
    return text.data();
}

Validity validity_of(const X509* certificate) {
    return {.begins_s = seconds_of(X509_get0_notBefore(certificate)),
            .ends_s = seconds_of(X509_get0_notAfter(certificate))};
}

std::string subject_text(const X509* certificate) {
    return name_text(X509_get_subject_name(certificate));
}

std::string issuer_text(const X509* certificate) {
    return name_text(X509_get_issuer_name(certificate));
}

std::string hosts_text(const X509* certificate) {
    struct Free {
        void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
    };
    const std::unique_ptr<GENERAL_NAMES, Free> names(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    std::string out;
    const int count = names == nullptr ? 0 : sk_GENERAL_NAME_num(names.get());
    for (int index = 0; index < std::min(count, hosts_shown_max); ++index) {
        const std::string one = host_text(*sk_GENERAL_NAME_value(names.get(), index));
        if (!one.empty()) out += (out.empty() ? "" : ", ") + one;
    }
    if (count > hosts_shown_max) out += " and others";
    return out.empty() ? "no host" : out;
}

}  // namespace understudy::platform
