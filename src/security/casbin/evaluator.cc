#include "security/casbin/evaluator.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/strings.h"

namespace cairn::security::casbin {
namespace {

// Casbin's keyMatch: `*` in the pattern stands for any rest.
bool KeyMatches(std::string_view text, std::string_view pattern) {
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) return text == pattern;
  return text.starts_with(pattern.substr(0, star));
}

// Casbin's keyGet: the rest that `*` stands for.
std::string_view KeyRest(std::string_view text, std::string_view pattern) {
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos || !text.starts_with(pattern.substr(0, star))) return {};
  return text.substr(star);
}

}  // namespace

Evaluator::Evaluator(const Policy& policy, const RuleTable& table,
                     std::span<const RequestValue> request, int variant)
    : policy_(policy), table_(table), request_(request), variant_(variant) {}

Symbol Evaluator::RequestSymbol(size_t column) {
  const uint32_t bit = uint32_t{1} << column;
  if ((known_symbols_ & bit) == 0) {
    known_symbols_ |= bit;
    symbols_[column] = request_[column].object == nullptr
                           ? policy_.symbols().Find(request_[column].text)
                           : kNoSymbol;
  }
  return symbols_[column];
}

absl::StatusOr<bool> Evaluator::Matches(const Program& program, size_t rule) {
  rule_ = rule;
  if (built_ != nullptr) built_->clear();
  Value result;
  if (!Run(program, program.root(), result)) return status_;
  const Node& root = program.nodes.back();
  if (result.kind == Value::Kind::kNull || result.is_object() ||
      (result.kind == Value::Kind::kNumber && std::isnan(result.number))) {
    Fail(root, "the matcher's value is neither true nor false, no number and no text");
    return status_;
  }
  return Truthy(result);
}

bool Evaluator::Run(const Program& program, uint32_t index, Value& out) {
  const Node& node = program.nodes[index];
  if (++steps_ > kMaxSteps) {
    status_ = absl::ResourceExhaustedError("the decision takes too many steps");
    return false;
  }
  switch (node.op) {
    case Op::kNull:
      out = Value();
      return true;
    case Op::kTrue:
    case Op::kFalse:
      out = Value::Bool(node.op == Op::kTrue);
      return true;
    case Op::kNumber:
      out = Value::Number(program.numbers[node.a]);
      return true;
    case Op::kText:
      out = Value::Text(program.texts[node.a]);
      return true;
    case Op::kRequest: {
      const RequestValue& value = request_[node.a];
      out = value.object == nullptr ? Value::Text(value.text) : Value::Json(*value.object);
      return true;
    }
    case Op::kPolicy:
      out = Value::Text(rule_ == kNoRule ? std::string_view()
                                         : policy_.symbols().Text(table_.rule(rule_)[node.a]));
      return true;
    case Op::kEqualColumns: {
      const RequestValue& value = request_[node.a];
      if (value.object != nullptr || rule_ == kNoRule) break;
      out = Value::Bool(RequestSymbol(node.a) == table_.rule(rule_)[node.b]);
      return true;
    }
    case Op::kForeign:
      return Fail(node, "the name belongs to another request or policy");
    case Op::kMember:
      return Member(program, node, out);
    case Op::kNot:
      if (!Run(program, node.a, out)) return false;
      out = Value::Bool(!Truthy(out));
      return true;
    case Op::kNegate:
      if (!Run(program, node.a, out) || !Primitive(node, out)) return false;
      out = Value::Number(-ToNumber(out));
      return true;
    case Op::kOr:
    case Op::kAnd:
      if (!Run(program, node.a, out)) return false;
      return Truthy(out) == (node.op == Op::kOr) || Run(program, node.b, out);
    case Op::kIn:
      return In(program, node, out);
    case Op::kInList:
      return InList(program, node, out);
    case Op::kKeyMatch:
      return KeyFunction(program, node, out);
    case Op::kMatchLiteral:
    case Op::kMatchPolicy:
    case Op::kMatchDynamic:
      return PatternFunction(program, node, out);
    case Op::kRole:
      return Role(program, node, out);
    case Op::kEval:
      return Eval(node, out);
    default:
      return Binary(program, node, out);
  }
  // A comparison of columns where one is no text of the policy.
  const Value left = request_[node.a].object == nullptr ? Value::Text(request_[node.a].text)
                                                        : Value::Json(*request_[node.a].object);
  if (!Primitive(node, left)) return false;
  const Value right = Value::Text(
      rule_ == kNoRule ? std::string_view() : policy_.symbols().Text(table_.rule(rule_)[node.b]));
  out = Value::Bool(LooselyEqual(left, right));
  return true;
}

