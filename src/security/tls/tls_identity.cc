#include "security/tls/tls_identity.h"

#include "base/status_macros.h"
#include "base/strings.h"

namespace cairn::security {

absl::StatusOr<TlsIdentityTexts> ReadTlsIdentity(env::FileSystem& fs,
                                                 const TlsIdentityFiles& files) {
  TlsIdentityTexts texts;
  CAIRN_ASSIGN_OR_RETURN(texts.server, ReadTlsFiles(fs, files.server));
  CAIRN_ASSIGN_OR_RETURN(texts.peer, ReadTlsFiles(fs, files.peer));
  return texts;
}

absl::StatusOr<std::shared_ptr<const TlsIdentity>> TlsIdentity::Make(const TlsIdentityFiles& files,
                                                                     TlsIdentityTexts texts) {
  const auto identity = std::make_shared<TlsIdentity>();
  if (!files.server.certificate.empty()) {
    CAIRN_ASSIGN_OR_RETURN(identity->clients, TlsContext::Make(files.server, texts.server, {}));
    CAIRN_ASSIGN_OR_RETURN(
        identity->http,
        TlsContext::Make(
            files.server, texts.server,
            {.protocols = {"http/1.1"}, .client_may_be_unknown = files.http_without_certificate}));
  }
  if (!files.peer.certificate.empty()) {
    CAIRN_ASSIGN_OR_RETURN(identity->accept_peer, TlsContext::Make(files.peer, texts.peer, {}));
    CAIRN_ASSIGN_OR_RETURN(identity->dial_peer,
                           TlsContext::Make(files.peer, texts.peer, {.role = TlsRole::kClient}));
    const absl::Status own =
        CheckNodeCertificate(identity->accept_peer->certificate(), files.nodes);
    if (!own.ok()) {
      return absl::InvalidArgumentError(
          base::StrCat(files.peer.certificate, ": ", base::StdView(own.message())));
    }
  }
  identity->texts = std::move(texts.server);
  return std::shared_ptr<const TlsIdentity>(identity);
}

}  // namespace cairn::security
