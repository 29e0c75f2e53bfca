#include "security/casbin/syntax.h"

#include <array>
#include <span>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "security/casbin/lexer.h"
#include "security/casbin/limits.h"

namespace cairn::security::casbin {
namespace {

struct Operator {
  std::string_view text;
  int precedence;  // the higher, the closer it binds
  SyntaxKind kind;
};

constexpr std::array<Operator, 14> kOperators = {{
    {"||", 1, SyntaxKind::kOr},
    {"&&", 2, SyntaxKind::kAnd},
    {"==", 3, SyntaxKind::kEqual},
    {"!=", 3, SyntaxKind::kNotEqual},
    {"<", 4, SyntaxKind::kLess},
    {"<=", 4, SyntaxKind::kLessEqual},
    {">", 4, SyntaxKind::kGreater},
    {">=", 4, SyntaxKind::kGreaterEqual},
    {"in", 4, SyntaxKind::kIn},
    {"+", 5, SyntaxKind::kAdd},
    {"-", 5, SyntaxKind::kSubtract},
    {"*", 6, SyntaxKind::kMultiply},
    {"/", 6, SyntaxKind::kDivide},
    {"%", 6, SyntaxKind::kRemainder},
}};
constexpr int kLowest = 1;

using Index = uint32_t;

// Precedence climbing: recursion only where the text nests, which kMaxNesting bounds.
class Parser {
 public:
  explicit Parser(std::span<const Token> tokens) : tokens_(tokens) {}

  absl::StatusOr<Syntax> Parse() {
    CAIRN_RETURN_IF_ERROR(Binary(kLowest).status());
    if (Here().kind != Token::Kind::kEnd) return Unexpected();
    return std::move(syntax_);
  }

 private:
  const Token& Here() const { return tokens_[at_]; }
  bool Skip(std::string_view symbol) {
    if (!Here().Is(symbol)) return false;
    ++at_;
    return true;
  }

  const Operator* OperatorHere() const {
    const Token& token = Here();
    for (const Operator& candidate : kOperators) {
      const bool word = candidate.kind == SyntaxKind::kIn;
      if (token.text == candidate.text &&
          token.kind == (word ? Token::Kind::kName : Token::Kind::kSymbol)) {
        return &candidate;
      }
    }
    return nullptr;
  }

  absl::StatusOr<Index> Binary(int lowest) {
    CAIRN_ASSIGN_OR_RETURN(Index left, Unary());
    while (const Operator* found = OperatorHere()) {
      if (found->precedence < lowest) break;
      const uint32_t column = Here().column;
      ++at_;
      if (found->kind == SyntaxKind::kIn && Here().Is("(")) {
        CAIRN_ASSIGN_OR_RETURN(left, InParentheses(left, column));
        continue;
      }
      CAIRN_ASSIGN_OR_RETURN(const Index right, Binary(found->precedence + 1));
      CAIRN_ASSIGN_OR_RETURN(
          left, Add({.kind = found->kind, .column = column, .children = {left, right}}));
    }
    return left;
  }

  // `x in (a, b)` asks a list; `x in (r.obj.list)` only has parentheses around its right side.
  absl::StatusOr<Index> InParentheses(Index left, uint32_t column) {
    SyntaxNode node{.kind = SyntaxKind::kInList, .column = column, .children = {left}};
    ++at_;
    CAIRN_RETURN_IF_ERROR(Arguments(node));
    if (node.children.size() == 1) return ExpressionError(column, "an empty list");
    if (node.children.size() == 2) node.kind = SyntaxKind::kIn;
    return Add(std::move(node));
  }

  absl::StatusOr<Index> Unary() {
    const uint32_t column = Here().column;
    if (nesting_ == kMaxNesting) return ExpressionError(column, "nested too deeply");
    ++nesting_;
    absl::StatusOr<Index> result = UnaryInside(column);
    --nesting_;
    return result;
  }