bool Evaluator::Binary(const Program& program, const Node& node, Value& out) {
  Value left;
  Value right;
  if (!Run(program, node.a, left) || !Run(program, node.b, right)) return false;
  if (!Primitive(node, left) || !Primitive(node, right)) return false;
  switch (node.op) {
    case Op::kEqual:
      out = Value::Bool(LooselyEqual(left, right));
      return true;
    case Op::kNotEqual:
      out = Value::Bool(!LooselyEqual(left, right));
      return true;
    case Op::kAdd:
      return Add(node, left, right, out);
    case Op::kSubtract:
      out = Value::Number(ToNumber(left) - ToNumber(right));
      return true;
    case Op::kMultiply:
      out = Value::Number(ToNumber(left) * ToNumber(right));
      return true;
    case Op::kDivide:
      out = Value::Number(ToNumber(left) / ToNumber(right));
      return true;
    case Op::kRemainder:
      out = Value::Number(std::fmod(ToNumber(left), ToNumber(right)));
      return true;
    default:
      break;
  }
  const std::optional<int> order = Order(left, right);
  out = Value::Bool(order.has_value() && ((node.op == Op::kLess && *order < 0) ||
                                          (node.op == Op::kLessEqual && *order <= 0) ||
                                          (node.op == Op::kGreater && *order > 0) ||
                                          (node.op == Op::kGreaterEqual && *order >= 0)));
  return true;
}

bool Evaluator::Add(const Node& node, const Value& left, const Value& right, Value& out) {
  if (!left.is_text() && !right.is_text()) {
    out = Value::Number(ToNumber(left) + ToNumber(right));
    return true;
  }
  std::string text = ToText(left) + ToText(right);
  if (text.size() > kMaxBuiltTextBytes) return Fail(node, "a text becomes too long");
  out = Value::Text(Keep(std::move(text)));
  return true;
}

bool Evaluator::Member(const Program& program, const Node& node, Value& out) {
  Value object;
  if (!Run(program, node.a, object)) return false;
  const std::string& name = program.texts[node.b];
  if (!object.is_object() || !object.object->is_object()) {
    return Fail(node, base::StrCat("'.", name, "' of something that is no object"));
  }
  const auto member = object.object->find(name);
  // Never a value that compares: a rule about a member must not hold where the member is missing.
  if (member == object.object->end()) {
    return Fail(node, base::StrCat("the request's object has no '", name, "'"));
  }
  out = Value::Json(*member);
  return true;
}

bool Evaluator::In(const Program& program, const Node& node, Value& out) {
  Value left;
  Value right;
  if (!Run(program, node.a, left) || !Run(program, node.b, right)) return false;
  if (!Primitive(node, left)) return false;
  if (!right.is_object()) return Fail(node, "'in' asks a list or an object");
  bool found = false;
  if (right.object->is_object()) {
    found = right.object->contains(ToText(left));
  } else {
    for (const nlohmann::json& element : *right.object) {
      found = found || StrictlyEqual(left, Value::Json(element));
    }
    steps_ += right.object->size();
  }
  out = Value::Bool(found);
  return true;
}

bool Evaluator::InList(const Program& program, const Node& node, Value& out) {
  Value left;
  if (!Run(program, node.a, left) || !Primitive(node, left)) return false;
  bool found = false;
  for (uint32_t i = 0; i < node.c; ++i) {
    Value element;
    if (!Run(program, program.operands[node.b + i], element)) return false;
    found = found || StrictlyEqual(left, element);
  }
  out = Value::Bool(found);
  return true;
}

bool Evaluator::KeyFunction(const Program& program, const Node& node, Value& out) {
  std::string_view text;
  std::string_view pattern;
  if (!Argument(program, node.a, text) || !Argument(program, node.b, pattern)) return false;
  out = node.function == Function::kKeyMatch ? Value::Bool(KeyMatches(text, pattern))
                                             : Value::Text(KeyRest(text, pattern));
  return true;
}

