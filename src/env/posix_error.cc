#include "env/posix_error.h"

#include <cerrno>
#include <system_error>

#include "base/strings.h"

namespace cairn::env {
namespace {

absl::StatusCode CodeOf(int error) {
  switch (error) {
    case ENOENT:
      return absl::StatusCode::kNotFound;
    case EEXIST:
      return absl::StatusCode::kAlreadyExists;
    case EACCES:
    case EPERM:
      return absl::StatusCode::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
      return absl::StatusCode::kResourceExhausted;
    case EROFS:
    case ENOTDIR:
    case EISDIR:
    case ENOTEMPTY:
      return absl::StatusCode::kFailedPrecondition;
    default:
      return absl::StatusCode::kInternal;
  }
}

}  // namespace

absl::Status PosixError(int error, std::string_view operation, std::string_view path) {
  return absl::Status(CodeOf(error), base::StrCat(operation, " ", path, ": ",
                                                  std::generic_category().message(error)));
}

}  // namespace cairn::env
