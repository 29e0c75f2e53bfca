// For tests: TLS ClientHellos, those that OpenSSL sends and some made by hand.
#pragma once

#include <openssl/bio.h>
#include <openssl/ssl.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"

namespace cairn::rpc {

// `value` in `bytes` bytes, big-endian.
inline std::string TlsNumber(size_t value, size_t bytes) {
  std::string text(bytes, '\0');
  for (size_t i = bytes; i-- > 0; value >>= 8) text[i] = static_cast<char>(value);
  return text;
}

// `data` behind its length in `length_bytes` bytes.
inline std::string TlsVector(std::string_view data, size_t length_bytes) {
  return TlsNumber(data.size(), length_bytes).append(data);
}

inline std::string AlpnList(const std::vector<std::string>& protocols) {
  std::string list;
  for (const std::string& protocol : protocols) list += TlsVector(protocol, 1);
  return list;
}

inline std::string TlsExtension(size_t type, std::string_view data) {
  return TlsNumber(type, 2) + TlsVector(data, 2);
}

inline std::string AlpnExtension(const std::vector<std::string>& protocols) {
  return TlsExtension(16, TlsVector(AlpnList(protocols), 2));
}

// A handshake message in records of up to `fragment_bytes`.
inline std::string InRecords(std::string_view message, size_t fragment_bytes = 1 << 14) {
  std::string records;
  for (size_t at = 0; at < message.size(); at += fragment_bytes) {
    records += "\x16\x03\x01" + TlsVector(message.substr(at, fragment_bytes), 2);
  }
  return records;
}

// The parts of a ClientHello; the default is right and small.
struct HelloParts {
  std::string version = "\x03\x03";
  std::string random = std::string(32, 'r');
  std::string session_id = {};
  std::string cipher_suites = "\x13\x01";
  std::string compression_methods = std::string(1, '\0');
  std::optional<std::string> extensions = {};  // without the length before all of them
  std::string behind = {};                     // what does not belong there

  std::string Message() const {
    std::string body = version + random + TlsVector(session_id, 1) + TlsVector(cipher_suites, 2) +
                       TlsVector(compression_methods, 1);
    if (extensions) body += TlsVector(*extensions, 2);
    return "\x01" + TlsVector(body + behind, 3);
  }
};

// One record with a hello that offers `protocols`.
inline std::string HandMadeHello(const std::vector<std::string>& protocols) {
  HelloParts parts;
  parts.extensions = protocols.empty() ? "" : AlpnExtension(protocols);
  return InRecords(parts.Message());
}

struct OpensslHelloOptions {
  std::vector<std::string> protocols = {};
  std::string host = {};         // the server's name; "" for none
  int version = TLS1_3_VERSION;  // the highest
};

// The first flight of OpenSSL's client.
inline std::string OpensslHello(const OpensslHelloOptions& options) {
  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_client_method()),
                                                             SSL_CTX_free);
  CAIRN_CHECK(context != nullptr, "out of memory");
  SSL_CTX_set_max_proto_version(context.get(), options.version);
  const std::unique_ptr<SSL, void (*)(SSL*)> ssl(SSL_new(context.get()), SSL_free);
  CAIRN_CHECK(ssl != nullptr, "out of memory");
  const std::string list = AlpnList(options.protocols);
  if (!list.empty()) {
    SSL_set_alpn_protos(ssl.get(), reinterpret_cast<const unsigned char*>(list.data()),
                        static_cast<unsigned>(list.size()));
  }
  if (!options.host.empty()) SSL_set_tlsext_host_name(ssl.get(), options.host.c_str());
  BIO* const out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), out);  // takes both over
  CAIRN_CHECK(SSL_connect(ssl.get()) != 1, "nobody answers");
  char* data = nullptr;
  const long size = BIO_get_mem_data(out, &data);
  return {data, static_cast<size_t>(size)};
}

}  // namespace cairn::rpc
