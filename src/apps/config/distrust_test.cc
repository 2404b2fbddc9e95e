#include "apps/config/distrust.h"

#include <gtest/gtest.h>

#include "base/trust.h"

namespace understudy::apps {
namespace {

[[nodiscard]] std::string told(std::string detail) {
    return explain_distrust({.code = Errc::denied, .detail = std::move(detail)}, "h:7").detail;
}

TEST(Distrust, WhoDoesNotAcceptWhomIsSaidWithTheRemedyOfTheReason) {
    EXPECT_EQ(
        told(std::string(distrusts_peer) + ", CN=r: it expired on 2026-11-29 12:00:00 UTC"),
        "this client does not accept the certificate of the registry at h:7, CN=r: it expired "
        "on 2026-11-29 12:00:00 UTC\ntry: a new certificate of the registry: this one has expired");
    EXPECT_EQ(
        told(std::string(distrusted_by_peer) + ", CN=me: it expired on 2026-11-29 12:00:00 UTC"),
        "the registry at h:7 does not accept the certificate of this client, CN=me: it expired "
        "on 2026-11-29 12:00:00 UTC\ntry: a new certificate of this client: this one has expired");
    EXPECT_EQ(told(std::string(distrusts_peer) + ", CN=r: another authority signed it (CN=b)"),
              "this client does not accept the certificate of the registry at h:7, CN=r: another "
              "authority signed it (CN=b)\ntry: --tls-ca with the authority that signed it");
    EXPECT_EQ(told(std::string(distrusted_by_peer) + ", CN=me: its authority (CN=b) is unknown"),
              "the registry at h:7 does not accept the certificate of this client, CN=me: its "
              "authority (CN=b) is unknown\ntry: --tls-cert and --tls-key of an authority that the "
              "registry knows");
    EXPECT_NE(told(std::string(distrusts_peer) + ", CN=r: it is for DNS:a, not for b")
                  .find("try: --registry with a host that the certificate names"),
              std::string::npos);
    EXPECT_NE(
        told(std::string(distrusts_peer) + ", CN=r: it is not valid before 2030").find("clock"),
        std::string::npos);
}

TEST(Distrust, PlainAgainstTlsIsSaidEitherWay) {
    EXPECT_EQ(
        told(std::string(peer_wants_tls)),
        "the registry at h:7 speaks TLS, this client does not\ntry: --tls-cert, --tls-key and "
        "--tls-ca");
    EXPECT_EQ(told(std::string(peer_is_plain)),
              "the registry at h:7 does not speak TLS, this client does\ntry: without --tls-cert, "
              "--tls-key and --tls-ca, or another --registry");
}

TEST(Distrust, OfSeveralRegistriesEachOnesReasonIsListed) {
    EXPECT_EQ(told("a:1: no; b:2: never").substr(0, 53),
              "no registry at h:7 can be used: a:1: no; b:2: never\nt");
}

}  // namespace
}  // namespace understudy::apps
