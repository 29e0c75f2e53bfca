#include "log/damage.h"

#include "base/error_info.h"
#include "base/strings.h"

namespace cairn::log {

std::string Describe(const Damage& damage) {
  return base::StrCat(damage.file, " at ", damage.position, ": ", damage.what, "; records [",
                      damage.first_offset.value(), ", ", damage.end_offset.value(),
                      ") cannot be read");
}

absl::Status DamageError(const Damage& damage) {
  return base::MakeError(absl::StatusCode::kDataLoss, Describe(damage), base::reason::kDamagedLog,
                         {{"file", damage.file},
                          {"position", base::StrCat(damage.position)},
                          {"first_offset", base::StrCat(damage.first_offset.value())},
                          {"end_offset", base::StrCat(damage.end_offset.value())},
                          {"what", damage.what}});
}

}  // namespace cairn::log
