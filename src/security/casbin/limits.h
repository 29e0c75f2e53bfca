// Bounds on everything a model, a policy or a request may bring. Policies are written by operators,
// but a mistake or a generated file must end in an error, never in a server that hangs or runs out
// of memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cairn::security::casbin {

// A model is a page of text; Casbin's longest example has 25 lines.
inline constexpr size_t kMaxModelBytes = 64 << 10;
// 100,000 rules of 160 bytes.
inline constexpr size_t kMaxPolicyBytes = 16 << 20;
inline constexpr size_t kMaxRules = 100'000;
// One rule, or one matcher: long enough for any rule that a person reads.
inline constexpr size_t kMaxLineBytes = 16 << 10;
// Values of one request or rule; also keeps column numbers in one byte.
inline constexpr size_t kMaxColumns = 32;
// r, r2, ... r16, and the same for p, g, e and m.
inline constexpr size_t kMaxVariants = 16;

// Parts of one expression, and of all the rules that eval() runs, together 24 bytes each.
inline constexpr size_t kMaxExpressionNodes = 1024;
inline constexpr size_t kMaxRuleNodes = 1'000'000;
// Parentheses, calls and operators before an operand: what the parser recurses over.
inline constexpr int kMaxNesting = 64;

// Casbin's own limit: a role that is more than ten links away is not inherited.
inline constexpr int kMaxRoleDepth = 10;
// Roles of all names together, which are kept ready (4 bytes each), and the links followed to find
// them.
inline constexpr size_t kMaxInheritedRoles = 8'000'000;
inline constexpr size_t kMaxRoleSteps = 64'000'000;

// A pattern of regexMatch, keyMatch2 and the like, as text, ...
inline constexpr size_t kMaxPatternBytes = 1024;
// ... compiled (the program and the automaton that grows while it matches), ...
inline constexpr int64_t kRegexMemoryBytes = 64 << 10;
// ... and all those of a policy: at most 256 MiB of the above. Patterns of plain text and whole
// `:name` segments need no regular expression and are not counted.
inline constexpr size_t kMaxRegexes = 4096;

// One text of a request. The longest that cairn asks about is a topic's name.
inline constexpr size_t kMaxRequestTextBytes = 4096;
// A text that an expression builds with `+`.
inline constexpr size_t kMaxBuiltTextBytes = 64 << 10;
// Expression parts evaluated for one decision: 100,000 rules of 20 parts twice over, some 50 ms.
inline constexpr uint64_t kMaxSteps = 4'000'000;
// What compiling a pattern that comes with the request counts for.
inline constexpr uint64_t kPatternSteps = 1000;

}  // namespace cairn::security::casbin
