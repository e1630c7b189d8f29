// SPDX-License-Identifier: Apache-2.0
#include "net/testing/certificates.hpp"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/assert.hpp"

namespace skerry::net::testing {
namespace {

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(length));
  BIO_free(bio);
  return text;
}

std::string pem_of(X509* certificate) {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, certificate);
  return text_of(bio);
}

std::string pem_of(EVP_PKEY* key) {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  return text_of(bio);
}

void extend(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  SKERRY_ASSERT(extension != nullptr);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

X509* blank(EVP_PKEY* key, long serial, const CertificateWish& wish) {
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), wish.begins.count());
  X509_gmtime_adj(X509_getm_notAfter(certificate), wish.ends.count());
  X509_set_pubkey(certificate, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(wish.name.c_str()), -1, -1, 0);
  return certificate;
}

}  // namespace

CertificateMaker::CertificateMaker(const std::string& name)
    : key_(EVP_EC_gen("P-256")), ca_(blank(key_, 1, {.name = name, .ends = std::chrono::hours(24)})) {
  X509_set_issuer_name(ca_, X509_get_subject_name(ca_));
  extend(ca_, ca_, NID_basic_constraints, "critical,CA:TRUE");
  X509_sign(ca_, key_, EVP_sha256());
  ca_pem_ = pem_of(ca_);
}

CertificateMaker::~CertificateMaker() {
  X509_free(ca_);
  EVP_PKEY_free(key_);
}

CertificateMaker::Made CertificateMaker::make(const CertificateWish& wish) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = blank(key, ++serial_, wish);
  X509_set_issuer_name(certificate, X509_get_subject_name(ca_));
  std::string names;
  for (const std::string& each : wish.alternatives) names += (names.empty() ? "" : ",") + each;
  if (!names.empty()) extend(certificate, ca_, NID_subject_alt_name, names);
  X509_sign(certificate, key_, EVP_sha256());
  Made made{pem_of(certificate), pem_of(key)};
  X509_free(certificate);
  EVP_PKEY_free(key);
  return made;
}

TestFolder::TestFolder() {
  std::string path = std::filesystem::temp_directory_path() / "skerry-tls-XXXXXX";
  SKERRY_ASSERT(::mkdtemp(path.data()) != nullptr);
  path_ = path;
}

TestFolder::~TestFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TestFolder::write(const std::string& name, const std::string& text) const {
  const std::string beside = path(name + ".new");
  std::ofstream(beside, std::ios::binary) << text;
  std::filesystem::rename(beside, path(name));
  return path(name);
}

}  // namespace skerry::net::testing