  absl::StatusOr<Index> UnaryInside(uint32_t column) {
    for (const auto& [symbol, kind] :
         {std::pair("!", SyntaxKind::kNot), {"-", SyntaxKind::kNegate}}) {
      if (!Skip(symbol)) continue;
      CAIRN_ASSIGN_OR_RETURN(const Index operand, Unary());
      return Add({.kind = kind, .column = column, .children = {operand}});
    }
    CAIRN_ASSIGN_OR_RETURN(Index value, Primary());
    while (Here().Is(".")) {
      ++at_;
      const Token& name = Here();
      if (name.kind != Token::Kind::kName) return Unexpected();
      ++at_;
      CAIRN_ASSIGN_OR_RETURN(value, Add({.kind = SyntaxKind::kMember,
                                         .column = name.column,
                                         .text = name.text,
                                         .children = {value}}));
    }
    return value;
  }

  absl::StatusOr<Index> Primary() {
    const Token& token = Here();
    if (token.kind == Token::Kind::kNumber || token.kind == Token::Kind::kText) {
      ++at_;
      return Add(
          {.kind = token.kind == Token::Kind::kNumber ? SyntaxKind::kNumber : SyntaxKind::kText,
           .column = token.column,
           .number = token.number,
           .text = token.text});
    }
    if (Skip("(")) {
      CAIRN_ASSIGN_OR_RETURN(const Index inner, Binary(kLowest));
      if (!Skip(")")) return Unexpected();
      return inner;
    }
    if (token.kind != Token::Kind::kName || token.text == "in") return Unexpected();
    ++at_;
    if (!Skip("(")) return Add(Name(token));
    SyntaxNode call{.kind = SyntaxKind::kCall, .column = token.column, .text = token.text};
    CAIRN_RETURN_IF_ERROR(Arguments(call));
    return Add(std::move(call));
  }

  static SyntaxNode Name(const Token& token) {
    SyntaxNode node{.kind = SyntaxKind::kName, .column = token.column, .text = token.text};
    if (token.text == "true") node.kind = SyntaxKind::kTrue;
    if (token.text == "false") node.kind = SyntaxKind::kFalse;
    if (token.text == "null") node.kind = SyntaxKind::kNull;
    return node;
  }

  // What stands behind "(" up to and with ")".
  absl::Status Arguments(SyntaxNode& node) {
    if (Skip(")")) return absl::OkStatus();
    do {
      CAIRN_ASSIGN_OR_RETURN(const Index argument, Binary(kLowest));
      node.children.push_back(argument);
    } while (Skip(","));
    return Skip(")") ? absl::OkStatus() : Unexpected();
  }

  absl::StatusOr<Index> Add(SyntaxNode node) {
    if (syntax_.nodes.size() == kMaxExpressionNodes) {
      return ExpressionError(node.column,
                             base::StrCat("more than ", kMaxExpressionNodes, " parts"));
    }
    syntax_.nodes.push_back(std::move(node));
    return static_cast<Index>(syntax_.nodes.size() - 1);
  }

  absl::Status Unexpected() const {
    const Token& token = Here();
    if (token.kind == Token::Kind::kEnd) return ExpressionError(token.column, "ends too early");
    return ExpressionError(token.column, base::StrCat("'", token.text, "' is not expected here"));
  }

  std::span<const Token> tokens_;
  size_t at_ = 0;
  int nesting_ = 0;
  Syntax syntax_;
};

}  // namespace

absl::StatusOr<Syntax> ParseExpression(std::string_view text) {
  CAIRN_ASSIGN_OR_RETURN(const std::vector<Token> tokens, ReadTokens(text));
  return Parser(tokens).Parse();
}

absl::Status ExpressionError(uint32_t column, std::string_view why) {
  return absl::InvalidArgumentError(base::StrCat("column ", column, ": ", why));
}

}  // namespace cairn::security::casbin
