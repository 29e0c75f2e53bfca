#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <set>
#include <vector>

#include "absl/strings/escaping.h"
#include "base/strings.h"
#include "server/nearest_name.h"
#include "server/server_config.h"

namespace cairn::server {
namespace {

absl::Status At(std::string_view file, const YAML::Mark& mark, std::string_view message) {
  // A null mark has line -1.
  return absl::InvalidArgumentError(base::StrCat(file, ":", mark.line + 1, ": ", message));
}

std::string Quoted(const std::string& text) {
  return "\"" + absl::CHexEscape(text.substr(0, 64)) + "\"";
}

absl::Status UnknownKey(const std::string& name, const YAML::Mark& mark, std::string_view file) {
  std::vector<std::string_view> names;
  for (const ConfigKey& key : ConfigKeys()) names.push_back(key.name);
  std::string wanted = name;
  std::replace(wanted.begin(), wanted.end(), '-', '_');
  return At(file, mark,
            base::StrCat("there is no key ", Quoted(name), "; did you mean \"",
                         NearestName(wanted, names), "\"?"));
}

absl::StatusOr<std::string> ValueText(const YAML::Node& value, std::string_view file,
                                      std::string_view key) {
  if (value.IsNull()) return std::string();
  if (value.IsScalar()) return value.Scalar();
  if (value.IsSequence()) {
    std::string joined;
    for (const YAML::Node& element : value) {
      if (!element.IsScalar())
        return At(file, element.Mark(), base::StrCat(key, " takes a list of texts"));
      if (!joined.empty()) joined += ',';
      joined += element.Scalar();
    }
    return joined;
  }
  return At(file, value.Mark(), base::StrCat(key, " takes a value, not a mapping"));
}

absl::Status ApplyDocument(ServerConfig& config, const YAML::Node& document,
                           std::string_view file) {
  if (document.IsNull()) return absl::OkStatus();  // an empty file
  if (!document.IsMap())
    return At(file, document.Mark(), "the file must be a list of lines \"key: value\"");
  std::set<std::string_view> seen;
  for (const auto& entry : document) {
    const YAML::Mark mark = entry.first.Mark();
    if (!entry.first.IsScalar()) return At(file, mark, "a key must be a name");
    const ConfigKey* key = FindConfigKey(entry.first.Scalar());
    if (key == nullptr) return UnknownKey(entry.first.Scalar(), mark, file);
    if (!seen.insert(key->name).second)
      return At(file, mark, base::StrCat(key->name, " is set twice"));
    const auto text = ValueText(entry.second, file, key->name);
    if (!text.ok()) return text.status();
    if (absl::Status set = key->set(config, *text); !set.ok()) {
      return At(file, mark, base::StrCat(key->name, ": ", base::StdView(set.message())));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ApplyConfigText(ServerConfig& config, std::string_view yaml, std::string_view file) {
  // yaml-cpp reports by exceptions, from parsing and from nearly every access.
  try {
    return ApplyDocument(config, YAML::Load(std::string(yaml)), file);
  } catch (const YAML::Exception& error) {
    return At(file, error.mark, error.msg);
  }
}

}  // namespace cairn::server
