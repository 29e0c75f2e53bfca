// A folder with a certificate authority and what it signed. For tests.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

#include "process/child_process.h"
#include "security/tls/certificate_authority.h"

namespace cairn::testing {

// Its files: ca.pem; NAME.pem and NAME-key.pem of each that was issued.
class TestCertificates {
 public:
  TestCertificates() { Write("ca.pem", authority_.certificate); }

  std::string File(const std::string& name) const { return folder_ / name; }
  // Takes the place of the file at once, as a careful operator does it.
  void Write(const std::string& name, const std::string& content) const {
    std::ofstream(File(name + ".new"), std::ios::binary) << content;
    ASSERT_EQ(std::rename(File(name + ".new").c_str(), File(name).c_str()), 0);
  }
  // For a client, or for a node on 127.0.0.1; a new one with each call.
  void Issue(const std::string& name, bool node) const {
    security::CertificateRequest request{
        .common_name = name, .not_before_s = now_s_ - kDayS, .not_after_s = now_s_ + kDayS};
    if (node) request.hosts = {"127.0.0.1"};
    request.server = node;
    const security::PemPair pair = security::IssueCertificate(authority_, request).value();
    Write(name + ".pem", pair.certificate);
    Write(name + "-key.pem", pair.key);
  }
  // Flags with these files: `prefix` is "--tls", "--server-tls" or "--peer-tls".
  std::vector<std::string> Flags(const std::string& prefix, const std::string& name) const {
    return {prefix + "-cert-file",   File(name + ".pem"), prefix + "-key-file",
            File(name + "-key.pem"), prefix + "-ca-file", File("ca.pem")};
  }

 private:
  static constexpr int64_t kDayS = 24 * 3600;

  const int64_t now_s_ = std::time(nullptr);
  const security::PemPair authority_ =
      security::MakeAuthority("test", now_s_ - kDayS, now_s_ + kDayS).value();
  const ScratchDir folder_;
};

}  // namespace cairn::testing
