// A Casbin model: what requests and rules look like, who has roles, how a rule matches and how
// matches become one decision. Parsed and checked once; immutable, any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "security/casbin/effect.h"
#include "security/casbin/program.h"

namespace cairn::security::casbin {

inline constexpr int kNoColumn = -1;

class Model {
 public:
  // The columns of a `p` that mean something by their name.
  struct SpecialColumns {
    int effect = kNoColumn;    // eft
    int priority = kNoColumn;  // priority
    int subject = 0;           // sub, else the first
    int domain = kNoColumn;    // dom
  };

  // Reads a model file; `file` is only for messages.
  // Errors: INVALID_ARGUMENT "FILE:LINE: why" for anything that is not a complete model: missing or
  // unknown sections and keys, an effect, function or name that does not exist, an expression that
  // does not parse.
  static absl::StatusOr<std::shared_ptr<const Model>> Parse(std::string_view text,
                                                            std::string_view file = "model.conf");

  // r, r2, ... are number 0, 1, ...; the same holds for the others.
  const Declarations& names() const { return names_; }
  const std::vector<SpecialColumns>& special() const { return special_; }
  const std::vector<PolicyEffect>& effects() const { return effects_; }
  const std::vector<Program>& matchers() const { return matchers_; }

 private:
  friend class ModelParser;
  Model() = default;

  Declarations names_;
  std::vector<SpecialColumns> special_;  // one for each of names_.policies
  std::vector<PolicyEffect> effects_;
  std::vector<Program> matchers_;
};

}  // namespace cairn::security::casbin
