// What the TLS code shares of OpenSSL: owners for its objects, and its errors as text.
//
// Only .cc files and tests of this folder include it: OpenSSL's headers go no further.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace cairn::security {

template <auto kFree>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using BioPtr = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, Freed<X509_free>>;
using ContextPtr = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, Freed<SSL_free>>;
using StoreCheckPtr = std::unique_ptr<X509_STORE_CTX, Freed<X509_STORE_CTX_free>>;
inline void FreeChain(STACK_OF(X509) * chain) { sk_X509_pop_free(chain, X509_free); }
using ChainPtr = std::unique_ptr<STACK_OF(X509), Freed<FreeChain>>;

// The oldest error of this thread's queue, which is emptied: "certificate has expired"; "unknown
// error" when there is none.
std::string TakeOpensslError();

// Whether `host` is an IP address, as certificates tell them from names.
bool IsAddress(const std::string& host);

}  // namespace cairn::security
