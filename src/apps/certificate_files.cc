#include "apps/certificate_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/escaping.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "env/files.h"
#include "env/posix_error.h"
#include "security/tls/tls_context.h"

namespace cairn::apps {
namespace {

constexpr mode_t kDirectoryMode = 0700;
constexpr mode_t kPublicMode = 0644;  // servers and clients of other users read these
constexpr mode_t kKeyMode = 0600;
constexpr size_t kMaxNameBytes = 64;  // of a common name, RFC 5280 appendix A
// 100,000 certificates taken back.
constexpr uint64_t kMaxRevokedBytes = 4 << 20;

// A file name, and none of those that the authority uses itself.
absl::Status CheckName(const std::string& name) {
  const auto illegal = [](char c) {
    return c == '/' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  };
  std::string_view why;
  if (name.empty()) {
    why = "is empty";
  } else if (name.size() > kMaxNameBytes) {
    why = "is longer than 64 bytes";
  } else if (std::ranges::any_of(name, illegal)) {
    why = "has a slash or a control character";
  } else if (name == "." || name == "..") {
    why = "is a directory";
  } else if (name == "ca" || name == "ca-key" || name == "ca-crl") {
    why = "is one of the authority's own";
  } else {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      base::StrCat("NAME names the files, and \"", absl::CHexEscape(name), "\" ", why));
}

absl::Status WriteAll(int descriptor, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t wrote = ::write(descriptor, content.data(), content.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return env::PosixError(errno, "write", path);
    content.remove_prefix(static_cast<size_t>(wrote));
  }
  if (::fsync(descriptor) != 0) return env::PosixError(errno, "fsync", path);
  return absl::OkStatus();
}

// Creates `path` with this mode, less what the umask takes away: env's files have others.
absl::Status CreateFile(const std::string& path, std::string_view content, mode_t mode) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (descriptor < 0 && errno == EEXIST) {
    return absl::AlreadyExistsError(base::StrCat(path, " exists already and is not overwritten"));
  }
  if (descriptor < 0) return env::PosixError(errno, "create", path);
  absl::Status status = WriteAll(descriptor, content, path);
  if (::close(descriptor) != 0 && status.ok()) status = env::PosixError(errno, "close", path);
  // A half of a file is worse than none. That removing it may fail too is no news.
  if (!status.ok()) ::unlink(path.c_str());
  return status;
}

absl::Status ReplaceFile(const std::string& path, std::string_view content) {
  const std::string fresh = path + ".new";
  if (::unlink(fresh.c_str()) != 0 && errno != ENOENT) {
    return env::PosixError(errno, "remove", fresh);
  }
  CAIRN_RETURN_IF_ERROR(CreateFile(fresh, content, kPublicMode));
  if (::rename(fresh.c_str(), path.c_str()) == 0) return absl::OkStatus();
  absl::Status status = env::PosixError(errno, "rename", fresh + " to " + path);
  ::unlink(fresh.c_str());
  return status;
}

}  // namespace

std::string CertificateDirectory::PathOf(std::string_view name, std::string_view ending) const {
  return env::JoinPath(path_, base::StrCat(name, ending));
}

absl::Status CertificateDirectory::Create() {
  const absl::StatusOr<env::FileInfo> info = fs_.Stat(path_);
  if (info.ok() && info->is_directory) return absl::OkStatus();
  if (info.ok()) return absl::FailedPreconditionError(base::StrCat(path_, " is no directory"));
  if (!absl::IsNotFound(info.status())) return info.status();
  const std::string parent = env::DirName(path_);
  CAIRN_RETURN_IF_ERROR(env::CreateDirs(fs_, parent));
  if (::mkdir(path_.c_str(), kDirectoryMode) != 0) {
    return env::PosixError(errno, "create directory", path_);
  }
  return fs_.SyncDir(parent);
}

CertificateDirectory::Files CertificateDirectory::WritePair(std::string_view name,
                                                            const security::PemPair& pair) {
  const std::string certificate = PathOf(name, ".pem");
  const std::string key = PathOf(name, "-key.pem");
  CAIRN_RETURN_IF_ERROR(CreateFile(key, pair.key, kKeyMode));
  if (absl::Status status = CreateFile(certificate, pair.certificate, kPublicMode); !status.ok()) {
    ::unlink(key.c_str());  // ours, made a moment ago, and of no use
    return status;
  }
  CAIRN_RETURN_IF_ERROR(fs_.SyncDir(path_));
  return std::vector<std::string>{certificate, key};
}

CertificateDirectory::Files CertificateDirectory::Init(const std::string& name, int64_t days) {
  CAIRN_ASSIGN_OR_RETURN(const security::PemPair authority,
                         security::MakeAuthority(name, not_before_s(), AfterDays(days)));
  CAIRN_RETURN_IF_ERROR(Create());
  return WritePair("ca", authority);
}

