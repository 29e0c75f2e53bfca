// Which rules can match at all. Where a matcher begins with comparisons like `r.sub == p.sub` or
// g(r.sub, p.sub), only the rules that hold in one of them are run; the others could not match, and
// cannot fail before they do not. Built with an enforcer, then immutable; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "security/casbin/evaluator.h"

namespace cairn::security::casbin {

class RuleIndex {
 public:
  RuleIndex(const Program& matcher, const Policy& policy);

  // The numbers of the rules that may match, in order; false when that is not known, then all have
  // to be run.
  bool Candidates(Evaluator& evaluator, std::span<const RequestValue> request,
                  std::vector<uint32_t>& rules) const;

  // True when it can answer for requests that are all texts.
  bool useful() const { return !keys_.empty(); }

 private:
  static constexpr uint32_t kNoGraph = ~uint32_t{0};
  static constexpr uint32_t kNoDomain = ~uint32_t{0};

  // One comparison of a request column with a policy column.
  struct Key {
    uint32_t request = 0;
    uint32_t policy = 0;
    uint32_t graph = kNoGraph;    // for g(): which
    uint32_t domain = kNoDomain;  // for g() with a domain: its request column
    // Rules by the symbol in the policy column: rules[first[symbol], first[symbol + 1]).
    std::vector<uint32_t> first;
    std::vector<uint32_t> rules;

    std::span<const uint32_t> With(Symbol symbol) const;
  };

  // Adds what `index` compares; false when it is no comparison that always has a value.
  bool AddKey(const Program& matcher, uint32_t index);
  void Fill(Key& key, const RuleTable& table) const;
  std::span<const Symbol> RolesFor(const Key& key, Evaluator& evaluator) const;

  const Policy& policy_;
  std::vector<Key> keys_;
};

}  // namespace cairn::security::casbin
