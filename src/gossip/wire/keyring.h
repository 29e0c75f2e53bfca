// The keys that gossip is sealed with (AES-GCM, NIST SP 800-38D), and the sealed form:
//
//   sealed = version(1) nonce(12) ciphertext tag(16)
//
// Version 1 seals the plaintext as it is; version 0, of memberlist's oldest protocol, pads it to
// the block size first (PKCS #7, RFC 5652 section 6.3). We write version 1 and read both. The nonce
// is random: by SP 800-38D section 8.3 a key is good for 2^32 messages, 13 years at 10 a second.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "env/random.h"

namespace cairn::gossip {

// Bytes that sealing adds.
inline constexpr size_t kSealOverheadBytes = 1 + 12 + 16;

// Thread-compatible. Keys are wiped when they go; no error and no other text shows one.
class Keyring {
 public:
  // Every key is tried on what does not open with the first, so their number is what a forged
  // packet costs.
  static constexpr size_t kMaxKeys = 16;

  // Without keys: nothing is sealed.
  Keyring() = default;
  ~Keyring();
  Keyring(Keyring&&) = default;
  Keyring& operator=(Keyring&&) = delete;

  bool enabled() const { return !keys_.empty(); }

  // Adds a key of 16, 24 or 32 bytes (AES-128, -192, -256) behind the others; the first one becomes
  // the primary, which seals. OK when it is there already. Errors: INVALID_ARGUMENT for another
  // length, RESOURCE_EXHAUSTED at kMaxKeys.
  absl::Status Install(std::string_view key);
  // Makes an installed key the primary. Errors: NOT_FOUND.
  absl::Status Use(std::string_view key);
  // Errors: NOT_FOUND; FAILED_PRECONDITION for the primary.
  absl::Status Remove(std::string_view key);

  // The primary first.
  const std::vector<std::string>& keys() const { return keys_; }

  // `plaintext` sealed by the primary key, bound to `associated`. There is one.
  std::string Seal(std::string_view plaintext, std::string_view associated,
                   env::Random& random) const;
  // The inverse, by whichever key fits. Errors: INVALID_ARGUMENT for what is too short or of an
  // unknown version; UNAUTHENTICATED when no key fits.
  absl::StatusOr<std::string> Open(std::string_view sealed, std::string_view associated) const;

 private:
  std::vector<std::string> keys_;
};

// A key as `serf keygen` writes it and Serf's tools show it: base64 of its bytes (RFC 4648, section
// 4). Errors: INVALID_ARGUMENT for bad base64 or a length that Install refuses.
absl::StatusOr<std::string> ParseKey(std::string_view base64);
std::string FormatKey(std::string_view key);

}  // namespace cairn::gossip
