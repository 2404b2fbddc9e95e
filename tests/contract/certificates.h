#pragma once

#include <memory>
#include <string>

#include "runtime/network.h"

namespace understudy::contract {

/// Signs certificates for tests and writes them to files in a directory.
class TestAuthority {
public:
    /// The names of files begin with `name`.
    TestAuthority(std::string directory, std::string name);
    ~TestAuthority();
    TestAuthority(const TestAuthority&) = delete;
    TestAuthority& operator=(const TestAuthority&) = delete;

    /// Issues a certificate for `common_name` with the alternative names `alternatives`
    /// ("IP:127.0.0.1,DNS:localhost"). Its key has mode 0600, and this authority is the trusted
    /// one.
    [[nodiscard]] TlsOptions issue(const std::string& common_name,
                                   const std::string& alternatives) const;
    [[nodiscard]] std::string authority_file() const;

private:
    struct Parts;
    const std::string stem_;
    std::unique_ptr<Parts> parts_;
};

}  // namespace understudy::contract
