#include "log/damage.h"

#include <map>

#include "base/error_info.h"
#include "base/strings.h"

namespace cairn::log {

std::string Describe(const Damage& damage) {
  return base::StrCat(damage.file, " at ", damage.position, ": ", damage.what, "; records [",
                      damage.first_offset.value(), ", ", damage.end_offset.value(),
                      ") cannot be read");
}

namespace {

std::map<std::string, std::string> FieldsOf(const Damage& damage) {
  return {{"file", damage.file},
          {"position", base::StrCat(damage.position)},
          {"first_offset", base::StrCat(damage.first_offset.value())},
          {"end_offset", base::StrCat(damage.end_offset.value())},
          {"what", damage.what}};
}

}  // namespace

absl::Status DamageError(const Damage& damage) {
  return base::MakeError(absl::StatusCode::kDataLoss, Describe(damage), base::reason::kDamagedLog,
                         FieldsOf(damage));
}

absl::Status DamagedWithoutLeader(const Damage& damage) {
  return base::MakeError(
      absl::StatusCode::kUnavailable,
      base::StrCat(
          "the partition has no leader, and the log of its replica here is damaged, so that "
          "it does not vote: ",
          Describe(damage),
          ". Nothing was cut. Bring back healthy replicas, so that a majority can lead and "
          "this one is repaired from them"),
      base::reason::kDamagedLog, FieldsOf(damage));
}

}  // namespace cairn::log
