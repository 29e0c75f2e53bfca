#include "gossip/wire/keyring.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

#include "absl/strings/escaping.h"
#include "base/check.h"
#include "base/strings.h"

namespace cairn::gossip {
namespace {

constexpr size_t kNonceBytes = 12;
constexpr size_t kTagBytes = 16;
constexpr size_t kBlockBytes = 16;
constexpr char kVersionPadded = 0;
constexpr char kVersionPlain = 1;

struct ContextDeleter {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, ContextDeleter>;

bool IsKeyLength(size_t bytes) { return bytes == 16 || bytes == 24 || bytes == 32; }

const EVP_CIPHER* CipherOf(std::string_view key) {
  return key.size() == 16   ? EVP_aes_128_gcm()
         : key.size() == 24 ? EVP_aes_192_gcm()
                            : EVP_aes_256_gcm();
}

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* Bytes(char* text) { return reinterpret_cast<unsigned char*>(text); }

// nullopt: not sealed with this key.
std::optional<std::string> OpenWith(std::string_view key, std::string_view nonce,
                                    std::string_view ciphertext, std::string_view tag,
                                    std::string_view associated) {
  const Context context(EVP_CIPHER_CTX_new());
  std::string plaintext(ciphertext.size(), '\0');
  std::string expected(tag);
  int written = 0;
  int ignored = 0;
  const bool opened =
      EVP_DecryptInit_ex(context.get(), CipherOf(key), nullptr, Bytes(key), Bytes(nonce)) == 1 &&
      EVP_DecryptUpdate(context.get(), nullptr, &ignored, Bytes(associated),
                        static_cast<int>(associated.size())) == 1 &&
      EVP_DecryptUpdate(context.get(), Bytes(plaintext.data()), &written, Bytes(ciphertext),
                        static_cast<int>(ciphertext.size())) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, expected.data()) == 1 &&
      EVP_DecryptFinal_ex(context.get(), Bytes(plaintext.data()) + written, &ignored) == 1;
  if (!opened) return std::nullopt;
  return plaintext;
}

void Wipe(std::string& key) { OPENSSL_cleanse(key.data(), key.size()); }

}  // namespace

Keyring::~Keyring() { std::for_each(keys_.begin(), keys_.end(), Wipe); }

absl::Status Keyring::Install(std::string_view key) {
  if (!IsKeyLength(key.size())) {
    return absl::InvalidArgumentError(
        base::StrCat("a key of ", key.size(), " bytes; it must have 16, 24 or 32"));
  }
  if (std::find(keys_.begin(), keys_.end(), key) != keys_.end()) return absl::OkStatus();
  if (keys_.size() == kMaxKeys) {
    return absl::ResourceExhaustedError(
        base::StrCat("the keyring is full (", kMaxKeys, " keys); remove one first"));
  }
  keys_.emplace_back(key);
  return absl::OkStatus();
}

absl::Status Keyring::Use(std::string_view key) {
  const auto at = std::find(keys_.begin(), keys_.end(), key);
  if (at == keys_.end()) return absl::NotFoundError("the key is not in the keyring");
  std::rotate(keys_.begin(), at, at + 1);
  return absl::OkStatus();
}

absl::Status Keyring::Remove(std::string_view key) {
  const auto at = std::find(keys_.begin(), keys_.end(), key);
  if (at == keys_.end()) return absl::NotFoundError("the key is not in the keyring");
  if (at == keys_.begin()) {
    return absl::FailedPreconditionError("the primary key cannot be removed; use another first");
  }
  Wipe(*at);
  keys_.erase(at);
  return absl::OkStatus();
}

std::string Keyring::Seal(std::string_view plaintext, std::string_view associated,
                          env::Random& random) const {
  CAIRN_CHECK(enabled(), "sealing takes a key");
  std::string sealed(1 + kNonceBytes + plaintext.size() + kTagBytes, kVersionPlain);
  char* nonce = sealed.data() + 1;
  const uint64_t bits[2] = {random.Next(), random.Next()};
  std::memcpy(nonce, bits, kNonceBytes);
  char* ciphertext = nonce + kNonceBytes;
  char* tag = ciphertext + plaintext.size();
  const Context context(EVP_CIPHER_CTX_new());
  const std::string& key = keys_.front();
  int written = 0;
  int ignored = 0;
  const bool done =
      EVP_EncryptInit_ex(context.get(), CipherOf(key), nullptr, Bytes(key), Bytes(nonce)) == 1 &&
      EVP_EncryptUpdate(context.get(), nullptr, &ignored, Bytes(associated),
                        static_cast<int>(associated.size())) == 1 &&
      EVP_EncryptUpdate(context.get(), Bytes(ciphertext), &written, Bytes(plaintext),
                        static_cast<int>(plaintext.size())) == 1 &&
      EVP_EncryptFinal_ex(context.get(), Bytes(ciphertext) + written, &ignored) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, tag) == 1;
  CAIRN_CHECK(done, "AES-GCM fails for want of memory only; nothing may go out unsealed");
  return sealed;
}

absl::StatusOr<std::string> Keyring::Open(std::string_view sealed,
                                          std::string_view associated) const {
  if (sealed.size() < kSealOverheadBytes) {
    return absl::InvalidArgumentError(
        base::StrCat("a sealed message of ", sealed.size(), " bytes is too short"));
  }
  const char version = sealed.front();
  if (version != kVersionPadded && version != kVersionPlain) {
    return absl::InvalidArgumentError(base::StrCat(
        "encryption version ", static_cast<int>(static_cast<uint8_t>(version)), " is unknown"));
  }
  const std::string_view nonce = sealed.substr(1, kNonceBytes);
  const std::string_view ciphertext =
      sealed.substr(1 + kNonceBytes, sealed.size() - kSealOverheadBytes);
  const std::string_view tag = sealed.substr(sealed.size() - kTagBytes);
  for (const std::string& key : keys_) {
    std::optional<std::string> opened = OpenWith(key, nonce, ciphertext, tag, associated);
    if (!opened) continue;
    if (version == kVersionPadded) {
      const size_t padding = opened->empty() ? 0 : static_cast<uint8_t>(opened->back());
      if (padding == 0 || padding > kBlockBytes || padding > opened->size()) {
        return absl::InvalidArgumentError("bad padding within a sealed message");
      }
      opened->resize(opened->size() - padding);
    }
    return *std::move(opened);
  }
  return absl::UnauthenticatedError("no key opens the sealed message");
}

absl::StatusOr<std::string> ParseKey(std::string_view base64) {
  std::string key;
  if (!absl::Base64Unescape(base::AbslView(base64), &key) || !IsKeyLength(key.size())) {
    return absl::InvalidArgumentError(
        "an encryption key is the base64 of 16, 24 or 32 bytes, as `serf keygen` writes it");
  }
  return key;
}

std::string FormatKey(std::string_view key) { return absl::Base64Escape(base::AbslView(key)); }

}  // namespace cairn::gossip
