#include <algorithm>
#include <optional>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "security/casbin/program.h"
#include "security/casbin/syntax.h"

namespace cairn::security::casbin {
namespace {

Op OpOf(SyntaxKind kind) {
  switch (kind) {
    case SyntaxKind::kTrue:
      return Op::kTrue;
    case SyntaxKind::kFalse:
      return Op::kFalse;
    case SyntaxKind::kNot:
      return Op::kNot;
    case SyntaxKind::kNegate:
      return Op::kNegate;
    case SyntaxKind::kOr:
      return Op::kOr;
    case SyntaxKind::kAnd:
      return Op::kAnd;
    case SyntaxKind::kEqual:
      return Op::kEqual;
    case SyntaxKind::kNotEqual:
      return Op::kNotEqual;
    case SyntaxKind::kLess:
      return Op::kLess;
    case SyntaxKind::kLessEqual:
      return Op::kLessEqual;
    case SyntaxKind::kGreater:
      return Op::kGreater;
    case SyntaxKind::kGreaterEqual:
      return Op::kGreaterEqual;
    case SyntaxKind::kIn:
      return Op::kIn;
    case SyntaxKind::kInList:
      return Op::kInList;
    case SyntaxKind::kAdd:
      return Op::kAdd;
    case SyntaxKind::kSubtract:
      return Op::kSubtract;
    case SyntaxKind::kMultiply:
      return Op::kMultiply;
    case SyntaxKind::kDivide:
      return Op::kDivide;
    case SyntaxKind::kRemainder:
      return Op::kRemainder;
    default:
      return Op::kNull;
  }
}

class Binder {
 public:
  Binder(const Syntax& syntax, const Declarations& names, bool is_rule)
      : syntax_(syntax), names_(names), is_rule_(is_rule) {}

  absl::StatusOr<Program> Run() {
    CAIRN_RETURN_IF_ERROR(Bind(static_cast<uint32_t>(syntax_.nodes.size() - 1)).status());
    return std::move(program_);
  }

 private:
  // Children first, so that the root comes last. Recursion is bounded by kMaxExpressionNodes.
  absl::StatusOr<uint32_t> Bind(uint32_t index) {
    const SyntaxNode& node = syntax_.nodes[index];
    switch (node.kind) {
      case SyntaxKind::kNumber:
        program_.numbers.push_back(node.number);
        return Add(node, {.op = Op::kNumber, .a = Last(program_.numbers)});
      case SyntaxKind::kText:
        return Add(node, {.op = Op::kText, .a = NewText(node.text)});
      case SyntaxKind::kName:
        return Name(node);
      case SyntaxKind::kMember:
        return Member(node);
      case SyntaxKind::kCall:
        return Call(node);
      default:
        return Operator(node);
    }
  }

  absl::StatusOr<uint32_t> Operator(const SyntaxNode& node) {
    std::vector<uint32_t> children;
    for (const uint32_t child : node.children) {
      CAIRN_ASSIGN_OR_RETURN(const uint32_t bound, Bind(child));
      children.push_back(bound);
    }
    Node result{.op = OpOf(node.kind)};
    if (!children.empty()) result.a = children[0];
    if (result.op == Op::kInList) {
      return Add(node, WithOperands(result, std::vector(children.begin() + 1, children.end())));
    }
    if (children.size() > 1) result.b = children[1];
    if (result.op == Op::kEqual) {
      // Most comparisons are r.x == p.y, which compares two integers.
      const Node& left = program_.nodes[result.a];
      const Node& right = program_.nodes[result.b];
      if (left.op == Op::kRequest && right.op == Op::kPolicy) {
        return Add(node, {.op = Op::kEqualColumns, .a = left.a, .b = right.a});
      }
      if (left.op == Op::kPolicy && right.op == Op::kRequest) {
        return Add(node, {.op = Op::kEqualColumns, .a = right.a, .b = left.a});
      }
    }
    return Add(node, result);
  }

  // The column `name` of `key`, as r.name and p2.name; nullopt when `key` is no definition's.
  absl::StatusOr<std::optional<Node>> Column(uint32_t at, std::string_view key,
                                             std::string_view name) {
    for (const bool request : {true, false}) {
      const std::vector<Columns>& all = request ? names_.requests : names_.policies;
      for (size_t variant = 0; variant < all.size(); ++variant) {
        if (all[variant].key != key) continue;
        const auto& columns = all[variant].names;
        const auto found = std::find(columns.begin(), columns.end(), name);
        if (found == columns.end()) {
          return ExpressionError(at, base::StrCat("'", key, "' has no '", name, "'"));
        }
        int& used = request ? program_.request : program_.policy;
        if (used != kAnyVariant && used != static_cast<int>(variant)) {
          return Node{.op = Op::kForeign};
        }
        used = static_cast<int>(variant);
        return Node{.op = request ? Op::kRequest : Op::kPolicy,
                    .a = static_cast<uint32_t>(found - columns.begin())};
      }
    }
    return std::nullopt;
  }

  // Casbin also takes r_sub for r.sub.
  absl::StatusOr<uint32_t> Name(const SyntaxNode& node) {
    const size_t underscore = node.text.find('_');
    if (underscore != std::string::npos) {
      CAIRN_ASSIGN_OR_RETURN(const auto column,
                             Column(node.column, std::string_view(node.text).substr(0, underscore),
                                    std::string_view(node.text).substr(underscore + 1)));
      if (column.has_value()) return Add(node, *column);
    }
    return ExpressionError(node.column, base::StrCat("unknown name '", node.text, "'"));
  }

