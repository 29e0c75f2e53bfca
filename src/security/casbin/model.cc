#include "security/casbin/model.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "security/casbin/limits.h"
#include "security/casbin/model_file.h"
#include "security/casbin/source_error.h"

namespace cairn::security::casbin {
namespace {

struct Section {
  std::string_view name;
  std::string_view letter;
  bool required;
};
constexpr std::array<Section, 5> kSections = {{{"request_definition", "r", true},
                                               {"policy_definition", "p", true},
                                               {"role_definition", "g", false},
                                               {"policy_effect", "e", true},
                                               {"matchers", "m", true}}};

// "r" is 0, "r2" is 1; -1 for anything else.
int VariantOf(std::string_view key, std::string_view letter) {
  if (key == letter) return 0;
  int number = 0;
  if (!key.starts_with(letter) || key[1] == '0' || key[1] == '+' ||
      !absl::SimpleAtoi(base::AbslView(key.substr(1)), &number)) {
    return -1;
  }
  return number >= 2 && number <= static_cast<int>(kMaxVariants) ? number - 1 : -1;
}

bool IsName(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '$' || c >= 0x80;
  });
}

}  // namespace

class ModelParser {
 public:
  explicit ModelParser(std::string_view file) : file_(file) {}

  absl::StatusOr<std::shared_ptr<const Model>> Run(std::string_view text) {
    CAIRN_ASSIGN_OR_RETURN(const auto definitions, ReadModelFile(text, file_));
    for (const Definition& definition : definitions) CAIRN_RETURN_IF_ERROR(CheckKnown(definition));
    for (const Section& section : kSections) {
      CAIRN_ASSIGN_OR_RETURN(const auto variants, Variants(definitions, section));
      for (const Definition* definition : variants) {
        const absl::Status status = Take(*definition, section.letter[0]);
        if (status.ok()) continue;
        return SourceError(file_, definition->line,
                           base::StrCat(definition->key, ": ", base::StdView(status.message())));
      }
    }
    return std::shared_ptr<const Model>(new Model(std::move(model_)));
  }

 private:
  absl::Status CheckKnown(const Definition& definition) const {
    for (const Section& section : kSections) {
      if (definition.section != section.name) continue;
      if (VariantOf(definition.key, section.letter) >= 0) return absl::OkStatus();
      return SourceError(file_, definition.line,
                         base::StrCat("[", section.name, "] defines ", section.letter, ", ",
                                      section.letter, "2, ... and not '", definition.key, "'"));
    }
    return SourceError(file_, definition.line,
                       base::StrCat("unknown section [", definition.section, "]"));
  }

  // The definitions of a section in the order of their numbers.
  absl::StatusOr<std::vector<const Definition*>> Variants(
      const std::vector<Definition>& definitions, const Section& section) const {
    std::vector<const Definition*> variants(kMaxVariants, nullptr);
    int line = 1;
    size_t last = 0;
    for (const Definition& definition : definitions) {
      if (definition.section != section.name) continue;
      const auto variant = static_cast<size_t>(VariantOf(definition.key, section.letter));
      variants[variant] = &definition;
      if (variant + 1 > last) {
        last = variant + 1;
        line = definition.line;
      }
    }
    if (last == 0 && section.required) {
      return SourceError(file_, 1, base::StrCat("section [", section.name, "] is missing"));
    }
    variants.resize(last);
    if (std::find(variants.begin(), variants.end(), nullptr) != variants.end()) {
      return SourceError(file_, line, base::StrCat("[", section.name, "] leaves out a number"));
    }
    return variants;
  }

  absl::Status Take(const Definition& definition, char letter) {
    switch (letter) {
      case 'r':
        return TakeColumns(definition, model_.names_.requests);
      case 'p':
        CAIRN_RETURN_IF_ERROR(TakeColumns(definition, model_.names_.policies));
        model_.special_.push_back(FindSpecial(model_.names_.policies.back().names));
        return absl::OkStatus();
      case 'g':
        return TakeRole(definition);
      case 'e':
        return TakeEffect(definition);
      default:
        return TakeMatcher(definition);
    }
  }

  static absl::Status TakeColumns(const Definition& definition, std::vector<Columns>& to) {
    Columns columns{.key = definition.key};
    for (const absl::string_view part : absl::StrSplit(definition.value, ',')) {
      std::string name(absl::StripAsciiWhitespace(part));
      if (!IsName(name)) return absl::InvalidArgumentError(base::StrCat("'", name, "' is no name"));
      if (std::find(columns.names.begin(), columns.names.end(), name) != columns.names.end()) {
        return absl::InvalidArgumentError(base::StrCat("'", name, "' comes twice"));
      }
      columns.names.push_back(std::move(name));
    }
    if (columns.names.size() > kMaxColumns) {
      return absl::InvalidArgumentError(base::StrCat("more than ", kMaxColumns, " names"));
    }
    to.push_back(std::move(columns));
    return absl::OkStatus();
  }

  static Model::SpecialColumns FindSpecial(const std::vector<std::string>& names) {
    const auto find = [&](std::string_view name, int otherwise) {
      const auto found = std::find(names.begin(), names.end(), name);
      return found == names.end() ? otherwise : static_cast<int>(found - names.begin());
    };
    return {.effect = find("eft", kNoColumn),
            .priority = find("priority", kNoColumn),
            .subject = find("sub", 0),
            .domain = find("dom", kNoColumn)};
  }

  absl::Status TakeRole(const Definition& definition) {
    const std::vector<std::string> parts = absl::StrSplit(definition.value, ',');
    for (const std::string& part : parts) {
      if (absl::StripAsciiWhitespace(part) != "_") {
        return absl::InvalidArgumentError("roles are defined as '_, _' or '_, _, _'");
      }
    }
    if (parts.size() < 2 || parts.size() > 3) {
      return absl::InvalidArgumentError("a role has a name, a role and at most one domain");
    }
    model_.names_.roles.push_back(
        {.key = definition.key, .arguments = static_cast<int>(parts.size())});
    return absl::OkStatus();
  }

  absl::Status TakeEffect(const Definition& definition) {
    const auto effect = ParsePolicyEffect(definition.value);
    if (!effect.has_value()) {
      return absl::InvalidArgumentError(
          base::StrCat("'", definition.value, "' is none of Casbin's five effects"));
    }
    if (*effect == PolicyEffect::kFirstBySubjectHierarchy && model_.names_.roles.empty()) {
      return absl::InvalidArgumentError("subjectPriority needs a [role_definition]");
    }
    model_.effects_.push_back(*effect);
    return absl::OkStatus();
  }

  absl::Status TakeMatcher(const Definition& definition) {
    CAIRN_ASSIGN_OR_RETURN(Program program,
                           BindExpression(definition.value, model_.names_, /*is_rule=*/false));
    model_.matchers_.push_back(std::move(program));
    return absl::OkStatus();
  }

  std::string_view file_;
  Model model_;
};

absl::StatusOr<std::shared_ptr<const Model>> Model::Parse(std::string_view text,
                                                          std::string_view file) {
  return ModelParser(file).Run(text);
}

}  // namespace cairn::security::casbin