bool Evaluator::PatternFunction(const Program& program, const Node& node, Value& out) {
  std::string_view text;
  if (!Argument(program, node.a, text)) return false;
  const Pattern* pattern = FindPattern(program, node);
  if (pattern == nullptr) return false;
  if (node.function == Function::kKeyGet2 || node.function == Function::kKeyGet3) {
    std::string_view name;
    if (!Argument(program, node.c, name)) return false;
    out = Value::Text(pattern->Get(text, name));
    return true;
  }
  const std::optional<bool> matches = pattern->Matches(text);
  if (!matches.has_value()) return Fail(node, base::StrCat("'", text, "' is no address"));
  out = Value::Bool(*matches);
  return true;
}

const Pattern* Evaluator::FindPattern(const Program& program, const Node& node) {
  if (node.op == Op::kMatchLiteral) return program.patterns[node.b].get();
  std::string_view text;
  if (node.op == Op::kMatchPolicy) {
    if (rule_ != kNoRule) {
      return policy_.PatternOf(node.function, table_.rule(rule_)[node.b]);
    }
  } else if (!Argument(program, node.b, text)) {
    return nullptr;
  }
  if (dynamic_ != nullptr && dynamic_function_ == node.function && dynamic_text_ == text) {
    return dynamic_.get();
  }
  auto compiled = Pattern::Compile(node.function, text);
  if (!compiled.ok()) {
    Fail(node, base::StdView(compiled.status().message()));
    return nullptr;
  }
  dynamic_ = *std::move(compiled);
  dynamic_function_ = node.function;
  dynamic_text_ = text;
  steps_ += kPatternSteps;
  return dynamic_.get();
}

bool Evaluator::Role(const Program& program, const Node& node, Value& out) {
  std::array<Symbol, 3> symbols{kNoSymbol, kNoSymbol, policy_.no_domain()};
  std::array<std::string_view, 3> texts;
  for (uint32_t i = 0; i < node.c; ++i) {
    const uint32_t operand = program.operands[node.b + i];
    const Node& argument = program.nodes[operand];
    if (argument.op == Op::kPolicy && rule_ != kNoRule) {
      symbols[i] = table_.rule(rule_)[argument.a];
      texts[i] = policy_.symbols().Text(symbols[i]);
    } else if (argument.op == Op::kRequest && request_[argument.a].object == nullptr) {
      symbols[i] = RequestSymbol(argument.a);
      texts[i] = request_[argument.a].text;
    } else {
      if (!Argument(program, operand, texts[i])) return false;
      symbols[i] = policy_.symbols().Find(texts[i]);
    }
  }
  // Nobody has roles whom the policy does not name.
  const bool known = symbols[0] != kNoSymbol && symbols[1] != kNoSymbol && symbols[2] != kNoSymbol;
  out = Value::Bool(texts[0] == texts[1] ||
                    (known && policy_.roles()[node.a].HasRole(symbols[0], symbols[1], symbols[2])));
  return true;
}

bool Evaluator::Eval(const Node& node, Value& out) {
  if (rule_ == kNoRule) return Fail(node, "eval() without rules");
  const Program* rule = table_.programs[table_.rule(rule_)[node.a]].get();
  if (rule->request != kAnyVariant && rule->request != variant_) {
    return Fail(node, "the rule is about another request");
  }
  return Run(*rule, rule->root(), out);
}

bool Evaluator::Argument(const Program& program, uint32_t index, std::string_view& out) {
  Value value;
  if (!Run(program, index, value) || !Primitive(program.nodes[index], value)) return false;
  if (value.is_text()) {
    out = value.text;
  } else {
    out = Truthy(value) ? Keep(ToText(value)) : std::string_view();
  }
  return true;
}

bool Evaluator::Primitive(const Node& node, const Value& value) {
  return !value.is_object() || Fail(node, "an object stands where a value is needed");
}

bool Evaluator::Fail(const Node& node, std::string_view why) {
  status_ = absl::InvalidArgumentError(base::StrCat("column ", node.column, ": ", why));
  return false;
}

std::string_view Evaluator::Keep(std::string text) {
  if (built_ == nullptr) built_ = std::make_unique<std::deque<std::string>>();
  built_->push_back(std::move(text));
  return built_->back();
}

}  // namespace cairn::security::casbin
