// A policy, read for one model: its rules in the order that decides, its roles, and everything its
// rules need compiled. Loaded once; immutable, any thread.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "security/casbin/model.h"
#include "security/casbin/role_graph.h"
#include "security/casbin/symbol_table.h"

namespace cairn::security::casbin {

// The rules of one `p`.
struct RuleTable {
  size_t columns = 0;
  std::vector<Symbol> values;  // rule i has values [i * columns, (i + 1) * columns)
  std::vector<RuleEffect> effects;
  std::vector<int> lines;
  // Rules for eval() by their text's symbol; nullptr where a symbol is none. Empty without eval().
  std::vector<std::unique_ptr<const Program>> programs;

  size_t size() const { return lines.size(); }
  const Symbol* rule(size_t index) const { return values.data() + index * columns; }
};

class Policy {
 public:
  // Reads a policy file; `file` is only for messages.
  // Errors: INVALID_ARGUMENT "FILE:LINE: why" for rows of a kind or a number of values the model
  // does not have (only an `eft` in the last place may be left out), priorities that are no
  // numbers, rules and patterns that do not compile; RESOURCE_EXHAUSTED for roles beyond limits.h.
  static absl::StatusOr<std::unique_ptr<const Policy>> Load(const Model& model,
                                                            std::string_view text,
                                                            std::string_view file);

  const SymbolTable& symbols() const { return symbols_; }
  const std::vector<RuleTable>& tables() const { return tables_; }
  const std::vector<RoleGraph>& roles() const { return roles_; }
  // The domain symbol of roles without domains.
  Symbol no_domain() const { return no_domain_; }

  // The pattern of `function` in a column that the model says holds patterns.
  const Pattern* PatternOf(Function function, Symbol text) const {
    return patterns_[static_cast<size_t>(function)][text].get();
  }

  // A rule as a row of a file: "p, root, *, produce".
  std::string RuleText(const Model& model, size_t table, size_t rule) const;

 private:
  friend class PolicyLoader;
  Policy() = default;

  SymbolTable symbols_;
  Symbol no_domain_ = kNoSymbol;
  std::vector<RuleTable> tables_;  // one for each p of the model
  std::vector<RoleGraph> roles_;   // one for each g
  std::array<std::vector<std::unique_ptr<const Pattern>>, kFunctions> patterns_;  // by symbol
};

}  // namespace cairn::security::casbin
