// Texts as small numbers. Every value of a policy and every name of a role has one, so that
// comparing a request with a rule compares integers. Filled while a policy is loaded, then read by
// any thread.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "base/strings.h"

namespace cairn::security::casbin {

// Dense, from 0.
using Symbol = uint32_t;
inline constexpr Symbol kNoSymbol = ~Symbol{0};

class SymbolTable {
 public:
  Symbol Intern(std::string_view text) {
    const auto found = symbols_.find(base::AbslView(text));
    if (found != symbols_.end()) return found->second;
    texts_.emplace_back(text);
    const auto symbol = static_cast<Symbol>(texts_.size() - 1);
    symbols_.emplace(absl::string_view(texts_.back()), symbol);
    return symbol;
  }

  // The symbol of `text`, or kNoSymbol when it was never interned: then nothing in the policy
  // equals it.
  Symbol Find(std::string_view text) const {
    const auto found = symbols_.find(base::AbslView(text));
    return found == symbols_.end() ? kNoSymbol : found->second;
  }

  // Valid as long as the table.
  std::string_view Text(Symbol symbol) const { return texts_[symbol]; }
  size_t size() const { return texts_.size(); }

 private:
  std::deque<std::string> texts_;  // its elements never move
  absl::flat_hash_map<absl::string_view, Symbol> symbols_;
};

}  // namespace cairn::security::casbin
