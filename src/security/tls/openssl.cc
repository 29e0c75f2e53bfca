#include "security/tls/openssl.h"

#include <openssl/err.h>

namespace cairn::security {

std::string TakeOpensslError() {
  const unsigned long error = ERR_get_error();
  ERR_clear_error();
  if (error == 0) return "unknown error";
  if (const char* reason = ERR_reason_error_string(error)) return reason;
  return "error " + std::to_string(error);
}

}  // namespace cairn::security
