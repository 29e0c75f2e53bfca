#include "security/casbin/policy.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/numbers.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "security/casbin/limits.h"
#include "security/casbin/policy_file.h"
#include "security/casbin/source_error.h"
#include "security/casbin/subject_hierarchy.h"

namespace cairn::security::casbin {

class PolicyLoader {
 public:
  PolicyLoader(const Model& model, std::string_view file) : model_(model), file_(file) {
    policy_.no_domain_ = policy_.symbols_.Intern("");
    for (const Columns& columns : model.names().policies) {
      policy_.tables_.emplace_back().columns = columns.names.size();
    }
    builders_.resize(model.names().roles.size());
    links_.resize(model.names().roles.size());
  }

  absl::StatusOr<std::unique_ptr<const Policy>> Run(std::string_view text) {
    if (text.size() > kMaxPolicyBytes) {
      return SourceError(file_, 1,
                         base::StrCat("the file is longer than ", kMaxPolicyBytes, " bytes"));
    }
    for (int line = 1; !text.empty(); ++line) {
      const size_t end = std::min(text.find('\n'), text.size());
      const absl::Status status = Line(text.substr(0, end), line);
      if (!status.ok()) return SourceError(file_, line, base::StdView(status.message()));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    for (RoleGraphBuilder& builder : builders_) {
      CAIRN_ASSIGN_OR_RETURN(RoleGraph graph, std::move(builder).Build());
      policy_.roles_.push_back(std::move(graph));
    }
    CAIRN_RETURN_IF_ERROR(Sort());
    for (const Program& matcher : model_.matchers()) CAIRN_RETURN_IF_ERROR(Compile(matcher));
    return std::unique_ptr<const Policy>(new Policy(std::move(policy_)));
  }

 private:
  absl::Status Line(std::string_view text, int line) {
    CAIRN_ASSIGN_OR_RETURN(const PolicyRow row, ReadPolicyLine(text));
    if (row.values.empty()) return absl::OkStatus();
    if (++rows_ > kMaxRules) {
      return absl::InvalidArgumentError(base::StrCat("more than ", kMaxRules, " rules"));
    }
    const std::string& kind = row.values[0];
    for (size_t i = 0; i < policy_.tables_.size(); ++i) {
      if (model_.names().policies[i].key == kind) return Rule(row, i, line);
    }
    for (size_t i = 0; i < builders_.size(); ++i) {
      if (model_.names().roles[i].key == kind) return Role(row, i);
    }
    return absl::InvalidArgumentError(base::StrCat("the model defines no '", kind, "'"));
  }

  absl::Status Rule(const PolicyRow& row, size_t index, int line) {
    RuleTable& table = policy_.tables_[index];
    const Model::SpecialColumns& special = model_.special()[index];
    const size_t count = row.values.size() - 1;
    const bool no_effect = special.effect == static_cast<int>(count) && count + 1 == table.columns;
    if (count != table.columns && !no_effect) {
      return absl::InvalidArgumentError(
          base::StrCat("'", row.values[0], "' has ", table.columns, " values, not ", count));
    }
    for (size_t i = 1; i <= count; ++i) {
      table.values.push_back(policy_.symbols_.Intern(row.values[i]));
    }
    if (no_effect) table.values.push_back(policy_.symbols_.Intern(""));
    table.effects.push_back(
        special.effect == kNoColumn || no_effect
            ? RuleEffect::kAllow
            : ParseRuleEffect(row.values[static_cast<size_t>(special.effect) + 1]));
    table.lines.push_back(line);
    int priority = 0;
    if (special.priority != kNoColumn &&
        !absl::SimpleAtoi(row.values[static_cast<size_t>(special.priority) + 1], &priority)) {
      return absl::InvalidArgumentError("a priority is a whole number");
    }
    return absl::OkStatus();
  }

  // Values behind the ones that the model asks for are ignored, as Casbin does.
  absl::Status Role(const PolicyRow& row, size_t graph) {
    const auto needed = static_cast<size_t>(model_.names().roles[graph].arguments);
    if (row.values.size() - 1 < needed) {
      return absl::InvalidArgumentError(base::StrCat("'", row.values[0], "' has ", needed,
                                                     " values, not ", row.values.size() - 1));
    }
    const Symbol name = policy_.symbols_.Intern(row.values[1]);
    const Symbol role = policy_.symbols_.Intern(row.values[2]);
    const Symbol domain = needed == 3 ? policy_.symbols_.Intern(row.values[3]) : policy_.no_domain_;
    builders_[graph].AddLink(name, role, domain);
    links_[graph].push_back({{domain, name}, {domain, role}});
    return absl::OkStatus();
  }

  absl::Status Sort() {
    const bool by_subject = model_.effects()[0] == PolicyEffect::kFirstBySubjectHierarchy;
    absl::flat_hash_map<DomainName, uint32_t> depths;
    if (by_subject) {
      auto found = SubjectDepths(links_[0]);
      if (!found.ok()) return SourceError(file_, 1, base::StdView(found.status().message()));
      depths = *std::move(found);
    }
    for (size_t i = 0; i < policy_.tables_.size(); ++i) {
      RuleTable& table = policy_.tables_[i];
      const Model::SpecialColumns& special = model_.special()[i];
      std::vector<int64_t> keys(table.size(), 0);
      for (size_t rule = 0; rule < table.size(); ++rule) {
        const Symbol* values = table.rule(rule);
        if (by_subject) {
          const Symbol domain =
              special.domain == kNoColumn ? policy_.no_domain_ : values[special.domain];
          const auto depth = depths.find(DomainName(domain, values[special.subject]));
          keys[rule] = depth == depths.end() ? 0 : -static_cast<int64_t>(depth->second);
        } else if (special.priority != kNoColumn) {
          int priority = 0;
          if (absl::SimpleAtoi(base::AbslView(policy_.symbols_.Text(values[special.priority])),
                               &priority)) {
            keys[rule] = priority;
          }
        }
      }
      Reorder(table, keys);
    }
    return absl::OkStatus();
  }

  // Smaller keys first; equal ones stay in the order of the file.
  static void Reorder(RuleTable& table, const std::vector<int64_t>& keys) {
    if (std::is_sorted(keys.begin(), keys.end())) return;
    std::vector<size_t> order(table.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return keys[a] < keys[b]; });
    RuleTable sorted;
    sorted.columns = table.columns;
    for (const size_t rule : order) {
      sorted.values.insert(sorted.values.end(), table.rule(rule), table.rule(rule) + table.columns);
      sorted.effects.push_back(table.effects[rule]);
      sorted.lines.push_back(table.lines[rule]);
    }
    table = std::move(sorted);
  }

