#include "security/casbin/lexer.h"

#include <array>
#include <charconv>
#include <utility>

#include "absl/strings/ascii.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "security/casbin/limits.h"
#include "security/casbin/syntax.h"

namespace cairn::security::casbin {
namespace {

// The longer first, so that `<=` is not `<` and `=`.
constexpr std::array<std::string_view, 18> kSymbols = {
    "||", "&&", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "(", ")", ",", "."};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsNamePart(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' ||
         static_cast<unsigned char>(c) >= 0x80;
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  absl::StatusOr<Token> Next() {
    while (at_ < text_.size() && absl::ascii_isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
    Token token;
    token.column = static_cast<uint32_t>(at_ + 1);
    if (at_ == text_.size()) return token;
    const char c = text_[at_];
    if (IsDigit(c) || (c == '.' && IsDigit(Peek(1)))) return Number(std::move(token));
    if (c == '"' || c == '\'') return Text(std::move(token));
    if (IsNamePart(c)) return Name(std::move(token));
    return Symbol(std::move(token));
  }

 private:
  char Peek(size_t ahead) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  absl::StatusOr<Token> Number(Token token) {
    const char* begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), token.number);
    if (error != std::errc()) return ExpressionError(token.column, "not a number");
    at_ += static_cast<size_t>(end - begin);
    // As in `1.2.3`, `0x10` and `5apples`.
    if (IsNamePart(Peek(0)) || Peek(0) == '.') return ExpressionError(token.column, "not a number");
    token.kind = Token::Kind::kNumber;
    return token;
  }

  absl::StatusOr<Token> Text(Token token) {
    const char quote = text_[at_++];
    token.kind = Token::Kind::kText;
    while (at_ < text_.size()) {
      char c = text_[at_++];
      if (c == quote) return token;
      if (c == '\\') {
        if (at_ == text_.size()) break;
        c = Escaped(text_[at_++]);
      }
      token.text += c;
    }
    return ExpressionError(token.column, "the quote is not closed");
  }

  static char Escaped(char c) {
    switch (c) {
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      case 'b':
        return '\b';
      case 'f':
        return '\f';
      case 'v':
        return '\v';
      default:
        return c;
    }
  }

  absl::StatusOr<Token> Name(Token token) {
    token.kind = Token::Kind::kName;
    while (at_ < text_.size() && IsNamePart(text_[at_])) token.text += text_[at_++];
    return token;
  }

  absl::StatusOr<Token> Symbol(Token token) {
    for (const std::string_view symbol : kSymbols) {
      if (text_.substr(at_, symbol.size()) != symbol) continue;
      token.kind = Token::Kind::kSymbol;
      token.text = symbol;
      at_ += symbol.size();
      return token;
    }
    return ExpressionError(token.column,
                           base::StrCat("'", text_.substr(at_, 1), "' means nothing here"));
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

absl::StatusOr<std::vector<Token>> ReadTokens(std::string_view text) {
  if (text.size() > kMaxLineBytes) {
    return ExpressionError(1, base::StrCat("longer than ", kMaxLineBytes, " bytes"));
  }
  Lexer lexer(text);
  std::vector<Token> tokens;
  do {
    CAIRN_ASSIGN_OR_RETURN(Token token, lexer.Next());
    tokens.push_back(std::move(token));
  } while (tokens.back().kind != Token::Kind::kEnd);
  return tokens;
}

}  // namespace cairn::security::casbin
