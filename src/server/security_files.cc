#include "server/security_files.h"

#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "env/files.h"
#include "security/casbin/limits.h"
#include "server/policy_copy.h"

namespace cairn::server {
namespace {

constexpr int64_t kDayMs = 24 * 3600 * 1000;

}  // namespace

absl::StatusOr<std::shared_ptr<SecurityFiles>> SecurityFiles::Open(Dependencies dependencies,
                                                                   Options options) {
  const std::shared_ptr<SecurityFiles> files(new SecurityFiles(dependencies, std::move(options)));
  const Options& given = files->options_;
  CAIRN_ASSIGN_OR_RETURN(files->taken_, files->Read());
  if (given.tls.any()) {
    CAIRN_ASSIGN_OR_RETURN(auto identity,
                           security::TlsIdentity::Make(given.tls, files->taken_.tls));
    files->tls_.emplace(std::move(identity));
  }
  std::optional<cluster::AccessPolicy> kept;
  if (!given.cluster_policy_file.empty()) {
    CAIRN_ASSIGN_OR_RETURN(kept, ReadPolicyCopy(*dependencies.fs, given.cluster_policy_file));
  }
  if (kept) {
    CAIRN_RETURN_IF_ERROR(files->LoadClusterPolicy(*kept));
    files->offered_version_ = kept->version;
  } else if (!given.model_file.empty()) {
    CAIRN_RETURN_IF_ERROR(files->access_.Load(files->taken_.model, given.model_file,
                                              files->taken_.policy, given.policy_file));
  }
  files->WarnOfExpiry();
  return files;
}

void SecurityFiles::Watch(std::function<void()> on_change) {
  dependencies_.executor->Post([self = shared_from_this(), on_change = std::move(on_change)] {
    self->on_change_ = on_change;
    const bool files = self->options_.tls.any() || !self->options_.model_file.empty();
    if (files && !self->stopped_) self->LookLater();
  });
}

void SecurityFiles::Reload() {
  dependencies_.executor->Post([self = shared_from_this()] {
    if (!self->stopped_) self->Look(true);
  });
}

void SecurityFiles::Stop(absl::AnyInvocable<void()> done) {
  dependencies_.executor->Post([self = shared_from_this(), done = std::move(done)]() mutable {
    self->stopped_ = true;
    self->on_change_ = nullptr;
    self->dependencies_.executor->Cancel(self->timer_);
    done();
  });
}

void SecurityFiles::LookLater() {
  timer_ = dependencies_.executor->PostAfter(kSecurityLookNs, [self = shared_from_this()] {
    if (self->stopped_) return;
    self->Look(false);
    self->WarnOfExpiry();
    self->LookLater();
  });
}

absl::StatusOr<SecurityFiles::Texts> SecurityFiles::Read() const {
  Texts texts;
  CAIRN_ASSIGN_OR_RETURN(texts.tls, security::ReadTlsIdentity(*dependencies_.fs, options_.tls));
  if (options_.model_file.empty()) return texts;
  CAIRN_ASSIGN_OR_RETURN(texts.model, env::ReadFile(*dependencies_.fs, options_.model_file,
                                                    security::casbin::kMaxModelBytes));
  CAIRN_ASSIGN_OR_RETURN(texts.policy, env::ReadFile(*dependencies_.fs, options_.policy_file,
                                                     security::casbin::kMaxPolicyBytes));
  return texts;
}

void SecurityFiles::Look(bool at_once) {
  auto texts = Read();
  if (!texts.ok()) {
    // Said once: the next look will find the same.
    if (read_status_ != texts.status()) Failed("security files cannot be read", texts.status());
    read_status_ = texts.status();
    return;
  }
  read_status_ = absl::OkStatus();
  if (*texts == taken_) {
    seen_.reset();
  } else if (at_once || seen_ == *texts) {
    seen_.reset();
    Take(*std::move(texts));
  } else {
    seen_ = *std::move(texts);
  }
}

void SecurityFiles::Take(Texts texts) {
  const Texts before = std::exchange(taken_, std::move(texts));
  const uint64_t reloads = reloads_;
  if (!(taken_.tls == before.tls)) TakeTls(taken_);
  if (taken_.model != before.model || taken_.policy != before.policy) TakePolicy(taken_);
  if (reloads_ != reloads && on_change_) on_change_();
}

void SecurityFiles::TakeTls(const Texts& texts) {
  auto identity = security::TlsIdentity::Make(options_.tls, texts.tls);
  if (!identity.ok()) {
    return Failed("certificates refused, the last good ones stay", identity.status());
  }
  tls_->Set(*std::move(identity));
  ++reloads_;
  dependencies_.logger->Log(LogModule::kSecurity, LogLevel::kInfo, "certificates reloaded");
  warned_ms_ = 0;
  WarnOfExpiry();
}

absl::Status SecurityFiles::LoadClusterPolicy(const cluster::AccessPolicy& policy) {
  const std::string version = base::StrCat(" of version ", policy.version);
  CAIRN_RETURN_IF_ERROR(access_.Load(policy.model, base::StrCat("the cluster's model", version),
                                     policy.policy, base::StrCat("the cluster's policy", version)));
  cluster_version_ = policy.version;
  return absl::OkStatus();
}

void SecurityFiles::TakeClusterPolicy(const cluster::AccessPolicy& policy) {
  if (policy.version <= offered_version_) return;
  offered_version_ = policy.version;
  dependencies_.executor->Post([self = shared_from_this(), policy] {
    if (self->stopped_) return;
    const absl::Status loaded = self->LoadClusterPolicy(policy);
    if (!loaded.ok()) {
      return self->Failed("the cluster's policy refused, the last good one stays", loaded);
    }
    ++self->reloads_;
    self->dependencies_.logger->Log(LogModule::kSecurity, LogLevel::kInfo,
                                    "policy of the cluster in use",
                                    {{"version", static_cast<int64_t>(policy.version)}});
    const absl::Status kept =
        WritePolicyCopy(*self->dependencies_.fs, self->options_.cluster_policy_file, policy);
    // Until the next start it holds all the same.
    if (!kept.ok()) self->Failed("the cluster's policy cannot be kept on disk", kept);
    if (self->on_change_) self->on_change_();
  });
}

void SecurityFiles::TakePolicy(const Texts& texts) {
  if (cluster_version_ != 0) return;  // the files have had their time
  const absl::Status loaded =
      access_.Load(texts.model, options_.model_file, texts.policy, options_.policy_file);
  if (!loaded.ok()) return Failed("policy refused, the last good one stays", loaded);
  ++reloads_;
  dependencies_.logger->Log(LogModule::kSecurity, LogLevel::kInfo, "policy reloaded",
                            {{"version", static_cast<int64_t>(access_.version())}});
}

void SecurityFiles::Failed(std::string_view what, const absl::Status& why) {
  ++failures_;
  dependencies_.logger->Log(LogModule::kSecurity, LogLevel::kError, what,
                            {{"error", std::string(base::StdView(why.message()))}});
}

void SecurityFiles::WarnOfExpiry() {
  const int64_t now_ms = dependencies_.clock->WallMs();
  if (!tls_ || (warned_ms_ != 0 && now_ms - warned_ms_ < kDayMs)) return;
  warned_ms_ = now_ms;
  const auto identity = tls_->Get();
  const auto warn = [&](const std::shared_ptr<const security::TlsContext>& context,
                        const std::string& file) {
    if (context == nullptr) return;
    const security::PeerCertificate& own = context->certificate();
    const int64_t days = (own.not_after_s * 1000 - now_ms) / kDayMs;
    if (days >= kExpiryWarningDays) return;
    const bool over = own.not_after_s * 1000 < now_ms;
    dependencies_.logger->Log(LogModule::kSecurity, over ? LogLevel::kError : LogLevel::kWarn,
                              over ? "certificate has expired" : "certificate expires soon",
                              {{"file", file}, {"subject", own.common_name}, {"days", days}});
  };
  warn(identity->clients, options_.tls.server.certificate);
  warn(identity->accept_peer, options_.tls.peer.certificate);
}

}  // namespace cairn::server