  absl::StatusOr<uint32_t> Member(const SyntaxNode& node) {
    const SyntaxNode& object = syntax_.nodes[node.children[0]];
    if (object.kind == SyntaxKind::kName) {
      CAIRN_ASSIGN_OR_RETURN(const auto column, Column(object.column, object.text, node.text));
      if (column.has_value()) return Add(node, *column);
    }
    CAIRN_ASSIGN_OR_RETURN(const uint32_t bound, Bind(node.children[0]));
    return Add(node, {.op = Op::kMember, .a = bound, .b = NewText(node.text)});
  }

  absl::StatusOr<uint32_t> Call(const SyntaxNode& node) {
    if (node.text == "eval") return Eval(node);
    for (size_t graph = 0; graph < names_.roles.size(); ++graph) {
      if (names_.roles[graph].key == node.text) return Role(node, static_cast<uint32_t>(graph));
    }
    const auto function = FindFunction(node.text);
    if (!function.has_value()) {
      return ExpressionError(node.column, base::StrCat("unknown function '", node.text, "'"));
    }
    const FunctionTraits& traits = TraitsOf(*function);
    CAIRN_RETURN_IF_ERROR(CheckArguments(node, traits.arguments));
    CAIRN_ASSIGN_OR_RETURN(const uint32_t text, Bind(node.children[0]));
    CAIRN_ASSIGN_OR_RETURN(const uint32_t pattern, Bind(node.children[1]));
    Node call{.op = Op::kKeyMatch, .function = *function, .a = text, .b = pattern};
    if (traits.arguments == 3) {
      CAIRN_ASSIGN_OR_RETURN(call.c, Bind(node.children[2]));
    }
    if (!traits.has_pattern) return Add(node, call);
    const Node source = program_.nodes[pattern];
    call.op = Op::kMatchDynamic;
    if (source.op == Op::kPolicy) {
      call.op = Op::kMatchPolicy;
      call.b = source.a;
      program_.pattern_columns.push_back({*function, source.a});
    } else if (source.op == Op::kText) {
      auto compiled = Pattern::Compile(*function, program_.texts[source.a]);
      if (!compiled.ok()) {
        return ExpressionError(syntax_.nodes[node.children[1]].column,
                               base::StdView(compiled.status().message()));
      }
      program_.patterns.push_back(*std::move(compiled));
      call.op = Op::kMatchLiteral;
      call.b = Last(program_.patterns);
    }
    return Add(node, call);
  }

  absl::StatusOr<uint32_t> Role(const SyntaxNode& node, uint32_t graph) {
    CAIRN_RETURN_IF_ERROR(CheckArguments(node, names_.roles[graph].arguments));
    std::vector<uint32_t> arguments;
    for (const uint32_t child : node.children) {
      CAIRN_ASSIGN_OR_RETURN(const uint32_t bound, Bind(child));
      arguments.push_back(bound);
    }
    return Add(node, WithOperands({.op = Op::kRole, .a = graph}, arguments));
  }

  absl::StatusOr<uint32_t> Eval(const SyntaxNode& node) {
    if (is_rule_) return ExpressionError(node.column, "a rule has no eval() of its own");
    CAIRN_RETURN_IF_ERROR(CheckArguments(node, 1));
    CAIRN_ASSIGN_OR_RETURN(const uint32_t bound, Bind(node.children[0]));
    const Node argument = program_.nodes[bound];
    // Never a part of the request: who asks does not write the rules.
    if (argument.op != Op::kPolicy) {
      return ExpressionError(node.column, "eval() takes a column of the policy");
    }
    program_.eval_columns.push_back(argument.a);
    return Add(node, {.op = Op::kEval, .a = argument.a});
  }

  static absl::Status CheckArguments(const SyntaxNode& node, int expected) {
    if (node.children.size() == static_cast<size_t>(expected)) return absl::OkStatus();
    return ExpressionError(node.column, base::StrCat(node.text, " takes ", expected,
                                                     " arguments, not ", node.children.size()));
  }

  Node WithOperands(Node node, const std::vector<uint32_t>& operands) {
    node.b = static_cast<uint32_t>(program_.operands.size());
    node.c = static_cast<uint32_t>(operands.size());
    program_.operands.insert(program_.operands.end(), operands.begin(), operands.end());
    return node;
  }

  uint32_t NewText(std::string_view text) {
    program_.texts.emplace_back(text);
    return Last(program_.texts);
  }

  template <typename Vector>
  static uint32_t Last(const Vector& vector) {
    return static_cast<uint32_t>(vector.size() - 1);
  }

  uint32_t Add(const SyntaxNode& from, Node node) {
    node.column = from.column;
    program_.nodes.push_back(node);
    return Last(program_.nodes);
  }

  const Syntax& syntax_;
  const Declarations& names_;
  bool is_rule_;
  Program program_;
};

}  // namespace

absl::StatusOr<Program> BindExpression(std::string_view text, const Declarations& names,
                                       bool is_rule) {
  CAIRN_ASSIGN_OR_RETURN(const Syntax syntax, ParseExpression(text));
  return Binder(syntax, names, is_rule).Run();
}

}  // namespace cairn::security::casbin
