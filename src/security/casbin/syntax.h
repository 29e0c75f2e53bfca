// A matcher as it is written: tokens and a tree whose names mean nothing yet. bind.h gives them
// their meaning.
//
//   or     := and ("||" and)*                        member  := primary ("." name)*
//   and    := compare ("&&" compare)*                primary := number | text | true | false | null
//   compare: == !=, then < <= > >= in, then + -,               | name | name "(" arguments ")"
//            then * / %, each to the left                      | "(" or ")"
//   unary  := ("!" | "-") unary | member             in's right side: "(" or ("," or)* ")" or a
//   member
//
// The precedences are JavaScript's, as in node-casbin, with `in` beside `<`. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace cairn::security::casbin {

enum class SyntaxKind : uint8_t {
  kNumber,
  kText,
  kTrue,
  kFalse,
  kNull,
  kName,
  kMember,  // children: object; `text` is the member
  kCall,    // `text` is the function; children: arguments
  kNot,
  kNegate,
  kOr,
  kAnd,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,      // children: what is sought, where
  kInList,  // children: what is sought, then each value of the list
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kRemainder,
};

struct SyntaxNode {
  SyntaxKind kind;
  uint32_t column = 0;  // where it stands in the expression, from 1
  double number = 0;
  std::string text;
  std::vector<uint32_t> children;  // indexes into Syntax::nodes
};

// The children of a node stand before it; the last node is the root.
struct Syntax {
  std::vector<SyntaxNode> nodes;
};

// Errors: INVALID_ARGUMENT "column N: why" for what is not in the grammar above or exceeds
// limits.h.
absl::StatusOr<Syntax> ParseExpression(std::string_view text);

// The same form of error, for what is found later.
absl::Status ExpressionError(uint32_t column, std::string_view why);

}  // namespace cairn::security::casbin
