// A certificate authority for development, as a directory:
//
//   ca.pem  ca-key.pem               the authority
//   NAME.pem  NAME-key.pem           what it issued
//   revoked.txt  ca-crl.pem          serial numbers taken back, one a line; the list made of them
//
// Keys have mode 0600 from their first moment. No file that exists is overwritten, but for the last
// two. Blocking; one command at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "env/file_system.h"
#include "security/tls/certificate_authority.h"

namespace cairn::apps {

// Certificates and lists are valid from a little before they are made: a clock that is behind ours
// is no reason to refuse them.
inline constexpr int64_t kClockSkewS = 300;

class CertificateDirectory {
 public:
  // `fs`, the real one, outlives it. `now_s` is since 1970. Touches nothing.
  CertificateDirectory(env::FileSystem& fs, std::string path, int64_t now_s)
      : fs_(fs), path_(std::move(path)), now_s_(now_s) {}

  // Each returns the files it wrote, durable.
  using Files = absl::StatusOr<std::vector<std::string>>;

  // Makes an authority; the directory, with mode 0700, when it is missing. Errors: ALREADY_EXISTS;
  // INVALID_ARGUMENT for the name; those of files.
  Files Init(const std::string& name, int64_t days);

  // Issues `request`, whose times are set here. Errors: INVALID_ARGUMENT for a name that is no file
  // name, and for hosts; FAILED_PRECONDITION without an authority; ALREADY_EXISTS; those of files.
  Files Issue(security::CertificateRequest request, int64_t days);

  // Takes certificates back: of these names here, or in these files. Makes a new list, also for
  // none. Errors: FAILED_PRECONDITION without an authority; NOT_FOUND; INVALID_ARGUMENT for a file
  // that is no certificate of this authority, or a line of revoked.txt that is none; those of
  // files. After an error nothing is taken back, or all is noted but the list is still the old one.
  Files Revoke(const std::vector<std::string>& names_or_files, int64_t days);

 private:
  std::string PathOf(std::string_view name, std::string_view ending) const;
  absl::Status Create();
  absl::StatusOr<security::PemPair> ReadAuthority();
  Files WritePair(std::string_view name, const security::PemPair& pair);
  absl::StatusOr<std::string> SerialOf(const security::PemPair& authority,
                                       const std::string& name_or_file);
  absl::StatusOr<std::vector<std::string>> ReadRevoked();
  int64_t not_before_s() const { return now_s_ - kClockSkewS; }
  int64_t AfterDays(int64_t days) const { return now_s_ + days * 24 * 3600; }

  env::FileSystem& fs_;
  const std::string path_;
  const int64_t now_s_;
};

}  // namespace cairn::apps
