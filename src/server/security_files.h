// SecurityFiles: the files that say who may what: certificates, authorities, revocation lists,
// model and policy. Read at the start, and again when they change or somebody says so.
//
// Files that do not fit together, or are broken, change nothing: what was good last stays. A file
// that is being written looks broken, or short, for a moment: a change is taken when two looks have
// seen the same.
//
// Sits between the configuration and what guards the port (TLS, Access). Reads on an executor of
// its own, which may block. Thread-safe where nothing else is said.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "cluster/metadata.h"
#include "env/clock.h"
#include "env/executor.h"
#include "env/file_system.h"
#include "security/access.h"
#include "security/tls/tls_identity.h"
#include "server/logger.h"

namespace cairn::server {

// How often the files are looked at.
inline constexpr int64_t kSecurityLookNs = 500'000'000;
// How long before its end a certificate is warned of, once a day.
inline constexpr int64_t kExpiryWarningDays = 30;

class SecurityFiles : public std::enable_shared_from_this<SecurityFiles> {
 public:
  struct Options {
    security::TlsIdentityFiles tls;
    std::string model_file;  // "": no policy
    std::string policy_file;
    // "": the files above alone count. Else they hold until the cluster has a policy, which is kept
    // in this file from one start to the next.
    std::string cluster_policy_file;
    security::Access::Auditor auditor;
  };
  // All of it outlives the files.
  struct Dependencies {
    env::FileSystem* fs;
    const env::Clock* clock;
    env::Executor* executor;
    Logger* logger;
  };

  // Reads everything once. Errors: those of reading, naming the file; INVALID_ARGUMENT for what is
  // wrong in it. Blocking.
  static absl::StatusOr<std::shared_ptr<SecurityFiles>> Open(Dependencies dependencies,
                                                             Options options);

  // nullptr where nothing of the kind is configured.
  const security::CurrentTls* tls() const { return tls_ ? &*tls_ : nullptr; }
  const security::Access* access() const {
    return options_.model_file.empty() ? nullptr : &access_;
  }

  // Looks for changes from now on, if there is a file to look at. `on_change` is called on the
  // executor after each that was taken.
  void Watch(std::function<void()> on_change);
  // The cluster's policy, however often, instead of the files' from now on. What this program
  // cannot read changes nothing. On one thread at a time; not without Options::cluster_policy_file.
  void TakeClusterPolicy(const cluster::AccessPolicy& policy);
  // Takes what has changed at once, without waiting for it to stay the same.
  void Reload();
  // `done` runs on the executor; on_change is not called any more from then on.
  void Stop(absl::AnyInvocable<void()> done);

  // Since the start.
  uint64_t reloads() const { return reloads_; }
  uint64_t failures() const { return failures_; }

 private:
  struct Texts {
    security::TlsIdentityTexts tls;
    std::string model;
    std::string policy;

    friend bool operator==(const Texts&, const Texts&) = default;
  };

  SecurityFiles(Dependencies dependencies, Options options)
      : dependencies_(dependencies), options_(std::move(options)), access_(options_.auditor) {}

  absl::StatusOr<Texts> Read() const;
  void Look(bool at_once);
  void Take(Texts texts);
  void TakeTls(const Texts& texts);
  void TakePolicy(const Texts& texts);
  absl::Status LoadClusterPolicy(const cluster::AccessPolicy& policy);
  void Failed(std::string_view what, const absl::Status& why);
  void WarnOfExpiry();
  void LookLater();

  const Dependencies dependencies_;
  const Options options_;
  std::optional<security::CurrentTls> tls_;
  security::Access access_;
  std::atomic<uint64_t> reloads_{0};
  std::atomic<uint64_t> failures_{0};
  std::atomic<uint64_t> offered_version_{0};  // of the newest policy that the cluster has had

  // The executor's, after Open.
  std::function<void()> on_change_;
  uint64_t cluster_version_ = 0;  // of the cluster's policy that is in use; 0: the files'
  Texts taken_;                   // in use, or refused
  std::optional<Texts> seen_;     // by the last look, if other
  absl::Status read_status_;      // of the last look
  int64_t warned_ms_ = 0;
  env::Executor::TimerId timer_ = 0;
  bool stopped_ = false;
};

}  // namespace cairn::server
