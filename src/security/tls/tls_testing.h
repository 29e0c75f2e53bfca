// For tests: authorities, certificates and their files on a simulated disk.
#pragma once

#include <gtest/gtest.h>

#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "env/files.h"
#include "env/sim_file_system.h"
#include "security/tls/certificate_authority.h"
#include "security/tls/tls_context.h"

namespace cairn::security {

inline constexpr int64_t kDayS = 24 * 3600;

class TlsLab {
 public:
  explicit TlsLab(const std::string& name = "lab")
      : authority_(MakeAuthority(name, now_s_ - kDayS, now_s_ + kDayS).value()) {
    Put(name + "-ca.pem", authority_.certificate);
    ca_file_ = name + "-ca.pem";
  }

  int64_t now_s() const { return now_s_; }
  env::SimFileSystem& fs() { return fs_; }
  const PemPair& authority() const { return authority_; }
  const std::string& ca_file() const { return ca_file_; }

  void Put(const std::string& file, const std::string& content) {
    ASSERT_TRUE(env::ReplaceFile(fs_, file, content).ok());
  }
  CertificateRequest Request(const std::string& name) const {
    return {.common_name = name, .not_before_s = now_s_ - 60, .not_after_s = now_s_ + kDayS};
  }
  // Files of a certificate that trusts this lab's authority.
  TlsFiles Issue(const CertificateRequest& request) {
    const PemPair pair = IssueCertificate(authority_, request).value();
    const std::string name = "c" + std::to_string(++issued_);
    Put(name + ".pem", pair.certificate);
    Put(name + "-key.pem", pair.key);
    return {.certificate = name + ".pem", .key = name + "-key.pem", .authorities = ca_file_};
  }
  TlsFiles IssueNode(const std::string& name) {
    CertificateRequest request = Request(name);
    request.hosts = {"b", "127.0.0.1"};
    request.server = true;
    return Issue(request);
  }
  TlsFiles IssueClient(const std::string& name) { return Issue(Request(name)); }

  absl::StatusOr<std::shared_ptr<const TlsContext>> Load(const TlsFiles& files, TlsRole role,
                                                         std::vector<std::string> protocols = {}) {
    return TlsContext::Load(fs_, files, {.role = role, .protocols = std::move(protocols)});
  }

 private:
  const int64_t now_s_ = std::time(nullptr);
  env::SimFileSystem fs_{1};
  const PemPair authority_;
  std::string ca_file_;
  int issued_ = 0;
};

}  // namespace cairn::security
