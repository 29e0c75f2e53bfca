// Who may do what, as the protocols ask: subjects, objects and actions of DESIGN section 9 over the
// Casbin enforcer of the moment.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "security/casbin/enforcer.h"

namespace cairn::security {

enum class Action : uint8_t { kProduce, kConsume, kCreate, kDelete, kAlter, kDescribe, kCluster };
std::string_view ToString(Action action);
// All of them, in the order of the enumeration.
std::span<const std::string_view> ActionNames();
std::optional<Action> ParseAction(std::string_view name);

// The object of a request that is about no topic.
inline constexpr std::string_view kNoTopic = "*";

// Who asks.
struct Caller {
  std::string subject;  // the common name of a certificate; "": none was shown
  std::string address;  // for the audit log
};

// What is asked for.
struct Object {
  std::string_view topic = kNoTopic;
  // The request names no topic and `topic` is the default one. What may be done to "*" may then be
  // done, too, unless a rule about the default topic forbids it: the ancestor's requests name no
  // topic, and its policies "*".
  bool unnamed = false;
};

// One decision, for an audit log.
struct AccessDecision {
  const Caller& caller;
  Action action;
  std::string_view object;
  bool allowed;
  std::string rule;  // as Enforcer::Explain says it
};

// Thread-safe. Until the first policy comes everyone may everything; from then on nobody may what
// no policy allows.
class Access {
 public:
  // Hears of the decisions that `wants` asks for. Both are called on the asking threads.
  struct Auditor {
    std::function<bool(bool allowed)> wants;
    std::function<void(const AccessDecision& decision)> record;
  };
  explicit Access(Auditor auditor = {}) : auditor_(std::move(auditor)) {}

  // Takes a model and a policy together, or neither: after an error the last good ones stay.
  // Errors: INVALID_ARGUMENT: those of the files, naming file and line, and a model whose requests
  // are not of subject, object and action.
  absl::Status Load(std::string_view model, const std::string& model_file, std::string_view policy,
                    const std::string& policy_file);

  // Whether there is a policy.
  bool enforced() const { return version() != 0; }
  // Grows with each policy; 0 while there is none.
  uint64_t version() const { return version_.load(std::memory_order_acquire); }

  // Whether the caller may, and says so to the auditor. To describe may who may anything else with
  // the topic, unless a rule forbids it. Errors: UNAUTHENTICATED without a subject;
  // PERMISSION_DENIED as "alice not permitted to produce to orders"; nothing else, whatever goes
  // wrong within.
  absl::Status Check(const Caller& caller, Action action, const Object& object) const;
  // The same without words, for lists that leave out what the caller may not see.
  bool May(const Caller& caller, Action action, const Object& object) const;

 private:
  struct Verdict {
    bool allowed = false;
    bool by_rule = false;
    std::string rule;  // with `words`
  };

  std::shared_ptr<const casbin::Enforcer> Current() const;
  static Verdict Ask(const casbin::Enforcer& enforcer, std::string_view subject,
                     std::string_view object, Action action, bool words);
  static Verdict Decide(const casbin::Enforcer& enforcer, const Caller& caller, Action action,
                        const Object& object, bool words);

  const Auditor auditor_;
  mutable base::Mutex mutex_;
  std::shared_ptr<const casbin::Enforcer> current_ CAIRN_GUARDED_BY(mutex_);
  std::atomic<uint64_t> version_{0};
};

}  // namespace cairn::security
