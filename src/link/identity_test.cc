#include "link/identity.h"

#include <gtest/gtest.h>

namespace understudy::link {
namespace {

TEST(Identity, ACertificateNamesOneMemberOrAllOfOneService) {
    EXPECT_TRUE(names_member("bank/b1", "bank", "b1"));
    EXPECT_TRUE(names_member("bank/*", "bank", "b1"));

    EXPECT_FALSE(names_member("bank/b1", "bank", "b2"));
    EXPECT_FALSE(names_member("bank/b1", "bank", "b"));
    EXPECT_FALSE(names_member("bank/b", "bank", "b1"));
    EXPECT_FALSE(names_member("shop/b1", "bank", "b1"));
    EXPECT_FALSE(names_member("shop/*", "bank", "b1"));
    EXPECT_FALSE(names_member("bankrupt/*", "bank", "b1"));
    EXPECT_FALSE(names_member("ban/*", "bank", "b1"));
}

TEST(Identity, WhatIsNoNameOfThatFormNamesNobody) {
    for (const char* common_name : {"", "b1", "bank", "bank/", "/", "/b1", "*", "*/*", "*/b1",
                                    "bank/b1/", "bank//b1", "bank/*/b1", "BANK/b1", "bank/**"}) {
        EXPECT_FALSE(names_member(common_name, "bank", "b1")) << common_name;
    }
    EXPECT_FALSE(names_member("bank/b1", "", "b1"));
    EXPECT_FALSE(names_member("/b1", "", "b1"));
    EXPECT_FALSE(names_member("bank/", "bank", ""));
    EXPECT_FALSE(names_member("bank/*", "bank", ""));
}

TEST(Identity, AnyMemberSpeaksOfItsService) {
    EXPECT_TRUE(names_service("bank/b1", "bank"));
    EXPECT_TRUE(names_service("bank/*", "bank"));
    EXPECT_FALSE(names_service("bank/", "bank"));
    EXPECT_FALSE(names_service("bank", "bank"));
    EXPECT_FALSE(names_service("banks/b1", "bank"));
    EXPECT_FALSE(names_service("/b1", ""));
}

}  // namespace
}  // namespace understudy::link
