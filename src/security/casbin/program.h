// An expression with its names resolved: what a decision runs (evaluator.h). Made once by
// BindExpression, then immutable and read by any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "security/casbin/function.h"
#include "security/casbin/pattern.h"

namespace cairn::security::casbin {

enum class Op : uint8_t {
  kNull,
  kTrue,
  kFalse,
  kNumber,   // a: index into numbers
  kText,     // a: index into texts
  kRequest,  // a: column
  kPolicy,   // a: column
  kForeign,  // a column of an r or p that the rest is not about: an error when it is asked
  kMember,   // a: object, b: index into texts
  kNot,      // a
  kNegate,   // a
  kOr,       // a, b: nodes, as for all that follow
  kAnd,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kRemainder,
  kInList,        // a: node; c values from b in operands
  kEqualColumns,  // a: request column, b: policy column
  kKeyMatch,      // function; a: text, b: pattern, both nodes
  kMatchLiteral,  // function; a: text node, b: index into patterns, c: name node of keyGet2 and 3
  kMatchPolicy,   // function; a: text node, b: policy column, c
  kMatchDynamic,  // function; a: text node, b: pattern node, c
  kRole,          // a: graph; c operands from b: name, role and domain
  kEval,          // a: policy column
};

struct Node {
  Op op = Op::kNull;
  Function function = Function::kKeyMatch;
  uint32_t a = 0;
  uint32_t b = 0;
  uint32_t c = 0;
  uint32_t column = 0;  // where it stands in its text, for messages
};

inline constexpr int kAnyVariant = -1;

struct Program {
  struct PatternColumn {
    Function function;
    uint32_t column;
  };

  std::vector<Node> nodes;  // the last is the root
  std::vector<uint32_t> operands;
  std::vector<std::string> texts;
  std::vector<double> numbers;
  std::vector<std::unique_ptr<const Pattern>> patterns;

  // Which r and which p it speaks of, from 0; kAnyVariant when of none.
  int request = kAnyVariant;
  int policy = kAnyVariant;
  std::vector<PatternColumn> pattern_columns;  // columns whose values are patterns
  std::vector<uint32_t> eval_columns;          // columns whose values are rules for eval()

  uint32_t root() const { return static_cast<uint32_t>(nodes.size() - 1); }
};

// What the definitions of a model give names to.
struct Columns {
  std::string key;  // "r", "p2"
  std::vector<std::string> names;
};
struct RoleDefinition {
  std::string key;    // "g", "g2"
  int arguments = 2;  // 3 with a domain
};
struct Declarations {
  std::vector<Columns> requests;
  std::vector<Columns> policies;
  std::vector<RoleDefinition> roles;
};

// The text of a matcher or, with `is_rule`, of a rule that a matcher runs with eval(); such a rule
// has no eval(). Errors: INVALID_ARGUMENT "column N: why" for what does not parse, unknown names
// and functions, wrong numbers of arguments, patterns that do not compile. A name of a second r or
// p is an error only when it is evaluated: Casbin's own examples have such a matcher beside one
// that is used.
absl::StatusOr<Program> BindExpression(std::string_view text, const Declarations& names,
                                       bool is_rule);

}  // namespace cairn::security::casbin
