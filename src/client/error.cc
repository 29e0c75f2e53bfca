#include "cairn/error.h"

#include "base/error_info.h"

namespace cairn {

std::string ErrorReason(const absl::Status& status) {
  auto info = base::GetErrorInfo(status);
  return info ? std::move(info->reason) : std::string();
}

std::map<std::string, std::string> ErrorMetadata(const absl::Status& status) {
  auto info = base::GetErrorInfo(status);
  return info ? std::move(info->metadata) : std::map<std::string, std::string>();
}

}  // namespace cairn
