#include "security/casbin/glob.h"

#include "absl/status/status.h"
#include "re2/re2.h"

namespace cairn::security::casbin {
namespace {

class Translator {
 public:
  explicit Translator(std::string_view glob) : glob_(glob) {}

  absl::StatusOr<std::string> Run() {
    if (!glob_.empty() && (glob_[0] == '!' || glob_[0] == '#')) {
      return absl::InvalidArgumentError("a glob does not begin with ! or #");
    }
    regex_ = "^(?s:";
    while (at_ < glob_.size()) {
      if (at_ + 1 < glob_.size() && glob_[at_ + 1] == '(' &&
          std::string_view("!?+*@").find(glob_[at_]) != std::string_view::npos) {
        return absl::InvalidArgumentError("extended globs are not supported");
      }
      const char* error = One();
      if (error != nullptr) return absl::InvalidArgumentError(error);
    }
    if (braces_ != 0) return absl::InvalidArgumentError("{ is not closed");
    return regex_ + ")$";
  }

 private:
  // Translates what stands here; nullptr, or what is wrong.
  const char* One() {
    const char c = glob_[at_++];
    switch (c) {
      case '*':
        Stars();
        return nullptr;
      case '?':
        regex_ += "[^/]";
        return nullptr;
      case '[':
        return Class();
      case '{':
        return Open();
      case '}':
        regex_ += braces_ > 0 ? ")" : "\\}";
        if (braces_ > 0) --braces_;
        return nullptr;
      case ',':
        regex_ += braces_ > 0 ? "|" : ",";
        return nullptr;
      case '\\':
        if (at_ == glob_.size()) return "ends in \\";
        regex_ += RE2::QuoteMeta({&glob_[at_++], 1});
        return nullptr;
      default:
        Literal(c);
        return nullptr;
    }
  }

  void Literal(char c) {
    // Bytes of a character beyond ASCII stay together.
    regex_ += static_cast<unsigned char>(c) >= 0x80 ? std::string(1, c) : RE2::QuoteMeta({&c, 1});
  }

  void Stars() {
    const bool at_segment = at_ == 1 || glob_[at_ - 2] == '/';
    size_t stars = 1;
    for (; at_ < glob_.size() && glob_[at_] == '*'; ++at_) ++stars;
    const bool to_segment_end = at_ == glob_.size() || glob_[at_] == '/';
    if (stars != 2 || !at_segment || !to_segment_end) {
      regex_ += "[^/]*";
    } else if (at_ == glob_.size()) {
      regex_ += ".*";
    } else {
      regex_ += "(?:[^/]*/)*";
      ++at_;
    }
  }

  const char* Class() {
    std::string inside;
    bool negated = false;
    if (at_ < glob_.size() && (glob_[at_] == '!' || glob_[at_] == '^')) {
      negated = true;
      ++at_;
    }
    for (bool first = true; at_ < glob_.size() && (glob_[at_] != ']' || first); first = false) {
      char c = glob_[at_++];
      const bool quoted = c == '\\' && at_ < glob_.size();
      if (quoted) c = glob_[at_++];
      if (c == '/') return "/ in [...]";
      if (c == '-' && !quoted && !first && at_ < glob_.size() && glob_[at_] != ']') {
        inside += '-';
      } else {
        Append(inside, c);
      }
    }
    if (at_ == glob_.size()) return "[ is not closed";
    ++at_;
    if (inside.empty()) return "[] is empty";
    regex_ += (negated ? "[^/" : "[") + inside + "]";
    return nullptr;
  }

  static void Append(std::string& inside, char c) {
    if (std::string_view("[]\\^-").find(c) != std::string_view::npos) inside += '\\';
    inside += c;
  }

  const char* Open() {
    size_t depth = 1;
    bool comma = false;
    for (size_t i = at_; i < glob_.size() && depth > 0; ++i) {
      if (glob_[i] == '\\')
        ++i;
      else if (glob_[i] == '{')
        ++depth;
      else if (glob_[i] == '}')
        --depth;
      else if (glob_[i] == ',' && depth == 1)
        comma = true;
    }
    if (!comma) return "{ } without a comma";
    ++braces_;
    regex_ += "(?:";
    return nullptr;
  }

  std::string_view glob_;
  size_t at_ = 0;
  int braces_ = 0;
  std::string regex_;
};

}  // namespace

absl::StatusOr<std::string> GlobToRegex(std::string_view glob) { return Translator(glob).Run(); }

}  // namespace cairn::security::casbin