  // What the columns hold that `program` takes for patterns and rules.
  absl::Status Compile(const Program& program) {
    if (program.policy == kAnyVariant) return absl::OkStatus();
    RuleTable& table = policy_.tables_[static_cast<size_t>(program.policy)];
    for (const auto& use : program.pattern_columns) {
      for (size_t rule = 0; rule < table.size(); ++rule) {
        CAIRN_RETURN_IF_ERROR(
            CompilePattern(use.function, table.rule(rule)[use.column], table.lines[rule]));
      }
    }
    for (const uint32_t column : program.eval_columns) {
      table.programs.resize(policy_.symbols_.size());
      for (size_t rule = 0; rule < table.size(); ++rule) {
        CAIRN_RETURN_IF_ERROR(CompileRule(program, table, rule, column));
      }
    }
    return absl::OkStatus();
  }

  absl::Status CompilePattern(Function function, Symbol text, int line) {
    auto& patterns = policy_.patterns_[static_cast<size_t>(function)];
    if (patterns.empty()) patterns.resize(policy_.symbols_.size());
    if (patterns[text] != nullptr) return absl::OkStatus();
    auto compiled = Pattern::Compile(function, policy_.symbols_.Text(text));
    if (!compiled.ok()) {
      return SourceError(
          file_, line,
          base::StrCat(TraitsOf(function).name, ": ", base::StdView(compiled.status().message())));
    }
    if ((*compiled)->is_regex() && ++regexes_ > kMaxRegexes) {
      return SourceError(file_, line,
                         base::StrCat("more than ", kMaxRegexes, " regular expressions"));
    }
    patterns[text] = *std::move(compiled);
    return absl::OkStatus();
  }

  absl::Status CompileRule(const Program& matcher, RuleTable& table, size_t rule, uint32_t column) {
    const Symbol text = table.rule(rule)[column];
    const int line = table.lines[rule];
    if (table.programs[text] == nullptr) {
      auto bound = BindExpression(policy_.symbols_.Text(text), model_.names(), /*is_rule=*/true);
      if (!bound.ok()) return SourceError(file_, line, base::StdView(bound.status().message()));
      if ((bound->policy != kAnyVariant && bound->policy != matcher.policy) ||
          (bound->request != kAnyVariant && matcher.request != kAnyVariant &&
           bound->request != matcher.request)) {
        return SourceError(file_, line, "the rule is about another request or policy");
      }
      rule_nodes_ += bound->nodes.size();
      if (rule_nodes_ > kMaxRuleNodes) {
        return SourceError(file_, line, "the rules for eval() are too large together");
      }
      for (const auto& pattern : bound->patterns) {
        if (pattern->is_regex() && ++regexes_ > kMaxRegexes) {
          return SourceError(file_, line,
                             base::StrCat("more than ", kMaxRegexes, " regular expressions"));
        }
      }
      table.programs[text] = std::make_unique<const Program>(*std::move(bound));
    }
    for (const auto& use : table.programs[text]->pattern_columns) {
      CAIRN_RETURN_IF_ERROR(CompilePattern(use.function, table.rule(rule)[use.column], line));
    }
    return absl::OkStatus();
  }

  const Model& model_;
  std::string_view file_;
  Policy policy_;
  std::vector<RoleGraphBuilder> builders_;
  std::vector<std::vector<RoleLink>> links_;
  size_t rows_ = 0;
  size_t regexes_ = 0;
  size_t rule_nodes_ = 0;
};

absl::StatusOr<std::unique_ptr<const Policy>> Policy::Load(const Model& model,
                                                           std::string_view text,
                                                           std::string_view file) {
  return PolicyLoader(model, file).Run(text);
}

std::string Policy::RuleText(const Model& model, size_t table, size_t rule) const {
  std::string text = model.names().policies[table].key;
  for (size_t i = 0; i < tables_[table].columns; ++i) {
    text += base::StrCat(", ", symbols_.Text(tables_[table].rule(rule)[i]));
  }
  return text;
}

}  // namespace cairn::security::casbin
