// Runs programs for one request: once per rule that may match. Lives for one decision on one
// thread.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "security/casbin/limits.h"
#include "security/casbin/model.h"
#include "security/casbin/policy.h"
#include "security/casbin/request.h"
#include "security/casbin/value.h"

namespace cairn::security::casbin {

class Evaluator {
 public:
  // `request` has as many values as the model's r number `variant`. All arguments outlive this.
  Evaluator(const Policy& policy, const RuleTable& table, std::span<const RequestValue> request,
            int variant);

  // Whether `program` holds for rule number `rule`, or, with kNoRule, for a policy without rules,
  // whose values are all "". Errors: INVALID_ARGUMENT for what has no value, RESOURCE_EXHAUSTED
  // after kMaxSteps.
  static constexpr size_t kNoRule = ~size_t{0};
  absl::StatusOr<bool> Matches(const Program& program, size_t rule);

  // The symbol of a text of the request, kNoSymbol when the policy has none such.
  Symbol RequestSymbol(size_t column);

 private:
  // Each returns false after an error, which is then in status_.
  bool Run(const Program& program, uint32_t index, Value& out);
  bool Binary(const Program& program, const Node& node, Value& out);
  bool Add(const Node& node, const Value& left, const Value& right, Value& out);
  bool Member(const Program& program, const Node& node, Value& out);
  bool In(const Program& program, const Node& node, Value& out);
  bool InList(const Program& program, const Node& node, Value& out);
  bool KeyFunction(const Program& program, const Node& node, Value& out);
  bool PatternFunction(const Program& program, const Node& node, Value& out);
  bool Role(const Program& program, const Node& node, Value& out);
  bool Eval(const Node& node, Value& out);
  // The value of a node as functions take it: what counts as false is "".
  bool Argument(const Program& program, uint32_t index, std::string_view& out);
  const Pattern* FindPattern(const Program& program, const Node& node);
  bool Fail(const Node& node, std::string_view why);
  bool Primitive(const Node& node, const Value& value);
  std::string_view Keep(std::string text);

  const Policy& policy_;
  const RuleTable& table_;
  std::span<const RequestValue> request_;
  int variant_;
  std::array<Symbol, kMaxColumns> symbols_;
  uint32_t known_symbols_ = 0;  // bit i: symbols_[i] is filled in
  size_t rule_ = kNoRule;
  uint64_t steps_ = 0;
  absl::Status status_;
  std::unique_ptr<std::deque<std::string>> built_;  // texts that the current rule made
  // The last pattern that came from elsewhere than the policy: it is the same for every rule.
  Function dynamic_function_ = Function::kKeyMatch;
  std::string dynamic_text_;
  std::unique_ptr<const Pattern> dynamic_;
};

}  // namespace cairn::security::casbin
