// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/time.hpp"

struct evp_pkey_st;
struct x509_st;

namespace skerry::net::testing {

struct CertificateWish {
  std::string name;                                // common name
  std::vector<std::string> alternatives = {};      // "DNS:localhost", "IP:127.0.0.1"
  std::chrono::seconds begins{-3600}, ends{3600};  // from now
};

// Certificates for tests, made on the spot: a CA that signs what is asked for, with keys on P-256.
class CertificateMaker {
 public:
  explicit CertificateMaker(const std::string& name = "test CA");
  ~CertificateMaker();
  const std::string& ca_pem() const { return ca_pem_; }
  struct Made {
    std::string certificate_pem, key_pem;
  };
  Made make(const CertificateWish& wish);

 private:
  evp_pkey_st* key_;
  x509_st* ca_;
  std::string ca_pem_;
  long serial_ = 1;
};

// A folder that goes with the test.
class TestFolder {
 public:
  TestFolder();
  ~TestFolder();
  // Replaces the file as an operator would: written beside it, then moved over. Returns its path.
  std::string write(const std::string& name, const std::string& text) const;
  std::string path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace skerry::net::testing
