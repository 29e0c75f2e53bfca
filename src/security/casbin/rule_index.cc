#include "security/casbin/rule_index.h"

#include <algorithm>
#include <limits>

namespace cairn::security::casbin {

RuleIndex::RuleIndex(const Program& matcher, const Policy& policy) : policy_(policy) {
  if (matcher.policy == kAnyVariant) return;
  // The operands of `a && b && c` from the left; behind one that may fail nothing may be left out.
  std::vector<uint32_t> operands;
  uint32_t node = matcher.root();
  for (; matcher.nodes[node].op == Op::kAnd; node = matcher.nodes[node].a) {
    operands.push_back(matcher.nodes[node].b);
  }
  operands.push_back(node);
  std::reverse(operands.begin(), operands.end());
  for (const uint32_t operand : operands) {
    if (!AddKey(matcher, operand)) break;
  }
  const RuleTable& table = policy.tables()[static_cast<size_t>(matcher.policy)];
  for (Key& key : keys_) Fill(key, table);
}

bool RuleIndex::AddKey(const Program& matcher, uint32_t index) {
  const Node& node = matcher.nodes[index];
  if (node.op == Op::kEqualColumns) {
    keys_.push_back({.request = node.a, .policy = node.b});
    return true;
  }
  if (node.op != Op::kRole) return false;
  const auto operand = [&](uint32_t i) { return matcher.nodes[matcher.operands[node.b + i]]; };
  for (uint32_t i = 0; i < node.c; ++i) {
    if (operand(i).op != Op::kRequest && operand(i).op != Op::kPolicy) return false;
  }
  if (operand(0).op != Op::kRequest || operand(1).op != Op::kPolicy) return true;
  Key key{.request = operand(0).a, .policy = operand(1).a, .graph = node.a};
  if (node.c == 3) {
    if (operand(2).op != Op::kRequest) return true;
    key.domain = operand(2).a;
  }
  keys_.push_back(std::move(key));
  return true;
}

void RuleIndex::Fill(Key& key, const RuleTable& table) const {
  key.first.assign(policy_.symbols().size() + 1, 0);
  for (size_t rule = 0; rule < table.size(); ++rule) ++key.first[table.rule(rule)[key.policy] + 1];
  for (size_t i = 1; i < key.first.size(); ++i) key.first[i] += key.first[i - 1];
  std::vector<uint32_t> next(key.first.begin(), key.first.end() - 1);
  key.rules.resize(table.size());
  for (size_t rule = 0; rule < table.size(); ++rule) {
    key.rules[next[table.rule(rule)[key.policy]]++] = static_cast<uint32_t>(rule);
  }
}

std::span<const uint32_t> RuleIndex::Key::With(Symbol symbol) const {
  if (symbol == kNoSymbol) return {};
  return std::span(rules).subspan(first[symbol], first[symbol + 1] - first[symbol]);
}

std::span<const Symbol> RuleIndex::RolesFor(const Key& key, Evaluator& evaluator) const {
  const Symbol name = evaluator.RequestSymbol(key.request);
  const Symbol domain =
      key.domain == kNoDomain ? policy_.no_domain() : evaluator.RequestSymbol(key.domain);
  if (name == kNoSymbol || domain == kNoSymbol) return {};
  return policy_.roles()[key.graph].RolesOf(name, domain);
}

bool RuleIndex::Candidates(Evaluator& evaluator, std::span<const RequestValue> request,
                           std::vector<uint32_t>& rules) const {
  if (keys_.empty()) return false;
  for (const RequestValue& value : request) {
    if (value.object != nullptr) return false;  // comparing one is an error, which must be met
  }
  const Key* best = nullptr;
  size_t best_size = std::numeric_limits<size_t>::max();
  for (const Key& key : keys_) {
    const Symbol own = evaluator.RequestSymbol(key.request);
    const std::span<const Symbol> roles =
        key.graph == kNoGraph ? std::span<const Symbol>() : RolesFor(key, evaluator);
    size_t size = roles.empty() ? key.With(own).size() : 0;
    for (const Symbol role : roles) size += key.With(role).size();
    if (size >= best_size) continue;
    best = &key;
    best_size = size;
  }
  rules.clear();
  rules.reserve(best_size);
  const std::span<const Symbol> roles =
      best->graph == kNoGraph ? std::span<const Symbol>() : RolesFor(*best, evaluator);
  const auto take = [&](Symbol symbol) {
    const auto found = best->With(symbol);
    rules.insert(rules.end(), found.begin(), found.end());
  };
  if (roles.empty()) take(evaluator.RequestSymbol(best->request));
  for (const Symbol role : roles) take(role);
  if (roles.size() > 1) std::sort(rules.begin(), rules.end());
  return true;
}

}  // namespace cairn::security::casbin