absl::StatusOr<security::PemPair> CertificateDirectory::ReadAuthority() {
  security::PemPair authority;
  for (const auto& [ending, content] :
       {std::pair{".pem", &authority.certificate}, std::pair{"-key.pem", &authority.key}}) {
    absl::StatusOr<std::string> read =
        env::ReadFile(fs_, PathOf("ca", ending), security::kMaxPemBytes);
    if (absl::IsNotFound(read.status())) {
      return absl::FailedPreconditionError(
          base::StrCat("there is no authority in ", path_, " (", PathOf("ca", ending),
                       " is missing); make one with `cairn certs init`"));
    }
    CAIRN_RETURN_IF_ERROR(read.status());
    *content = *std::move(read);
  }
  return authority;
}

CertificateDirectory::Files CertificateDirectory::Issue(security::CertificateRequest request,
                                                        int64_t days) {
  CAIRN_RETURN_IF_ERROR(CheckName(request.common_name));
  CAIRN_ASSIGN_OR_RETURN(const security::PemPair authority, ReadAuthority());
  request.not_before_s = not_before_s();
  request.not_after_s = AfterDays(days);
  CAIRN_ASSIGN_OR_RETURN(const security::PemPair issued,
                         security::IssueCertificate(authority, request));
  return WritePair(request.common_name, issued);
}

absl::StatusOr<std::string> CertificateDirectory::SerialOf(const security::PemPair& authority,
                                                           const std::string& name_or_file) {
  std::string path = PathOf(name_or_file, ".pem");
  absl::StatusOr<std::string> pem = env::ReadFile(fs_, path, security::kMaxPemBytes);
  if (absl::IsNotFound(pem.status())) {
    pem = env::ReadFile(fs_, name_or_file, security::kMaxPemBytes);
    if (absl::IsNotFound(pem.status())) {
      return absl::NotFoundError(
          base::StrCat("there is neither ", path, " nor a file ", name_or_file));
    }
    path = name_or_file;
  }
  CAIRN_RETURN_IF_ERROR(pem.status());
  absl::StatusOr<std::string> serial = security::SerialOfIssued(authority.certificate, *pem);
  if (serial.ok()) return serial;
  return absl::Status(serial.status().code(),
                      base::StrCat(path, ": ", base::StdView(serial.status().message())));
}

absl::StatusOr<std::vector<std::string>> CertificateDirectory::ReadRevoked() {
  const std::string path = PathOf("revoked", ".txt");
  const absl::StatusOr<std::string> content = env::ReadFile(fs_, path, kMaxRevokedBytes);
  if (absl::IsNotFound(content.status())) return std::vector<std::string>{};
  CAIRN_RETURN_IF_ERROR(content.status());
  std::vector<std::string> serials;
  int number = 1;
  for (size_t at = 0; at < content->size(); ++number) {
    const size_t end = std::min(content->find('\n', at), content->size());
    const std::string line = content->substr(at, end - at);
    at = end + 1;
    if (line.empty()) continue;
    if (line.find_first_not_of("0123456789ABCDEFabcdef") != std::string::npos) {
      return absl::InvalidArgumentError(base::StrCat(path, ":", number,
                                                     ": a serial number is hexadecimal, not \"",
                                                     absl::CHexEscape(line), "\""));
    }
    serials.push_back(line);
  }
  return serials;
}

CertificateDirectory::Files CertificateDirectory::Revoke(
    const std::vector<std::string>& names_or_files, int64_t days) {
  CAIRN_ASSIGN_OR_RETURN(const security::PemPair authority, ReadAuthority());
  CAIRN_ASSIGN_OR_RETURN(std::vector<std::string> serials, ReadRevoked());
  for (const std::string& name : names_or_files) {
    CAIRN_ASSIGN_OR_RETURN(const std::string serial, SerialOf(authority, name));
    if (std::ranges::find(serials, serial) == serials.end()) serials.push_back(serial);
  }
  CAIRN_ASSIGN_OR_RETURN(const std::string list,
                         security::MakeRevocationList(authority, serials, not_before_s(), days));
  std::string lines;
  for (const std::string& serial : serials) lines += serial + "\n";
  const std::string state = PathOf("revoked", ".txt");
  const std::string list_file = PathOf("ca-crl", ".pem");
  // First what the list is made of: were it the other way round, the next list could forget one.
  CAIRN_RETURN_IF_ERROR(ReplaceFile(state, lines));
  CAIRN_RETURN_IF_ERROR(ReplaceFile(list_file, list));
  CAIRN_RETURN_IF_ERROR(fs_.SyncDir(path_));
  return std::vector<std::string>{list_file, state};
}

}  // namespace cairn::apps
